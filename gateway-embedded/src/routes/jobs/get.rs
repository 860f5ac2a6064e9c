//! `GET /v1/jobs/{job_id}`

use std::time::Duration;

use axum::{Json, extract::State};
use flowork_api_types::{
    JobId,
    job::{Job, WAIT_MS_MAX},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    app::AppState,
    auth::credentials::Person,
    error::ApiError,
    extract::{PathId, QueryOf},
};

/// Query of `GET /v1/jobs/{job_id}`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetJobQuery {
    /// Wait at most this long for the end of the job.
    #[serde(default)]
    #[param(maximum = 30_000)]
    wait_ms: u64,
}

/// Gives a job with its payload and result; with `wait_ms`, once the job has ended or the time is up.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}",
    tag = "jobs",
    params(("job_id" = JobId, Path), GetJobQuery),
    responses(
        (status = 200, description = "The job", body = Job),
        (status = 400, description = "`INVALID_ID`, `VALIDATION_ERROR`"),
        (status = 404, description = "`JOB_NOT_FOUND`, also for a job of somebody else"),
        (status = 503, description = "`SHARD_QUARANTINED`, with `Retry-After`")
    )
)]
pub(crate) async fn get_job(
    State(app): State<AppState>,
    person: Person,
    PathId(job_id): PathId<JobId>,
    QueryOf(query): QueryOf<GetJobQuery>,
) -> Result<Json<Job>, ApiError> {
    if query.wait_ms > WAIT_MS_MAX {
        return Err(ApiError::field("?wait_ms", format!("is more than {WAIT_MS_MAX}")));
    }
    let (engines, caller) = (&app.state.engines, person.caller());
    let wait = Duration::from_millis(query.wait_ms);
    let job = tokio::select! {
        job = engines.wait(&caller, job_id, wait), if !wait.is_zero() => job?,
        () = app.stopping.cancelled(), if !wait.is_zero() => engines.job(&caller, job_id).await?,
        else => engines.job(&caller, job_id).await?,
    };
    Ok(Json(job))
}
