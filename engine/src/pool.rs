//! The local workers: they claim from the local engine's shards, run the kinds, and report.
//!
//! Shards hand jobs out by themselves as long as the pool's [`Budget`] has free slots; nothing here asks for work. One
//! task runs each job. One more task stores what running jobs report and renews all their leases, in one request a
//! shard.

mod run;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowork_api_types::{JobId, ShardNumber, engine::RenewOutcome};
use flowork_sqlite::StoreError;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    KindRegistry, Reporter,
    engines::Host,
    store::{Budget, ClaimKinds, Claimed, Claimer, Grant, LEASE, RenewRow},
};

/// What running jobs report is stored and shown this long after it came, at the latest.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// How often leases are renewed: at a third of their length, so that two renewals may fail.
const RENEW_EVERY: Duration = LEASE.checked_div(3).expect("three is not zero");
/// How long an attempt may take to stop after it was told to.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(5);
/// The wait before a pool tries again to register with a shard that failed.
const REGISTER_AGAIN: Duration = Duration::from_secs(1);
/// The wait before shards that found no free slot look again, after another shard failed to use what it had taken.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The local workers.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the pool's tasks share.
struct Shared {
    host: Option<Arc<Host>>,
    kinds: KindRegistry,
    workers: u32,
    budget: Arc<Budget>,
    /// By job and epoch: when a lease was lost, the job may be here again before its old attempt has stopped.
    running: Mutex<HashMap<(JobId, u32), Running>>,
    /// How many run, for those who wait for none.
    count: watch::Sender<u32>,
    /// Somebody reported something.
    reported: Arc<Notify>,
    stopping: CancellationToken,
    jobs: TaskTracker,
}

/// One attempt that runs.
struct Running {
    reporter: Reporter,
    stop: Stop,
    /// Until when the lease surely holds, by the monotonic clock, counted from before the claim was renewed.
    lease_until: Instant,
}

/// Tells an attempt to stop, and why.
#[derive(Clone, Default)]
struct Stop {
    token: CancellationToken,
    reason: Arc<std::sync::OnceLock<StopReason>>,
}

/// Why an attempt is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopReason {
    Deadline,
    Cancelled,
    LeaseLost,
    Shutdown,
}

impl Stop {
    /// The first reason counts.
    fn because(&self, reason: StopReason) {
        // A second reason changes nothing.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    fn reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }
}

impl Pool {
    /// Starts the workers of `host`; without one there is nothing to do.
    pub(crate) fn start(
        host: Option<Arc<Host>>,
        workers: u32,
        kinds: KindRegistry,
        cancels: mpsc::UnboundedReceiver<JobId>,
    ) -> Self {
        let shared = Arc::new(Shared {
            host,
            kinds,
            workers,
            budget: Arc::new(Budget::new(u64::from(workers))),
            running: Mutex::default(),
            count: watch::Sender::new(0),
            reported: Arc::new(Notify::new()),
            stopping: CancellationToken::new(),
            jobs: TaskTracker::new(),
        });
        let (sink, grants) = mpsc::unbounded_channel();
        let tasks = vec![
            tokio::spawn(register(Arc::clone(&shared), sink)),
            tokio::spawn(dispatch(Arc::clone(&shared), grants, cancels)),
            tokio::spawn(report(Arc::clone(&shared))),
        ];
        Self { shared, tasks: Mutex::new(tasks) }
    }

    pub(crate) fn workers(&self) -> u32 {
        self.shared.workers
    }

    pub(crate) fn running(&self) -> u32 {
        *self.shared.count.borrow()
    }

    pub(crate) async fn drained(&self) {
        // The sender lives as long as the pool, so waiting cannot fail.
        let _ = self.shared.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Fires when the pool stops.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.shared.stopping.clone()
    }

