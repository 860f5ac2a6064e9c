//! The attempts of a pool: their leases, what they report, and for how long they ran.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use flowork_api_types::{
    JobId,
    engine::{Lease, NewLogLine, RenewOutcome},
    job::Progress,
};
use tokio::{
    sync::{Notify, watch},
    time::{Duration, Instant},
};

use super::{Renewal, Stop, StopReason};
use crate::{Reporter, store::LEASE};

/// Every attempt of a pool, from its start until its end is settled.
#[derive(Default)]
pub struct Attempts {
    board: Mutex<Board>,
    /// How many there are, for those who wait for none.
    count: watch::Sender<u32>,
    /// A renewal with reports was answered.
    answered: Notify,
}

#[derive(Default)]
struct Board {
    /// By lease: when one was lost, the job may be here again before its old attempt has stopped.
    running: HashMap<Lease, Running>,
    /// For how long attempts ran that have ended.
    busy: Duration,
    /// Whoever comes now is told to stop at once.
    stopping: bool,
}

/// One attempt.
struct Running {
    reporter: Reporter,
    stop: Stop,
    /// Until when the lease surely holds, by the monotonic clock, counted from before it was asked for.
    lease_until: Instant,
    started: Instant,
    /// It has stopped running; its end is not settled yet.
    ended: bool,
    /// A renewal is on its way that carries reports of it. Others wait, so that they come in their order.
    in_flight: bool,
}

impl Attempts {
    pub(super) fn insert(&self, lease: Lease, reporter: Reporter, stop: Stop, lease_until: Instant) {
        let started = Instant::now();
        let running = Running { reporter, stop, lease_until, started, ended: false, in_flight: false };
        let mut board = self.lock();
        if board.stopping {
            running.stop.because(StopReason::Shutdown);
        }
        board.running.insert(lease, running);
        self.tell(&board);
    }

    /// Notes that an attempt runs no longer; its lease is renewed until its end is settled.
    pub(super) fn ended(&self, lease: Lease) {
        let mut board = self.lock();
        let Some(running) = board.running.get_mut(&lease) else { return };
        running.ended = true;
        let took = running.started.elapsed();
        board.busy += took;
    }

    pub(super) fn remove(&self, lease: Lease) {
        let mut board = self.lock();
        if let Some(running) = board.running.remove(&lease)
            && !running.ended
        {
            board.busy += running.started.elapsed();
        }
        self.tell(&board);
    }

    fn tell(&self, board: &Board) {
        self.count.send_replace(board.running.len() as u32);
    }

