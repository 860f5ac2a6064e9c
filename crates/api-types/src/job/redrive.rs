//! Asking for ended jobs again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{JobError, JobState};
use crate::{JobId, Timestamp};

/// Where a job was when somebody asked for it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Redrive {
    /// How it had ended.
    pub state: JobState,
    /// The queue it was in.
    pub queue: String,
    /// Attempts it had had.
    pub attempts: u16,
    /// When it had ended.
    pub finished_at: Option<Timestamp>,
    /// Why it had failed.
    pub error: Option<JobError>,
    /// When it was asked for again.
    pub at: Timestamp,
    /// Who did.
    pub by: String,
    /// How often that has happened, this time included.
    pub times: u32,
}

/// Body of `POST /v1/jobs/requeue`: which ended jobs to ask for again. Without `ids`, all that match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequeueRequest {
    /// These jobs, at most 1,000. Of the other fields only `to_queue` goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<JobId>>,
    /// `failed`, `cancelled` or `expired`; `failed` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<JobState>,
    /// Only of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only of this queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Only with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only those that failed with this error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Only those enqueued after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Timestamp>,
    /// Puts them into this queue; each goes back to its own without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-zA-Z0-9_.-]{1,64}$")]
    pub to_queue: Option<String>,
    /// At most this many in one call, up to 10,000; 1,000 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub limit: Option<u32>,
}

/// Answer of `POST /v1/jobs/requeue`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequeueAnswer {
    /// Jobs that are queued again.
    pub requeued: u64,
    /// Jobs that matched and stay as they are: another job has their unique key, their queue is full, or somebody was
    /// faster.
    pub skipped: u64,
    /// There may be more that match. Ask again for them.
    pub more: bool,
}
