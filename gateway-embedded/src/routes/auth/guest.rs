//! `POST /v1/auth/guest`

use std::time::Duration;

use axum::{Json, extract::State};
use flowork_api_types::auth::{GuestAnswer, Me, Role};
use flowork_engine::clock::wall_now;
use http::StatusCode;

use crate::{
    app::AppState,
    auth::permission::{GuestOpenings, Standing},
    error::ApiError,
};

/// How long a guest may look around before becoming a new one.
const GUEST_TTL: Duration = Duration::from_hours(1);
/// All guests are the same person, as far as anything is called by who made it.
const GUEST_SUBJECT: &str = "guest";

/// Lets somebody in as nobody in particular, who may do only what the owner opened to guests.
#[utoipa::path(
    post,
    path = "/v1/auth/guest",
    tag = "auth",
    responses(
        (status = 200, description = "A token for an hour", body = GuestAnswer),
        (status = 403, description = "`GUESTS_NOT_ADMITTED`")
    )
)]
pub(crate) async fn guest(State(app): State<AppState>) -> Result<Json<GuestAnswer>, ApiError> {
    if !app.state.control.guest_policy().enabled {
        let message = "the owner of this node lets no guests in";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "GUESTS_NOT_ADMITTED", message)
            .hint("ask the owner for a link, and sign in with it"));
    }
    let signed = app.state.tokens.sign_access_at(GUEST_SUBJECT, Role::Guest, None, GUEST_TTL, wall_now());
    let (access_token, access_expires_at) = signed;
    let permissions = Standing::Guest(GuestOpenings::now(&app.state.control)).permissions();
    let me = Me { subject: GUEST_SUBJECT.to_owned(), role: Role::Guest, session_id: None, permissions };
    Ok(Json(GuestAnswer { access_token, access_expires_at, me }))
}
