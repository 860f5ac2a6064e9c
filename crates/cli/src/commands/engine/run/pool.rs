//! The workers: claim while there are free ones, renew what runs, stay in touch.
//!
//! A job stays among those that run until the gateway has taken its end, so its lease is renewed for as long as that
//! takes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowork_api_types::{
    JobId,
    engine::{
        CLAIM_JOBS_MAX, ClaimRequest, ClaimedJob, FinishItem, HEARTBEAT_MS, HeartbeatRequest, NewLogLine, RenewItem,
        RenewOutcome, RenewRequest,
    },
    job::Progress,
};
use flowork_engine::{KindRegistry, Reporter};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    attempt,
    finish::finish,
    gateway::{Backoff, CallError, Gateway},
};
use crate::exit::Failure;

/// What the gateway gives; see the jobs contract.
const LEASE: Duration = Duration::from_secs(30);
/// Leases are renewed at a third of their length, so that two renewals may fail.
const RENEW_BEFORE_END: Duration = Duration::from_secs(20);
/// What running jobs report is sent this long after it came, at the latest.
const FLUSH_EVERY: Duration = Duration::from_millis(250);
/// A claim waits this long for a job. Its lease counts from when it was sent, so it is well below one.
const CLAIM_WAIT: Duration = Duration::from_secs(10);
/// Lines of one job that wait for a gateway that can't be reached; older ones are dropped.
const LINES_WAITING_MAX: usize = 1_000;

/// One job that runs.
pub(super) struct Running {
    pub(super) epoch: u32,
    reporter: Reporter,
    pub(super) cancel: CancellationToken,
    /// Until when the lease surely holds, by this machine's clock.
    lease_until: Instant,
    progress: Option<Progress>,
    logs: Vec<NewLogLine>,
}

impl Running {
    /// What was reported and not yet taken by the gateway.
    fn collect(&mut self) {
        let Some((progress, logs)) = self.reporter.take() else { return };
        self.progress = progress.or(self.progress.take());
        self.logs.extend(logs);
        let excess = self.logs.len().saturating_sub(LINES_WAITING_MAX);
        self.logs.drain(..excess);
    }
}

/// What the pool's tasks share.
pub(super) struct Shared {
    pub(super) gateway: Gateway,
    kinds: KindRegistry,
    workers: u32,
    running: Mutex<HashMap<JobId, Running>>,
    count: watch::Sender<u32>,
    reported: Arc<Notify>,
    /// The gateway wants nothing claimed.
    paused: watch::Sender<bool>,
    /// Nothing is claimed any more.
    draining: CancellationToken,
    pub(super) stopping: CancellationToken,
    failed: watch::Sender<Option<Arc<Failure>>>,
    ended: mpsc::UnboundedSender<FinishItem>,
}

/// The workers of this process.
pub(super) struct Pool {
    shared: Arc<Shared>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

impl Pool {
    /// Says hello to the gateway, then starts to work.
    pub(super) async fn start(gateway: Gateway, kinds: KindRegistry, workers: u32) -> Result<Self, Failure> {
        let (ended, ends) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            gateway,
            kinds,
            workers,
            running: Mutex::default(),
            count: watch::Sender::new(0),
            reported: Arc::default(),
            paused: watch::Sender::new(false),
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            failed: watch::Sender::new(None),
            ended,
        });
        // A wrong token or address is told now; a gateway that comes later is waited for.
        match shared.gateway.heartbeat(&shared.heartbeat()).await {
            Ok(answer) => {
                shared.paused.send_replace(answer.drain);
            }
            Err(error) if error.fatal => return Err(error.failure),
            Err(error) => tracing::warn!("{}; trying again", error.failure.body.message),
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(claim(Arc::clone(&shared)));
        tasks.spawn(renew(Arc::clone(&shared)));
        tasks.spawn(stay_in_touch(Arc::clone(&shared)));
        tasks.spawn(finish(Arc::clone(&shared), ends));
        Ok(Self { shared, tasks: tokio::sync::Mutex::new(tasks) })
    }

    pub(super) fn running(&self) -> u32 {
        *self.shared.count.borrow()
    }

