//! `GET /.well-known/jwks.json`

use axum::{Json, extract::State, response::IntoResponse};
use http::header;

use crate::app::AppState;

/// Public keys that check this node's access tokens.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "auth",
    responses((status = 200, description = "A JSON Web Key Set (RFC 7517)", body = serde_json::Value))
)]
pub(crate) async fn key_set(State(app): State<AppState>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(app.state.tokens.key_set()))
}
