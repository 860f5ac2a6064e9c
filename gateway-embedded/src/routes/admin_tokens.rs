//! `POST /v1/admin-tokens`

use std::time::Duration;

use axum::{Json, extract::State};
use flowork_api_types::admin::{ADMIN_TOKEN_TTL_MAX_S, AdminToken, CreateAdminTokenRequest, Scopes};
use flowork_engine::clock::wall_now;
use http::StatusCode;

use super::SMALL_BODY_BYTES_MAX;
use crate::{app::AppState, auth::credentials::Person, edge::audit::AuditNote, error::ApiError, extract::JsonBody};

/// Makes a token for chosen tasks, and shows it this once. It ends after at most 15 minutes, or with the session in which
/// it was made.
#[utoipa::path(
    post,
    path = "/v1/admin-tokens",
    tag = "auth",
    request_body = CreateAdminTokenRequest,
    responses(
        (status = 201, description = "The token", body = AdminToken),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 503, description = "`VAULT_FAILING`, with `Retry-After`")
    )
)]
pub(crate) async fn create_admin_token(
    State(app): State<AppState>,
    person: Person,
    note: AuditNote,
    JsonBody(request): JsonBody<CreateAdminTokenRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<(StatusCode, Json<AdminToken>), ApiError> {
    let ttl_s = request.ttl_seconds.unwrap_or(ADMIN_TOKEN_TTL_MAX_S);
    if !(1..=ADMIN_TOKEN_TTL_MAX_S).contains(&ttl_s) {
        return Err(ApiError::field("/ttl_seconds", format!("is not between 1 and {ADMIN_TOKEN_TTL_MAX_S}")));
    }
    if request.scopes.is_empty() {
        return Err(ApiError::field("/scopes", "name at least one; a token for nothing is of no use"));
    }
    note.detail(serde_json::json!({"scopes": request.scopes, "ttl_seconds": ttl_s}));
    let _held = app.door.hold(&app.state, &person).await?;
    let scopes: Scopes = request.scopes.into_iter().collect();
    let tokens = app.state.tokens.clone();
    // The first one makes a key, which takes a moment and may ask the vault.
    let sign =
        move || tokens.sign_admin(&person.subject, scopes, person.session_id, Duration::from_secs(ttl_s), wall_now());
    let (token, expires_at) = tokio::task::spawn_blocking(sign).await.map_err(ApiError::internal)??;
    app.keys_changed.notify_one();
    Ok((StatusCode::CREATED, Json(AdminToken { token, scopes: scopes.iter().collect(), expires_at })))
}
