//! `GET /v1/sessions`

use axum::{Json, extract::State};
use flowork_api_types::session::{ListSessionsQuery, SessionData, SessionList};

use super::{data, request::SessionQuery};
use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Lists sync sessions, newest first, in pages. A member sees their own.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    tag = "sessions",
    params(ListSessionsQuery),
    responses(
        (status = 200, description = "A page of sessions", body = SessionData<SessionList>),
        (status = 400, description = "`VALIDATION_ERROR`"),
        (status = 429, description = "`RATE_LIMIT_EXCEEDED`, with `Retry-After` and `RateLimit`")
    )
)]
pub(crate) async fn list_sync_sessions(
    State(app): State<AppState>,
    person: Person,
    SessionQuery(query): SessionQuery<ListSessionsQuery>,
) -> Result<Json<SessionData<SessionList>>, ApiError> {
    let sessions = app.state.sync.list(&person.session_caller(), &query)?;
    Ok(data(sessions))
}
