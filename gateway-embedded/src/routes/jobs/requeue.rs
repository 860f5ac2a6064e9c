//! `POST /v1/jobs/{job_id}/requeue`

use axum::{Json, extract::State};
use flowork_api_types::{JobId, job::Job};

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::PathId};

/// Puts a job that ended back into its queue, with all its attempts.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job_id}/requeue",
    tag = "jobs",
    params(("job_id" = JobId, Path)),
    responses(
        (status = 200, description = "The job, queued again", body = Job),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`JOB_NOT_FOUND`"),
        (status = 409, description = "`INVALID_STATE`: it has not ended, or completed"),
        (status = 429, description = "`QUEUE_FULL`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn requeue_job(
    State(app): State<AppState>,
    person: Person,
    PathId(job_id): PathId<JobId>,
) -> Result<Json<Job>, ApiError> {
    let job = app.state.engines.requeue(&person.caller(), job_id).await?;
    Ok(Json(job))
}
