//! `POST /v1/auth/reset`

use axum::{Json, extract::State};
use flowork_api_types::auth::{PairingLink, ResetAnswer, ResetRequest};

use super::{super::SMALL_BODY_BYTES_MAX, links::pairing_url};
use crate::{
    app::AppState,
    edge::{audit::AuditNote, client::SiteOrigin},
    error::ApiError,
    extract::OptionalJsonBody,
};

/// Ends every session of everybody, makes every unused link useless, and makes a new link for the owner.
///
/// The way back in when a device was lost: `flowork auth reset` on the node's machine calls it with the node's own key.
#[utoipa::path(
    post,
    path = "/v1/auth/reset",
    tag = "auth",
    request_body = Option<ResetRequest>,
    responses(
        (status = 200, description = "All are signed out", body = ResetAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn reset(
    State(app): State<AppState>,
    SiteOrigin(site): SiteOrigin,
    note: AuditNote,
    OptionalJsonBody(request): OptionalJsonBody<ResetRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<ResetAnswer>, ApiError> {
    let (control, now) = (&app.state.control, app.state.clock.now());
    let reset = control.reset_access(request.forget_devices, now).await?;
    note.detail(serde_json::json!({
        "ended_sessions": reset.ended_sessions,
        "removed_keys": reset.removed_keys,
    }));
    let pairing = control.create_pairing_code(now).await?;
    let url = pairing_url(&site, pairing.code.expose());
    Ok(Json(ResetAnswer {
        ended_sessions: reset.ended_sessions as u64,
        removed_keys: reset.removed_keys as u64,
        link: PairingLink { url, expires_at: pairing.expires_at },
    }))
}
