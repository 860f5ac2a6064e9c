//! Sync sessions: many clients agreed on who is active and how much time is left.
//!
//! The server keeps instants and balances, clients compute what they show. Where time stands is in three fields:
//! `cycle_started_at` (since when time is not charged yet; null unless it runs), `cycle_elapsed_ms` (what the open cycle
//! was charged before that), and the balances. While it runs, `now - cycle_started_at` is still to be added to what was
//! used, and taken from what is left.
//!
//! These sessions have nothing to do with the sign-in sessions of [`crate::auth`].

mod requests;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{GroupId, ParticipantId, SyncSessionId, Timestamp};

pub use requests::{
    ChangeSessionRequest, CreateSessionRequest, ListSessionEventsQuery, ListSessionsQuery, NewParticipant,
    SwitchSessionRequest,
};

/// Sessions a node holds at a time. Each costs some KiB of memory and a timer.
pub const SESSIONS_MAX: usize = 10_000;
/// Participants of one session.
pub const PARTICIPANTS_MAX: usize = 1_000;
/// Participants of all sessions together: at some 200 bytes each, 50 MiB.
pub const PARTICIPANTS_TOTAL_MAX: usize = 250_000;
/// The shortest time that anything counts down from: a second.
pub const SESSION_TIME_MS_MIN: u64 = 1_000;
/// The longest time that anything counts down from: a day.
pub const SESSION_TIME_MS_MAX: u64 = 86_400_000;
/// The largest increment: a minute.
pub const INCREMENT_MS_MAX: u64 = 60_000;
/// The longest metadata, in bytes of JSON.
pub const METADATA_BYTES_MAX: usize = 4 << 10;
/// Sessions a page at the most.
pub const SESSION_PAGE_MAX: u32 = 200;
/// Events of a session a page at the most.
pub const SESSION_EVENT_PAGE_MAX: u32 = 200;
/// What clients may be apart from the node's clock without anybody noticing.
pub const DRIFT_TOLERANCE_MS: u64 = 50;

/// Declares an enum whose variants have the same name on the wire and in the store.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:tt,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name on the wire and in the store.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The one of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }
    };
}

named! {
    /// What counts down.
    SyncMode {
        /// The balance of the active participant.
        PerParticipant = "per_participant",
        /// `time_per_cycle_ms`, anew in each cycle; balances only record use.
        PerCycle = "per_cycle",
        /// One balance for all participants of a group.
        PerGroup = "per_group",
        /// One countdown of `total_time_ms` for all.
        Global = "global",
        /// Nothing: a stopwatch, up to `max_time_ms` if that is given.
        CountUp = "count_up",
    }
}

named! {
    /// Where a session stands.
    SessionStatus {
        /// Made, not started.
        Pending = "pending",
        /// Time runs.
        Running = "running",
        /// Time stands still.
        Paused = "paused",
        /// Ended by somebody.
        Completed = "completed",
        /// Called off.
        Cancelled = "cancelled",
        /// Ended because time ran out.
        Expired = "expired",
    }
}

impl SessionStatus {
    /// Nothing can change any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Expired)
    }
}

named! {
    /// What the server does when time has run out.
    #[derive(Default)]
    TimeoutAction {
        /// Marks it; the session runs on.
        #[default]
        None = "none",
        /// Switches to the next who has time left; ends the session when nobody has.
        AutoAdvance = "auto_advance",
        /// Ends the session.
        EndSession = "end_session",
    }
}

named! {
    /// What can be done with a session.
    SessionAction {
        /// Begin with the first participant.
        Start = "start",
        /// Make another participant the active one.
        Switch = "switch",
        /// Let time stand still.
        Pause = "pause",
        /// Let it run again.
        Resume = "resume",
        /// End it.
        Complete = "complete",
        /// Call it off.
        Cancel = "cancel",
    }
}

named! {
    /// What happened to a session.
    SessionEventKind {
        /// It was made.
        Created = "session_created",
        /// It was started.
        Started = "started",
        /// Somebody else became active.
        CycleSwitched = "cycle_switched",
        /// Time stands still.
        Paused = "paused",
        /// Time runs again.
        Resumed = "resumed",
        /// Time ran out; in modes with one clock for all, for everybody.
        ParticipantExpired = "participant_expired",
        /// It was ended.
        Completed = "completed",
        /// It was called off.
        Cancelled = "cancelled",
        /// It was deleted, or removed some time after its end.
        Deleted = "deleted",
    }
}

/// One who takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Participant {
    /// Who.
    pub participant_id: ParticipantId,
    /// For display; the order of turns is that of the list.
    pub participant_index: u32,
    /// What is left, as of the last change; the same for all of a group in mode `per_group`.
    pub total_time_ms: u64,
    /// Time as the active one, as of the last change.
    pub time_used_ms: u64,
    /// The same as `total_time_ms`.
    pub time_remaining_ms: u64,
    /// How often this one was switched out.
    pub cycle_count: u64,
    /// Whose time runs.
    pub is_active: bool,
    /// Their time ran out.
    pub has_expired: bool,
    /// Whom they share a balance with.
    pub group_id: Option<GroupId>,
}

