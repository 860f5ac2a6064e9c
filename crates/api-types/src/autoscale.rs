//! How many workers the local engine has, and why.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{EngineId, Timestamp};

/// Why the number of workers is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoscaleReason {
    /// Jobs waited too long for a worker, in three windows in a row.
    ClaimDelay,
    /// The workers could not have held the last hour's peak with the headroom asked for.
    Headroom,
    /// Jobs hardly waited, and workers were mostly idle, in six windows in a row.
    Quiet,
    /// A person decided how many there are.
    Fixed,
    /// A person took that back.
    Unfixed,
}

/// One decision about the number of workers, with the figures of its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AutoscaleDecision {
    /// Whose workers.
    pub engine_id: EngineId,
    /// When.
    pub at: Timestamp,
    /// Workers before.
    pub from: u32,
    /// Workers after; as many as before, where a person has settled on those.
    pub to: u32,
    /// Why.
    pub reason: AutoscaleReason,
    /// The same for a person, in a sentence with the figures.
    pub explanation: String,
    /// Of twenty jobs nineteen waited less for their claim, in the last window; none, if nothing was claimed in it.
    pub claim_delay_p95_ms: Option<u64>,
    /// The share of the workers' time that jobs took in the last window, 0 to 1.
    pub utilization: f64,
    /// Jobs a second that the workers before could do; none while that is not known.
    pub capacity_per_s: Option<f64>,
    /// Jobs a second that were started in the busiest window of the last hour.
    pub peak_per_s: f64,
}

/// What happened in ten seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AutoscaleWindow {
    /// When it began.
    pub started_at: Timestamp,
    /// Workers in it.
    pub workers: u32,
    /// Jobs that were started.
    pub claimed: u64,
    /// Attempts that ended.
    pub finished: u64,
    /// Of twenty jobs nineteen waited less for their claim; none, if nothing was claimed.
    pub claim_delay_p95_ms: Option<u64>,
    /// The share of the workers' time that jobs took, 0 to 1.
    pub utilization: f64,
    /// Jobs were ready all along and none could be started, because every worker was busy.
    pub stalled: bool,
}

/// The number of workers that a person decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FixedWorkers {
    /// How many.
    pub workers: u32,
    /// Since when.
    pub since: Timestamp,
    /// Who decided, for those who see everybody's jobs.
    pub by: Option<String>,
}

/// Answer of `GET /v1/autoscaler`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Autoscaler {
    /// Whether the number of workers follows the load; not so where the setting `workers` or a person fixes it.
    pub enabled: bool,
    /// What a person decided, until somebody takes it back.
    pub fixed: Option<FixedWorkers>,
    /// Whose workers; none on a node without a local engine.
    pub engine_id: Option<EngineId>,
    /// Workers now.
    pub workers: u32,
    /// Never fewer by themselves.
    pub workers_min: u32,
    /// Never more by themselves.
    pub workers_max: u32,
    /// The claim delay aimed at, where the number follows the load.
    pub target_latency_ms: Option<u64>,
    /// Spare capacity over the last hour's peak, where the number follows the load.
    pub headroom_factor: Option<f64>,
    /// Why there are as many as there are now, in a sentence.
    pub explanation: String,
    /// The last windows in which the node was awake, the newest last.
    pub windows: Vec<AutoscaleWindow>,
    /// The last hundred decisions, the newest first.
    pub decisions: Vec<AutoscaleDecision>,
}
