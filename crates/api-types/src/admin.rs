//! What only the owner does: tokens for chosen tasks, and the keys that sign tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{EngineId, Timestamp};

/// The longest life of an admin token, in seconds.
pub const ADMIN_TOKEN_TTL_MAX_S: u64 = 15 * 60;
/// The longest grace of an engine's old token, in seconds: a week.
pub const ENGINE_TOKEN_GRACE_MAX_S: u64 = 7 * 24 * 60 * 60;
/// The grace of an engine's old token where nobody says how long: a day.
pub const ENGINE_TOKEN_GRACE_S: u64 = 24 * 60 * 60;

/// One task that an admin token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// Members and their keys.
    #[serde(rename = "members:write")]
    MembersWrite,
    /// Engines and their tokens.
    #[serde(rename = "engines:write")]
    EnginesWrite,
    /// The keys that sign tokens.
    #[serde(rename = "keys:rotate")]
    KeysRotate,
    /// Looking at the audit trail.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Draining the node, and letting it work again.
    #[serde(rename = "ops:drain")]
    OpsDrain,
    /// What guests see, and who may enqueue which kind.
    #[serde(rename = "policies:write")]
    PoliciesWrite,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::MembersWrite,
        Self::EnginesWrite,
        Self::KeysRotate,
        Self::AuditRead,
        Self::OpsDrain,
        Self::PoliciesWrite,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MembersWrite => "members:write",
            Self::EnginesWrite => "engines:write",
            Self::KeysRotate => "keys:rotate",
            Self::AuditRead => "audit:read",
            Self::OpsDrain => "ops:drain",
            Self::PoliciesWrite => "policies:write",
        }
    }
}

/// Some scopes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u16);

impl Scopes {
    /// Whether the scope is one of them.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u16) != 0
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u16)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::default(), Self::with)
    }
}

/// Body of `POST /v1/admin-tokens`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAdminTokenRequest {
    /// What it is for; at least one.
    pub scopes: Vec<Scope>,
    /// How long it lives, 1 to 900; 900 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
}

/// Answer of `POST /v1/admin-tokens`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminToken {
    /// For the `Authorization: Bearer` header. Shown this once.
    pub token: String,
    /// What it is for.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A set of keys that signs tokens of one sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenSet {
    /// Access tokens of people.
    User,
    /// Short tokens of engines.
    Engine,
    /// Tokens with scopes.
    Admin,
}

impl TokenSet {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::User, Self::Engine, Self::Admin];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Engine => "engine",
            Self::Admin => "admin",
        }
    }
}

/// A key that signs tokens, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SigningKey {
    /// Which set it is of.
    pub set: TokenSet,
    /// Names it in tokens and in `/.well-known/jwks.json`.
    pub kid: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it signs no more; `None` for the one that does.
    pub retired_at: Option<Timestamp>,
    /// Until when tokens that it signed are taken; for the one that signs, until when it does so.
    pub ends_at: Timestamp,
}

/// Answer of `GET /v1/keys`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SigningKeyList {
    /// By set, the newest first. A set that has signed nothing has no keys yet.
    pub items: Vec<SigningKey>,
    /// A key signs for this long.
    pub rotates_after_days: u32,
}

/// Body of `POST /v1/keys/rotate`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKeysRequest {
    /// Which set; all that have keys without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<TokenSet>,
    /// Whether tokens of the old keys stop at once, as they must if a key was seen by others. Signed-in browsers get new
    /// ones by themselves.
    #[serde(default)]
    pub end_old: bool,
}

/// Body of `POST /v1/engines/{engine_id}/token/rotate`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateEngineTokenRequest {
    /// How long the old token works as well, at most 604800 (a week); 86400 (a day) without it. 0 ends it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
}

/// Answer of `POST /v1/engines/{engine_id}/token/rotate`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RotatedEngineToken {
    /// Whose it is.
    pub engine_id: EngineId,
    /// For the `X-Engine-Token` header. Shown this once; the node keeps only a hash.
    pub token: String,
    /// Until when the old token works as well; `None` if it has stopped.
    pub old_token_ends_at: Option<Timestamp>,
}

/// Answer of `POST /v1/engine/token`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct EngineAccess {
    /// For the `Authorization: Bearer` header of calls below `/v1/engine`.
    pub access_token: String,
    /// When it ends at the latest: 15 minutes after it was made. It ends with the token it was made for if that stops
    /// before: at once when that is revoked, and when its grace is over after it was replaced.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_what_was_put_into_them() {
        let some: Scopes = [Scope::OpsDrain, Scope::AuditRead].into_iter().collect();
        assert_eq!(some.iter().collect::<Vec<_>>(), [Scope::AuditRead, Scope::OpsDrain]);
        let all: Scopes = Scope::ALL.into_iter().collect();
        assert_eq!(all.iter().count(), Scope::ALL.len());
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).expect("plain"), serde_json::json!(scope.as_str()));
        }
    }
}
