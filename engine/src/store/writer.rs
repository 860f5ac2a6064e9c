//! What a shard's writer thread does with its requests, and when the batch is settled: due work first, then claims.
//!
//! Claims are served at the end of a batch, inside its transaction. So a job that is enqueued while a worker waits is
//! enqueued and claimed with one fsync, and so is a finish with the claim that follows it.
//!
//! What memory holds of the file (counts, ready lanes, who is counted by the gate) follows each change at once. When a
//! change is undone, memory is stale, and is read from the file again before anything is claimed.

mod acts;
mod due;
mod grants;
mod memory;

use std::{collections::HashMap, sync::Arc, time::Duration};

use flowork_api_types::{BatchId, JobId, Timestamp, event::Event, job::JobState};
use flowork_sqlite::{Applied, Store, StoreError};
use memory::Leased;
use rusqlite::Connection;

use super::{
    Budget, LEASE, batches,
    insert::Keys,
    ready::Ready,
    requests::{Claimer, Failed, Grant, Reply, Request, give_back},
    rows::JobRow,
    shard::{Counts, ShardOptions, SharedCounts},
    transitions::{self, Reclaim},
};
use crate::limits::SteadyMs;

/// The longest the writer sleeps towards a due time. The wall clock may be set or the machine may sleep meanwhile, and
/// a waiting thread notices neither.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// The same for old jobs that go, which is in no hurry.
const PRUNE_SLEEP_MAX: Duration = Duration::from_mins(10);

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type OwnedEvent = (Option<Arc<str>>, Event);

/// The writer's state. What is in `batch` becomes true with the commit, or is dropped.
pub(super) struct ShardWriter {
    options: ShardOptions,
    keys: Keys,
    claimers: Vec<Claimer>,
    /// Index of the claimer that is served first next, so that they take turns.
    turn: usize,
    counts: Counts,
    queues: HashMap<Arc<str>, Counts>,
    ready: Ready,
    leased: HashMap<i64, Leased>,
    /// Waiting jobs of this shard that the gate has counted.
    waiting: i64,
    /// Memory and file may disagree.
    stale: bool,
    shared: Arc<SharedCounts>,
    next_due: Option<Timestamp>,
    next_prune: Option<Timestamp>,
    /// How far the wall clock is ahead of the steady one, in milliseconds.
    wall_ahead_ms: i64,
    /// Claimed, but whoever wanted them has gone; released with the next batch.
    undelivered: Vec<(JobId, u32)>,
    batch: Batch,
}

#[derive(Default)]
struct Batch {
    answers: Vec<Answer>,
    events: Vec<OwnedEvent>,
    cancels: Vec<JobId>,
    grants: Vec<(usize, Grant)>,
    /// Jobs that were picked to be claimed in it.
    started: Vec<i64>,
    measured: Vec<(Arc<str>, Measured)>,
    /// Batches of jobs of which one has ended.
    batches: Vec<BatchId>,
    /// Of claimers that registered in this batch.
    joined: Vec<Arc<Budget>>,
    /// How many of the undelivered are released in it.
    released: usize,
    /// Unique keys whose jobs have ended. They are free once that is on disk.
    freed: Vec<(Arc<str>, Arc<str>, JobId)>,
    /// As its clock was watched.
    wall_ahead_ms: Option<i64>,
}

/// What the measures of a queue count.
enum Measured {
    Enqueued,
    Claimed(Duration),
    /// Whether the attempt completed its job.
    Ended(bool),
    /// A job, however it ended.
    Drained,
}

