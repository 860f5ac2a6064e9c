//! What a shard's writer thread does with its requests, and when the batch is settled: due work first, then claims.
//!
//! Claims are served at the end of a batch, inside its transaction. So a job that is enqueued while a worker waits is
//! enqueued and claimed with one fsync, and so is a finish with the claim that follows it.

mod grants;

use std::{sync::Arc, time::Duration};

use flowork_api_types::{
    JobId, Timestamp,
    engine::{FinishAnswer, RenewOutcome},
    event::Event,
    job::{AttemptOutcome, JobState},
};
use flowork_sqlite::{Applied, Store, StoreError};
use rusqlite::Connection;

use super::{
    LEASE,
    claims::{self, make_ready},
    finish::{self, Finished, Table, find, retire, revive},
    insert::{self, Keys},
    read,
    requests::{ActOutcome, Actor, Budget, Claimer, EnqueueOutcome, FinishRow, Grant, RenewRow, Request},
    rows::JobRow,
    shard::{Counts, ShardOptions, SharedCounts},
    transitions::{self, Reclaim},
};

/// The longest the writer sleeps towards a due time. The wall clock may be set or the machine may sleep meanwhile, and
/// a waiting thread notices neither.
const SLEEP_MAX: Duration = Duration::from_secs(30);

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type OwnedEvent = (Option<Arc<str>>, Event);

/// The writer's state. What is in `batch` becomes true with the commit, or is dropped.
pub(super) struct ShardWriter {
    options: ShardOptions,
    keys: Keys,
    claimers: Vec<Claimer>,
    /// Index of the claimer that is served first next, so that they take turns.
    turn: usize,
    committed: Counts,
    shared: Arc<SharedCounts>,
    next_due: Option<Timestamp>,
    /// Claimed, but whoever wanted them has gone; released with the next batch.
    undelivered: Vec<(JobId, u32)>,
    batch: Batch,
}

#[derive(Default)]
struct Batch {
    counts: Counts,
    /// Counts can't be trusted: a request was undone.
    recount: bool,
    /// The due time can't be trusted.
    redue: bool,
    answers: Vec<Answer>,
    events: Vec<OwnedEvent>,
    cancels: Vec<JobId>,
    grants: Vec<(usize, Grant)>,
    /// Of claimers that registered in this batch.
    joined: Vec<Arc<Budget>>,
    /// How many of the undelivered are released in it.
    released: usize,
}

impl ShardWriter {
    pub(super) fn load(
        connection: &Connection,
        options: ShardOptions,
        shared: Arc<SharedCounts>,
    ) -> rusqlite::Result<Self> {
        read::touch(connection)?;
        if options.local {
            let transaction = connection.unchecked_transaction()?;
            while !transitions::reclaim(&transaction, Reclaim::Orphaned, options.clock.now())?.is_empty() {}
            transaction.commit()?;
        } else {
            transitions::extend_leases(connection, Self::lease_end(options.clock.now()))?;
        }
        let committed = read::count(connection)?;
        shared.store(committed);
        Ok(Self {
            keys: Keys::load(connection, options.number)?,
            claimers: Vec::new(),
            turn: 0,
            committed,
            shared,
            next_due: transitions::next_due(connection)?,
            undelivered: Vec::new(),
            batch: Batch { counts: committed, ..Batch::default() },
            options,
        })
    }

    fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    fn lease_end(now: Timestamp) -> Timestamp {
        Timestamp(now.as_millis() + LEASE.as_millis() as i64)
    }

    /// Notes that a job went from one state to another, for counts, timers and events.
    fn moved(&mut self, from: Option<JobState>, row: &JobRow) {
        if let Some(from) = from {
            self.batch.counts.add(from, -1);
        }
        self.batch.counts.add(row.state, 1);
        let due = match row.state {
            JobState::Scheduled => Some(row.run_at),
            JobState::Leased => row.lease_expires_at,
            _ => None,
        };
        for due in [due, row.expires_at.filter(|_| row.attempt == 0 && !row.state.is_final())].into_iter().flatten() {
            self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
        }
        self.batch.events.push((
            Some(Arc::clone(&row.owner)),
            Event::JobChanged {
                job_id: row.id,
                kind: row.kind.clone(),
                queue: row.queue.clone(),
                state: row.state,
                attempt: row.attempt,
            },
        ));
    }

    fn enqueue(&mut self, connection: &Connection, job: &super::NewJob) -> rusqlite::Result<EnqueueOutcome> {
        let now = self.now();
        let outcome = insert::enqueue(connection, &mut self.keys, now, job)?;
        if let EnqueueOutcome::Created(row) = &outcome {
            self.moved(None, row);
        }
        Ok(outcome)
    }

