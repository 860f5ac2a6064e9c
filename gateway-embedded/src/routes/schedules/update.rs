//! `PATCH /v1/schedules/{schedule_id}`

use axum::{Json, extract::State};
use flowork_api_types::{
    ScheduleId,
    schedule::{Schedule, UpdateScheduleRequest},
};

use super::BODY_BYTES_MAX;
use crate::{
    app::AppState,
    auth::{credentials::Person, kind_rights},
    error::ApiError,
    extract::{JsonBody, PathId},
};

/// Changes a schedule, pauses it or lets it go on. New times count from now.
#[utoipa::path(
    patch,
    path = "/v1/schedules/{schedule_id}",
    tag = "schedules",
    params(("schedule_id" = ScheduleId, Path)),
    request_body = UpdateScheduleRequest,
    responses(
        (status = 200, description = "The schedule as it is now", body = Schedule),
        (
            status = 400,
            description = "`INVALID_ID`, `VALIDATION_ERROR` with a hint for cron expressions and time zones, \
                           `MALFORMED_JSON`, `UNKNOWN_KIND`"
        ),
        (status = 403, description = "`FORBIDDEN`, `KIND_NOT_ALLOWED`: the kind is not open to the caller's role"),
        (status = 404, description = "`SCHEDULE_NOT_FOUND`, `ENGINE_NOT_FOUND`"),
        (status = 413, description = "`BODY_TOO_LARGE`, `PAYLOAD_TOO_LARGE`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 503, description = "`OVERLOADED`, `SHUTTING_DOWN`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn update_schedule(
    State(app): State<AppState>,
    person: Person,
    PathId(schedule_id): PathId<ScheduleId>,
    JsonBody(request): JsonBody<UpdateScheduleRequest, BODY_BYTES_MAX>,
) -> Result<Json<Schedule>, ApiError> {
    if let Some(job) = &request.job {
        kind_rights::check(&app, &person, &job.kind)?;
    } else if makes_runs(&request) {
        let schedule = app.state.schedules.get(&person.caller(), schedule_id).await?;
        kind_rights::check(&app, &person, &schedule.job.kind)?;
    }
    let schedule = app.state.schedules.update(&person.caller(), schedule_id, request).await?;
    Ok(Json(schedule))
}

/// Whether the change lets the job run at times when it would not have. A pause and a new name are open to who may not
/// enqueue the job any more.
fn makes_runs(request: &UpdateScheduleRequest) -> bool {
    let UpdateScheduleRequest { cron, time_zone, interval_ms, anchor, enabled, .. } = request;
    let new_times = cron.is_some() || time_zone.is_some() || interval_ms.is_some() || anchor.is_some();
    new_times || *enabled == Some(true)
}
