//! What clients ask of sync sessions.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{SessionStatus, SyncMode, TimeoutAction};
use crate::{GroupId, ParticipantId, SyncSessionId};

/// Somebody who is to take part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewParticipant {
    /// Who; unique in the session.
    pub participant_id: ParticipantId,
    /// For display; the order of turns is that of the list.
    #[schema(minimum = 0)]
    pub participant_index: u32,
    /// What they begin with. All of a group begin with the same, once, together.
    #[schema(minimum = 1_000, maximum = 86_400_000)]
    pub total_time_ms: u64,
    /// Whom they share a balance with; needed in mode `per_group`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<GroupId>,
}

/// Body of `POST /v1/sessions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSessionRequest {
    /// Picked by whoever makes it.
    pub session_id: SyncSessionId,
    /// What counts down.
    pub sync_mode: SyncMode,
    /// In the order of their turns.
    #[schema(min_items = 1, max_items = 1_000)]
    pub participants: Vec<NewParticipant>,
    /// What a session with one countdown for all counts down from.
    #[schema(minimum = 1_000, maximum = 86_400_000)]
    pub total_time_ms: u64,
    /// What each cycle counts down from; needed in mode `per_cycle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1_000, maximum = 86_400_000)]
    pub time_per_cycle_ms: Option<u64>,
    /// What the one who leaves gets, in mode `per_participant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 60_000)]
    pub increment_ms: Option<u64>,
    /// Where a stopwatch stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1_000, maximum = 86_400_000)]
    pub max_time_ms: Option<u64>,
    /// What the server does when time has run out; `none` without it.
    #[serde(default)]
    pub action_on_timeout: TimeoutAction,
    /// An object of anything, up to 4 KiB; everybody who sees the session sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
}

/// Body of a change that needs none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSessionRequest {
    /// The version that the change is meant for; the same as the header `If-Match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

/// Body of `POST /v1/sessions/{session_id}/switch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchSessionRequest {
    /// Who is next; without it the next in the list. With `auto_advance` it must be somebody who has time left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_participant_id: Option<ParticipantId>,
    /// The version that the change is meant for; the same as the header `If-Match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSessionsQuery {
    /// Only sessions that stand so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SessionStatus>,
    /// Where to go on, from `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Sessions a page, 1 to 200; 50 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which events to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSessionEventsQuery {
    /// Where to go on, from `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<i64>,
    /// Events a page, 1 to 200; 100 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
