//! `POST /v1/auth/logout`

use axum::extract::State;
use http::StatusCode;

use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Ends the caller's session: its access and refresh tokens stop working at once.
///
/// A script's token belongs to no session and ends by itself; for it nothing changes.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", responses((status = 204, description = "Signed out")))]
pub(crate) async fn logout(State(app): State<AppState>, person: Person) -> Result<StatusCode, ApiError> {
    if let Some(session_id) = person.session_id {
        app.state.control.end_session(session_id, app.state.clock.now()).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