    fn renew(&mut self, connection: &Connection, items: Vec<RenewRow>) -> rusqlite::Result<Vec<RenewOutcome>> {
        let lease_end = Self::lease_end(self.now());
        let mut outcomes = Vec::with_capacity(items.len());
        for item in items {
            let renewed = claims::renew(connection, &item, lease_end)?;
            if renewed.owner.is_some()
                && let Some(progress) = item.progress
            {
                let event = Event::JobProgress { job_id: item.id, progress };
                self.batch.events.push((renewed.owner.clone(), event));
            }
            if !renewed.lines.is_empty() {
                self.batch.events.push((renewed.owner, Event::JobLog { job_id: item.id, lines: renewed.lines }));
            }
            outcomes.push(renewed.outcome);
        }
        Ok(outcomes)
    }

    fn finish(&mut self, connection: &Connection, items: &[FinishRow]) -> rusqlite::Result<Vec<FinishAnswer>> {
        let now = self.now();
        let mut answers = Vec::with_capacity(items.len());
        for item in items {
            answers.push(match finish::finish(connection, item, now)? {
                Finished::Moved(row, lines) => {
                    if let Some(progress) = &item.progress {
                        let event = Event::JobProgress { job_id: item.id, progress: progress.clone() };
                        self.batch.events.push((Some(Arc::clone(&row.owner)), event));
                    }
                    if !lines.is_empty() {
                        let event = Event::JobLog { job_id: item.id, lines };
                        self.batch.events.push((Some(Arc::clone(&row.owner)), event));
                    }
                    self.moved(Some(JobState::Leased), &row);
                    FinishAnswer::Accepted
                }
                Finished::Unchanged(answer) => answer,
            });
        }
        Ok(answers)
    }

    fn release(&mut self, connection: &Connection, items: &[(JobId, u32)]) -> rusqlite::Result<()> {
        let now = self.now();
        for &(id, epoch) in items {
            if let Some(mut row) = claims::held(connection, id, epoch)? {
                if row.cancel_requested {
                    claims::record_attempt(connection, &row, AttemptOutcome::Cancelled, now)?;
                    retire(connection, &mut row, JobState::Cancelled, None, now)?;
                } else {
                    make_ready(connection, &mut row, AttemptOutcome::Released, now, false)?;
                }
                self.moved(Some(JobState::Leased), &row);
            }
        }
        Ok(())
    }

    fn cancel(&mut self, connection: &Connection, id: JobId, actor: &Actor) -> rusqlite::Result<ActOutcome> {
        let now = self.now();
        if let Some(mut row) = find(connection, Table::Job, id)?.filter(|row| actor.may_see(&row.owner)) {
            let from = row.state;
            if from == JobState::Leased {
                connection.prepare_cached("UPDATE job SET cancel_requested = 1 WHERE key = ?1")?.execute([id.key()])?;
                self.batch.cancels.push(id);
            } else {
                retire(connection, &mut row, JobState::Cancelled, None, now)?;
            }
            self.moved(Some(from), &row);
            return Ok(ActOutcome::Done);
        }
        Ok(match find(connection, Table::Finished, id)?.filter(|row| actor.may_see(&row.owner)) {
            Some(row) => ActOutcome::InvalidState(row.state),
            None => ActOutcome::NotFound,
        })
    }

    fn requeue(
        &mut self,
        connection: &Connection,
        id: JobId,
        actor: &Actor,
        full: bool,
    ) -> rusqlite::Result<ActOutcome> {
        let now = self.now();
        if let Some(mut row) = find(connection, Table::Finished, id)?.filter(|row| actor.may_see(&row.owner)) {
            if row.state == JobState::Completed {
                return Ok(ActOutcome::InvalidState(row.state));
            }
            if full {
                return Ok(ActOutcome::QueueFull);
            }
            revive(connection, &mut row, now)?;
            self.moved(None, &row);
            return Ok(ActOutcome::Done);
        }
        Ok(match find(connection, Table::Job, id)?.filter(|row| actor.may_see(&row.owner)) {
            Some(row) => ActOutcome::InvalidState(row.state),
            None => ActOutcome::NotFound,
        })
    }

