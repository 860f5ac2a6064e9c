//! People of a node, the keys they sign in with, and what guests may see.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::{Timestamp, auth::Role};

/// The subject of the one who owns the node. Always a member.
pub const OWNER_SUBJECT: &str = "owner";
/// What the subjects of all other members begin with; 32 hexadecimal digits follow.
pub const MEMBER_PREFIX: &str = "m_";
/// The longest name of a member or of a key.
pub const NAME_CHARS_MAX: usize = 64;
/// Members a node can have.
pub const MEMBERS_MAX: usize = 1_000;
/// Keys one member can have.
pub const KEYS_PER_MEMBER_MAX: usize = 20;

/// The account that a key signs for: 20 bytes, written as `0x` and 40 hexadecimal digits.
///
/// Text of any case is taken. It is given in lower case; the mixed case of EIP-55 needs a hash that is made where people
/// sign in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyAddress(pub [u8; 20]);

/// Text that is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address is 0x and 40 hexadecimal digits")]
pub struct ParseAddressError;

impl fmt::Display for KeyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("0x").unwrap_or_default().as_bytes();
        if digits.len() != 40 {
            return Err(ParseAddressError);
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

const fn digit(text: u8) -> Result<u8, ParseAddressError> {
    match text {
        b'0'..=b'9' => Ok(text - b'0'),
        b'a'..=b'f' => Ok(text - b'a' + 10),
        b'A'..=b'F' => Ok(text - b'A' + 10),
        _ => Err(ParseAddressError),
    }
}

impl Serialize for KeyAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for KeyAddress {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^0x[0-9a-fA-F]{40}$"))
            .examples([serde_json::json!("0x52908400098527886e0f7030069857d2e4169ee7")])
            .into()
    }
}

impl ToSchema for KeyAddress {}

/// Where a key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// In a wallet that asks its holder each time.
    Wallet,
    /// In one browser or program, which made it.
    Device,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Wallet, Self::Device];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Device => "device",
        }
    }
}

/// A key that a member signs in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberKey {
    /// The account it signs for. One address belongs to one member.
    pub address: KeyAddress,
    /// Where it is kept.
    pub kind: KeyKind,
    /// For a person.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When somebody signed in with it last.
    pub last_used_at: Option<Timestamp>,
}

/// A person of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Names them everywhere: `owner`, or `m_` and 32 hexadecimal digits. Jobs carry it as `created_by`.
    pub subject: String,
    /// For people; no two members have the same.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created_at: Timestamp,
    /// Since when they are kept out; `None` as a rule.
    pub disabled_at: Option<Timestamp>,
    /// What they sign in with.
    pub keys: Vec<MemberKey>,
    /// Sessions of theirs that are open.
    pub sessions: u64,
    /// What the caller may do with them: `update`, `disable`, `enable`, `delete`, `add_key`, `remove_key`, `link`.
    pub allowed_actions: Vec<String>,
}

/// Answer of `GET /v1/members`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MemberList {
    /// The owner first, then by name.
    pub items: Vec<Member>,
    /// Grows whenever a member or a key is added, changed or removed.
    pub version: u64,
}

/// Body of `POST /v1/members`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMemberRequest {
    /// For people; 1 to 64 characters.
    pub name: String,
    /// `operator`, `member` or `viewer`.
    pub role: Role,
}

/// Body of `PATCH /v1/members/{subject}`. What is left out stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMemberRequest {
    /// For people; 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `operator`, `member` or `viewer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether to keep them out. It ends their sessions at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// Body of `POST /v1/members/{subject}/keys`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMemberKeyRequest {
    /// The account the key signs for.
    pub address: KeyAddress,
    /// Where it is kept.
    pub kind: KeyKind,
    /// For a person; 1 to 64 characters.
    pub name: String,
}

/// What an owner can open to guests beyond the node's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuestArea {
    /// All jobs, queues, schedules and engines, to look at.
    Jobs,
    /// Sync sessions, to look at.
    Sessions,
}

/// Answer and body of `/v1/guests`: what somebody may do who has signed in as nobody in particular.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuestPolicy {
    /// Whether guests are let in at all.
    pub enabled: bool,
    /// What they may look at beyond the node's status.
    pub open: Vec<GuestArea>,
}

impl Default for GuestPolicy {
    fn default() -> Self {
        Self { enabled: true, open: Vec::new() }
    }
}

/// Body of `PUT /v1/kinds/{kind}/roles`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KindRolesRequest {
    /// Who may enqueue jobs of this kind, of `operator` and `member`; the owner always may. `null` goes back to what
    /// the kind itself asks for.
    pub roles: Option<Vec<Role>>,
}

/// Answer of `PUT /v1/kinds/{kind}/roles`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KindRoles {
    /// The kind.
    pub kind: String,
    /// Who may enqueue jobs of it, strongest first.
    pub roles: Vec<Role>,
    /// Whether the owner decided so; else it is what the kind asks for.
    pub decided: bool,
}

/// The members as engines get them, so that they run no job of somebody who is none any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AllowList {
    /// Grows with every change.
    pub version: u64,
    /// The members who are not kept out.
    pub subjects: Vec<String>,
}

/// Says whether jobs of this subject are to run, going by the members' subjects (`is_allowed`). Only members are looked
/// up: all other names are of tokens that the owner signed.
pub fn owner_is_allowed(subject: &str, is_allowed: impl FnOnce(&str) -> bool) -> bool {
    !subject.starts_with(MEMBER_PREFIX) || is_allowed(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_forty_digits_of_any_case_and_nothing_else() {
        let text = "0x52908400098527886E0F7030069857D2e4169ee7";
        let address: KeyAddress = text.parse().expect("an address");
        assert_eq!(address.to_string(), text.to_ascii_lowercase());
        assert_eq!(serde_json::to_value(address).expect("plain"), serde_json::json!(text.to_ascii_lowercase()));
        for bad in
            ["", "0x", &text[2..], &text[..41], &format!("{text}0"), &text.replace('5', "g"), &text.replace("0x", "0X")]
        {
            assert_eq!(bad.parse::<KeyAddress>(), Err(ParseAddressError), "{bad}");
        }
    }

    #[test]
    fn only_members_are_looked_up() {
        assert!(owner_is_allowed("owner", |_| false));
        assert!(!owner_is_allowed("m_00", |_| false));
        assert!(owner_is_allowed("m_00", |subject| subject == "m_00"));
    }
}
