//! Draining a node: what runs finishes, nothing new starts or comes in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// The longest reason, in characters.
pub const DRAIN_REASON_CHARS_MAX: usize = 200;

/// Body of `POST /drain`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// Whether to drain, or to go back to work.
    pub on: bool,
    /// Why, for others who see it; at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the caller may do about the drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DrainAction {
    /// `POST /drain` with `on: true`
    Start,
    /// `POST /drain` with `on: false`
    Stop,
}

/// Answer of `GET /drain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Drain {
    /// Nothing new is claimed or taken. It stays so across restarts until somebody ends it.
    pub on: bool,
    /// It is in force, but could not be stored: a restart ends it. Asked for again, it is stored once the disk takes it.
    #[serde(default)]
    pub unstored: bool,
    /// The node is about to stop, and drains for that; this drain ends with the process.
    pub stopping: bool,
    /// Since when it drains.
    pub since: Option<Timestamp>,
    /// Who asked for it, for those who see everybody's jobs.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Jobs that still run; while the node is about to stop, those of its own workers: others go on without it.
    pub running: u64,
    /// What the caller may do about it now.
    pub allowed_actions: Vec<DrainAction>,
}
