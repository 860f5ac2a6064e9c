//! Jobs as clients see them.

mod batch;
mod redrive;

use std::{fmt, str::FromStr};

pub use batch::{Batch, BatchAnswer, BatchEntry, BatchItem, BatchRequest};
pub use redrive::{Redrive, RequeueAnswer, RequeueRequest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{BatchId, EngineId, JobId, Timestamp};

/// The longest payload, in bytes of JSON. Larger data belongs in a file that the payload names.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// The most jobs one batch may hold.
pub const BATCH_JOBS_MAX: usize = 1_000;
/// The longest `wait_ms`.
pub const WAIT_MS_MAX: u64 = 30_000;
/// The longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its `run_at`.
    Scheduled,
    /// Ready to be claimed.
    Queued,
    /// A worker runs it.
    Leased,
    /// Ended well.
    Completed,
    /// Its attempts are used up.
    Failed,
    /// A person ended it.
    Cancelled,
    /// It had not started by its `expires_at`.
    Expired,
}

impl JobState {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 7] =
        [Self::Scheduled, Self::Queued, Self::Leased, Self::Completed, Self::Failed, Self::Cancelled, Self::Expired];

    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Nothing but a requeue changes the job any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Expired)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no state.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a job state; the states are scheduled, queued, leased, completed, failed, cancelled, expired")]
pub struct ParseJobStateError(String);

impl FromStr for JobState {
    type Err = ParseJobStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| ParseJobStateError(text.to_owned()))
    }
}

/// What the caller may do with a job in its present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobAction {
    /// `POST /v1/jobs/{id}/cancel`
    Cancel,
    /// `POST /v1/jobs/{id}/requeue`
    Requeue,
}

/// How long to wait before the next attempt: `initial_ms × factor^(attempt-1)`, at most `max_ms`, and with `jitter`
/// evenly spread between zero and that.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// Before the second attempt.
    #[schema(minimum = 0, maximum = 86_400_000)]
    pub initial_ms: u64,
    /// Growth from attempt to attempt.
    #[schema(minimum = 1.0, maximum = 100.0)]
    pub factor: f64,
    /// The longest wait.
    #[schema(minimum = 0, maximum = 86_400_000)]
    pub max_ms: u64,
    /// Spread the waits, so that jobs that failed together do not come back together.
    pub jitter: bool,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial_ms: 1_000, factor: 2.0, max_ms: 300_000, jitter: true }
    }
}

/// Body of `POST /v1/jobs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnqueueRequest {
    /// What to run; `GET /v1/kinds` lists what there is.
    #[schema(example = "sleep")]
    pub kind: String,
    /// What to run it on; the kind's JSON Schema says what is valid. At most 1 MiB.
    #[serde(default = "empty_object")]
    #[schema(value_type = Object, example = json!({"duration_ms": 1000}))]
    pub payload: Value,
    /// Where to run it. Without it the node picks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_id: Option<EngineId>,
    /// Which queue it waits in; `default` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-zA-Z0-9_.-]{1,64}$")]
    pub queue: Option<String>,
    /// Lower runs first; 100 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1000)]
    pub priority: Option<u16>,
    /// Not before this time. Excludes `delay_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// Not before this long from now. Excludes `run_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 31_536_000_000_u64)]
    pub delay_ms: Option<u64>,
    /// Attempts before the job has failed; 3 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub attempts_max: Option<u16>,
    /// Waits between attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// The longest one attempt may take; the kind's own default without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400_000)]
    pub timeout_ms: Option<u64>,
    /// Do not start after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// For finding it again; at most 16, of at most 64 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Of the caller's jobs with this key, one may be open at a time in an engine. At most 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub unique_key: Option<String>,
    /// Jobs with this key share one bound on how many of them run at once in an engine. At most 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, example = "tenant-7")]
    pub concurrency_key: Option<String>,
    /// The bound; 1 without it. A limit on `key:<concurrency_key>` can lower it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub concurrency_max: Option<u32>,
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

/// How far a running job is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// From 0 to 1, where the job knows.
    pub fraction: Option<f64>,
    /// What it is doing.
    pub message: Option<String>,
    /// What it has produced so far, such as the text of a language model; the last 64 KiB.
    pub output: Option<String>,
}

