//! What tokens say.

use std::{sync::Arc, time::Duration};

use flowork_api_types::{
    EngineId, SessionId,
    admin::{Scope, TokenSet},
    auth::Role,
};
use serde::{Deserialize, Serialize};

use crate::{SHORT_TOKEN_TTL_MAX, SignedBy, USER_TOKEN_TTL_MAX};

/// Who makes the tokens.
pub(crate) const ISSUER: &str = "flowork";

/// What tokens of a set have in common.
pub(crate) struct Sort {
    /// Whom they are for.
    pub(crate) audience: &'static str,
    /// The `typ` in their head (RFC 9068 for the first).
    pub(crate) token_type: &'static str,
    /// The longest they may live.
    pub(crate) ttl_max: Duration,
}

pub(crate) const fn sort(set: TokenSet) -> Sort {
    match set {
        TokenSet::User => Sort { audience: "flowork-user", token_type: "at+jwt", ttl_max: USER_TOKEN_TTL_MAX },
        TokenSet::Engine => Sort { audience: "flowork-engine", token_type: "engine+jwt", ttl_max: SHORT_TOKEN_TTL_MAX },
        TokenSet::Admin => Sort { audience: "flowork-admin", token_type: "admin+jwt", ttl_max: SHORT_TOKEN_TTL_MAX },
    }
}

/// What every token says. All of it is required; times are seconds since the epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: String,
    pub(crate) exp: u64,
    pub(crate) nbf: u64,
    pub(crate) iat: u64,
    pub(crate) jti: String,
}

/// The whole of a person's token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UserToken {
    #[serde(flatten)]
    pub(crate) registered: Registered,
    pub(crate) role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<SessionId>,
}

/// The whole of an engine's token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EngineToken {
    #[serde(flatten)]
    pub(crate) registered: Registered,
    #[serde(rename = "gen")]
    pub(crate) generation: u32,
}

/// The whole of an admin token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AdminToken {
    #[serde(flatten)]
    pub(crate) registered: Registered,
    pub(crate) scopes: Vec<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<SessionId>,
}

/// What a valid token of a person says.
#[derive(Clone, Debug)]
pub struct UserClaims {
    /// Who it is.
    pub subject: Arc<str>,
    /// What they may do, as far as no record says otherwise.
    pub role: Role,
    /// The session that stands behind it; a script's token has none.
    pub session_id: Option<SessionId>,
    /// Seconds since the epoch at which it ends.
    pub expires_at_s: u64,
    /// Its key.
    pub signed_by: SignedBy,
}

/// What a valid token of an engine says.
#[derive(Clone, Copy, Debug)]
pub struct EngineClaims {
    /// Which engine.
    pub engine_id: EngineId,
    /// Of the token that this one was given for.
    pub generation: u32,
    /// Seconds since the epoch at which it ends.
    pub expires_at_s: u64,
    /// Its key.
    pub signed_by: SignedBy,
}

/// What a valid admin token says.
#[derive(Clone, Debug)]
pub struct AdminClaims {
    /// Who made it.
    pub subject: Arc<str>,
    /// What it is for.
    pub scopes: flowork_api_types::admin::Scopes,
    /// The session in which it was made; it ends with that.
    pub session_id: Option<SessionId>,
    /// Seconds since the epoch at which it ends.
    pub expires_at_s: u64,
    /// Its key.
    pub signed_by: SignedBy,
}

/// A valid token. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Verified {
    /// Of a person.
    User(UserClaims),
    /// Of an engine.
    Engine(EngineClaims),
    /// With scopes.
    Admin(AdminClaims),
}

/// Why a token is refused. The words are for its holder and say nothing about keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was valid once.
    #[error("the access token has expired")]
    Expired,
    /// It was made later than it is now: the clock was set back.
    #[error("the access token is not valid yet: it was made later than this node's clock says it is now")]
    NotYet,
    /// It is none of ours, or not for this.
    #[error("the access token is not valid here")]
    Invalid,
}
