//! `POST /v1/schedules`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use flowork_api_types::schedule::{CreateScheduleRequest, Schedule};
use http::{HeaderValue, StatusCode, header};

use super::BODY_BYTES_MAX;
use crate::{
    app::AppState,
    auth::{credentials::Person, kind_rights},
    error::ApiError,
    extract::JsonBody,
};

/// Makes a schedule. The job is checked as an enqueue would check it. Its first run is the first due time from now on.
#[utoipa::path(
    post,
    path = "/v1/schedules",
    tag = "schedules",
    request_body = CreateScheduleRequest,
    responses(
        (
            status = 201, description = "The schedule", body = Schedule,
            headers(("Location" = String, description = "Path of the schedule"))
        ),
        (
            status = 400,
            description = "`VALIDATION_ERROR` with a hint for cron expressions and time zones, `MALFORMED_JSON`, \
                           `UNKNOWN_KIND`"
        ),
        (status = 403, description = "`FORBIDDEN`, `KIND_NOT_ALLOWED`: the kind is not open to the caller's role"),
        (status = 404, description = "`ENGINE_NOT_FOUND`: the job names an engine that is not there"),
        (status = 409, description = "`SCHEDULES_FULL`"),
        (status = 413, description = "`BODY_TOO_LARGE`, `PAYLOAD_TOO_LARGE`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 503, description = "`OVERLOADED`, `SHUTTING_DOWN`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn create_schedule(
    State(app): State<AppState>,
    person: Person,
    JsonBody(request): JsonBody<CreateScheduleRequest, BODY_BYTES_MAX>,
) -> Result<Response, ApiError> {
    kind_rights::check(&app, &person, &request.job.kind)?;
    let schedule = app.state.schedules.create(&person.caller(), request).await?;
    let location = HeaderValue::from_str(&format!("/v1/schedules/{}", schedule.id)).expect("ids are header text");
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(schedule)).into_response())
}
