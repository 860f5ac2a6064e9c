//! Jobs from a gateway elsewhere: claimed, renewed and finished over HTTP.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use flowork_api_types::{
    engine::{
        CLAIM_JOBS_MAX, ClaimRequest, ClaimedJob, HEARTBEAT_MS, HeartbeatAnswer, HeartbeatRequest, Lease, RenewItem,
        RenewRequest,
    },
    member::AllowList,
};
use flowork_engine::{
    KindRegistry,
    pool::{Assigned, AttemptEnd, JobSource, Payload, Renewal, Slot, Workers},
    store::LEASE,
};
use rand::rngs::StdRng;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};

use super::{
    backoff::Backoff,
    end,
    gateway::{CLAIM_WAIT, CallCause, CallError, Gateway},
    machine::Machine,
    outbox::{Fill, Outbox, Parcel, Settled},
};
use crate::exit::Failure;

/// Workers a gateway may ask for, as many as a node may be configured with.
const WORKERS_MAX: u32 = 256;
/// Leases and bytes one renewal carries; the gateway takes 1,024 and 16 MiB.
const RENEWAL_LEASES_MAX: usize = 256;
const RENEWAL_BYTES_MAX: usize = 4 << 20;

/// An engine's gateway, as the source of its jobs.
pub(super) struct Remote {
    pub(super) gateway: Gateway,
    pub(super) outbox: Outbox,
    /// Workers it was started with.
    size: u32,
    /// The gateway wants nothing claimed.
    paused: watch::Sender<bool>,
    /// Slots or room came back.
    freed: Notify,
    /// The machine has slept: connections of before may lead nowhere.
    woken: Notify,
    /// Reports are held back until then, after a renewal failed.
    reports: Mutex<(Backoff, Instant)>,
    failed: watch::Sender<Option<Arc<Failure>>>,
    /// The members, as the first answer named them, until the pool is there.
    first_members: Mutex<Option<AllowList>>,
    machine: Arc<Machine>,
}

impl Remote {
    /// Says hello. A wrong token or address is told now; a gateway that comes later is waited for.
    pub(super) async fn connect(gateway: Gateway, kinds: &KindRegistry, size: u32) -> Result<Self, Failure> {
        let remote = Self {
            gateway,
            outbox: Outbox::default(),
            size,
            paused: watch::Sender::new(false),
            freed: Notify::new(),
            woken: Notify::new(),
            reports: Mutex::new((backoff(), Instant::now())),
            failed: watch::Sender::new(None),
            first_members: Mutex::default(),
            machine: Arc::default(),
        };
        match remote.gateway.heartbeat(&remote.report(kinds, size, 0, None).await).await {
            Ok(answer) => {
                remote.paused.send_replace(answer.drain);
                *remote.first_members() = answer.members;
            }
            Err(error) if error.cause == CallCause::Unwelcome => return Err(error.failure),
            Err(error) => remote.note(error),
        }
        Ok(remote)
    }

    /// Resolves when the gateway refuses this engine for good.
    pub(super) async fn failed(&self) -> Failure {
        let mut failed = self.failed.subscribe();
        // The sender lives as long as the pool, so waiting cannot fail.
        let failure = failed.wait_for(Option::is_some).await.ok().and_then(|failure| failure.clone());
        let failure = failure.expect("waited for it to be there");
        Failure { exit: failure.exit, body: failure.body.clone(), silent: false }
    }

    /// Ends everything if the gateway does not want this engine; else says that it is tried again.
    pub(super) fn note(&self, error: CallError) {
        if error.cause == CallCause::Unwelcome {
            self.failed.send_replace(Some(Arc::new(error.failure)));
        } else {
            tracing::warn!("{}; trying again", error.failure.body.message);
        }
    }

    pub(super) fn pause(&self, on: bool) {
        match (self.paused.send_replace(on), on) {
            (false, true) => tracing::info!("the gateway drains: nothing is claimed until it goes on"),
            (true, false) => tracing::info!("the gateway goes on: jobs are claimed again"),
            (false, false) | (true, true) => {}
        }
    }

    pub(super) fn set_workers(&self, workers: &Workers<Self>, wanted: Option<u32>) {
        let size = wanted.map_or(self.size, |wanted| wanted.clamp(1, WORKERS_MAX));
        if size != workers.size() {
            tracing::info!(workers = size, "the gateway wants another number of workers");
            workers.resize(size);
        }
    }

