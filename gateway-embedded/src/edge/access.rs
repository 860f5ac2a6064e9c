//! Cloudflare Access in front of the tunnel: each request must carry the edge's signed word that somebody was let in.
//!
//! It is one more door, and opens no other: who calls is still found out by the node's own sign-in. The keys come from
//! the team's address and are kept, so that an outage there shuts nobody out whose key is known.

mod keys;

use http::{HeaderMap, HeaderName, StatusCode};
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;

pub(crate) use keys::AccessSetUpError;
use keys::TeamKeys;

use super::client::Ingress;
use crate::{app::App, error::ApiError, options::AccessOptions};

/// Where the edge puts its word.
const ASSERTION: HeaderName = HeaderName::from_static("cf-access-jwt-assertion");
/// Longer text is none of its tokens; those with many groups have some 4 KiB.
const ASSERTION_BYTES_MAX: usize = 16 << 10;
/// How far two clocks may differ.
const LEEWAY_S: u64 = 15;

/// Checks the edge's word.
pub(crate) struct Access {
    validation: Validation,
    keys: TeamKeys,
}

/// Everything else that is needed is checked by the library; nothing in the token gives any rights.
#[derive(Deserialize)]
struct Claims {}

/// Why a request is not let in; for the log. The caller learns only that it is not.
#[derive(Debug, thiserror::Error)]
enum AccessError {
    #[error("there is no assertion, or more than one")]
    Missing,
    #[error("the assertion is longer than {ASSERTION_BYTES_MAX} bytes")]
    TooLong,
    #[error("the assertion names no key")]
    NoKeyId,
    #[error("the assertion is signed with a key that the team does not have")]
    UnknownKey,
    #[error("the assertion is not valid")]
    Invalid(#[source] jsonwebtoken::errors::Error),
}

impl Access {
    pub(crate) fn new(options: &AccessOptions) -> Result<Self, AccessSetUpError> {
        let issuer = options.team_domain.trim_end_matches('/');
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[&options.audience]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_S;
        Ok(Self { validation, keys: TeamKeys::new(issuer)? })
    }

    async fn verify(&self, headers: &HeaderMap) -> Result<(), AccessError> {
        let mut values = headers.get_all(ASSERTION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(AccessError::Missing) };
        let token = value.to_str().map_err(|_| AccessError::Missing)?;
        if token.len() > ASSERTION_BYTES_MAX {
            return Err(AccessError::TooLong);
        }
        let header = jsonwebtoken::decode_header(token).map_err(AccessError::Invalid)?;
        let key_id = header.kid.filter(|id| !id.is_empty()).ok_or(AccessError::NoKeyId)?;
        let key = self.keys.find(&key_id).await.ok_or(AccessError::UnknownKey)?;
        jsonwebtoken::decode::<Claims>(token, &key, &self.validation).map_err(AccessError::Invalid)?;
        Ok(())
    }
}

/// Lets requests of the tunnel's listener pass only with the edge's word, where the owner asks for it.
pub(crate) async fn check(app: &App, ingress: Ingress, headers: &HeaderMap) -> Result<(), ApiError> {
    if let (Ingress::Tunnel, Some(access)) = (ingress, &app.access) {
        access.verify(headers).await.map_err(|error| {
            ApiError::new(StatusCode::FORBIDDEN, "ACCESS_REFUSED", "Cloudflare Access did not let this request in")
                .hint("open the address in a browser and sign in there; programs need a service token of Access")
                .source(error)
        })?;
    }
    Ok(())
}
