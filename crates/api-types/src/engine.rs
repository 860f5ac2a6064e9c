//! Engines, and what they say to the gateway.

mod vitals;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
pub use vitals::Vitals;

use crate::{
    EngineId, JobId, Timestamp,
    job::{JobError, LogLevel, Progress},
    kind::KindDescriptor,
    limit::LimitTarget,
    member::AllowList,
};

/// The most jobs one claim may ask for.
pub const CLAIM_JOBS_MAX: u32 = 64;
/// A heartbeat is due this often.
pub const HEARTBEAT_MS: u64 = 15_000;
/// An engine not heard of for this long is stale.
pub const STALE_AFTER_MS: u64 = 60_000;
/// The fewest workers that a person may ask for. Fewer than one is a drain.
pub const WORKERS_MIN: u32 = 1;
/// The most workers that a person may ask for, as many as a node may be configured with.
pub const WORKERS_MAX: u32 = 256;

/// Where an engine's workers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineLocation {
    /// In the node's own process.
    Local,
    /// In a process of its own, which claims over HTTP.
    External,
}

/// Whether an engine works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// It claims jobs.
    Up,
    /// It finishes what runs and claims nothing new.
    Draining,
    /// Not heard of for a minute, or never.
    Stale,
}

/// What a shard that is not well still does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShardState {
    /// Writes to it fail at present; reads go on.
    Failing,
    /// It is left alone until it is repaired. Calls about its jobs are answered with `SHARD_QUARANTINED`.
    Quarantined,
}

/// Why a shard is not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShardCause {
    /// What is in its file is not what was written.
    Damaged,
    /// Its file cannot be opened, read or written.
    Unreadable,
}

/// A shard that is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShardProblem {
    /// Which shard of the engine, from 0.
    pub index: u16,
    /// What it still does.
    pub state: ShardState,
    /// Why.
    pub cause: ShardCause,
    /// Why, in the words of whoever met it.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Its file.
    pub file: String,
    /// What to do about it.
    pub hint: String,
}

/// A host of workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Engine {
    /// Names it everywhere.
    pub id: EngineId,
    /// For a person.
    pub name: String,
    /// Where its workers are.
    pub location: EngineLocation,
    /// Whether it works.
    pub state: EngineState,
    /// Workers it has.
    pub workers: u32,
    /// Workers that a person wants it to have, whatever the load and the settings say; none, if nobody decided.
    pub workers_fixed: Option<u32>,
    /// Workers that run a job.
    pub busy: u32,
    /// Shard files it has.
    pub shards: u32,
    /// Those of them that are not well; empty when all are. The counts below are of the others.
    pub shard_problems: Vec<ShardProblem>,
    /// Jobs that are ready.
    pub queued: u64,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Jobs that run.
    pub leased: u64,
    /// When an external engine last sent a heartbeat.
    pub last_seen_at: Option<Timestamp>,
    /// The version it runs.
    pub version: Option<String>,
    /// How an external engine said it was with its last heartbeat; `None` for the local engine, and for one that tells
    /// nothing.
    pub vitals: Option<Vitals>,
    /// How its token stands; `None` for the local engine, which needs none.
    pub token: Option<EngineTokenState>,
    /// What the caller may do with it: `set_workers`, `rotate_token`, `revoke_token`.
    pub allowed_actions: Vec<String>,
}

/// How an engine's token stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EngineTokenState {
    /// Whether it has one that works.
    pub usable: bool,
    /// When that one was made, or the last one was revoked.
    pub changed_at: Timestamp,
    /// Until when the one before works as well.
    pub old_ends_at: Option<Timestamp>,
}

/// Answer of `GET /v1/engines`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EngineList {
    /// The local engine first.
    pub items: Vec<Engine>,
}

/// Body of `POST /v1/engines`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEngineRequest {
    /// For a person; 1 to 64 characters.
    pub name: String,
}

/// Body of `PUT /v1/engines/{engine_id}/workers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetWorkersRequest {
    /// Run this many jobs at once, 1 to 256; `null`: as many as the load or the settings say.
    // Not to be left out by mistake: what an empty body would mean is a guess.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, minimum = 1, maximum = 256)]
    pub workers: Option<u32>,
}

/// Answer of `POST /v1/engines`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedEngine {
    /// The new engine.
    pub engine: Engine,
    /// For its `X-Engine-Token` header. Shown this once; the node keeps only a hash.
    pub token: String,
}

/// The right to run a job for a while: what a claim gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Which job.
    pub id: JobId,
    /// Of the claim. Whatever is written with an old one changes nothing.
    pub epoch: u32,
}

/// Body of `POST /v1/engine/claim`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// At most this many jobs, 1 to 64.
    pub max: u32,
    /// Wait this long for the first job, at most 30000.
    #[serde(default)]
    pub wait_ms: u64,
    /// Only jobs of these kinds; all kinds without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
}