    /// Takes nothing new, tells what runs to stop, gives the leases back, and ends the tasks.
    pub(crate) async fn stop(&self) {
        self.shared.budget.close();
        self.shared.stopping.cancel();
        for running in self.shared.running().values() {
            running.stop.because(StopReason::Shutdown);
        }
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if task.await.is_err() {
                tracing::error!("a task of the worker pool panicked");
            }
        }
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, HashMap<(JobId, u32), Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, id: JobId, epoch: u32, running: Running) {
        let mut all = self.running();
        if self.stopping.is_cancelled() {
            // Whoever stops the pool tells those that are in the map, and may have been here before.
            running.stop.because(StopReason::Shutdown);
        }
        all.insert((id, epoch), running);
        self.count.send_replace(all.len() as u32);
    }

    fn remove(&self, id: JobId, epoch: u32) {
        let mut all = self.running();
        all.remove(&(id, epoch));
        self.count.send_replace(all.len() as u32);
    }

    /// Shards that had to leave jobs because every slot was taken get another look.
    fn wake_starved(&self) {
        if self.budget.take_starved()
            && let Some(host) = &self.host
        {
            host.poke();
        }
    }
}

/// Registers with every shard, and keeps trying with those that fail.
async fn register(shared: Arc<Shared>, sink: mpsc::UnboundedSender<Grant>) {
    let Some(host) = shared.host.clone() else { return };
    for shard in host.shards() {
        loop {
            let kinds = ClaimKinds::Registered(shared.kinds.clone());
            let claimer = Claimer { budget: Arc::clone(&shared.budget), kinds, sink: sink.clone() };
            match shard.claim(claimer).await {
                Ok(()) => break,
                Err(error) if error.is_closed() => return,
                Err(error) => tracing::warn!(error = %error, "a shard could not be claimed from; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(REGISTER_AGAIN) => {}
                () = shared.stopping.cancelled() => return,
            }
        }
    }
}

/// What wakes the dispatcher.
enum Wake {
    Granted(Grant),
    Cancelled(JobId),
    LookAgain,
    /// The pool stops, or no shard can hand anything out any more.
    Stop,
}

/// Starts a task for each job that a shard hands out, and tells attempts to stop whose jobs a person has cancelled.
async fn dispatch(
    shared: Arc<Shared>,
    mut grants: mpsc::UnboundedReceiver<Grant>,
    mut cancels: mpsc::UnboundedReceiver<JobId>,
) {
    let mut look_again: Option<Instant> = None;
    loop {
        let wake = tokio::select! {
            biased;
            grant = grants.recv() => grant.map_or(Wake::Stop, Wake::Granted),
            Some(id) = cancels.recv() => Wake::Cancelled(id),
            () = sleep_until(look_again.unwrap_or_else(Instant::now)), if look_again.is_some() => Wake::LookAgain,
            () = shared.stopping.cancelled() => Wake::Stop,
        };
        match wake {
            // Its commit failed, so that slots came back which other shards may have missed.
            Wake::Granted(grant) if grant.is_empty() => look_again = Some(Instant::now() + LOOK_AGAIN),
            Wake::Granted(grant) => start_all(&shared, grant),
            Wake::Cancelled(id) => {
                // The job's grant was sent before its cancel, but may have come after this task looked.
                while let Ok(grant) = grants.try_recv() {
                    start_all(&shared, grant);
                }
                cancel(&shared, id);
            }
            Wake::LookAgain => {
                look_again = None;
                shared.wake_starved();
            }
            Wake::Stop => break,
        }
    }
    shared.jobs.close();
    shared.jobs.wait().await;
    // What was handed out after the stop has no worker any more.
    grants.close();
    while let Some(grant) = grants.recv().await {
        for job in grant {
            run::release(&shared, job.id, job.epoch).await;
        }
    }
}

fn start_all(shared: &Arc<Shared>, grant: Grant) {
    for job in grant {
        start(shared, job);
    }
}

fn cancel(shared: &Shared, id: JobId) {
    for ((running_id, _), running) in shared.running().iter() {
        if *running_id == id {
            running.stop.because(StopReason::Cancelled);
        }
    }
}

fn start(shared: &Arc<Shared>, job: Claimed) {
    let reporter = Reporter::new(Arc::clone(&shared.reported));
    let stop = Stop::default();
    // The claim was made a moment ago, in its commit; renewals count from before they are sent.
    let running = Running { reporter: reporter.clone(), stop: stop.clone(), lease_until: Instant::now() + LEASE };
    shared.insert(job.id, job.epoch, running);
    shared.jobs.spawn(run::run(Arc::clone(shared), job, reporter, stop));
}

/// Stores what running jobs report, soon after it comes, and renews all leases at a third of their length. Goes on
/// while the pool stops, until the last job has.
async fn report(shared: Arc<Shared>) {
    let mut renew_at = Instant::now() + RENEW_EVERY;
    loop {
        tokio::select! {
            () = shared.reported.notified() => {
                tokio::time::sleep(FLUSH_EVERY).await;
                flush(&shared, false).await;
            }
            () = sleep_until(renew_at), if *shared.count.borrow() > 0 => {
                flush(&shared, true).await;
                renew_at = Instant::now() + RENEW_EVERY;
            }
            // Wakes the timer above once there is something to renew.
            () = started(&shared), if *shared.count.borrow() == 0 => renew_at = Instant::now() + RENEW_EVERY,
            () = shared.jobs.wait(), if shared.stopping.is_cancelled() => return,
            () = shared.stopping.cancelled(), if !shared.stopping.is_cancelled() => {}
        }
    }
}

async fn started(shared: &Shared) {
    // The sender lives as long as the pool, so waiting cannot fail.
    let _ = shared.count.subscribe().wait_for(|count| *count > 0).await;
}

/// Sends one renewal a shard. `extend`: of every lease; else only what was reported.
async fn flush(shared: &Shared, extend: bool) {
    let sent = Instant::now();
    for (leases, answer) in send_renewals(shared, extend) {
        match answer.await {
            Ok(outcomes) => settle(shared, extend.then_some(sent), std::iter::zip(leases, outcomes)),
            // Not renewed is not lost: the lease holds until its end.
            Err(error) => tracing::warn!(error = %error, "leases could not be renewed"),
        }
    }
    stop_overdue(shared);
}

type Leases = Vec<(JobId, u32)>;

/// Takes what was reported and sends it, all under the lock under which an attempt collects its last words: so what is
/// sent here comes before its finish, and nothing falls between the two.
fn send_renewals(
    shared: &Shared,
    extend: bool,
) -> Vec<(Leases, impl Future<Output = Result<Vec<RenewOutcome>, StoreError>> + use<>)> {
    let Some(host) = &shared.host else { return Vec::new() };
    let all = shared.running();
    let mut shards: HashMap<ShardNumber, (Leases, Vec<RenewRow>)> = HashMap::new();
    for (&(id, epoch), running) in all.iter() {
        let (progress, logs) = match running.reporter.take() {
            Some(reported) => reported,
            None if extend => (None, Vec::new()),
            None => continue,
        };
        let (leases, rows) = shards.entry(id.shard()).or_default();
        leases.push((id, epoch));
        rows.push(RenewRow { id, epoch, progress, logs, extend });
    }
    let sent =
        shards.into_iter().filter_map(|(number, (leases, rows))| Some((leases, host.shard(number)?.renew(rows))));
    sent.collect()
}

fn settle(shared: &Shared, renewed_at: Option<Instant>, outcomes: impl Iterator<Item = ((JobId, u32), RenewOutcome)>) {
    let mut running = shared.running();
    for ((id, epoch), outcome) in outcomes {
        let Some(running) = running.get_mut(&(id, epoch)) else { continue };
        if let (RenewOutcome::Renewed | RenewOutcome::CancelRequested, Some(at)) = (outcome, renewed_at) {
            running.lease_until = at + LEASE;
        }
        match outcome {
            RenewOutcome::Renewed => {}
            RenewOutcome::LeaseLost => running.stop.because(StopReason::LeaseLost),
            RenewOutcome::CancelRequested => running.stop.because(StopReason::Cancelled),
        }
    }
}

/// An attempt whose lease may be over must not go on: somebody else may run the job.
fn stop_overdue(shared: &Shared) {
    let now = Instant::now();
    for running in shared.running().values() {
        if running.lease_until <= now {
            running.stop.because(StopReason::LeaseLost);
        }
    }
}