impl ShardWriter {
    pub(super) fn load(
        connection: &Connection,
        options: ShardOptions,
        shared: Arc<SharedCounts>,
    ) -> rusqlite::Result<Self> {
        let now = options.clock.now();
        memory::complete_lanes(connection)?;
        if options.local {
            let retention = options.retention();
            let transaction = connection.unchecked_transaction()?;
            while !transitions::reclaim(&transaction, Reclaim::Orphaned, now, &retention)?.is_empty() {}
            transaction.commit()?;
        } else {
            transitions::extend_leases(connection, Self::lease_end(now))?;
        }
        let mut writer = Self {
            keys: Keys::load(connection, options.number)?,
            claimers: Vec::new(),
            turn: 0,
            counts: Counts::default(),
            queues: HashMap::new(),
            ready: Ready::new(options.number, Arc::clone(&options.gate)),
            leased: HashMap::new(),
            waiting: 0,
            stale: true,
            shared,
            next_due: None,
            next_prune: None,
            wall_ahead_ms: 0,
            undelivered: Vec::new(),
            batch: Batch::default(),
            options,
        };
        writer.wall_ahead_ms = writer.wall_ahead();
        writer.read_memory(connection)?;
        writer.shared.store(writer.counts);
        Ok(writer)
    }

    fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// What the gate counts time by: it never jumps.
    fn steady_now(&self) -> SteadyMs {
        self.options.clock.elapsed().as_millis() as SteadyMs
    }

    fn lease_end(now: Timestamp) -> Timestamp {
        Timestamp(now.as_millis() + LEASE.as_millis() as i64)
    }

    /// Does one request.
    fn run(&mut self, connection: &Connection, request: Request) -> Applied {
        match request {
            Request::Enqueue { job, reply } => {
                let outcome = self.enqueue(connection, &job);
                self.keep_or_sink(outcome, reply)
            }
            Request::Claim { claimer, reply } => {
                self.batch.joined.push(Arc::clone(&claimer.budget));
                self.claimers.push(claimer);
                self.keep(Ok(()), reply)
            }
            Request::Renew { items, reply } => {
                let outcome = self.renew(connection, items);
                self.keep(outcome, reply)
            }
            Request::Finish { items, slots, reply } => {
                let outcome = self.finish(connection, &items);
                give_back(slots.as_ref(), items.len());
                match outcome {
                    // In a savepoint.
                    Err(failed) if items.len() > 1 => self.keep(Err(failed.into_error()), reply),
                    outcome => self.keep_or_sink(outcome, reply),
                }
            }
            Request::Release { items, slots, reply } => {
                let outcome = self.release(connection, &items);
                give_back(slots.as_ref(), items.len());
                self.keep(outcome, reply)
            }
            Request::Cancel { id, actor, reply } => {
                let outcome = self.cancel(connection, id, &actor);
                self.keep(outcome, reply)
            }
            Request::Requeue { id, actor, reply } => {
                let outcome = self.requeue(connection, id, &actor, None);
                self.keep(outcome, reply)
            }
            Request::RequeueMany { ids, actor, to_queue, reply } => {
                let outcome = self.requeue_many(connection, &ids, &actor, to_queue.as_deref());
                self.keep(outcome, reply)
            }
            Request::Depths { reply } => self.tell_depths(connection, reply),
            Request::OpenBatch { batch, reply } => {
                let outcome = batches::open(connection, &batch, self.now());
                self.keep(outcome, reply)
            }
            Request::SealBatch { batch, jobs, reply } => {
                let outcome = batches::seal(connection, batch, jobs);
                self.keep(outcome, reply)
            }
            Request::CloseBatch { batch, callback, reply } => {
                let outcome = batches::close(connection, batch, callback.as_ref(), self.now());
                self.keep(outcome, reply)
            }
            Request::Opened(scopes) => {
                self.ready.open(&scopes);
                Applied::Keep
            }
            Request::Poke => Applied::Keep,
        }
    }