    /// Resolves when the machine has slept meanwhile.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// The gateway took something that waited.
    pub(super) fn room_came(&self) {
        self.freed.notify_one();
    }

    /// Tells the gateway who this is and what it runs, and hears what it wants.
    pub(super) async fn say_hello(&self, workers: &Workers<Self>) {
        let version = workers.members().version();
        let report = self.report(workers.kinds(), workers.size(), workers.busy(), version).await;
        match self.gateway.heartbeat(&report).await {
            Ok(HeartbeatAnswer { drain, desired_workers, members }) => {
                if let Some(members) = members {
                    workers.members().set(members);
                }
                self.pause(drain);
                self.set_workers(workers, desired_workers);
            }
            Err(error) => self.note(error),
        }
    }

    async fn report(
        &self,
        kinds: &KindRegistry,
        capacity: u32,
        busy: u32,
        members_version: Option<u64>,
    ) -> HeartbeatRequest {
        HeartbeatRequest {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capacity,
            busy,
            kinds: kinds.descriptors(),
            vitals: Machine::vitals(&self.machine).await,
            members_version,
        }
    }

    /// Waits until something can be claimed: the gateway wants it, there is room for what it gives, and a worker.
    async fn slots(&self, workers: &Workers<Self>) -> Vec<Slot> {
        let mut full = false;
        loop {
            // The sender lives as long as this does, so waiting cannot fail.
            let _ = self.paused.subscribe().wait_for(|paused| !paused).await;
            if !self.outbox.has_room() {
                if !full {
                    let Fill { items, bytes } = self.outbox.fill();
                    tracing::warn!(
                        items,
                        bytes,
                        "too much waits for the gateway: nothing is claimed until it takes it"
                    );
                }
                full = true;
                self.freed.notified().await;
                continue;
            }
            if std::mem::take(&mut full) {
                tracing::info!("the gateway takes what waited: jobs are claimed again");
            }
            let slots = workers.take_slots(CLAIM_JOBS_MAX);
            if !slots.is_empty() {
                return slots;
            }
            self.freed.notified().await;
        }
    }

    async fn claim(&self, workers: &Workers<Self>, slots: Vec<Slot>) -> Result<(), CallError> {
        let names = workers.kinds().names();
        let wait_ms = CLAIM_WAIT.as_millis() as u64;
        let request = ClaimRequest { max: slots.len() as u32, wait_ms, kinds: Some(names) };
        let sent_at = Instant::now();
        let answer = self.gateway.claim(&request).await?;
        for (job, slot) in std::iter::zip(answer.jobs, slots) {
            workers.start(assigned(job, sent_at), slot);
        }
        Ok(())
    }

    /// Brings something to the gateway, and waits until that is settled. The worker is free as soon as there is room.
    async fn send(&self, workers: &Workers<Self>, parcel: Parcel, slot: Slot) {
        let lease = parcel.lease;
        let room = self.outbox.room(&parcel).await;
        let settled = self.outbox.put(parcel, room);
        drop(slot);
        workers.slots_freed();
        if settled.await == Ok(Settled::LeaseLost) {
            tracing::warn!(job = %lease.id, "the lease was lost before the gateway heard how the attempt ended");
        }
    }

    async fn send_renewal(&self, workers: &Workers<Self>, renewals: Vec<Renewal>) {
        let request = RenewRequest { jobs: renewals.iter().map(to_item).collect() };
        let sent_at = Instant::now();
        match self.gateway.renew(&request).await {
            Ok(answer) => {
                self.reports().0.reset();
                let outcomes =
                    std::iter::zip(&renewals, answer.items).map(|(renewal, item)| (renewal.lease, item.outcome));
                workers.attempts().settle(Some(sent_at), outcomes);
                workers.attempts().delivered(&renewals);
            }
            // Not renewed is not lost: the lease holds until its end.
            Err(error) => {
                workers.attempts().put_back(renewals);
                let mut reports = self.reports();
                reports.1 = Instant::now() + reports.0.next(error.retry_after);
                drop(reports);
                self.note(error);
            }
        }
    }