/// A job under a lease.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClaimedJob {
    /// Which job.
    pub id: JobId,
    /// What it runs.
    pub kind: String,
    /// Who enqueued it.
    #[serde(default)]
    pub created_by: String,
    /// What it runs on.
    #[schema(value_type = Object)]
    pub payload: Value,
    /// Counts from 1.
    pub attempt: u16,
    /// Goes with every renewal and with the finish.
    pub epoch: u32,
    /// When the lease ends, unless it is renewed.
    pub lease_expires_at: Timestamp,
    /// The longest this attempt may take.
    pub timeout_ms: u64,
    /// W3C trace context of the request that enqueued it.
    pub traceparent: String,
}

/// Answer of `POST /v1/engine/claim`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClaimAnswer {
    /// Empty when nothing came in time.
    pub jobs: Vec<ClaimedJob>,
}

/// A log line on its way to the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewLogLine {
    /// When it was written.
    pub at: Timestamp,
    /// How much it matters.
    pub level: LogLevel,
    /// At most 8 KiB; longer lines are cut.
    pub message: String,
}

/// One lease to renew.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewItem {
    /// Which job.
    pub id: JobId,
    /// Of the claim.
    pub epoch: u32,
    /// How far it is, if that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Lines since the last renewal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<NewLogLine>,
}

/// Body of `POST /v1/engine/renew`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// All leases of the pool, in one call.
    pub jobs: Vec<RenewItem>,
}

/// What became of one renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenewOutcome {
    /// The lease runs for another 30 s.
    Renewed,
    /// Somebody else has the job, or it ended. Stop.
    LeaseLost,
    /// Renewed, and a person asked for the job's end. Stop, and say so with a finish.
    CancelRequested,
}

/// Answer to one renewal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RenewAnswerItem {
    /// Which job.
    pub id: JobId,
    /// What became of it.
    pub outcome: RenewOutcome,
}

/// Answer of `POST /v1/engine/renew`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RenewAnswer {
    /// In the order of the request.
    pub items: Vec<RenewAnswerItem>,
}

/// How an engine says an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FinishOutcome {
    /// With `result`.
    Completed,
    /// With `error`.
    Failed,
}

/// One attempt that ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishItem {
    /// Which job.
    pub id: JobId,
    /// Of the claim.
    pub epoch: u32,
    /// How it ended.
    pub outcome: FinishOutcome,
    /// What it gave, if it completed. At most 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
    /// Whether another attempt makes sense; `true` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// The earliest sensible time for another attempt, from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Everything of a target has to wait, not this job alone: a provider asked for patience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,
    /// How far it got, if that was not yet sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Lines not yet sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<NewLogLine>,
}

/// What has to wait, and how long. It holds for the engine that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// What it counts.
    pub target: LimitTarget,
    /// From now; at most a day.
    pub wait_ms: u64,
}

/// Body of `POST /v1/engine/finish`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishRequest {
    /// At most 64.
    pub results: Vec<FinishItem>,
}

/// What became of one finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FinishAnswer {
    /// It is stored, or was before.
    Accepted,
    /// Somebody else has the job, or it ended otherwise. Nothing changed.
    LeaseLost,
}

/// Answer to one finish.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FinishAnswerItem {
    /// Which job.
    pub id: JobId,
    /// What became of it.
    pub outcome: FinishAnswer,
}

/// Answer of `POST /v1/engine/finish`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FinishAnswerList {
    /// In the order of the request.
    pub items: Vec<FinishAnswerItem>,
}

/// Body of `POST /v1/engine/release`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// Leases to give back unused, at most 1024.
    pub jobs: Vec<Lease>,
}

/// Body of `POST /v1/engine/heartbeat`, due every 15 s.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// The version the engine runs.
    pub version: String,
    /// Workers it has.
    pub capacity: u32,
    /// Workers that run a job.
    pub busy: u32,
    /// Kinds it runs.
    pub kinds: Vec<KindDescriptor>,
    /// How its process and its machine are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vitals: Option<Vitals>,
    /// The version of the list of members it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_version: Option<u64>,
}

/// Answer of `POST /v1/engine/heartbeat`: what the gateway wants of the engine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatAnswer {
    /// Stop claiming, finish what runs.
    pub drain: bool,
    /// Run this many jobs at once; what the engine was started with, without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_workers: Option<u32>,
    /// The members whose jobs it is to run, if it has another list. It ends jobs of others with `OWNER_NOT_MEMBER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<AllowList>,
}

/// One event of `GET /v1/engine/directives`: what the gateway wants of the engine, as soon as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Directive {
    /// A person has cancelled a job that runs. Stop it, and say so with a finish.
    Cancel {
        /// Which job.
        job_id: JobId,
        /// Of the claim that holds it.
        epoch: u32,
    },
    /// Stop claiming, or claim again. The first event of each stream.
    Drain {
        /// Whether to stop.
        on: bool,
    },
    /// Run this many jobs at once.
    DesiredWorkers {
        /// `None`: what the engine was started with.
        workers: Option<u32>,
    },
    /// Events were missed. Renew all leases: the answer tells which jobs are cancelled.
    Renew,
}
