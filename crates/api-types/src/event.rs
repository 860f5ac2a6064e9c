//! What changed, as `GET /v1/events` and `GET /v1/jobs/{id}/events` tell it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    BatchId, JobId,
    autoscale::AutoscaleDecision,
    job::{JobState, LogLine, Progress},
};

/// One change. Clients fetch anew what it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// A job came to be or changed its state.
    #[serde(rename = "job.changed")]
    JobChanged {
        /// Which job.
        job_id: JobId,
        /// What it runs.
        kind: String,
        /// The queue it waits in.
        queue: String,
        /// Its state now.
        state: JobState,
        /// Attempts so far.
        attempt: u16,
    },
    /// A running job got further.
    #[serde(rename = "job.progress")]
    JobProgress {
        /// Which job.
        job_id: JobId,
        /// How far it is.
        progress: Progress,
    },
    /// A running job wrote to its log.
    #[serde(rename = "job.log")]
    JobLog {
        /// Which job.
        job_id: JobId,
        /// What it wrote.
        lines: Vec<LogLine>,
    },
    /// All jobs of a batch have ended. Its callback, if it has one, is enqueued.
    #[serde(rename = "batch.finished")]
    BatchFinished {
        /// Which batch.
        batch_id: BatchId,
        /// Jobs that completed.
        completed: u64,
        /// Jobs that used up their attempts.
        failed: u64,
        /// Jobs that somebody cancelled.
        cancelled: u64,
        /// Jobs that did not start in time.
        expired: u64,
    },
    /// Kinds or modules were added, changed or removed.
    #[serde(rename = "kinds.changed")]
    KindsChanged,
    /// An engine came, went or changed.
    #[serde(rename = "engines.changed")]
    EnginesChanged,
    /// A queue was paused or resumed, or a limit was changed.
    #[serde(rename = "queues.changed")]
    QueuesChanged,
    /// Something that a person should know of the node came or went; `GET /v1/status` has it.
    #[serde(rename = "notices.changed")]
    NoticesChanged,
    /// It was decided how many workers the local engine has.
    #[serde(rename = "autoscaled")]
    Autoscaled(AutoscaleDecision),
    /// A schedule was made, changed or removed, or has fired.
    #[serde(rename = "schedules.changed")]
    SchedulesChanged,
    /// Sync sessions were made, changed or removed. However many changes there are, it is told once a second at the most:
    /// whoever watches a clock listens to the session itself.
    #[serde(rename = "sessions.changed")]
    SessionsChanged,
    /// The cursor is from before what the node still has. Fetch everything anew.
    #[serde(rename = "resync")]
    Resync,
}

/// An event with its place in the stream; the SSE `id` is the same cursor.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventEnvelope {
    /// Send it as `Last-Event-ID` to go on from here.
    pub cursor: String,
    /// When it happened.
    pub at: crate::Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