    /// Keeps an answer until the commit; an error undoes the request and answers at once what went wrong.
    fn keep<T: Send + 'static>(&mut self, outcome: rusqlite::Result<T>, reply: Reply<T>) -> Applied {
        match outcome {
            Ok(value) => {
                self.batch.answers.push(Box::new(move |committed| {
                    // Whoever asked may have gone; what was done stands.
                    let _ = reply.send(committed.map(|()| value));
                }));
                Applied::Keep
            }
            Err(error) => {
                let error = StoreError::from(error);
                let _ = reply.send(Err(error.clone()));
                Applied::Undo(error)
            }
        }
    }

    /// As [`keep`](Self::keep), of a request without a savepoint.
    fn keep_or_sink<T: Send + 'static>(&mut self, outcome: Result<T, Failed>, reply: Reply<T>) -> Applied {
        match outcome {
            Ok(value) => self.keep(Ok(value), reply),
            Err(Failed::Undone(error)) => self.keep(Err(error), reply),
            Err(Failed::Stuck(error)) => match self.keep(Err(error), reply) {
                Applied::Undo(error) => Applied::Sink(error),
                applied => applied,
            },
        }
    }

    /// Notes that a job went from one state to another: for counts, lanes, limits, timers and events.
    fn moved(&mut self, connection: &Connection, from: Option<JobState>, row: &JobRow) -> rusqlite::Result<()> {
        match from {
            Some(JobState::Queued) => self.ready.remove(connection, row.lane().id(), row.run_at, row.id.key())?,
            Some(JobState::Leased) if row.state != JobState::Leased => self.leave_gate(row.id.key()),
            _ => {}
        }
        match row.state {
            JobState::Queued => self.ready.add(&row.lane(), row.run_at, row.id.key()),
            state if state.is_final() => self.ended(connection, row)?,
            _ => {}
        }
        let due = match row.state {
            JobState::Scheduled => Some(row.run_at),
            JobState::Leased => row.lease_expires_at,
            _ => None,
        };
        for due in [due, row.expires_at.filter(|_| row.attempt == 0 && !row.state.is_final())].into_iter().flatten() {
            self.due_at(due);
        }
        self.count(&row.queue, from, row.state);
        self.tell(row.id, Arc::clone(&row.owner), &row.kind, &row.queue, row.state, row.attempt);
        Ok(())
    }

    fn ended(&mut self, connection: &Connection, row: &JobRow) -> rusqlite::Result<()> {
        self.batch.measured.push((Arc::clone(&row.queue), Measured::Drained));
        if let Some(key) = &row.unique_key {
            self.batch.freed.push((Arc::clone(&row.owner), Arc::clone(key), row.id));
        }
        // The last of its batch here; whether it is the last anywhere is for somebody else to find out.
        if let Some(batch) = row.batch
            && !batches::has_open(connection, batch)?
        {
            self.batch.batches.push(batch);
        }
        let ended_at = row.finished_at.unwrap_or(row.created_at);
        let prune_at = self.options.retention().until(&row.kind, row.created_at, ended_at);
        self.next_prune = Some(self.next_prune.map_or(prune_at, |next| next.min(prune_at)));
        Ok(())
    }

    fn due_at(&mut self, due: Timestamp) {
        self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
    }

    fn tell(&mut self, id: JobId, owner: Arc<str>, kind: &str, queue: &str, state: JobState, attempt: u16) {
        let event = Event::JobChanged { job_id: id, kind: kind.to_owned(), queue: queue.to_owned(), state, attempt };
        self.batch.events.push((Some(owner), event));
    }
}

impl Drop for ShardWriter {
    /// The engine's other shards go on without this one.
    fn drop(&mut self) {
        for (_, leased) in self.leased.drain() {
            self.options.gate.leave_for_good(&leased.scopes);
        }
        self.options.gate.add_waiting(-std::mem::take(&mut self.waiting));
    }
}

impl Store for ShardWriter {
    type Request = Request;

