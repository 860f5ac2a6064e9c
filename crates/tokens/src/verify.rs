//! Whether a token is valid.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use flowork_api_types::{Timestamp, admin::TokenSet};
use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    ADMIN_PREFIX,
    claims::{
        AdminClaims, AdminToken, EngineClaims, EngineToken, ISSUER, Registered, TokenError, UserClaims, UserToken,
        Verified, sort,
    },
    key::{Key, SignedBy},
};

/// How far two clocks may differ.
pub(crate) const LEEWAY: Duration = Duration::from_secs(5);
/// How far the clock may have been set back before tokens that were made until then are of the future.
const SET_BACK_LEEWAY: Duration = Duration::from_secs(30);
/// Longer text is not a token of ours, and not worth a look.
const TOKEN_BYTES_MAX: usize = 4 << 10;

/// The head of a token of ours, which has nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    alg: String,
    typ: String,
    kid: String,
}

/// A token that passed, and what has to be asked again.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) verified: Verified,
    pub(crate) signed_by: SignedBy,
    exp: u64,
    nbf: u64,
    iat: u64,
}

impl Passed {
    /// Whether its time is now.
    pub(crate) fn check_time(&self, now: Timestamp) -> Result<(), TokenError> {
        let now_s = now.as_millis().max(0) as u64 / 1_000;
        if now_s >= self.exp + LEEWAY.as_secs() {
            return Err(TokenError::Expired);
        }
        if self.nbf.max(self.iat) > now_s + SET_BACK_LEEWAY.as_secs() { Err(TokenError::NotYet) } else { Ok(()) }
    }
}

/// Checks everything but the times of use, with the key that `find` has for the token's set and key id.
pub(crate) fn verify(
    text: &str,
    find: impl FnOnce(&[TokenSet], &str) -> Option<(TokenSet, Arc<Key>)>,
) -> Result<Passed, TokenError> {
    if text.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Invalid);
    }
    let (token, sets): (_, &[_]) = match text.strip_prefix(ADMIN_PREFIX) {
        Some(token) => (token, &[TokenSet::Admin]),
        None => (text, &[TokenSet::User, TokenSet::Engine]),
    };
    let head = head(token).ok_or(TokenError::Invalid)?;
    let (set, key) = find(sets, &head.kid).ok_or(TokenError::Invalid)?;
    if head.alg != "RS256" || head.typ != sort(set).token_type {
        return Err(TokenError::Invalid);
    }
    let signed_by = key.signs(set);
    match set {
        TokenSet::User => {
            let claims: UserToken = decode(token, &key, set)?;
            let verified = Verified::User(UserClaims {
                subject: claims.registered.sub.as_str().into(),
                role: claims.role,
                session_id: claims.sid,
                expires_at_s: claims.registered.exp,
                signed_by,
            });
            passed(verified, &claims.registered, signed_by)
        }
        TokenSet::Engine => {
            let claims: EngineToken = decode(token, &key, set)?;
            let verified = Verified::Engine(EngineClaims {
                engine_id: claims.registered.sub.parse().map_err(|_| TokenError::Invalid)?,
                generation: claims.generation,
                expires_at_s: claims.registered.exp,
                signed_by,
            });
            passed(verified, &claims.registered, signed_by)
        }
        TokenSet::Admin => {
            let claims: AdminToken = decode(token, &key, set)?;
            let verified = Verified::Admin(AdminClaims {
                subject: claims.registered.sub.as_str().into(),
                scopes: claims.scopes.into_iter().collect(),
                session_id: claims.sid,
                expires_at_s: claims.registered.exp,
                signed_by,
            });
            passed(verified, &claims.registered, signed_by)
        }
    }
}

fn head(token: &str) -> Option<Head> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.split_once('.')?.0).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn decode<T: DeserializeOwned>(token: &str, key: &Key, set: TokenSet) -> Result<T, TokenError> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[sort(set).audience]);
    validation.leeway = LEEWAY.as_secs();
    // Times are looked at with each use, also of a token that is remembered: see `Passed::check_time`.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    jsonwebtoken::decode(token, &key.checking, &validation).map(|data| data.claims).map_err(|_| TokenError::Invalid)
}

/// What holds of the claims of every sort and does not change with time.
fn passed(verified: Verified, claims: &Registered, signed_by: SignedBy) -> Result<Passed, TokenError> {
    let sort = sort(signed_by.set);
    let ours = claims.iss == ISSUER
        && claims.aud == sort.audience
        && !claims.sub.is_empty()
        && !claims.jti.is_empty()
        && claims.exp > claims.iat
        && claims.exp - claims.iat <= sort.ttl_max.as_secs();
    if !ours {
        return Err(TokenError::Invalid);
    }
    Ok(Passed { verified, signed_by, exp: claims.exp, nbf: claims.nbf, iat: claims.iat })
}
