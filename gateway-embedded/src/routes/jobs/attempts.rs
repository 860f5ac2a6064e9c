//! `GET /v1/jobs/{job_id}/attempts`

use axum::{Json, extract::State};
use flowork_api_types::{JobId, job::AttemptList};

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::PathId};

/// Lists the attempts of a job, oldest first.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}/attempts",
    tag = "jobs",
    params(("job_id" = JobId, Path)),
    responses(
        (status = 200, description = "The attempts", body = AttemptList),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`JOB_NOT_FOUND`"),
        (status = 503, description = "`SHARD_QUARANTINED`, with `Retry-After`")
    )
)]
pub(crate) async fn list_attempts(
    State(app): State<AppState>,
    person: Person,
    PathId(job_id): PathId<JobId>,
) -> Result<Json<AttemptList>, ApiError> {
    let items = app.state.engines.attempts(&person.caller(), job_id).await?;
    Ok(Json(AttemptList { items }))
}
