//! The worker pool: it runs jobs under leases, renews them, and says how they ended.
//!
//! Where jobs come from is behind [`JobSource`]. The workers of a node take theirs from the shards of its local engine
//! ([`shards`]); those hand jobs out by themselves as long as the pool's budget has free slots, so nothing here asks
//! for work. An engine in a process of its own takes them from a gateway. All else is the same for both, and here.
//!
//! One task runs each job ([`run`]). One more stores what running jobs report and renews all their leases, in bulk, at
//! a third of their length. One stops attempts whose lease may be over ([`attempts`]).

mod attempts;
mod members;
mod run;
mod shards;
mod source;
mod stop;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::shards::ShardSource;
use self::stop::{Stop, StopReason};
pub use self::{
    attempts::Attempts,
    members::Members,
    source::{Assigned, AttemptEnd, JobSource, Payload, Renewal, Slot},
};
use crate::{
    KindRegistry, Reporter,
    store::{Budget, LEASE},
};

/// What running jobs report is stored and shown this long after it came, at the latest.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// How often leases are renewed: at a third of their length, so that two renewals may fail.
const RENEW_EVERY: Duration = LEASE.checked_div(3).expect("three is not zero");
/// How often the ends of leases are looked at while jobs run; a known end is met to the moment. Shorter than what any
/// lease has left when its job comes.
const LOOK_AT_LEASES_EVERY: Duration = LEASE.checked_div(6).expect("six is not zero");
/// How long an attempt may take to stop after it was told to.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(5);

/// A pool of workers that run jobs from one source.
pub struct Pool<S> {
    workers: Workers<S>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// The workers of a pool, as its source sees them. Cheap to clone.
pub struct Workers<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    source: S,
    kinds: KindRegistry,
    budget: Arc<Budget>,
    attempts: Attempts,
    members: Members,
    /// Somebody reported something.
    reported: Arc<Notify>,
    closed: CancellationToken,
    stopping: CancellationToken,
    jobs: TaskTracker,
}

impl<S: JobSource> Pool<S> {
    /// Starts to run what `source` gives, at most `workers` jobs at once.
    pub fn start(source: S, kinds: KindRegistry, workers: u32) -> Self {
        let workers = Workers {
            shared: Arc::new(Shared {
                source,
                kinds,
                budget: Arc::new(Budget::new(u64::from(workers))),
                attempts: Attempts::default(),
                members: Members::default(),
                reported: Arc::new(Notify::new()),
                closed: CancellationToken::new(),
                stopping: CancellationToken::new(),
                jobs: TaskTracker::new(),
            }),
        };
        let tasks = vec![
            tokio::spawn(feed(workers.clone())),
            tokio::spawn(report(workers.clone())),
            tokio::spawn(watch_leases(workers.clone())),
        ];
        Self { workers, tasks: Mutex::new(tasks) }
    }

    /// What its source sees of it.
    pub fn workers(&self) -> &Workers<S> {
        &self.workers
    }

    /// Claims nothing more. What runs goes on.
    pub fn close(&self) {
        self.workers.shared.budget.close();
        self.workers.shared.closed.cancel();
    }

    /// Resolves once nothing runs and every end is settled.
    pub async fn drained(&self) {
        // The sender lives as long as the pool, so waiting cannot fail.
        let _ = self.workers.attempts().subscribe().wait_for(|count| *count == 0).await;
    }

    /// Takes nothing new, tells what runs to stop, gives the leases back, and ends the tasks.
    pub async fn stop(&self) {
        self.close();
        self.workers.shared.stopping.cancel();
        self.workers.attempts().stop_all();
        // Also for a second caller, who finds the tasks taken.
        self.workers.shared.jobs.wait().await;
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if task.await.is_err() {
                tracing::error!("a task of the worker pool panicked");
            }
        }
    }
}

impl<S> Clone for Workers<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: JobSource> Workers<S> {
    /// Where the jobs come from.
    pub fn source(&self) -> &S {
        &self.shared.source
    }

    /// The kinds that run here.
    pub fn kinds(&self) -> &KindRegistry {
        &self.shared.kinds
    }

    /// The attempts, from their start until their ends are settled.
    pub fn attempts(&self) -> &Attempts {
        &self.shared.attempts
    }

    /// Whose jobs are run.
    pub fn members(&self) -> &Members {
        &self.shared.members
    }

