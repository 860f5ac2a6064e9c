//! Signing in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{SessionId, Timestamp, member::Member};

/// What a signed-in person may do.
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
    /// What the owner opened to anybody; no member has this role.
    Guest,
}

impl Role {
    /// All roles, strongest first.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Operator, Self::Member, Self::Viewer, Self::Guest];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::Member => "member",
            Self::Viewer => "viewer",
            Self::Guest => "guest",
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
    /// A key that this browser made, with which it signs in from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_key: Option<DeviceKeyProof>,
}

/// That a browser has the key it wants to be known by: the answer to a challenge for the key's address.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceKeyProof {
    /// The key's address.
    pub address: String,
    /// The challenge's message, unchanged.
    pub message: String,
    /// Its signature by `personal_sign` (EIP-191), 65 bytes as `0x` and 130 hexadecimal digits.
    pub signature: String,
}

/// Body of `POST /v1/auth/challenge`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRequest {
    /// Who will sign: `0x` and 40 hexadecimal digits, in one case or in that of EIP-55. Anybody may ask for any address.
    pub address: String,
    /// The chain the wallet is on; the first that the node takes without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
}

/// Answer of `POST /v1/auth/challenge`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChallengeAnswer {
    /// Names it: the nonce in the message.
    pub challenge_id: String,
    /// What to sign, byte for byte: a message of EIP-4361.
    pub message: String,
    /// When it can't be answered any more: 5 minutes after it was made.
    pub expires_at: Timestamp,
}

/// Body of `POST /v1/auth/verify`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The challenge's message, unchanged. It can be tried once.
    pub message: String,
    /// Its signature by `personal_sign` (EIP-191), 65 bytes as `0x` and 130 hexadecimal digits.
    pub signature: String,
    /// What to call this browser in the list of sessions; at most 200 characters.
    #[serde(default)]
    pub device_name: Option<String>,
}

/// Answer of `POST /v1/auth/guest`. A guest has no refresh token and becomes a new guest when this one ends.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct GuestAnswer {
    /// For the `Authorization: Bearer` header.
    pub access_token: String,
    /// When it ends: an hour after it was made.
    pub access_expires_at: Timestamp,
    /// Who this is.
    pub me: Me,
}

/// Body of `POST /v1/auth/ticket`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketRequest {
    /// The path that will be opened, without a query: `/v1/events`, `/v1/jobs/{job_id}/events` or `/ws`.
    pub path: String,
}

/// Answer of `POST /v1/auth/ticket`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TicketAnswer {
    /// For the parameter `ticket` of the path's query. Works once.
    pub ticket: String,
    /// When it stops working: 30 seconds after it was made.
    pub expires_at: Timestamp,
}

/// Somebody's sign-in on one browser or program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInSession {
    /// Names it.
    pub session_id: SessionId,
    /// Whose it is.
    pub subject: String,
    /// What its browser or program is called.
    pub device_name: Option<String>,
    /// The address of the key that opened it, in the form of EIP-55; a link alone opens it without one.
    pub address: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When its tokens were renewed last.
    pub last_used_at: Timestamp,
    /// Whether the caller asks with it.
    pub current: bool,
}

/// Answer of `GET /v1/auth/sessions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInSessionList {
    /// The last used first.
    pub items: Vec<SignInSession>,
}

/// Body of `POST /v1/auth/sign-out-everywhere`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignOutRequest {
    /// Whose sessions to end; only the owner may name somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// Answer of `POST /v1/auth/sign-out-everywhere`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignOutAnswer {
    /// How many there were.
    pub ended_sessions: u64,
}

/// Body of `POST /v1/auth/links`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    /// Whom the link signs in; the owner without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// Body of `POST /v1/auth/reset`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetRequest {
    /// Whether the keys that browsers made are removed, too. Keys of wallets stay.
    #[serde(default)]
    pub forget_devices: bool,
    /// Whether all of the owner's keys are removed but the node's own.
    #[serde(default)]
    pub forget_owner_keys: bool,
}

/// Answer of `POST /v1/auth/reset`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ResetAnswer {
    /// Sessions that were open.
    pub ended_sessions: u64,
    /// Keys that were removed.
    pub removed_keys: u64,
    /// Signs the owner in, once.
    pub link: PairingLink,
    /// Who can still sign in, and by which keys: the owner first.
    pub members: Vec<Member>,
}

/// Body of `POST /v1/auth/refresh`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// From the answer before. Works once; using it again ends the session.
    pub refresh_token: String,
}

/// Answer of `POST /v1/auth/pair`, `/verify` and `/refresh`.
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
    /// What the node lets them do now, by the names that this document gives to what its calls ask.
    pub permissions: Vec<String>,
}

/// Answer of `POST /v1/auth/links`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PairingLink {
    /// Opens the GUI and signs in, once.
    pub url: String,
    /// When it stops working: 10 minutes after it was made.
    pub expires_at: Timestamp,
}
