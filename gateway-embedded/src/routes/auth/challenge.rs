//! `POST /v1/auth/challenge`

use axum::{Json, extract::State};
use flowork_api_types::{
    Timestamp,
    auth::{ChallengeAnswer, ChallengeRequest},
    member::KeyAddress,
};
use flowork_control::{CHALLENGE_TTL, Challenge};
use flowork_identity::{SignInMessage, new_nonce, parse_address};

use super::{
    super::SMALL_BODY_BYTES_MAX,
    proof::{STATEMENT, SignInPlace},
};
use crate::{
    app::{App, AppState},
    edge::client::ClientIp,
    error::ApiError,
    extract::JsonBody,
};

/// Gives out a message to sign in with (EIP-4361).
///
/// Anybody gets one for any address, so that the answer does not tell who is a member. It can be answered once, within
/// five minutes, from the page that asked for it. Accounts are externally owned ones: a contract's can't sign in.
#[utoipa::path(
    post,
    path = "/v1/auth/challenge",
    tag = "auth",
    request_body = ChallengeRequest,
    responses(
        (status = 200, description = "The message", body = ChallengeAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`")
    )
)]
pub(crate) async fn challenge(
    State(app): State<AppState>,
    ClientIp(client): ClientIp,
    place: SignInPlace,
    JsonBody(request): JsonBody<ChallengeRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<ChallengeAnswer>, ApiError> {
    let address = parse_address(&request.address).map_err(|error| ApiError::field("/address", error.to_string()))?;
    let chain_id = chain_of(&app, request.chain_id)?;
    let now = app.state.clock.now();
    let challenge = compose(&place, address, chain_id, now);
    let answer = ChallengeAnswer {
        challenge_id: challenge.nonce.clone(),
        message: challenge.message.clone(),
        expires_at: challenge.expires_at,
    };
    app.state.control.keep_challenge(challenge, client, now);
    Ok(Json(answer))
}

fn chain_of(app: &App, asked: Option<u64>) -> Result<u64, ApiError> {
    let chains = &app.chain_ids;
    let asked = asked.or_else(|| chains.first().copied()).unwrap_or_default();
    if chains.contains(&asked) {
        return Ok(asked);
    }
    let taken: Vec<_> = chains.iter().map(u64::to_string).collect();
    Err(ApiError::field("/chain_id", format!("accounts of the chain {asked} can't sign in here"))
        .hint(format!("switch the wallet to one of: {}; auth.chain_ids sets which are taken", taken.join(", "))))
}

fn compose(place: &SignInPlace, address: KeyAddress, chain_id: u64, now: Timestamp) -> Challenge {
    let expires_at = Timestamp(now.as_millis() + CHALLENGE_TTL.as_millis() as i64);
    let message = SignInMessage {
        scheme: place.scheme.clone(),
        domain: place.domain.clone(),
        address,
        statement: Some(STATEMENT.to_owned()),
        uri: place.uri.clone(),
        chain_id,
        nonce: new_nonce(),
        issued_at: now,
        expiration_time: Some(expires_at),
        not_before: None,
        request_id: None,
        resources: Vec::new(),
    };
    Challenge { address, message: message.to_string(), nonce: message.nonce, expires_at }
}
