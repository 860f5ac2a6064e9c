//! `POST /v1/engine/token`

use axum::{Json, extract::State};
use flowork_api_types::admin::EngineAccess;
use flowork_engine::clock::wall_now;

use crate::{
    app::AppState,
    auth::person::{EnginePass, engine_token_required},
    error::ApiError,
};

/// Exchanges an engine's token for a short one, so that the long one travels seldom.
///
/// The short one is for `Authorization: Bearer` below `/v1/engine`. It stops with the token it was made for: at once when
/// that is revoked, and when its grace is over after it was replaced.
#[utoipa::path(
    post,
    path = "/v1/engine/token",
    tag = "engine",
    responses(
        (status = 200, description = "The short token", body = EngineAccess),
        (status = 403, description = "`FORBIDDEN`, `ENGINE_TOKEN_REQUIRED`: a short token is not exchanged again"),
        (status = 503, description = "`VAULT_FAILING`, with `Retry-After`")
    )
)]
pub(crate) async fn exchange(State(app): State<AppState>, pass: EnginePass) -> Result<Json<EngineAccess>, ApiError> {
    if pass.short.is_some() {
        return Err(engine_token_required());
    }
    let tokens = app.state.tokens.clone();
    let proof = pass.proof;
    // The first one makes a key, which takes a moment and may ask the vault.
    let sign = move || tokens.sign_engine(proof.id, proof.generation, proof.until, wall_now());
    let (access_token, expires_at) = tokio::task::spawn_blocking(sign).await.map_err(ApiError::internal)??;
    app.keys_changed.notify_one();
    Ok(Json(EngineAccess { access_token, expires_at }))
}