/// Why an attempt or a job failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobError {
    /// Stable, in `UPPER_SNAKE`.
    #[schema(example = "TIMEOUT")]
    pub code: String,
    /// For a person.
    pub message: String,
    /// What to do next.
    #[serde(default)]
    pub hint: Option<String>,
    /// More for programs.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
}

/// A job without its payload and result, as in lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobSummary {
    /// Names the job everywhere.
    pub id: JobId,
    /// The engine that has it.
    pub engine_id: EngineId,
    /// The queue it waits in.
    pub queue: String,
    /// What it runs.
    pub kind: String,
    /// Where it is in its life.
    pub state: JobState,
    /// Lower runs first.
    pub priority: u16,
    /// How far it is, while it runs.
    pub progress: Option<Progress>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<JobError>,
    /// Attempts so far, the running one included.
    pub attempt: u16,
    /// Attempts there may be.
    pub attempts_max: u16,
    /// Not before this time.
    pub run_at: Timestamp,
    /// When the running attempt's lease ends, unless it is renewed.
    pub lease_expires_at: Option<Timestamp>,
    /// For finding it again.
    pub tags: Vec<String>,
    /// One open job of its creator has this key at a time.
    pub unique_key: Option<String>,
    /// Jobs that share a bound on how many run at once.
    pub concurrency_key: Option<String>,
    /// That bound, as far as this job is concerned.
    pub concurrency_max: Option<u32>,
    /// The batch it came with.
    pub batch_id: Option<BatchId>,
    /// Where it was when it was last asked for again.
    pub redriven_from: Option<Redrive>,
    /// The longest one attempt may take.
    pub timeout_ms: u64,
    /// Not started after this time.
    pub expires_at: Option<Timestamp>,
    /// Who enqueued it.
    pub created_by: String,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When its last attempt began.
    pub claimed_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Someone asked for its end, and its worker has not answered yet.
    pub cancel_requested: bool,
    /// What this caller may do with it now.
    pub allowed_actions: Vec<JobAction>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// All but the large fields.
    #[serde(flatten)]
    pub summary: JobSummary,
    /// What it runs on.
    #[schema(value_type = Object)]
    pub payload: Value,
    /// What it gave, once completed.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// The key it was enqueued with.
    pub idempotency_key: String,
    /// W3C trace id of the request that enqueued it.
    pub trace_id: String,
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// With a result.
    Completed,
    /// With an error.
    Failed,
    /// Because a person asked.
    Cancelled,
    /// Its lease ran out: the worker crashed, hung or lost its connection.
    LeaseExpired,
    /// The node or engine stopped first; does not count against `attempts_max`.
    Released,
}

impl AttemptOutcome {
    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::LeaseExpired => "lease_expired",
            Self::Released => "released",
        }
    }
}

/// One run of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Counts from 1.
    pub attempt: u16,
    /// Grows with every claim; a write with an older one changes nothing.
    pub epoch: u32,
    /// When a worker claimed the job.
    pub started_at: Timestamp,
    /// When the attempt ended; `null` while it runs.
    pub finished_at: Option<Timestamp>,
    /// How it ended; `null` while it runs.
    pub outcome: Option<AttemptOutcome>,
    /// Why it failed.
    pub error: Option<JobError>,
}

/// Answer of `GET /v1/jobs/{id}/attempts`, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AttemptList {
    /// Oldest first.
    pub items: Vec<Attempt>,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For whoever wrote the kind.
    Debug,
    /// What happened.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line of a job's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Counts from 1 within the job.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Of which attempt.
    pub attempt: u16,
    /// How much it matters.
    pub level: LogLevel,
    /// At most 8 KiB; longer lines are cut and say so.
    pub message: String,
}

/// Answer of `GET /v1/jobs/{id}/logs`, oldest first. Ask again with `after` = the last `seq`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogList {
    /// Oldest first.
    pub items: Vec<LogLine>,
    /// Pass as `after` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// Answer of `GET /v1/jobs`, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// Newest first.
    pub items: Vec<JobSummary>,
    /// Pass as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
    /// A shard is in quarantine, so that its jobs are missing here; `GET /v1/engines` names it.
    #[serde(default)]
    pub partial: bool,
}

/// Query of `GET /v1/jobs`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListJobsQuery {
    /// Only jobs in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<JobState>,
    /// Only jobs of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only jobs of this engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_id: Option<EngineId>,
    /// Only jobs of this queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Only jobs with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only jobs enqueued after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Timestamp>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Jobs a page, 1 to 200; 50 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
