//! `POST /v1/auth/verify`

use axum::{Json, extract::State};
use flowork_api_types::auth::{TokenAnswer, VerifyRequest};

use super::{
    super::SMALL_BODY_BYTES_MAX,
    proof::{self, SignInPlace},
    refused, token_answer,
};
use crate::{app::AppState, edge::audit::AuditNote, error::ApiError, extract::JsonBody};

/// Signs in the member whose key signed the challenge's message.
///
/// Whatever is wrong, the answer is the same: with the message, with the signature, or because no member has the key.
#[utoipa::path(
    post,
    path = "/v1/auth/verify",
    tag = "auth",
    request_body = VerifyRequest,
    responses(
        (status = 200, description = "Signed in", body = TokenAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 401, description = "`SIGN_IN_REFUSED`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn verify(
    State(app): State<AppState>,
    place: SignInPlace,
    note: AuditNote,
    JsonBody(request): JsonBody<VerifyRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let proved = proof::check(&app, &place, &request.message, &request.signature);
    let address = proved.map_err(|error| refused(&note, ApiError::sign_in_refused(error)))?;
    let now = app.state.clock.now();
    let session = app.state.control.sign_in(address, request.device_name.as_deref(), now).await;
    let session = session.map_err(|error| refused(&note, error.into()))?;
    Ok(Json(token_answer(&app, &session, &note)))
}
