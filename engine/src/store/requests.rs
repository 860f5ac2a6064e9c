//! What the rest of the engine asks of a shard's writer.

use std::{sync::Arc, time::Duration};

use flowork_api_types::{
    BatchId, JobId, Timestamp,
    engine::{FinishAnswer, NewLogLine, RenewOutcome},
    job::{Backoff, JobError, JobState, Progress},
    limit::LimitTarget,
};
use flowork_sqlite::StoreError;
use tokio::sync::{mpsc, oneshot};

use super::Budget;
use crate::{KindRegistry, limits::ScopeId};

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A request that the file did not take.
#[derive(Debug)]
pub(super) enum Failed {
    /// It left nothing behind.
    Undone(rusqlite::Error),
    /// What it wrote could not be taken back.
    Stuck(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Undone(error)
    }
}

impl Failed {
    /// For a request in a savepoint, which takes all of it back.
    pub(super) fn into_error(self) -> rusqlite::Error {
        let (Self::Undone(error) | Self::Stuck(error)) = self;
        error
    }
}

/// One request to a shard's writer.
pub(crate) enum Request {
    Enqueue {
        job: Box<NewJob>,
        reply: Reply<EnqueueOutcome>,
    },
    /// Registers somebody who takes jobs, until its budget is closed. Answered once the shard has looked for the first
    /// time, after what it found has gone out.
    Claim {
        claimer: Claimer,
        reply: Reply<()>,
    },
    Renew {
        items: Vec<RenewRow>,
        reply: Reply<Vec<RenewOutcome>>,
    },
    /// `slots`: a worker pool's budget, given back one slot an item before the transaction ends, so that a finish and
    /// the claim that follows it cost one fsync. They are given back whatever becomes of the finish.
    Finish {
        items: Vec<FinishRow>,
        slots: Option<Arc<Budget>>,
        reply: Reply<Vec<FinishAnswer>>,
    },
    /// Gives leases back unused: the jobs are ready again and the attempts do not count.
    Release {
        items: Vec<(JobId, u32)>,
        slots: Option<Arc<Budget>>,
        reply: Reply<()>,
    },
    Cancel {
        id: JobId,
        actor: Actor,
        reply: Reply<ActOutcome>,
    },
    Requeue {
        id: JobId,
        actor: Actor,
        reply: Reply<ActOutcome>,
    },
    /// Asks for many ended jobs again. The answer counts those that came back.
    RequeueMany {
        ids: Vec<JobId>,
        actor: Actor,
        to_queue: Option<Arc<str>>,
        reply: Reply<u64>,
    },
    /// Answered at once, by what memory holds: nobody waits for the disk to hear it.
    Depths {
        reply: Reply<Vec<QueueDepth>>,
    },
    OpenBatch {
        batch: NewBatch,
        reply: Reply<()>,
    },
    /// All jobs of a batch are in.
    SealBatch {
        batch: BatchId,
        jobs: u64,
        reply: Reply<()>,
    },
    /// All jobs of a batch have ended, and its callback is enqueued, or can't be.
    CloseBatch {
        batch: BatchId,
        callback: Option<Result<JobId, String>>,
        reply: Reply<()>,
    },
    /// Scopes that hold jobs of this shard have opened.
    Opened(Vec<ScopeId>),
    /// Something outside changed: slots are free, the drain ended, or a test moved the clock.
    Poke,
}

impl Request {
    /// Answers with an error, and gives back what it carries.
    pub(super) fn refuse(self, error: StoreError) {
        match self {
            Self::Enqueue { reply, .. } => drop(reply.send(Err(error))),
            Self::Renew { reply, .. } => drop(reply.send(Err(error))),
            Self::Finish { items, slots, reply } => {
                give_back(slots.as_ref(), items.len());
                drop(reply.send(Err(error)));
            }
            Self::Release { items, slots, reply } => {
                give_back(slots.as_ref(), items.len());
                drop(reply.send(Err(error)));
            }
            Self::Cancel { reply, .. } | Self::Requeue { reply, .. } => drop(reply.send(Err(error))),
            Self::RequeueMany { reply, .. } => drop(reply.send(Err(error))),
            Self::Depths { reply } => drop(reply.send(Err(error))),
            Self::Claim { reply, .. }
            | Self::OpenBatch { reply, .. }
            | Self::SealBatch { reply, .. }
            | Self::CloseBatch { reply, .. } => drop(reply.send(Err(error))),
            Self::Opened(_) | Self::Poke => {}
        }
    }
}

/// Gives back the slots of attempts that ended.
pub(super) fn give_back(slots: Option<&Arc<Budget>>, count: usize) {
    if let Some(slots) = slots {
        slots.give_back(count as u64);
    }
}