    fn first_members(&self) -> std::sync::MutexGuard<'_, Option<AllowList>> {
        self.first_members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reports(&self) -> std::sync::MutexGuard<'_, (Backoff, Instant)> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JobSource for Remote {
    async fn feed(&self, workers: &Workers<Self>) {
        if let Some(members) = self.first_members().take() {
            workers.members().set(members);
        }
        let mut backoff = backoff();
        loop {
            let claimed = tokio::select! {
                biased;
                () = workers.closed().cancelled() => return,
                claimed = async { self.claim(workers, self.slots(workers).await).await } => claimed,
                () = self.woken() => Ok(()),
            };
            let Err(error) = claimed else {
                backoff.reset();
                continue;
            };
            let wait = backoff.next(error.retry_after);
            self.note(error);
            tokio::select! {
                biased;
                () = workers.closed().cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    fn look_again(&self) {
        self.freed.notify_one();
    }

    async fn renew(&self, workers: &Workers<Self>, extend: bool) {
        if !extend && Instant::now() < self.reports().1 {
            return;
        }
        let (mut call, mut bytes) = (Vec::new(), 0);
        for renewal in workers.attempts().take_renewals(extend) {
            let more = size(&renewal);
            if !call.is_empty() && (bytes + more > RENEWAL_BYTES_MAX || call.len() == RENEWAL_LEASES_MAX) {
                self.send_renewal(workers, std::mem::take(&mut call)).await;
                bytes = 0;
            }
            bytes += more;
            call.push(renewal);
        }
        if !call.is_empty() {
            self.send_renewal(workers, call).await;
        }
    }

    async fn finish(&self, workers: &Workers<Self>, ended: AttemptEnd, slot: Slot) {
        let lease = ended.lease;
        let (progress, mut logs) = workers.attempts().last_words(lease).await;
        if end::are_too_many(&logs) {
            let item = RenewItem { id: lease.id, epoch: lease.epoch, progress: None, logs };
            match self.gateway.renew(&RenewRequest { jobs: vec![item.clone()] }).await {
                Ok(_) => logs = Vec::new(),
                Err(error) => {
                    self.note(error);
                    logs = end::cut_lines(item.logs);
                }
            }
        }
        let text = match end::to_text(lease, ended.outcome, progress, logs) {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(job = %lease.id, %error, "how the attempt ended cannot be written as JSON");
                return;
            }
        };
        self.send(workers, Parcel { lease, end: Some(text.into()) }, slot).await;
    }

    async fn release(&self, workers: &Workers<Self>, lease: Lease, slot: Slot) {
        self.send(workers, Parcel { lease, end: None }, slot).await;
    }
}

/// Tells the gateway every 15 s, and when the kinds change, who this is and what it runs.
pub(super) async fn stay_in_touch(workers: Workers<Remote>) {
    let mut kinds = workers.kinds().subscribe();
    loop {
        tokio::select! {
            () = sleep(Duration::from_millis(HEARTBEAT_MS)) => {}
            // The registry lives as long as the pool.
            _ = kinds.changed() => {}
        }
        workers.source().say_hello(&workers).await;
    }
}

/// Asks at once for the leases once the machine has slept, and does without the connections of before: the gateway may have
/// given the jobs to others meanwhile.
pub(super) async fn wake_up(workers: Workers<Remote>) {
    let look = || async {
        workers.source().woken.notify_waiters();
        workers.renew().await;
    };
    flowork_wake::follow(look).await;
}

/// Waits with chance of their own.
pub(super) fn backoff() -> Backoff {
    Backoff::new(rand::make_rng::<StdRng>())
}

fn assigned(job: ClaimedJob, claim_sent_at: Instant) -> Assigned {
    Assigned {
        lease: Lease { id: job.id, epoch: job.epoch },
        kind: job.kind,
        created_by: job.created_by,
        payload: Payload::Value(job.payload),
        attempt: job.attempt,
        timeout: Duration::from_millis(job.timeout_ms),
        lease_until: claim_sent_at + LEASE,
    }
}

fn to_item(renewal: &Renewal) -> RenewItem {
    let Renewal { lease, progress, logs } = renewal;
    RenewItem { id: lease.id, epoch: lease.epoch, progress: progress.clone(), logs: logs.clone() }
}

/// About how many bytes it is on the wire; characters that have to be escaped take more than one.
fn size(renewal: &Renewal) -> usize {
    let output = renewal.progress.as_ref().and_then(|progress| progress.output.as_ref());
    200 + 2 * output.map_or(0, String::len) + 2 * end::bytes_of(&renewal.logs)
}

#[cfg(test)]
mod tests;