    /// Resolves when the gateway refuses this engine for good.
    pub(super) async fn failed(&self) -> Failure {
        let mut failed = self.shared.failed.subscribe();
        // The sender lives as long as the pool, so waiting cannot fail.
        let failure = failed.wait_for(Option::is_some).await.ok().and_then(|failure| failure.clone());
        let failure = failure.expect("waited for it to be there");
        Failure { exit: failure.exit, body: failure.body.clone(), silent: false }
    }

    /// Claims nothing more and waits for what runs, at most until the deadline.
    pub(super) async fn drain(&self, deadline: Duration) {
        self.shared.draining.cancel();
        let mut count = self.shared.count.subscribe();
        // Whether it was in time is what `running` tells.
        let _ = timeout(deadline, count.wait_for(|count| *count == 0)).await;
    }

    /// Tells what runs to stop, and gives it `grace` to say so to the gateway. Returns how many had to be stopped.
    pub(super) async fn stop(&self, grace: Duration) -> u32 {
        self.shared.draining.cancel();
        let left = self.running();
        for running in self.shared.running().values() {
            running.cancel.cancel();
        }
        let mut count = self.shared.count.subscribe();
        let _ = timeout(grace, count.wait_for(|count| *count == 0)).await;
        self.shared.stopping.cancel();
        self.tasks.lock().await.shutdown().await;
        left
    }
}

impl Shared {
    pub(super) fn running(&self) -> MutexGuard<'_, HashMap<JobId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gateway has taken the job's end, or somebody else has the job.
    pub(super) fn forget(&self, id: JobId, epoch: u32) {
        let mut running = self.running();
        if running.get(&id).is_some_and(|running| running.epoch == epoch) {
            running.remove(&id);
        }
        self.count.send_replace(running.len() as u32);
    }

    /// Ends everything if `error` would only repeat itself.
    pub(super) fn note(&self, error: CallError) {
        if error.fatal {
            self.failed.send_replace(Some(Arc::new(error.failure)));
        } else {
            tracing::warn!("{}; trying again", error.failure.body.message);
        }
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capacity: self.workers,
            busy: *self.count.borrow(),
            kinds: self.kinds.descriptors(),
        }
    }

    /// Tells the gateway who this is and what it runs, and hears whether to claim.
    async fn say_hello(&self) {
        match self.gateway.heartbeat(&self.heartbeat()).await {
            Ok(answer) => {
                self.paused.send_replace(answer.drain);
            }
            Err(error) => self.note(error),
        }
    }

    /// A renewal of every lease, with what was reported since the last one.
    pub(super) fn renewal(&self) -> Vec<RenewItem> {
        let mut running = self.running();
        let items = running.iter_mut().map(|(&id, running)| {
            running.collect();
            RenewItem { id, epoch: running.epoch, progress: running.progress.clone(), logs: running.logs.clone() }
        });
        items.collect()
    }

    /// Sends what [`renewal`](Self::renewal) made, and acts on the answer.
    pub(super) async fn send_renewal(&self, items: Vec<RenewItem>) -> Result<(), CallError> {
        let sent_at = Instant::now();
        let sent: HashMap<JobId, usize> = items.iter().map(|item| (item.id, item.logs.len())).collect();
        let answer = self.gateway.renew(&RenewRequest { jobs: items }).await?;
        let mut all = self.running();
        for item in answer.items {
            let Some(running) = all.get_mut(&item.id) else { continue };
            let taken = sent.get(&item.id).copied().unwrap_or_default().min(running.logs.len());
            running.logs.drain(..taken);
            running.progress = None;
            match item.outcome {
                RenewOutcome::Renewed => running.lease_until = sent_at + LEASE,
                RenewOutcome::CancelRequested => {
                    running.lease_until = sent_at + LEASE;
                    running.cancel.cancel();
                }
                RenewOutcome::LeaseLost => running.cancel.cancel(),
            }
        }
        Ok(())
    }

    fn renew_at(&self) -> Option<Instant> {
        let ends = self.running().values().map(|running| running.lease_until).min();
        ends.map(|end| end.checked_sub(RENEW_BEFORE_END).unwrap_or(end))
    }

    /// An attempt whose lease may be over must not go on: somebody else may run the job.
    fn stop_overdue(&self) {
        let now = Instant::now();
        for running in self.running().values().filter(|running| running.lease_until <= now) {
            running.cancel.cancel();
        }
    }
}

