//! Many jobs at once, and what became of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{EnqueueRequest, Job};
use crate::{BatchId, JobId, Timestamp};

/// One entry of [`BatchRequest`]: a job with its own idempotency key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchEntry {
    /// As the `Idempotency-Key` header of a single enqueue.
    pub idempotency_key: String,
    /// The job.
    #[serde(flatten)]
    #[schema(value_type = EnqueueRequest)]
    pub job: Value,
}

/// Body of `POST /v1/jobs/batch`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// At most 1,000.
    pub jobs: Vec<BatchEntry>,
    /// A job to enqueue once all of these have ended, however they did. If its payload has a field `batch`, that is
    /// replaced by the batch's id and counts. Needs the header `Idempotency-Key`, which names the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<EnqueueRequest>,
}

/// What became of one entry of a batch. Exactly one of `job` and `error` is there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchItem {
    /// The job, if it was accepted or is the original of a replay.
    pub job: Option<Job>,
    /// The key had been used before with the same body.
    pub replayed: bool,
    /// Why it was refused.
    pub error: Option<crate::error::ErrorBody>,
}

/// Answer of `POST /v1/jobs/batch`: one item an entry, in their order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// The batch, if the request had an `Idempotency-Key`.
    pub batch_id: Option<BatchId>,
    /// In the order of the request.
    pub items: Vec<BatchItem>,
}

/// A batch of jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Batch {
    /// Names the batch everywhere.
    pub id: BatchId,
    /// Who enqueued it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Jobs in it; not known while they are still being enqueued.
    pub jobs: Option<u64>,
    /// Jobs that have not ended.
    pub open: u64,
    /// Jobs that completed.
    pub completed: u64,
    /// Jobs whose attempts are used up.
    pub failed: u64,
    /// Jobs that a person ended.
    pub cancelled: u64,
    /// Jobs that did not start in time.
    pub expired: u64,
    /// When the last of its jobs had ended.
    pub finished_at: Option<Timestamp>,
    /// The job that was enqueued then, if one was asked for.
    pub callback_job_id: Option<JobId>,
    /// Why it could not be enqueued.
    pub callback_error: Option<String>,
}
