//! `GET /v1/jobs/{job_id}/events`

use axum::{extract::State, response::IntoResponse};
use flowork_api_types::{JobId, event::EventEnvelope};

use crate::{
    app::AppState,
    auth::credentials::Person,
    error::ApiError,
    extract::PathId,
    sse::{self, job_feed::JobFeed},
};

/// Streams a job: the log lines so far, its state and progress, then what comes, until the job has ended.
///
/// `end` is the last event of a job that ended, `bye` of a stream that had to stop first. A client that lost its
/// connection asks again and gets everything from the start; lines carry their `seq`.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}/events",
    tag = "jobs",
    params(("job_id" = JobId, Path)),
    responses(
        (status = 200, description = "Server-sent events", body = EventEnvelope, content_type = "text/event-stream"),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`JOB_NOT_FOUND`")
    )
)]
pub(crate) async fn job_events(
    State(app): State<AppState>,
    person: Person,
    PathId(job_id): PathId<JobId>,
) -> Result<impl IntoResponse, ApiError> {
    let seat = app.streams.seat(&person)?;
    let feed = JobFeed::start(&app, person, job_id).await?;
    Ok(sse::answer(&app, seat, feed))
}
