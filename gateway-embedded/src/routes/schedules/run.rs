//! `POST /v1/schedules/{schedule_id}/run`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use flowork_api_types::{ScheduleId, job::Job};
use http::{HeaderValue, StatusCode, header};

use crate::{
    app::AppState,
    auth::{credentials::Person, kind_rights},
    edge::scope::Scope,
    error::ApiError,
    extract::{IdempotencyKey, PathId},
};

/// Enqueues the job of a schedule now, in the name of who made the schedule. Its due times stay what they are.
#[utoipa::path(
    post,
    path = "/v1/schedules/{schedule_id}/run",
    tag = "schedules",
    params(
        ("schedule_id" = ScheduleId, Path),
        (
            "Idempotency-Key" = String, Header,
            description = "A new random text for each new run, the same text for a repeated request; at most 255 bytes"
        )
    ),
    responses(
        (
            status = 202, description = "Accepted", body = Job,
            headers(("Location" = String, description = "Path of the job"))
        ),
        (
            status = 400,
            description = "`INVALID_ID`, `IDEMPOTENCY_KEY_REQUIRED`, `INVALID_IDEMPOTENCY_KEY`, `UNKNOWN_KIND`, \
                           `VALIDATION_ERROR`: its kind takes other payloads by now"
        ),
        (status = 403, description = "`FORBIDDEN`, `KIND_NOT_ALLOWED`: the kind is not open to the caller's role"),
        (status = 404, description = "`SCHEDULE_NOT_FOUND`, `ENGINE_NOT_FOUND`"),
        (status = 409, description = "`KIND_UNAVAILABLE`, `UNIQUE_KEY_HELD`"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the schedule's job was changed since"),
        (status = 429, description = "`QUEUE_FULL`, with `Retry-After`"),
        (status = 503, description = "`DRAINING`, `SHUTTING_DOWN`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn run_schedule(
    State(app): State<AppState>,
    person: Person,
    scope: Scope,
    PathId(schedule_id): PathId<ScheduleId>,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, ApiError> {
    let schedule = app.state.schedules.get(&person.caller(), schedule_id).await?;
    kind_rights::check(&app, &person, &schedule.job.kind)?;
    let job = app.state.schedules.run(&person.caller(), schedule_id, &key, scope.trace_id).await?;
    let location = HeaderValue::from_str(&format!("/v1/jobs/{}", job.summary.id)).expect("ids are header text");
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json::<Job>(job)).into_response())
}
