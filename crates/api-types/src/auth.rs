//! Signing in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{SessionId, Timestamp};

/// What a signed-in person may do. More roles come with members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Jobs, queues and drain.
    Operator,
    /// Their own jobs.
    Member,
    /// Reading.
    Viewer,
}

impl Role {
    /// All roles, strongest first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Operator, Self::Member, Self::Viewer];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }
}

/// Body of `POST /v1/auth/pair`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairRequest {
    /// From the link's fragment. Works once.
    pub code: String,
    /// What to call this browser in the list of sessions; at most 200 characters.
    #[serde(default)]
    pub device_name: Option<String>,
}

/// Body of `POST /v1/auth/refresh`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// From the answer before. Works once; using it again ends the session.
    pub refresh_token: String,
}

/// Answer of `POST /v1/auth/pair` and `/refresh`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenAnswer {
    /// For the `Authorization: Bearer` header.
    pub access_token: String,
    /// When it ends: 15 minutes after it was made.
    pub access_expires_at: Timestamp,
    /// For the next refresh; ends 30 days after its last use.
    pub refresh_token: String,
    /// Who this is.
    pub me: Me,
}

/// Answer of `GET /v1/auth/me`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The name that jobs carry as `created_by`.
    pub subject: String,
    /// What they may do.
    pub role: Role,
    /// The session, where there is one; a script's token has none.
    pub session_id: Option<SessionId>,
}

/// Answer of `POST /v1/auth/links`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PairingLink {
    /// Opens the GUI and signs in, once.
    pub url: String,
    /// When it stops working: 10 minutes after it was made.
    pub expires_at: Timestamp,
}
