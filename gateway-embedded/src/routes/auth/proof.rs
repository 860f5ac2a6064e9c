//! That somebody has a key: the message they are given, and the proof that comes back.

use std::fmt;

use axum::extract::FromRequestParts;
use flowork_api_types::member::KeyAddress;
use flowork_control::CHALLENGE_TTL;
use flowork_identity::{Expected, MessageError, PersonalSignature, Refusal, SignInMessage, prove};
use http::{header, request::Parts};

use crate::{app::App, edge::client::SiteOrigin, error::ApiError};

/// What signing means, in the words that the wallet shows.
pub(super) const STATEMENT: &str = "Sign in to Flowork. This is no transaction and costs nothing.";

/// The page that asks and the node it asks, as a message names them.
///
/// The page is the one of the `Origin` header, which is on the allow-list if the request came this far; a program that
/// sends none is taken for the node's own page.
pub(crate) struct SignInPlace {
    /// `None` is `https`, which wallets take it for.
    pub(super) scheme: Option<String>,
    pub(super) domain: String,
    pub(super) uri: String,
}

/// Why a proof does not count. For the log and the audit alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProofError {
    /// What came back is no message.
    #[error("the message cannot be read")]
    Message(#[source] MessageError),
    /// It was not given out, was tried before, or is too old.
    #[error("no challenge is open with this nonce: it was tried before, has expired, or was never given out")]
    NoChallenge,
    /// It was looked at, and does not fit.
    #[error("the answer to the challenge for {address} does not count")]
    Refused {
        /// Whose challenge it was.
        address: KeyAddress,
        /// Why.
        #[source]
        source: Refusal,
    },
    /// It proves another key than the one that is to be enrolled.
    #[error("the proof is of {proved}, and the key is {named}")]
    OtherAddress {
        /// Whose key signed.
        proved: KeyAddress,
        /// Whose should have.
        named: KeyAddress,
    },
}

/// Uses the challenge up that this message is, and says whose key signed it.
pub(super) fn check(app: &App, place: &SignInPlace, message: &str, signature: &str) -> Result<KeyAddress, ProofError> {
    let now = app.state.clock.now();
    let given: SignInMessage = message.parse().map_err(ProofError::Message)?;
    let Some(challenge) = app.state.control.take_challenge(&given.nonce, now) else {
        // The same work as for one that was given out, so that the time says nothing either.
        let _ = signature.parse::<PersonalSignature>().map(|signature| signature.signer(message.as_bytes()));
        return Err(ProofError::NoChallenge);
    };
    let expected = Expected {
        scheme: place.scheme.as_deref(),
        domain: &place.domain,
        uri: &place.uri,
        chain_ids: &app.chain_ids,
        statement: STATEMENT,
        address: challenge.address,
        nonce: &challenge.nonce,
        now,
        lifetime_max: CHALLENGE_TTL,
    };
    let address = challenge.address;
    prove(&challenge.message, message, signature, &expected).map_err(|source| ProofError::Refused { address, source })
}

impl fmt::Debug for SignInPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.domain, self.uri)
    }
}

impl<S: Sync> FromRequestParts<S> for SignInPlace {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let SiteOrigin(site) = SiteOrigin::from_request_parts(parts, state).await?;
        let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let page = origin.map_or_else(|| site.to_string(), str::to_ascii_lowercase);
        let (scheme, domain) = page.split_once("://").ok_or_else(ApiError::unexplained)?;
        let scheme = (scheme != "https").then(|| scheme.to_owned());
        Ok(Self { scheme, domain: domain.to_owned(), uri: site.to_string() })
    }
}
