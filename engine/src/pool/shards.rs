//! Jobs from the shards of the local engine.
//!
//! A shard hands jobs out in the commit that makes them ready, and takes the slot back in the commit that ends them: so
//! a finish and the claim that follows it cost one fsync, and nothing polls.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use flowork_api_types::{
    JobId, ShardNumber,
    engine::{FinishAnswer, Lease, RenewOutcome},
};
use flowork_sqlite::StoreError;
use futures_util::future::join_all;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{Assigned, AttemptEnd, JobSource, Payload, Renewal, Slot, StopReason, Workers};
use crate::{
    JobFailure,
    engines::Host,
    jobs::bounds::cut_error,
    store::{ClaimKinds, Claimed, Claimer, FinishRow, Grant, LEASE, RenewRow, Shard},
};

/// The wait before a pool tries again to register with a shard that failed.
const REGISTER_AGAIN: Duration = Duration::from_secs(1);
/// The wait before shards that found no free slot look again, after another shard failed to use what it had taken.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Waits between tries to store how an attempt ended; the last one repeats until the lease is lost.
const FINISH_AGAIN: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// The shards of the local engine; without one there is nothing to run.
pub(crate) struct ShardSource {
    host: Option<Arc<Host>>,
    /// Which leased jobs a person wants ended. Taken by the one feed.
    cancels: Mutex<Option<mpsc::UnboundedReceiver<JobId>>>,
}

type Leases = Vec<Lease>;

/// What wakes the feed.
enum Wake {
    Granted(Grant),
    Cancelled(JobId),
    LookAgain,
    Stop,
}

impl ShardSource {
    pub(crate) fn new(host: Option<Arc<Host>>, cancels: mpsc::UnboundedReceiver<JobId>) -> Self {
        Self { host, cancels: Mutex::new(Some(cancels)) }
    }

    /// Registers with every shard, keeps trying with those that fail, and begins anew with those that come back from
    /// quarantine.
    async fn register(&self, workers: &Workers<Self>, sink: mpsc::UnboundedSender<Grant>) {
        let Some(host) = &self.host else { return };
        let register = async |shard: Arc<Shard>| {
            let mut returns = shard.health().returns();
            loop {
                returns.mark_unchanged();
                let kinds = ClaimKinds::Registered(workers.kinds().clone());
                let claimer = Claimer { budget: Arc::clone(workers.budget()), kinds, sink: sink.clone() };
                match shard.claim(claimer).await {
                    Err(error) if error.is_closed() => return,
                    Ok(()) | Err(StoreError::Quarantined(_)) => {
                        // The sender lives as long as the shard.
                        let _ = returns.changed().await;
                    }
                    Err(error) => {
                        tracing::warn!(error = %error, "a shard could not be claimed from; trying again");
                        sleep(REGISTER_AGAIN).await;
                    }
                }
            }
        };
        join_all(host.all_shards().into_iter().map(register)).await;
    }

    /// Starts a task for each job that a shard hands out, and tells attempts to stop whose jobs a person has cancelled.
    async fn dispatch(
        &self,
        workers: &Workers<Self>,
        grants: &mut mpsc::UnboundedReceiver<Grant>,
        mut cancels: mpsc::UnboundedReceiver<JobId>,
    ) {
        let mut look_again: Option<Instant> = None;
        loop {
            let wake = tokio::select! {
                biased;
                Some(grant) = grants.recv() => Wake::Granted(grant),
                Some(id) = cancels.recv() => Wake::Cancelled(id),
                () = sleep_until(look_again.unwrap_or_else(Instant::now)), if look_again.is_some() => Wake::LookAgain,
                () = workers.stopping().cancelled() => Wake::Stop,
            };
            match wake {
                // Its commit failed, so that slots came back which other shards may have missed.
                Wake::Granted(grant) if grant.is_empty() => look_again = Some(Instant::now() + LOOK_AGAIN),
                Wake::Granted(grant) => start_all(workers, grant),
                Wake::Cancelled(id) => {
                    // The job's grant was sent before its cancel, but may have come after this task looked.
                    while let Ok(grant) = grants.try_recv() {
                        start_all(workers, grant);
                    }
                    workers.attempts().cancel(id, None);
                }
                Wake::LookAgain => {
                    look_again = None;
                    workers.slots_freed();
                }
                Wake::Stop => return,
            }
        }
    }

    /// Sends one renewal a shard; the futures are the answers.
    fn send_renewals(
        &self,
        renewals: Vec<Renewal>,
        extend: bool,
    ) -> Vec<(Leases, impl Future<Output = Result<Vec<RenewOutcome>, StoreError>> + use<>)> {
        let Some(host) = &self.host else { return Vec::new() };
        let mut shards: HashMap<ShardNumber, (Leases, Vec<RenewRow>)> = HashMap::new();
        for Renewal { lease, progress, logs } in renewals {
            let (leases, rows) = shards.entry(lease.id.shard()).or_default();
            leases.push(lease);
            rows.push(RenewRow { id: lease.id, epoch: lease.epoch, progress, logs, extend });
        }
        let sent =
            shards.into_iter().filter_map(|(number, (leases, rows))| Some((leases, host.shard(number)?.renew(rows))));
        sent.collect()
    }
}