/// Claims as long as workers are free.
async fn claim(shared: Arc<Shared>) {
    let (mut backoff, mut count) = (Backoff::default(), shared.count.subscribe());
    let mut paused = shared.paused.subscribe();
    let mut attempts = JoinSet::new();
    loop {
        let ready = async {
            // The senders live as long as the pool, so waiting cannot fail.
            let _ = paused.wait_for(|paused| !paused).await;
            let _ = count.wait_for(|count| *count < shared.workers).await;
        };
        tokio::select! {
            () = ready => {}
            () = shared.draining.cancelled() => break,
        }
        let free = shared.workers.saturating_sub(*shared.count.borrow());
        let names = shared.kinds.descriptors().into_iter().map(|kind| kind.name).collect();
        let wait_ms = CLAIM_WAIT.as_millis() as u64;
        let request = ClaimRequest { max: free.clamp(1, CLAIM_JOBS_MAX), wait_ms, kinds: Some(names) };
        let sent_at = Instant::now();
        let answer = tokio::select! {
            answer = shared.gateway.claim(&request) => answer,
            () = shared.draining.cancelled() => break,
        };
        match answer {
            Ok(answer) => {
                backoff.reset();
                for job in answer.jobs {
                    start(&shared, job, sent_at, &mut attempts);
                }
            }
            Err(error) => {
                let wait = backoff.next(&error);
                shared.note(error);
                tokio::select! {
                    () = sleep(wait) => {}
                    () = shared.draining.cancelled() => break,
                }
                // A gateway that was restarted knows nothing of this engine's kinds.
                shared.say_hello().await;
            }
        }
        // Those that ended; their results have gone to `finish`.
        while attempts.try_join_next().is_some() {}
    }
    while attempts.join_next().await.is_some() {}
}

fn start(shared: &Arc<Shared>, job: ClaimedJob, claim_sent_at: Instant, attempts: &mut JoinSet<()>) {
    let reporter = Reporter::new(Arc::clone(&shared.reported));
    let cancel = CancellationToken::new();
    let running = Running {
        epoch: job.epoch,
        reporter: reporter.clone(),
        cancel: cancel.clone(),
        lease_until: claim_sent_at + LEASE,
        progress: None,
        logs: Vec::new(),
    };
    let mut all = shared.running();
    all.insert(job.id, running);
    shared.count.send_replace(all.len() as u32);
    drop(all);
    let shared = Arc::clone(shared);
    attempts.spawn(async move {
        let ended = attempt::run(job, shared.kinds.clone(), reporter, cancel).await;
        // Closed only once everything has stopped.
        let _ = shared.ended.send(ended);
    });
}

/// Renews all leases in one call, when the first is due or a job has something to report.
async fn renew(shared: Arc<Shared>) {
    let (mut backoff, mut count) = (Backoff::default(), shared.count.subscribe());
    let mut not_before = Instant::now();
    loop {
        let due = shared.renew_at();
        tokio::select! {
            () = shared.reported.notified() => sleep(FLUSH_EVERY).await,
            () = sleep_until(due.unwrap_or(not_before)), if due.is_some() => {}
            _ = count.changed() => continue,
            () = shared.stopping.cancelled() => return,
        }
        sleep_until(not_before).await;
        let items = shared.renewal();
        if items.is_empty() {
            continue;
        }
        match shared.send_renewal(items).await {
            Ok(()) => backoff.reset(),
            // Not renewed is not lost: the lease holds until its end.
            Err(error) => {
                not_before = Instant::now() + backoff.next(&error).min(RENEW_BEFORE_END / 4);
                shared.note(error);
            }
        }
        shared.stop_overdue();
    }
}

/// Tells the gateway every 15 s, and when the kinds change, who this is and what it runs.
async fn stay_in_touch(shared: Arc<Shared>) {
    let mut kinds = shared.kinds.subscribe();
    loop {
        tokio::select! {
            () = sleep(Duration::from_millis(HEARTBEAT_MS)) => {}
            _ = kinds.changed() => {}
            () = shared.stopping.cancelled() => return,
        }
        shared.say_hello().await;
    }
}