/// Times at the moment of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Computed {
    /// The moment, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// What is left of what counts down; null if nobody is active or nothing counts down.
    pub active_remaining_ms: Option<u64>,
    /// How long the open cycle has lasted, without pauses; null if nobody is active.
    pub active_elapsed_ms: Option<u64>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionState {
    /// Which.
    pub session_id: SyncSessionId,
    /// What counts down.
    pub sync_mode: SyncMode,
    /// Where it stands.
    pub status: SessionStatus,
    /// Grows by one with each change.
    pub version: u64,
    /// In the order of their turns.
    pub participants: Vec<Participant>,
    /// Whose time runs, or would if it were not paused.
    pub active_participant_id: Option<ParticipantId>,
    /// What a session with one countdown for all counts down from. It does not shrink: what is left is this less the
    /// sum of all `time_used_ms`.
    pub total_time_ms: u64,
    /// What each cycle counts down from.
    pub time_per_cycle_ms: Option<u64>,
    /// Since when time is not charged yet; null unless it runs.
    pub cycle_started_at: Option<Timestamp>,
    /// What the open cycle was charged before `cycle_started_at`.
    pub cycle_elapsed_ms: u64,
    /// When it was started.
    pub session_started_at: Option<Timestamp>,
    /// When it ended, in whichever way.
    pub session_completed_at: Option<Timestamp>,
    /// What the one who leaves gets, in mode `per_participant`.
    pub increment_ms: Option<u64>,
    /// Where a stopwatch stops.
    pub max_time_ms: Option<u64>,
    /// What the server does when time has run out.
    pub action_on_timeout: TimeoutAction,
    /// As it was given.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// What its status allows. Whether the caller may, their role decides.
    pub allowed_actions: Vec<SessionAction>,
    /// Only in answers to `GET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<Computed>,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionSummary {
    /// Which.
    pub session_id: SyncSessionId,
    /// What counts down.
    pub sync_mode: SyncMode,
    /// Where it stands.
    pub status: SessionStatus,
    /// Grows by one with each change.
    pub version: u64,
    /// How many take part.
    pub participant_count: usize,
    /// The sum of what they used, as of the last change: how long time has run, less what runs since `cycle_started_at`.
    pub time_used_ms: u64,
    /// Whose time runs, or would if it were not paused.
    pub active_participant: Option<Participant>,
    /// Since when time is not charged yet; null unless it runs.
    pub cycle_started_at: Option<Timestamp>,
    /// As it was given.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// What its status allows. Whether the caller may, their role decides.
    pub allowed_actions: Vec<SessionAction>,
    /// Times at the moment of the answer.
    pub computed: Computed,
}

/// Sessions, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// One page.
    pub items: Vec<SessionSummary>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// What a switch answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SwitchedSession {
    /// Which session.
    pub session_id: SyncSessionId,
    /// Who is active now.
    pub active_participant_id: Option<ParticipantId>,
    /// Since when.
    pub cycle_started_at: Option<Timestamp>,
    /// In the order of their turns.
    pub participants: Vec<Participant>,
    /// Where the session stands.
    pub status: SessionStatus,
    /// Its version now.
    pub version: u64,
    /// The one who left, if their time had run out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_participant_id: Option<ParticipantId>,
}

/// What a participant had after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParticipantBalance {
    /// Who.
    pub participant_id: ParticipantId,
    /// What was left.
    pub total_time_ms: u64,
    /// Time as the active one.
    pub time_used_ms: u64,
    /// How often they were switched out.
    pub cycle_count: u64,
    /// Their time had run out.
    pub has_expired: bool,
}

/// One change of a session, as the audit has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionEvent {
    /// Its place in the order of all changes of all sessions.
    pub sequence: i64,
    /// Which session.
    pub session_id: SyncSessionId,
    /// The session's version after the change.
    pub version: u64,
    /// When it took effect. An expiry has the instant at which time ran out, whenever it was noticed.
    pub at: Timestamp,
    /// What happened.
    pub event: SessionEventKind,
    /// Who did it; null for the node itself.
    pub actor: Option<String>,
    /// Whom it is about: who became or was active.
    pub participant_id: Option<ParticipantId>,
    /// Where the session stood afterwards.
    pub status: SessionStatus,
    /// Of the participants whom the change touched.
    pub balances: Vec<ParticipantBalance>,
    /// Cycles that ended with this change: more than one only if they ran out while the node was down.
    pub cycles: u64,
}

/// Events of a session, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionEventList {
    /// One page.
    pub items: Vec<SessionEvent>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// The node's clock, as all sessions go by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerTime {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The node's version.
    pub server_version: String,
    /// What clients may be apart without anybody noticing.
    pub drift_tolerance_ms: u64,
}

/// The envelope of everything about sync sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionData<T> {
    /// What was asked for.
    pub data: T,
}

/// One field of a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionFieldError {
    /// JSON pointer into the body, such as `/participants/0/total_time_ms`, or the name of a header or parameter.
    pub field: String,
    /// Why it is wrong.
    pub message: String,
    /// Stable, in `snake_case`; programs decide by this.
    #[schema(example = "out_of_range")]
    pub code: String,
}
