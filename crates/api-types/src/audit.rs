//! The audit log: who did what to this node, in a chain of entries that can't be changed unnoticed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Timestamp;

/// Entries in a page where nobody says otherwise.
pub const AUDIT_PAGE_DEFAULT: u32 = 50;
/// The most entries in a page.
pub const AUDIT_PAGE_MAX: u32 = 500;
/// The most bytes of an entry's details, as JSON.
pub const AUDIT_DETAIL_BYTES_MAX: usize = 4 << 10;

/// What kind of caller did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person who is signed in.
    Person,
    /// A program with an admin token.
    Admin,
    /// An engine.
    Engine,
    /// Somebody at the machine itself, by the command line.
    Machine,
    /// The node, by itself.
    Node,
    /// Somebody who is not signed in.
    Nobody,
}

impl ActorKind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Person, Self::Admin, Self::Engine, Self::Machine, Self::Node, Self::Nobody];

    /// The name on the wire and in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Admin => "admin",
            Self::Engine => "engine",
            Self::Machine => "machine",
            Self::Node => "node",
            Self::Nobody => "nobody",
        }
    }
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    /// What kind of caller.
    pub kind: ActorKind,
    /// Which one, such as `owner`, `m_…` or `eng_…`.
    pub subject: Option<String>,
}

/// How something that was tried came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was not: the caller may not, or what they sent does not fit.
    Refused,
    /// The node failed at it; parts of it may have been done.
    Failed,
}

impl AuditOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// The name on the wire and in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for AuditOutcome {
    type Err = UnknownOutcomeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|outcome| outcome.as_str() == text);
        known.ok_or_else(|| UnknownOutcomeError(text.chars().take(40).collect()))
    }
}

/// Text that is no outcome.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no outcome; there are done, refused and failed")]
pub struct UnknownOutcomeError(String);

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its number; the next entry has the next one.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// Who.
    pub actor: AuditActor,
    /// From where.
    pub ip: Option<String>,
    /// By which call, such as `POST`.
    pub method: Option<String>,
    /// The call's route, such as `/v1/members/{subject}`.
    pub route: Option<String>,
    /// What was done, such as `member.create`.
    pub action: String,
    /// To what.
    pub object: Option<String>,
    /// How it came out.
    pub outcome: AuditOutcome,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The code of the error, if it was one.
    pub code: Option<String>,
    /// Of the request.
    pub trace_id: Option<String>,
    /// More about it. Secrets are left out.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Value>,
    /// Of this entry and the one before, as hexadecimal digits.
    pub hash: String,
    /// Whether the hash is the right one. If not, this entry or the one before is not what was written.
    pub intact: bool,
}

/// Query of `GET /v1/audit` and `GET /v1/audit/export`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only what this one did, such as `owner` or `eng_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Only this action, or those below it: `member` finds `member.create` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only with this outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub outcome: Option<AuditOutcome>,
    /// Only from this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Only from this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Only what was done to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Go on after this page. Not for an export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries in a page. Not for an export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500, default = 50)]
    pub limit: Option<u32>,
}

/// Answer of `GET /v1/audit`: a page, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AuditList {
    /// The entries. A page may have fewer than were asked for, and even none, though there are more.
    pub items: Vec<AuditEntry>,
    /// For the next page; `null` at the end.
    pub next_cursor: Option<String>,
}

/// How far a check of the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditProgress {
    /// Entries that were checked.
    pub checked: u64,
    /// Entries that there are.
    pub total: u64,
}

/// What is wrong at one place of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditProblemKind {
    /// It was made with another key, or the key is another one now.
    WrongKey,
    /// An entry is not what was written: it was changed, put in, or moved.
    EntryChanged,
    /// Entries are missing.
    EntriesMissing,
    /// An entry stands where there should be none.
    EntryInserted,
    /// The end of the chain is not what was written.
    TipChanged,
    /// Entries at the end are missing, or the file is an older copy of itself.
    TailCut,
    /// The signed head of a day is not what was written.
    HeadChanged,
    /// Heads of days are missing.
    HeadMissing,
    /// The signature of a head does not fit.
    HeadSignature,
    /// The checkpoint, before which entries were cut, is not what was written.
    CheckpointChanged,
    /// Parts of the file can't be read.
    Unreadable,
    /// The node found the log damaged at a start, put that file aside and began this one.
    PutAside,
}

impl AuditProblemKind {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongKey => "wrong_key",
            Self::EntryChanged => "entry_changed",
            Self::EntriesMissing => "entries_missing",
            Self::EntryInserted => "entry_inserted",
            Self::TipChanged => "tip_changed",
            Self::TailCut => "tail_cut",
            Self::HeadChanged => "head_changed",
            Self::HeadMissing => "head_missing",
            Self::HeadSignature => "head_signature",
            Self::CheckpointChanged => "checkpoint_changed",
            Self::Unreadable => "unreadable",
            Self::PutAside => "put_aside",
        }
    }
}

/// One place of the log where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditProblem {
    /// The entry, or the last entry of the head, where it shows.
    pub seq: i64,
    /// What.
    pub kind: AuditProblemKind,
    /// For a person.
    pub message: String,
}

/// The last signed head of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditHead {
    /// Counts from 1.
    pub number: i64,
    /// The day, UTC, such as `2026-01-31`.
    pub day: String,
    /// Its last entry.
    pub last_seq: i64,
    /// Its entries.
    pub count: i64,
    /// Of its last entry, as hexadecimal digits.
    pub hash: String,
    /// The address that signed it, EIP-55.
    pub signer: String,
    /// EIP-191, 65 bytes as hexadecimal digits.
    pub signature: String,
}

/// What a check of the log found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditReport {
    /// Nothing is wrong.
    pub ok: bool,
    /// Entries that were checked.
    pub entries: u64,
    /// The first of them.
    pub first_seq: Option<i64>,
    /// The last of them.
    pub last_seq: Option<i64>,
    /// Entries up to this one were cut, at a signed checkpoint, because they were older than what is kept. 0 for none.
    pub cut_seq: i64,
    /// Signed heads that were checked.
    pub heads: u64,
    /// The last of them.
    pub last_head: Option<AuditHead>,
    /// Addresses that signed heads: the owner's, and those the owner had before.
    pub signers: Vec<String>,
    /// What is wrong, in the order of the entries; the first 100.
    pub problems: Vec<AuditProblem>,
    /// How many there are in all.
    pub problem_count: u64,
}
