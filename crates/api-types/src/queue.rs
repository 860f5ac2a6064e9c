//! Queues as people see them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::Timestamp;

/// The longest name of a queue, in characters.
pub const QUEUE_NAME_CHARS_MAX: usize = 64;

/// The name of a queue: 1 to 64 of `a-z A-Z 0-9 _ . -`, and not dots alone, which are no part of a URL's path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct QueueName(String);

impl QueueName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that cannot name a queue.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a queue's name; names have 1 to {QUEUE_NAME_CHARS_MAX} of a-z A-Z 0-9 _ . -")]
pub struct ParseQueueNameError(String);

impl FromStr for QueueName {
    type Err = ParseQueueNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let fits = (1..=QUEUE_NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(plain);
        if fits && !matches!(text, "." | "..") {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseQueueNameError(text.chars().take(100).collect()))
        }
    }
}

impl PartialSchema for QueueName {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[a-zA-Z0-9_.-]{1,64}$"))
            .examples([serde_json::json!("default")])
            .into()
    }
}

impl ToSchema for QueueName {}

/// What the caller may do with a queue in its present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueAction {
    /// `POST /v1/queues/{name}/pause`
    Pause,
    /// `POST /v1/queues/{name}/resume`
    Resume,
}

/// A queue: its jobs on all engines, and what it did in the last minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Names it everywhere.
    pub name: String,
    /// Its jobs are not claimed; those that run go on.
    pub paused: bool,
    /// Since when.
    pub paused_at: Option<Timestamp>,
    /// By whom, for those who see everybody's jobs.
    pub paused_by: Option<String>,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Jobs that are ready.
    pub queued: u64,
    /// Jobs that run.
    pub leased: u64,
    /// How long the oldest ready job has been ready.
    pub oldest_queued_age_ms: Option<u64>,
    /// Half of the jobs were claimed sooner after they were ready; without claims in the last minute there is none.
    pub claim_delay_p50_ms: Option<u64>,
    /// Of twenty jobs nineteen were claimed sooner after they were ready.
    pub claim_delay_p95_ms: Option<u64>,
    /// Jobs that came in, a second.
    pub enqueued_per_s: f64,
    /// Attempts that ended well, a second.
    pub finished_per_s: f64,
    /// Attempts that failed, a second.
    pub failed_per_s: f64,
    /// More queues are in use than are measured apart: delays and rates are those of all further ones together.
    pub measured_with_others: bool,
    /// What the caller may do with it now.
    pub allowed_actions: Vec<QueueAction>,
}

/// Answer of `GET /v1/queues`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueList {
    /// By name.
    pub items: Vec<Queue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_jobs_may_have_and_a_url_can_hold() {
        for name in ["default", "a", "Mail.eu-1_b", &"x".repeat(64), "..."] {
            assert_eq!(name.parse::<QueueName>().unwrap().as_str(), name);
        }
        for bad in ["", ".", "..", "a b", "a/b", "ü", &"x".repeat(65)] {
            assert!(bad.parse::<QueueName>().is_err(), "{bad:?}");
        }
    }
}
