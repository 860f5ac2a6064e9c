//! `POST /v1/jobs/{job_id}/requeue`, `POST /v1/jobs/requeue`

use axum::{Json, extract::State};
use flowork_api_types::{
    JobId,
    job::{Job, RequeueAnswer, RequeueRequest},
};

use crate::{
    app::AppState,
    auth::{credentials::Person, kind_rights},
    error::ApiError,
    extract::{JsonBody, PathId},
};

/// A thousand ids and some filters.
const REQUEST_BYTES_MAX: usize = 128 << 10;

/// Puts a job that ended back into its queue, with all its attempts.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job_id}/requeue",
    tag = "jobs",
    params(("job_id" = JobId, Path)),
    responses(
        (status = 200, description = "The job, queued again", body = Job),
        (status = 400, description = "`INVALID_ID`"),
        (status = 403, description = "`FORBIDDEN`, `KIND_NOT_ALLOWED`: the kind is not open to the caller's role"),
        (status = 404, description = "`JOB_NOT_FOUND`"),
        (status = 409, description = "`INVALID_STATE`: it has not ended, or completed; `UNIQUE_KEY_HELD`"),
        (status = 429, description = "`QUEUE_FULL`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn requeue_job(
    State(app): State<AppState>,
    person: Person,
    PathId(job_id): PathId<JobId>,
) -> Result<Json<Job>, ApiError> {
    let job = app.state.engines.job(&person.caller(), job_id).await?;
    kind_rights::check(&app, &person, &job.summary.kind)?;
    let job = app.state.engines.requeue(&person.caller(), job_id).await?;
    Ok(Json(job))
}

/// Puts many jobs that ended back into their queues: the failed ones, or those that match, or those that are named.
///
/// Each remembers where it was. Newest first; while `more` says so, ask again for the rest.
/// Jobs of kinds that are not open to the caller's role are skipped.
#[utoipa::path(
    post,
    path = "/v1/jobs/requeue",
    tag = "jobs",
    request_body = RequeueRequest,
    responses(
        (status = 200, description = "How many came back", body = RequeueAnswer),
        (status = 400, description = "`MALFORMED_JSON`, `VALIDATION_ERROR`"),
        (status = 413, description = "`BODY_TOO_LARGE`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 503, description = "`SHARD_QUARANTINED`"),
        (status = 507, description = "`STORAGE_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn requeue_jobs(
    State(app): State<AppState>,
    person: Person,
    JsonBody(request): JsonBody<RequeueRequest, REQUEST_BYTES_MAX>,
) -> Result<Json<RequeueAnswer>, ApiError> {
    let may_enqueue = |kind: &str| kind_rights::may_enqueue(&app, &person, kind);
    let answer = app.state.engines.requeue_many(&person.caller(), request, may_enqueue).await?;
    Ok(Json(answer))
}
