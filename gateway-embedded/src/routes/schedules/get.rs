//! `GET /v1/schedules/{schedule_id}`

use axum::{Json, extract::State};
use flowork_api_types::{ScheduleId, schedule::Schedule};

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::PathId};

/// Shows a schedule with its next runs, and what became of the last one.
#[utoipa::path(
    get,
    path = "/v1/schedules/{schedule_id}",
    tag = "schedules",
    params(("schedule_id" = ScheduleId, Path)),
    responses(
        (status = 200, description = "The schedule", body = Schedule),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`SCHEDULE_NOT_FOUND`")
    )
)]
pub(crate) async fn get_schedule(
    State(app): State<AppState>,
    person: Person,
    PathId(schedule_id): PathId<ScheduleId>,
) -> Result<Json<Schedule>, ApiError> {
    let schedule = app.state.schedules.get(&person.caller(), schedule_id).await?;
    Ok(Json(schedule))
}
