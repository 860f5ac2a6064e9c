//! `GET /v1/schedules`

use axum::{Json, extract::State};
use flowork_api_types::schedule::{ListSchedulesQuery, ScheduleList};

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::QueryOf};

/// Lists schedules, newest first, in pages. A member sees their own.
#[utoipa::path(
    get,
    path = "/v1/schedules",
    tag = "schedules",
    params(ListSchedulesQuery),
    responses(
        (status = 200, description = "A page of schedules", body = ScheduleList),
        (status = 400, description = "`VALIDATION_ERROR`")
    )
)]
pub(crate) async fn list_schedules(
    State(app): State<AppState>,
    person: Person,
    QueryOf(query): QueryOf<ListSchedulesQuery>,
) -> Result<Json<ScheduleList>, ApiError> {
    let schedules = app.state.schedules.list(&person.caller(), query).await?;
    Ok(Json(schedules))
}
