//! `POST /v1/auth/reset`

use axum::{Json, extract::State};
use flowork_api_types::auth::{PairingLink, ResetAnswer, ResetRequest};
use flowork_control::Forget;
use flowork_engine::clock::wall_now;
use serde_json::json;

use super::{
    super::{SMALL_BODY_BYTES_MAX, members::describe_all},
    links::pairing_url,
};
use crate::{
    app::AppState,
    auth::credentials::Person,
    edge::{audit::AuditNote, client::SiteOrigin},
    error::ApiError,
    extract::OptionalJsonBody,
};

/// Ends all tokens and sessions of people, makes unused links useless, and makes a new link for the owner.
///
/// The way back in when a device was lost: `flowork auth reset` on the node's machine calls it with the node's own key.
/// Tokens of scripts, admin tokens and the caller's own end, too, and before anything else.
#[utoipa::path(
    post,
    path = "/v1/auth/reset",
    tag = "auth",
    request_body = Option<ResetRequest>,
    responses(
        (status = 200, description = "All are signed out", body = ResetAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 503, description = "`VAULT_FAILING`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn reset(
    State(app): State<AppState>,
    SiteOrigin(site): SiteOrigin,
    person: Person,
    note: AuditNote,
    OptionalJsonBody(request): OptionalJsonBody<ResetRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<ResetAnswer>, ApiError> {
    let _shut = app.door.shut(&app.state, &person).await?;
    // First, so that nobody who has a token opens anything in between, also where the rest fails.
    let tokens = app.state.tokens.clone();
    let end = move || tokens.end_tokens_of_people(wall_now());
    let ended = tokio::task::spawn_blocking(end).await.map_err(ApiError::internal)?;
    // Also where only one of the two sets could be stored.
    app.keys_changed.notify_one();
    note.detail(json!({"ended_tokens": if ended.is_ok() { json!(true) } else { json!("not all") }}));
    ended?;
    let (control, now) = (&app.state.control, app.state.clock.now());
    let forget = Forget { devices: request.forget_devices, owner_keys: request.forget_owner_keys };
    let reset = control.reset_access(forget, now).await?;
    note.detail(json!({
        "ended_tokens": true,
        "ended_sessions": reset.ended_sessions,
        "removed_keys": reset.removed_keys,
    }));
    let mut members = describe_all(&app, &person).await?;
    members.retain(|member| member.disabled_at.is_none());
    let pairing = control.create_pairing_code(now).await?;
    let url = pairing_url(&site, pairing.code.expose());
    Ok(Json(ResetAnswer {
        ended_sessions: reset.ended_sessions as u64,
        removed_keys: reset.removed_keys as u64,
        link: PairingLink { url, expires_at: pairing.expires_at },
        members,
    }))
}
