//! `POST /v1/auth/pair`

use axum::{Json, extract::State};
use flowork_api_types::auth::{PairRequest, TokenAnswer};

use super::{super::SMALL_BODY_BYTES_MAX, token_answer};
use crate::{app::AppState, error::ApiError, extract::JsonBody};

/// Uses a link's code up and signs its holder in.
#[utoipa::path(
    post,
    path = "/v1/auth/pair",
    tag = "auth",
    request_body = PairRequest,
    responses(
        (status = 200, description = "Signed in", body = TokenAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 401, description = "`LINK_UNKNOWN`, `LINK_USED`, `LINK_EXPIRED`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn pair(
    State(app): State<AppState>,
    JsonBody(request): JsonBody<PairRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let now = app.state.clock.now();
    let session = app.state.control.open_session(&request.code, request.device_name.as_deref(), now).await?;
    Ok(Json(token_answer(&app, &session)))
}
