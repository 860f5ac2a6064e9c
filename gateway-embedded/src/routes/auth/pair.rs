//! `POST /v1/auth/pair`

use axum::{Json, extract::State};
use flowork_api_types::{
    auth::{DeviceKeyProof, PairRequest, TokenAnswer},
    member::KeyAddress,
};
use flowork_identity::parse_address;

use super::{
    super::SMALL_BODY_BYTES_MAX,
    proof::{self, ProofError, SignInPlace},
    refused, token_answer,
};
use crate::{
    app::{App, AppState},
    edge::audit::AuditNote,
    error::ApiError,
    extract::JsonBody,
};

/// Uses a link's code up and signs its holder in.
///
/// With `device_key` the browser's own key is enrolled for the member of the link, in the same step; that the browser
/// has the key is proved by the answer to a challenge for the key's address.
#[utoipa::path(
    post,
    path = "/v1/auth/pair",
    tag = "auth",
    request_body = PairRequest,
    responses(
        (status = 200, description = "Signed in", body = TokenAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 401, description = "`LINK_UNKNOWN`, `LINK_USED`, `LINK_EXPIRED`, `SIGN_IN_REFUSED`"),
        (status = 409, description = "`DEVICE_KEY_REFUSED`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn pair(
    State(app): State<AppState>,
    place: SignInPlace,
    note: AuditNote,
    JsonBody(request): JsonBody<PairRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let device_key = request.device_key.as_ref().map(|given| proved(&app, &place, given)).transpose();
    let device_key = device_key.map_err(|error| refused(&note, error))?;
    let (control, now) = (&app.state.control, app.state.clock.now());
    let device_name = request.device_name.as_deref();
    let session = match device_key {
        Some(address) => control.open_session_with_device(&request.code, address, device_name, now).await?,
        None => control.open_session(&request.code, device_name, now).await?,
    };
    Ok(Json(token_answer(&app, &session, &note)))
}

fn proved(app: &App, place: &SignInPlace, given: &DeviceKeyProof) -> Result<KeyAddress, ApiError> {
    let named =
        parse_address(&given.address).map_err(|error| ApiError::field("/device_key/address", error.to_string()))?;
    let proved = proof::check(app, place, &given.message, &given.signature).map_err(ApiError::sign_in_refused)?;
    if proved == named {
        Ok(proved)
    } else {
        Err(ApiError::sign_in_refused(ProofError::OtherAddress { proved, named }))
    }
}