    /// How many have not been settled.
    pub(super) fn count(&self) -> u32 {
        *self.count.borrow()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u32> {
        self.count.subscribe()
    }

    /// For how long attempts have run, together. Never less than it was before.
    pub(super) fn busy(&self) -> Duration {
        let board = self.lock();
        let now = Instant::now();
        let running = board.running.values().filter(|running| !running.ended);
        board.busy + running.map(|running| now.duration_since(running.started)).sum::<Duration>()
    }

    /// Tells all to stop, also those that come later.
    pub(super) fn stop_all(&self) {
        let mut board = self.lock();
        board.stopping = true;
        board.running.values().for_each(|running| running.stop.because(StopReason::Shutdown));
    }

    /// Tells the attempts of a job to stop, because a person has cancelled it. `epoch`: only the one of that claim.
    pub fn cancel(&self, id: JobId, epoch: Option<u32>) {
        for (lease, running) in &self.lock().running {
            if lease.id == id && epoch.is_none_or(|epoch| lease.epoch == epoch) {
                running.stop.because(StopReason::Cancelled);
            }
        }
    }

    /// An attempt whose lease may be over must not go on: somebody else may run the job. Answers when the next lease
    /// ends.
    pub(super) fn stop_overdue(&self) -> Option<Instant> {
        let (now, board) = (Instant::now(), self.lock());
        let mut next: Option<Instant> = None;
        for running in board.running.values().filter(|running| !running.ended) {
            if running.lease_until <= now {
                running.stop.because(StopReason::LeaseLost);
            } else {
                next = Some(next.map_or(running.lease_until, |next| next.min(running.lease_until)));
            }
        }
        next
    }

    /// Until when a lease surely holds.
    pub fn lease_until(&self, lease: Lease) -> Option<Instant> {
        self.lock().running.get(&lease).map(|running| running.lease_until)
    }

    /// Takes what was reported and hands it to `send`, under the lock under which an attempt's last words are taken. So
    /// what `send` has sent when it returns comes before the attempt's end, and nothing falls between the two.
    /// `extend`: names every lease; else only those with something to report.
    pub(super) fn send_renewals<R>(&self, extend: bool, send: impl FnOnce(Vec<Renewal>) -> R) -> R {
        let board = self.lock();
        let renewals = board.running.iter().filter_map(|(&lease, running)| match running.reporter.take() {
            Some((progress, logs)) => Some(Renewal { lease, progress, logs }),
            None => extend.then(|| Renewal { lease, progress: None, logs: Vec::new() }),
        });
        send(renewals.collect())
    }

    /// Takes what was reported, to be sent by someone who can't tell when it arrives: until the renewals are
    /// [delivered](Self::delivered) or [put back](Self::put_back), [`last_words`](Self::last_words) waits for them.
    pub fn take_renewals(&self, extend: bool) -> Vec<Renewal> {
        let mut board = self.lock();
        let mut renewals = Vec::new();
        for (&lease, running) in &mut board.running {
            if !running.in_flight
                && let Some((progress, logs)) = running.reporter.take()
            {
                running.in_flight = true;
                renewals.push(Renewal { lease, progress, logs });
            } else if extend {
                renewals.push(Renewal { lease, progress: None, logs: Vec::new() });
            }
        }
        renewals
    }

    /// Notes that what was taken has arrived.
    pub fn delivered(&self, renewals: &[Renewal]) {
        let mut board = self.lock();
        for renewal in renewals.iter().filter(|renewal| renewal.has_reports()) {
            if let Some(running) = board.running.get_mut(&renewal.lease) {
                running.in_flight = false;
            }
        }
        drop(board);
        self.answered.notify_waiters();
    }

    /// Takes back what was taken and may not have arrived.
    pub fn put_back(&self, renewals: Vec<Renewal>) {
        let mut board = self.lock();
        for renewal in renewals.into_iter().filter(Renewal::has_reports) {
            if let Some(running) = board.running.get_mut(&renewal.lease) {
                running.in_flight = false;
                running.reporter.put_back(renewal.progress.is_some(), renewal.logs);
            }
        }
        drop(board);
        self.answered.notify_waiters();
    }

    /// Acts on the answer to renewals. `renewed_at`: when they were sent, if they asked for more time.
    pub fn settle(&self, renewed_at: Option<Instant>, outcomes: impl IntoIterator<Item = (Lease, RenewOutcome)>) {
        let mut board = self.lock();
        for (lease, outcome) in outcomes {
            let Some(running) = board.running.get_mut(&lease) else { continue };
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

    /// What an attempt reported last and nobody took, at once.
    pub(super) fn last_words_now(&self, lease: Lease) -> (Option<Progress>, Vec<NewLogLine>) {
        let board = self.lock();
        board.running.get(&lease).and_then(|running| running.reporter.take()).unwrap_or_default()
    }

    /// What an attempt reported last and nobody took, once no renewal is on its way that may bring some of it back.
    pub async fn last_words(&self, lease: Lease) -> (Option<Progress>, Vec<NewLogLine>) {
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            // From here on no answer is missed.
            answered.as_mut().enable();
            {
                let board = self.lock();
                match board.running.get(&lease) {
                    Some(running) if running.in_flight => {}
                    running => return running.and_then(|running| running.reporter.take()).unwrap_or_default(),
                }
            }
            answered.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
