//! `DELETE /v1/schedules/{schedule_id}`

use axum::extract::State;
use flowork_api_types::ScheduleId;
use http::StatusCode;

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::PathId};

/// Removes a schedule. Its jobs stay.
#[utoipa::path(
    delete,
    path = "/v1/schedules/{schedule_id}",
    tag = "schedules",
    params(("schedule_id" = ScheduleId, Path)),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`SCHEDULE_NOT_FOUND`"),
        (status = 503, description = "`SHUTTING_DOWN`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn delete_schedule(
    State(app): State<AppState>,
    person: Person,
    PathId(schedule_id): PathId<ScheduleId>,
) -> Result<StatusCode, ApiError> {
    app.state.schedules.delete(&person.caller(), schedule_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