/// A job to insert.
#[derive(Clone, Debug)]
pub(crate) struct NewJob {
    pub(crate) owner: Arc<str>,
    pub(crate) idempotency_key: String,
    /// Of the request as the client meant it: two requests with one hash are the same request.
    pub(crate) body_hash: [u8; 32],
    pub(crate) kind: Arc<str>,
    /// JSON text.
    pub(crate) payload: Vec<u8>,
    pub(crate) queue: Arc<str>,
    pub(crate) priority: u16,
    /// `None`: now.
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) attempts_max: u16,
    pub(crate) backoff: Backoff,
    pub(crate) timeout_ms: u64,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) tags: Vec<String>,
    pub(crate) trace_id: String,
    pub(crate) unique_key: Option<Arc<str>>,
    /// The concurrency key and its bound.
    pub(crate) concurrency: Option<(Arc<str>, u32)>,
    /// What else counts it, as its kind says.
    pub(crate) targets: Vec<LimitTarget>,
    pub(crate) batch: Option<BatchId>,
}

/// A batch to open. It was opened before if its id is there.
#[derive(Clone, Debug)]
pub(crate) struct NewBatch {
    pub(crate) id: BatchId,
    pub(crate) owner: Arc<str>,
    /// JSON text of the job to enqueue at its end.
    pub(crate) callback: Option<String>,
    /// Of the request as the client meant it.
    pub(crate) request_hash: [u8; 32],
}

/// How many jobs of a queue there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// The queue's name.
    pub queue: String,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Jobs that are ready.
    pub queued: u64,
    /// Jobs that run.
    pub leased: u64,
    /// Since when the first of the ready ones could have run.
    pub oldest_ready_at: Option<Timestamp>,
}

impl QueueDepth {
    /// Adds the jobs of another shard.
    pub(crate) fn add(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.queued += other.queued;
        self.leased += other.leased;
        self.oldest_ready_at = self.oldest_ready_at.into_iter().chain(other.oldest_ready_at).min();
    }
}

/// What became of an enqueue.
#[derive(Debug)]
pub(crate) enum EnqueueOutcome {
    Created(Box<super::JobRow>),
    /// The key was used before with the same body.
    Replayed(JobId),
    /// The key was used before with another body.
    KeyReused(JobId),
    /// Another open job has the unique key.
    UniqueHeld(JobId),
    /// The queue is at its cap, or the node drains: only a replay may pass.
    Refused,
}

/// Who acts on a job: `only_own` limits them to jobs they created.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) subject: Arc<str>,
    pub(crate) only_own: bool,
}

impl Actor {
    pub(crate) fn may_see(&self, owner: &str) -> bool {
        !self.only_own || *self.subject == *owner
    }
}

/// What became of a cancel or requeue.
#[derive(Debug)]
pub(crate) enum ActOutcome {
    Done,
    NotFound,
    /// The job's state does not allow it.
    InvalidState(JobState),
    QueueFull,
    /// Another open job has the unique key.
    UniqueHeld(JobId),
}

/// One lease to renew.
#[derive(Clone, Debug)]
pub(crate) struct RenewRow {
    pub(crate) id: JobId,
    pub(crate) epoch: u32,
    pub(crate) progress: Option<Progress>,
    pub(crate) logs: Vec<NewLogLine>,
    /// Move the lease's end; without it only progress and logs are stored.
    pub(crate) extend: bool,
}

/// One attempt that ended.
#[derive(Clone, Debug)]
pub(crate) struct FinishRow {
    pub(crate) id: JobId,
    pub(crate) epoch: u32,
    /// JSON text of the result, or why it failed.
    pub(crate) outcome: Result<Vec<u8>, JobError>,
    pub(crate) retryable: bool,
    pub(crate) retry_after: Option<Duration>,
    /// Everything of this target waits for so long.
    pub(crate) throttle: Option<(LimitTarget, Duration)>,
    /// How far it got, if that was not yet sent.
    pub(crate) progress: Option<Progress>,
    /// Lines not yet sent.
    pub(crate) logs: Vec<NewLogLine>,
}

/// A job under a lease, on its way to a worker.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) id: JobId,
    pub(crate) kind: String,
    /// Who enqueued it.
    pub(crate) owner: String,
    /// JSON text.
    pub(crate) payload: Vec<u8>,
    pub(crate) attempt: u16,
    pub(crate) epoch: u32,
    pub(crate) lease_expires_at: Timestamp,
    pub(crate) timeout_ms: u64,
    pub(crate) trace_id: String,
}

/// What a claimer gets: jobs, once their claim is on disk. An empty grant says that a commit failed, so that somebody
/// who counts looks again.
pub(crate) type Grant = Vec<Claimed>;

/// Somebody who takes jobs.
pub(crate) struct Claimer {
    pub(crate) budget: Arc<Budget>,
    pub(crate) kinds: ClaimKinds,
    pub(crate) sink: mpsc::UnboundedSender<Grant>,
}

/// Which kinds a claimer takes.
pub(crate) enum ClaimKinds {
    /// Whatever comes.
    All,
    /// These and no others.
    Only(Vec<String>),
    /// Those that this process runs at the time of the claim. Jobs of a module that is away, or not loaded yet, wait.
    Registered(KindRegistry),
}

impl ClaimKinds {
    /// Whether jobs of this kind are taken now.
    pub(crate) fn take(&self, kind: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| name == kind),
            Self::Registered(registry) => registry.get(kind).is_some(),
        }
    }
}
