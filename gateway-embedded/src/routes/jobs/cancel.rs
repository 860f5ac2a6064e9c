//! `POST /v1/jobs/{job_id}/cancel`

use axum::{Json, extract::State};
use flowork_api_types::{JobId, job::Job};

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::PathId};

/// Ends a job. One that runs is told within a second, and is `cancelled` once its worker has stopped.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job_id}/cancel",
    tag = "jobs",
    params(("job_id" = JobId, Path)),
    responses(
        (status = 200, description = "The job, cancelled or about to be", body = Job),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`JOB_NOT_FOUND`"),
        (status = 409, description = "`INVALID_STATE`: it has ended"),
        (status = 503, description = "`SHARD_QUARANTINED`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn cancel_job(
    State(app): State<AppState>,
    person: Person,
    PathId(job_id): PathId<JobId>,
) -> Result<Json<Job>, ApiError> {
    let job = app.state.engines.cancel(&person.caller(), job_id).await?;
    Ok(Json(job))
}