    /// Does one request.
    fn run(&mut self, connection: &Connection, request: Request) -> Applied {
        match request {
            Request::Enqueue { job, reply } => {
                let outcome = self.enqueue(connection, &job);
                self.keep(outcome, reply)
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
                self.keep(outcome, reply)
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
            Request::Requeue { id, actor, full, reply } => {
                let outcome = self.requeue(connection, id, &actor, full);
                self.keep(outcome, reply)
            }
            Request::Poke => Applied::Keep,
        }
    }

    /// Keeps an answer until the commit; an error undoes the request and answers at once what went wrong.
    fn keep<T: Send + 'static>(&mut self, outcome: rusqlite::Result<T>, reply: super::requests::Reply<T>) -> Applied {
        match outcome {
            Ok(value) => {
                self.batch.answers.push(Box::new(move |committed| {
                    // Whoever asked may have gone; what was done stands.
                    let _ = reply.send(committed.map(|()| value));
                }));
                Applied::Keep
            }
            Err(error) => {
                self.batch.recount = true;
                self.batch.redue = true;
                let error = StoreError::from(error);
                let _ = reply.send(Err(error.clone()));
                Applied::Undo(error)
            }
        }
    }

    fn run_due(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        if self.next_due.is_some_and(|due| due <= now) {
            for row in transitions::run_due(connection, now)? {
                // The row is as it is after the change, so what it was before is no longer there.
                self.batch.recount = true;
                self.moved(None, &row);
            }
            self.batch.redue = true;
        }
        if self.batch.redue {
            self.next_due = transitions::next_due(connection)?;
        }
        if self.batch.recount {
            self.batch.counts = read::count(connection)?;
            self.batch.recount = false;
        }
        Ok(())
    }
}

fn give_back(slots: Option<&Arc<Budget>>, count: usize) {
    if let Some(slots) = slots {
        slots.give_back(count as u64);
    }
}

impl Store for ShardWriter {
    type Request = Request;

    fn apply(&mut self, connection: &Connection, request: Request) -> Applied {
        let (events, cancels) = (self.batch.events.len(), self.batch.cancels.len());
        let applied = self.run(connection, request);
        if matches!(applied, Applied::Undo(_)) {
            self.batch.events.truncate(events);
            self.batch.cancels.truncate(cancels);
        }
        applied
    }

    fn refuse(&mut self, request: Request, error: StoreError) {
        match request {
            Request::Enqueue { reply, .. } => drop(reply.send(Err(error))),
            Request::Renew { reply, .. } => drop(reply.send(Err(error))),
            Request::Finish { items, slots, reply } => {
                give_back(slots.as_ref(), items.len());
                drop(reply.send(Err(error)));
            }
            Request::Release { items, slots, reply } => {
                give_back(slots.as_ref(), items.len());
                drop(reply.send(Err(error)));
            }
            Request::Cancel { reply, .. } | Request::Requeue { reply, .. } => drop(reply.send(Err(error))),
            Request::Claim { reply, .. } => drop(reply.send(Err(error))),
            Request::Poke => {}
        }
    }

    fn settle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.claimers.retain(|claimer| !claimer.budget.is_closed() && !claimer.sink.is_closed());
        if !self.undelivered.is_empty() {
            let items = self.undelivered.clone();
            self.release(connection, &items)?;
            self.batch.released = items.len();
        }
        let now = self.now();
        self.run_due(connection, now)?;
        self.grant(connection, now)
    }

    fn committed(&mut self, _: &Connection, outcome: Result<(), StoreError>) {
        let Batch { counts, answers, events, cancels, grants, joined, released, .. } = std::mem::take(&mut self.batch);
        match &outcome {
            Ok(()) => {
                self.committed = counts;
                self.shared.store(counts);
                self.undelivered.drain(..released);
                self.deliver(grants);
                for id in cancels {
                    // No local pool listens for an external engine's jobs.
                    let _ = self.options.cancels.send(id);
                }
                self.options.events.publish_all(events);
            }
            Err(_) => {
                for (index, jobs) in grants {
                    let claimer = &self.claimers[index];
                    claimer.budget.give_back(jobs.len() as u64);
                    let _ = claimer.sink.send(Grant::new());
                }
                // They are told that they are not registered, and try again.
                self.claimers.retain(|claimer| !joined.iter().any(|budget| Arc::ptr_eq(budget, &claimer.budget)));
                // What was due or ready still is.
                self.next_due = Some(self.now());
            }
        }
        self.batch.counts = self.committed;
        for answer in answers {
            answer(outcome.clone());
        }
    }

    fn due_in(&self) -> Option<Duration> {
        if !self.undelivered.is_empty() {
            return Some(Duration::ZERO);
        }
        let due = self.next_due?;
        let wait = (due.as_millis() - self.now().as_millis()).max(0) as u64;
        Some(Duration::from_millis(wait).min(SLEEP_MAX))
    }
}
