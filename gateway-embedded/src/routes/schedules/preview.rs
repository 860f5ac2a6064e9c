//! `POST /v1/schedules/preview`

use axum::{Json, extract::State};
use flowork_api_types::schedule::{PreviewScheduleRequest, SchedulePreview};

use crate::{app::AppState, error::ApiError, extract::JsonBody, routes::SMALL_BODY_BYTES_MAX};

/// Tells when a schedule would run, and changes nothing. Changes of clocks are in it.
#[utoipa::path(
    post,
    path = "/v1/schedules/preview",
    tag = "schedules",
    request_body = PreviewScheduleRequest,
    responses(
        (status = 200, description = "The next runs", body = SchedulePreview),
        (
            status = 400,
            description = "`VALIDATION_ERROR` with a hint for cron expressions and time zones, `MALFORMED_JSON`"
        ),
        (status = 413, description = "`BODY_TOO_LARGE`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 503, description = "`OVERLOADED`, with `Retry-After`")
    )
)]
pub(crate) async fn preview_schedule(
    State(app): State<AppState>,
    JsonBody(request): JsonBody<PreviewScheduleRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<SchedulePreview>, ApiError> {
    let preview = app.state.schedules.preview(request)?;
    Ok(Json(preview))
}
