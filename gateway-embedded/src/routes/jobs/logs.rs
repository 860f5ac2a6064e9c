//! `GET /v1/jobs/{job_id}/logs`

use axum::{Json, extract::State};
use flowork_api_types::{JobId, job::LogList};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    app::AppState,
    auth::credentials::Person,
    error::ApiError,
    extract::{PathId, QueryOf},
};

/// Lines a page at most; of 8 KiB each they make 8 MiB.
const LINES_MAX: u32 = 1_000;
const LINES_DEFAULT: u32 = 200;

/// Query of `GET /v1/jobs/{job_id}/logs`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogsQuery {
    /// Only lines after this `seq`.
    #[serde(default)]
    after: u64,
    /// Lines a page; 200 without it.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Lists the log lines of a job, oldest first, in pages.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}/logs",
    tag = "jobs",
    params(("job_id" = JobId, Path), LogsQuery),
    responses(
        (status = 200, description = "A page of lines", body = LogList),
        (status = 400, description = "`INVALID_ID`, `VALIDATION_ERROR`"),
        (status = 404, description = "`JOB_NOT_FOUND`"),
        (status = 503, description = "`SHARD_QUARANTINED`, with `Retry-After`")
    )
)]
pub(crate) async fn list_logs(
    State(app): State<AppState>,
    person: Person,
    PathId(job_id): PathId<JobId>,
    QueryOf(query): QueryOf<LogsQuery>,
) -> Result<Json<LogList>, ApiError> {
    let limit = query.limit.unwrap_or(LINES_DEFAULT);
    if !(1..=LINES_MAX).contains(&limit) {
        return Err(ApiError::field("?limit", format!("is not from 1 to {LINES_MAX}")));
    }
    let lines = app.state.engines.logs(&person.caller(), job_id, query.after, limit).await?;
    Ok(Json(lines))
}