impl JobSource for ShardSource {
    async fn feed(&self, workers: &Workers<Self>) {
        let cancels = self.cancels.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(cancels) = cancels else { return };
        let (sink, mut grants) = mpsc::unbounded_channel();
        tokio::select! {
            ((), ()) = async { tokio::join!(self.register(workers, sink), std::future::pending()) } => {}
            () = self.dispatch(workers, &mut grants, cancels) => {}
        }
        // What was handed out after the stop has no worker any more. Shards take back what they can't send.
        grants.close();
        while let Some(grant) = grants.recv().await {
            for job in grant {
                let lease = Lease { id: job.id, epoch: job.epoch };
                self.release(workers, lease, Slot::taken_from(workers.budget())).await;
            }
        }
    }

    fn look_again(&self) {
        if let Some(host) = &self.host {
            host.poke();
        }
    }

    async fn renew(&self, workers: &Workers<Self>, extend: bool) {
        let sent = Instant::now();
        let answers = workers.attempts().send_renewals(extend, |renewals| self.send_renewals(renewals, extend));
        for (leases, answer) in answers {
            match answer.await {
                Ok(outcomes) => {
                    workers.attempts().settle(extend.then_some(sent), std::iter::zip(leases, outcomes));
                }
                // Not renewed is not lost: the lease holds until its end.
                Err(error) => tracing::warn!(error = %error, "leases could not be renewed"),
            }
        }
    }

    /// Keeps trying while the disk is full or fails: the work is done and must not be lost for want of a moment.
    async fn finish(&self, workers: &Workers<Self>, end: AttemptEnd, slot: Slot) {
        let Some(host) = &self.host else { return };
        let AttemptEnd { lease, outcome, stop } = end;
        let row = to_row(workers, lease, outcome);
        let Some(shard) = host.shard(lease.id.shard()) else { return };
        // The slot is given back with the first try, whatever becomes of it.
        let mut slots = slot.hand_over();
        let mut waits = FINISH_AGAIN.into_iter();
        loop {
            match shard.finish(vec![row.clone()], slots.take()).await {
                Ok(answers) => {
                    if answers.first() == Some(&FinishAnswer::LeaseLost) {
                        tracing::warn!(job = %lease.id, "the attempt ended after its lease was lost");
                    }
                    return;
                }
                Err(error) if error.is_closed() || error.needs_repair() => return,
                Err(error) => {
                    tracing::error!(job = %lease.id, error = %error, "the end of an attempt could not be stored");
                }
            }
            let next = waits.next();
            // A node that stops can't wait for ever; the next start reclaims the lease.
            if stop.reason() == Some(StopReason::LeaseLost) || (next.is_none() && workers.stopping().is_cancelled()) {
                return;
            }
            sleep(next.unwrap_or(FINISH_AGAIN[FINISH_AGAIN.len() - 1])).await;
        }
    }

    async fn release(&self, _: &Workers<Self>, lease: Lease, slot: Slot) {
        let Some(shard) = self.host.as_ref().and_then(|host| host.shard(lease.id.shard())) else { return };
        if let Err(error) = shard.release(vec![(lease.id, lease.epoch)], slot.hand_over()).await {
            tracing::warn!(job = %lease.id, error = %error, "a lease could not be given back; the next start does it");
        }
    }
}

fn start_all(workers: &Workers<ShardSource>, grant: Grant) {
    // The claim was made a moment ago, in its commit; renewals count from before they are sent.
    let lease_until = Instant::now() + LEASE;
    for Claimed { id, kind, owner, payload, attempt, epoch, timeout_ms, .. } in grant {
        let job = Assigned {
            lease: Lease { id, epoch },
            kind,
            created_by: owner,
            payload: Payload::Text(payload),
            attempt,
            timeout: Duration::from_millis(timeout_ms),
            lease_until,
        };
        workers.start(job, Slot::taken_from(workers.budget()));
    }
}

fn to_row(workers: &Workers<ShardSource>, lease: Lease, outcome: Result<Vec<u8>, JobFailure>) -> FinishRow {
    let (progress, logs) = workers.attempts().last_words_now(lease);
    let mut row = FinishRow {
        id: lease.id,
        epoch: lease.epoch,
        outcome: Ok(Vec::new()),
        retryable: false,
        retry_after: None,
        throttle: None,
        progress,
        logs,
    };
    match outcome {
        Ok(result) => row.outcome = Ok(result),
        Err(failure) => {
            row.retryable = failure.retryable;
            row.retry_after = failure.retry_after;
            row.throttle = failure.throttle;
            row.outcome = Err(cut_error(failure.error));
        }
    }
    row
}
