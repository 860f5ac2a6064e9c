//! What the rest of the engine asks of a shard's writer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use flowork_api_types::{
    JobId, Timestamp,
    engine::{FinishAnswer, NewLogLine, RenewOutcome},
    job::{Backoff, JobError, JobState, Progress},
};
use flowork_sqlite::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::KindRegistry;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

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
        full: bool,
        reply: Reply<ActOutcome>,
    },
    /// Something outside changed: slots are free, the drain ended, or a test moved the clock.
    Poke,
}

/// A job to insert.
#[derive(Clone, Debug)]
pub(crate) struct NewJob {
    pub(crate) owner: Arc<str>,
    pub(crate) idempotency_key: String,
    /// Of the request as the client meant it: two requests with one hash are the same request.
    pub(crate) body_hash: [u8; 32],
    pub(crate) kind: String,
    /// JSON text.
    pub(crate) payload: Vec<u8>,
    pub(crate) queue: String,
    pub(crate) priority: u16,
    /// `None`: now.
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) attempts_max: u16,
    pub(crate) backoff: Backoff,
    pub(crate) timeout_ms: u64,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) tags: Vec<String>,
    pub(crate) trace_id: String,
    /// The queue is at its cap: only a replay may pass.
    pub(crate) full: bool,
}

/// What became of an enqueue.
#[derive(Debug)]
pub(crate) enum EnqueueOutcome {
    Created(Box<super::JobRow>),
    /// The key was used before with the same body.
    Replayed(JobId),
    /// The key was used before with another body.
    KeyReused(JobId),
    QueueFull,
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
    /// The names, or `None` for all.
    pub(crate) fn names(&self) -> Option<Vec<String>> {
        match self {
            Self::All => None,
            Self::Only(names) => Some(names.clone()),
            Self::Registered(registry) => Some(registry.names()),
        }
    }
}

/// How many more jobs a claimer takes, over all shards of its engine.
///
/// A shard takes slots before it claims, so that a claimer registered with many shards never gets more than it asked
/// for. `starved` tells that a shard had jobs and found no slot, so that whoever frees one knows to wake the shards.
#[derive(Debug)]
pub(crate) struct Budget {
    total: u64,
    /// Free slots; the top bit says that the budget is closed. One word, so that closing and taking cannot interleave.
    free: AtomicU64,
    starved: AtomicBool,
}

impl Budget {
    const CLOSED: u64 = 1 << 63;

    pub(crate) fn new(slots: u64) -> Self {
        Self { total: slots, free: AtomicU64::new(slots), starved: AtomicBool::new(false) }
    }

    /// How many of `wanted` slots are free, without taking them.
    ///
    /// A shard that finds too few says so first and then looks again, and whoever frees a slot frees it first and then
    /// asks [`take_starved`](Self::take_starved): one of the two always sees the other. That needs one order of all
    /// four steps, hence `SeqCst` throughout.
    pub(crate) fn offer(&self, wanted: u64) -> u64 {
        let mut free = self.free();
        if free < wanted {
            self.starved.store(true, Ordering::SeqCst);
            free = self.free();
        }
        free.min(wanted)
    }

    /// Takes up to `wanted` slots; answers how many. Take no more than there are jobs for: a slot that goes back unused
    /// may have been missed by another shard meanwhile.
    pub(crate) fn take(&self, wanted: u64) -> u64 {
        let mut taken = 0;
        loop {
            let offered = self.offer(wanted - taken);
            if offered == 0 {
                return taken;
            }
            let mut now = 0;
            let outcome = self.free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| {
                now = free.min(offered);
                (free & Self::CLOSED == 0).then(|| free - now)
            });
            if outcome.is_ok() {
                taken += now;
            }
        }
    }

    /// Gives back slots whose jobs ended, or whose grant was not committed.
    pub(crate) fn give_back(&self, slots: u64) {
        self.free.fetch_add(slots, Ordering::SeqCst);
    }

    /// Slots that are taken.
    pub(crate) fn taken(&self) -> u64 {
        self.total - (self.free.load(Ordering::SeqCst) & !Self::CLOSED)
    }

    /// Grants nothing from now on.
    pub(crate) fn close(&self) {
        self.free.fetch_or(Self::CLOSED, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.free.load(Ordering::SeqCst) & Self::CLOSED != 0
    }

    /// Whether a shard had to leave jobs since the last call.
    pub(crate) fn take_starved(&self) -> bool {
        self.starved.swap(false, Ordering::SeqCst)
    }

    /// None when closed.
    fn free(&self) -> u64 {
        let free = self.free.load(Ordering::SeqCst);
        if free & Self::CLOSED == 0 { free } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_budget_grants_nothing_and_still_counts_what_comes_back() {
        let budget = Budget::new(5);
        assert_eq!(budget.take(3), 3);
        budget.close();
        assert_eq!(budget.take(1), 0);
        assert_eq!(budget.taken(), 3);
        budget.give_back(2);
        assert_eq!(budget.taken(), 1);
    }

    #[test]
    fn a_shard_that_had_to_leave_jobs_is_remembered_once() {
        let budget = Budget::new(1);
        assert_eq!(budget.take(1), 1);
        assert!(!budget.take_starved());
        assert_eq!(budget.take(1), 0);
        assert!(budget.take_starved());
        assert!(!budget.take_starved());
    }

    #[test]
    fn a_slot_that_is_freed_while_a_shard_looks_is_taken_or_its_hunger_is_seen() {
        const ROUNDS: usize = 20_000;
        let budgets: Vec<Budget> = (0..ROUNDS).map(|_| Budget::new(1)).collect();
        for budget in &budgets {
            assert_eq!(budget.take(1), 1);
        }
        // Both sides take turns at being early, by spinning towards the other's round.
        let round = [const { AtomicU64::new(0) }; 2];
        let meet = |mine: usize, number: u64| {
            round[mine].store(number, Ordering::SeqCst);
            while round[1 - mine].load(Ordering::SeqCst) < number {
                std::hint::spin_loop();
            }
        };
        let (seen, taken) = std::thread::scope(|scope| {
            let freer = scope.spawn(|| {
                let free = |(number, budget): (usize, &Budget)| {
                    meet(0, number as u64 + 1);
                    budget.give_back(1);
                    budget.take_starved()
                };
                budgets.iter().enumerate().map(free).collect::<Vec<bool>>()
            });
            let taker = scope.spawn(|| {
                let take = |(number, budget): (usize, &Budget)| {
                    meet(1, number as u64 + 1);
                    budget.take(1) == 1
                };
                budgets.iter().enumerate().map(take).collect::<Vec<bool>>()
            });
            (freer.join().unwrap(), taker.join().unwrap())
        });
        let missed = std::iter::zip(seen, taken).filter(|&(seen, taken)| !seen && !taken).count();
        assert_eq!(missed, 0, "each is a job that waits although a slot is free");
    }
}
