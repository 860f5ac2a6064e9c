//! `POST /v1/auth/refresh`

use axum::{Json, extract::State};
use flowork_api_types::auth::{RefreshRequest, TokenAnswer};

use super::{super::SMALL_BODY_BYTES_MAX, token_answer};
use crate::{app::AppState, edge::audit::AuditNote, error::ApiError, extract::JsonBody};

/// Uses a refresh token up and gives a new pair of tokens.
///
/// Using one a second time ends the session, because somebody has copied it.
#[utoipa::path(
    post,
    path = "/v1/auth/refresh",
    tag = "auth",
    request_body = RefreshRequest,
    responses(
        (status = 200, description = "New tokens", body = TokenAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 401, description = "`REFRESH_UNKNOWN`, `REFRESH_REUSED`, `REFRESH_EXPIRED`, `SESSION_ENDED`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn refresh(
    State(app): State<AppState>,
    note: AuditNote,
    JsonBody(request): JsonBody<RefreshRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let session = app.state.control.refresh_session(&request.refresh_token, app.state.clock.now()).await?;
    Ok(Json(token_answer(&app, &session, &note)))
}
