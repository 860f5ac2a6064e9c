//! `GET /v1/jobs`

use axum::{Json, extract::State};
use flowork_api_types::job::{JobList, ListJobsQuery};

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::QueryOf};

/// Lists jobs, newest first, in pages.
#[utoipa::path(
    get,
    path = "/v1/jobs",
    tag = "jobs",
    params(ListJobsQuery),
    responses(
        (status = 200, description = "A page of jobs without payloads and results", body = JobList),
        (status = 400, description = "`VALIDATION_ERROR`, `INVALID_CURSOR`"),
        (status = 404, description = "`ENGINE_NOT_FOUND`")
    )
)]
pub(crate) async fn list_jobs(
    State(app): State<AppState>,
    person: Person,
    QueryOf(query): QueryOf<ListJobsQuery>,
) -> Result<Json<JobList>, ApiError> {
    let jobs = app.state.engines.list_jobs(&person.caller(), query).await?;
    Ok(Json(jobs))
}