    fn apply(&mut self, connection: &Connection, request: Request) -> Applied {
        let Batch { events, cancels, measured, batches, freed, .. } = &self.batch;
        let before = (events.len(), cancels.len(), measured.len(), batches.len(), freed.len());
        let applied = self.run(connection, request);
        if !matches!(applied, Applied::Keep) {
            self.stale = true;
            self.batch.events.truncate(before.0);
            self.batch.cancels.truncate(before.1);
            self.batch.measured.truncate(before.2);
            self.batch.batches.truncate(before.3);
            self.batch.freed.truncate(before.4);
            // What comes in the same batch must not meet lanes that are wrong.
            self.ready = Ready::new(self.options.number, Arc::clone(&self.options.gate));
        }
        applied
    }

    fn undoes_itself(&self, request: &Request) -> bool {
        match request {
            Request::Enqueue { .. } | Request::Depths { .. } => true,
            // Reads first. A write that fails after that is the disk's fault, and so everybody's.
            Request::Finish { items, .. } => items.len() == 1,
            _ => false,
        }
    }

    fn refuse(&mut self, request: Request, error: StoreError) {
        match request {
            // Memory knows them, as of some commits ago at the worst.
            Request::Depths { reply } if !error.is_quarantined() => drop(reply.send(Ok(self.depths()))),
            Request::Opened(scopes) => self.ready.open(&scopes),
            request => Self::decline(request, error),
        }
    }

    fn decline(request: Request, error: StoreError) {
        request.refuse(error);
    }

    fn settle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.claimers.retain(|claimer| !claimer.budget.is_closed() && !claimer.sink.is_closed());
        if self.stale {
            self.read_memory(connection)?;
        }
        if !self.undelivered.is_empty() {
            let items = self.undelivered.clone();
            self.release(connection, &items)?;
            self.batch.released = items.len();
        }
        let now = self.now();
        self.watch_clock(connection, now)?;
        self.run_due(connection, now)?;
        self.grant(connection, now)
    }

    fn committed(&mut self, _: &Connection, outcome: Result<(), StoreError>) {
        let Batch {
            answers,
            events,
            cancels,
            grants,
            started,
            measured,
            batches,
            joined,
            released,
            freed,
            wall_ahead_ms,
        } = std::mem::take(&mut self.batch);
        match &outcome {
            Ok(()) => {
                self.shared.store(self.counts);
                self.undelivered.drain(..released);
                self.wall_ahead_ms = wall_ahead_ms.unwrap_or(self.wall_ahead_ms);
                for (owner, key, id) in freed {
                    self.options.gate.drop_unique(&owner, &key, id);
                }
                self.deliver(grants);
                self.measure(measured);
                for cancel in cancels {
                    // Nobody listens while the node stops.
                    let _ = self.options.cancels.send(cancel);
                }
                for batch in batches {
                    // The same.
                    let _ = self.options.batches.send(batch);
                }
                self.options.events.publish_all(events);
            }
            Err(_) => {
                for (index, jobs) in grants {
                    let claimer = &self.claimers[index];
                    claimer.budget.give_back(jobs.len() as u64);
                    let _ = claimer.sink.send(Grant::new());
                }
                for key in started {
                    self.undo_start(key);
                }
                // They are told that they are not registered, and try again.
                self.claimers.retain(|claimer| !joined.iter().any(|budget| Arc::ptr_eq(budget, &claimer.budget)));
                self.stale = true;
                // What was due or ready still is.
                self.next_due = Some(self.now());
            }
        }
        for answer in answers {
            answer(outcome.clone());
        }
    }

    fn due_in(&self) -> Option<Duration> {
        if !self.undelivered.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.now();
        let wait = |at: Timestamp| Duration::from_millis((at.as_millis() - now.as_millis()).max(0).unsigned_abs());
        let due = self.next_due.map(|due| wait(due).min(SLEEP_MAX));
        let steady = self.steady_now();
        let opens = self.ready.opens_at().map(|at| Duration::from_millis((at - steady).max(0).unsigned_abs()));
        let next_prune = self.next_prune.filter(|_| !self.options.keeps_ended);
        let prune = next_prune.map(|due| wait(due).min(PRUNE_SLEEP_MAX));
        due.into_iter().chain(opens).chain(prune).min()
    }
}
