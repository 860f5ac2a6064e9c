//! `GET /v1/sessions/{session_id}`

use axum::{extract::State, response::Response};
use flowork_api_types::{
    SyncSessionId,
    session::{SessionData, SessionState},
};

use super::{encoded, request::SessionPath};
use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Shows a sync session, with the times at this moment in `computed`.
#[utoipa::path(
    get,
    path = "/v1/sessions/{session_id}",
    tag = "sessions",
    params(("session_id" = SyncSessionId, Path)),
    responses(
        (
            status = 200,
            description = "The session",
            body = SessionData<SessionState>,
            headers(("ETag" = String, description = "Its version"))
        ),
        (status = 400, description = "`VALIDATION_ERROR`"),
        (status = 404, description = "`SESSION_NOT_FOUND`"),
        (status = 429, description = "`RATE_LIMIT_EXCEEDED`, with `Retry-After` and `RateLimit`")
    )
)]
pub(crate) async fn get_session(
    State(app): State<AppState>,
    person: Person,
    SessionPath(session_id): SessionPath,
) -> Result<Response, ApiError> {
    let snapshot = app.state.sync.get(&person.session_caller(), session_id)?;
    Ok(encoded(&snapshot, &snapshot.computed_json(app.state.sync.now_ms())))
}