    /// How many jobs may run at once.
    pub fn size(&self) -> u32 {
        self.shared.budget.total() as u32
    }

    /// Attempts that run, or whose ends are not settled.
    pub fn running(&self) -> u32 {
        self.attempts().count()
    }

    /// Workers that have a job now.
    pub fn busy(&self) -> u32 {
        self.shared.budget.taken() as u32
    }

    /// For how long all workers together have run jobs, in milliseconds. Counts what runs now, and never goes back.
    pub fn busy_ms_total(&self) -> u64 {
        self.attempts().busy().as_millis() as u64
    }

    /// Changes how many jobs may run at once. What runs goes on: with fewer workers than that, nothing is claimed until
    /// enough have ended.
    pub fn resize(&self, workers: u32) {
        self.shared.budget.resize(u64::from(workers));
        self.slots_freed();
    }

    /// Takes up to `wanted` free slots. When there are fewer, [`JobSource::look_again`] is called once one is.
    pub fn take_slots(&self, wanted: u32) -> Vec<Slot> {
        let taken = self.shared.budget.take(u64::from(wanted));
        (0..taken).map(|_| Slot::taken_from(&self.shared.budget)).collect()
    }

    /// Tells the source that slots came back, if it had looked for some. Whoever drops a [`Slot`] in a source says so.
    pub fn slots_freed(&self) {
        if self.shared.budget.take_starved() {
            self.source().look_again();
        }
    }

    /// Runs a job.
    pub fn start(&self, job: Assigned, slot: Slot) {
        let reporter = Reporter::new(Arc::clone(&self.shared.reported));
        let stop = Stop::default();
        self.attempts().insert(job.lease, reporter.clone(), stop.clone(), job.lease_until);
        self.shared.jobs.spawn(run::run(self.clone(), job, slot, reporter, stop));
    }

    /// Renews every lease now.
    pub async fn renew(&self) {
        self.source().renew(self, true).await;
    }

    /// Fires when nothing more is to be claimed.
    pub fn closed(&self) -> &CancellationToken {
        &self.shared.closed
    }

    /// Fires when the pool stops.
    pub fn stopping(&self) -> &CancellationToken {
        &self.shared.stopping
    }

    fn budget(&self) -> &Arc<Budget> {
        &self.shared.budget
    }

    async fn any(&self) {
        // The sender lives as long as the pool, so waiting cannot fail.
        let _ = self.attempts().subscribe().wait_for(|count| *count > 0).await;
    }
}

/// Lets the source bring jobs, and then waits for those that run.
async fn feed<S: JobSource>(workers: Workers<S>) {
    workers.source().feed(&workers).await;
    workers.shared.jobs.close();
    workers.shared.jobs.wait().await;
}

/// Stores what running jobs report, soon after it comes, and renews all leases at a third of their length. Goes on
/// while the pool stops, until the last job has.
async fn report<S: JobSource>(workers: Workers<S>) {
    let shared = &workers.shared;
    let mut renew_at = Instant::now() + RENEW_EVERY;
    loop {
        let idle = workers.running() == 0;
        tokio::select! {
            () = shared.reported.notified() => {
                sleep(FLUSH_EVERY).await;
                shared.source.renew(&workers, false).await;
            }
            () = sleep_until(renew_at), if !idle => {
                shared.source.renew(&workers, true).await;
                renew_at = Instant::now() + RENEW_EVERY;
            }
            // Wakes the timer above once there is something to renew.
            () = workers.any(), if idle => renew_at = Instant::now() + RENEW_EVERY,
            () = shared.jobs.wait(), if shared.stopping.is_cancelled() => return,
            () = shared.stopping.cancelled(), if !shared.stopping.is_cancelled() => {}
        }
    }
}

/// Stops attempts at the end of their leases, whatever has become of their renewals.
async fn watch_leases<S: JobSource>(workers: Workers<S>) {
    let shared = &workers.shared;
    loop {
        let idle = workers.running() == 0;
        let look_at = Instant::now() + LOOK_AT_LEASES_EVERY;
        let next = workers.attempts().stop_overdue().map_or(look_at, |end| end.min(look_at));
        tokio::select! {
            () = sleep_until(next), if !idle => {}
            () = workers.any(), if idle => {}
            () = shared.jobs.wait(), if shared.stopping.is_cancelled() => return,
            () = shared.stopping.cancelled(), if !shared.stopping.is_cancelled() => {}
        }
    }
}
