//! `GET /v1/sessions/{session_id}/events`

use axum::{Json, extract::State};
use flowork_api_types::{
    SyncSessionId,
    session::{ListSessionEventsQuery, SessionData, SessionEventList},
};

use super::{
    data,
    request::{SessionPath, SessionQuery},
};
use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Lists what happened to a sync session, oldest first, in pages; also to one that is gone.
#[utoipa::path(
    get,
    path = "/v1/sessions/{session_id}/events",
    tag = "sessions",
    params(("session_id" = SyncSessionId, Path), ListSessionEventsQuery),
    responses(
        (status = 200, description = "A page of events", body = SessionData<SessionEventList>),
        (status = 400, description = "`VALIDATION_ERROR`"),
        (status = 404, description = "`SESSION_NOT_FOUND`"),
        (status = 429, description = "`RATE_LIMIT_EXCEEDED`, with `Retry-After` and `RateLimit`")
    )
)]
pub(crate) async fn list_session_events(
    State(app): State<AppState>,
    person: Person,
    SessionPath(session_id): SessionPath,
    SessionQuery(query): SessionQuery<ListSessionEventsQuery>,
) -> Result<Json<SessionData<SessionEventList>>, ApiError> {
    let events = app.state.sync.events(&person.session_caller(), session_id, query).await?;
    Ok(data(events))
}
