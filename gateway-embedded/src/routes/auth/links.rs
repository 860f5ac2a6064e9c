//! `POST /v1/auth/links`

use axum::{Json, extract::State};
use flowork_api_types::auth::PairingLink;
use http::StatusCode;

use crate::{app::AppState, error::ApiError};

/// The link that signs a browser in. The code is in the fragment, which browsers send to nobody.
pub fn pairing_url(base_url: &str, code: &str) -> String {
    format!("{}/#pair={code}", base_url.trim_end_matches('/'))
}

/// Makes a link that signs one browser in as the owner, once, within ten minutes.
#[utoipa::path(
    post,
    path = "/v1/auth/links",
    tag = "auth",
    responses((status = 201, description = "The link", body = PairingLink))
)]
pub(crate) async fn create_link(State(app): State<AppState>) -> Result<(StatusCode, Json<PairingLink>), ApiError> {
    let pairing = app.state.control.create_pairing_code(app.state.clock.now()).await?;
    let url = pairing_url(&app.base_url, pairing.code.expose());
    Ok((StatusCode::CREATED, Json(PairingLink { url, expires_at: pairing.expires_at })))
}
