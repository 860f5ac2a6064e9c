//! The handle on one shard: requests to its writer, reads from its readers.

use std::{
    ops::Add,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use flowork_api_types::{
    BatchId, JobId, ShardNumber,
    engine::{FinishAnswer, RenewOutcome},
    job::{Attempt, JobState, LogLine},
};
use flowork_sqlite::{
    GroupWriter, Health, Open, OpenError, Readers, Requests, StoreError, leave_as_it_is, open_writer_again,
    open_writer_checked,
};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    BatchRow, BatchSums, Budget, DeadFilter, DeadPage, ListFilter, ListPage, Lookup, QueueDepth, Retention, batches,
    insert,
    inspect::{self, Cursor, RowsPage},
    read,
    requests::{ActOutcome, Actor, Claimer, EnqueueOutcome, FinishRow, NewBatch, NewJob, RenewRow, Reply, Request},
    schema::SCHEMA,
    writer::ShardWriter,
};
use crate::{Clock, Events, limits::Gate, measures::Measures};

/// Jobs of each open state. Signed, because the writer adds differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) scheduled: i64,
    pub(crate) queued: i64,
    pub(crate) leased: i64,
}

impl Counts {
    /// Adds `by` jobs to a state; final states are not counted.
    pub(super) fn add(&mut self, state: JobState, by: i64) {
        match state {
            JobState::Scheduled => self.scheduled += by,
            JobState::Queued => self.queued += by,
            JobState::Leased => self.leased += by,
            JobState::Completed | JobState::Failed | JobState::Cancelled | JobState::Expired => {}
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            scheduled: self.scheduled + other.scheduled,
            queued: self.queued + other.queued,
            leased: self.leased + other.leased,
        }
    }
}

/// The counts as of the last commit, for readers on other threads.
#[derive(Debug, Default)]
pub(super) struct SharedCounts {
    scheduled: AtomicI64,
    queued: AtomicI64,
    leased: AtomicI64,
}

impl SharedCounts {
    pub(super) fn store(&self, counts: Counts) {
        self.scheduled.store(counts.scheduled, Ordering::Relaxed);
        self.queued.store(counts.queued, Ordering::Relaxed);
        self.leased.store(counts.leased, Ordering::Relaxed);
    }
}

/// What a shard needs to know.
#[derive(Clone)]
pub(crate) struct ShardOptions {
    pub(crate) number: ShardNumber,
    pub(crate) clock: Clock,
    pub(crate) events: Events,
    /// Its workers are in this process, so a lease found at start belongs to nobody.
    pub(crate) local: bool,
    /// Nothing is claimed while this is set.
    pub(crate) draining: Arc<AtomicBool>,
    /// Hears which leased jobs a person wants ended.
    pub(crate) cancels: mpsc::UnboundedSender<JobId>,
    /// Hears of which batches a job has ended.
    pub(crate) batches: mpsc::UnboundedSender<BatchId>,
    /// Of the shard's engine.
    pub(crate) gate: Arc<Gate>,
    /// Of the shard's engine.
    pub(crate) measures: Arc<Measures>,
    /// How long ended jobs are kept.
    pub(crate) retention: Arc<RwLock<Arc<Retention>>>,
    /// They stay, also when their time is over.
    pub(crate) keeps_ended: bool,
}

impl ShardOptions {
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(super) fn retention(&self) -> Arc<Retention> {
        Arc::clone(&self.retention.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One shard. Cheap to share behind an `Arc`.
pub(crate) struct Shard {
    requests: Requests<Request>,
    readers: Readers,
    counts: Arc<SharedCounts>,
    writer: std::sync::Mutex<Option<GroupWriter<Request>>>,
    health: Health,
}

impl Shard {
    /// Opens or makes the file. Blocks.
    pub(crate) fn open(path: &Path, options: &ShardOptions, health: Health) -> Result<Self, OpenError> {
        let counts = Arc::new(SharedCounts::default());
        let mut open = opening(path.to_owned(), options.clone(), Arc::clone(&counts));
        let opened = open()?;
        Self::start(Some(opened), open, options, counts, health)
    }

    /// A shard whose file can't be read or written at present: every call is refused until it can be opened.
    pub(crate) fn unopened(path: &Path, options: &ShardOptions, health: Health) -> Result<Self, OpenError> {
        let counts = Arc::new(SharedCounts::default());
        let open = opening(path.to_owned(), options.clone(), Arc::clone(&counts));
        Self::start(None, open, options, counts, health)
    }

    fn start(
        opened: Option<(Connection, ShardWriter)>,
        open: Open<ShardWriter>,
        options: &ShardOptions,
        counts: Arc<SharedCounts>,
        health: Health,
    ) -> Result<Self, OpenError> {
        let (number, gate) = (options.number, Arc::clone(&options.gate));
        let writer = GroupWriter::reopening(opened, open, health.clone())?;
        let requests = writer.requests();
        gate.join(
            number,
            Arc::new(move |scopes| {
                // A closed shard claims nothing.
                let _ = requests.send(Request::Opened(scopes));
            }),
        );
        Ok(Self {
            requests: writer.requests(),
            readers: Readers::with_health(health.clone()),
            counts,
            writer: std::sync::Mutex::new(Some(writer)),
            health,
        })
    }

    /// A shard whose file is left alone: every call is refused.
    pub(crate) fn in_quarantine(health: Health) -> Self {
        Self {
            requests: Requests::to_nobody(health.clone()),
            readers: Readers::with_health(health.clone()),
            counts: Arc::default(),
            writer: std::sync::Mutex::new(None),
            health,
        }
    }

    /// Whether its file can be trusted.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Sent by the time this returns; the future is the answer.
    pub(crate) fn enqueue(&self, job: NewJob) -> impl Future<Output = Result<EnqueueOutcome, StoreError>> + use<> {
        self.ask(|reply| Request::Enqueue { job: Box::new(job), reply })
    }

    /// Sent by the time this returns; the future is the answer.
    pub(crate) fn renew(
        &self,
        items: Vec<RenewRow>,
    ) -> impl Future<Output = Result<Vec<RenewOutcome>, StoreError>> + use<> {
        self.ask(|reply| Request::Renew { items, reply })
    }

    pub(crate) async fn finish(
        &self,
        items: Vec<FinishRow>,
        slots: Option<Arc<Budget>>,
    ) -> Result<Vec<FinishAnswer>, StoreError> {
        self.ask(|reply| Request::Finish { items, slots, reply }).await
    }

    /// Sent by the time this returns; the future is the answer.
    pub(crate) fn release(
        &self,
        items: Vec<(JobId, u32)>,
        slots: Option<Arc<Budget>>,
    ) -> impl Future<Output = Result<(), StoreError>> + use<> {
        self.ask(|reply| Request::Release { items, slots, reply })
    }

    pub(crate) async fn cancel(&self, id: JobId, actor: Actor) -> Result<ActOutcome, StoreError> {
        self.ask(|reply| Request::Cancel { id, actor, reply }).await
    }

    pub(crate) async fn requeue(&self, id: JobId, actor: Actor) -> Result<ActOutcome, StoreError> {
        self.ask(|reply| Request::Requeue { id, actor, reply }).await
    }

    /// Answers how many of them came back.
    pub(crate) async fn requeue_many(
        &self,
        ids: Vec<JobId>,
        actor: Actor,
        to_queue: Option<Arc<str>>,
    ) -> Result<u64, StoreError> {
        self.ask(|reply| Request::RequeueMany { ids, actor, to_queue, reply }).await
    }

    pub(crate) async fn depths(&self) -> Result<Vec<QueueDepth>, StoreError> {
        self.ask(|reply| Request::Depths { reply }).await
    }

    pub(crate) async fn open_batch(&self, batch: NewBatch) -> Result<(), StoreError> {
        self.ask(|reply| Request::OpenBatch { batch, reply }).await
    }

    pub(crate) async fn seal_batch(&self, batch: BatchId, jobs: u64) -> Result<(), StoreError> {
        self.ask(|reply| Request::SealBatch { batch, jobs, reply }).await
    }

    pub(crate) async fn close_batch(
        &self,
        batch: BatchId,
        callback: Option<Result<JobId, String>>,
    ) -> Result<(), StoreError> {
        self.ask(|reply| Request::CloseBatch { batch, callback, reply }).await
    }

    /// A batch whose own row is in this shard.
    pub(crate) async fn batch(&self, batch: BatchId) -> Result<Option<BatchRow>, StoreError> {
        self.readers.read(move |connection| batches::find(connection, batch)).await
    }

    /// What became of a batch's jobs in this shard.
    pub(crate) async fn batch_sums(&self, batch: BatchId) -> Result<BatchSums, StoreError> {
        self.readers.read(move |connection| batches::sums(connection, batch)).await
    }

    /// Sealed batches of this shard that have not been closed.
    pub(crate) async fn unfinished_batches(&self) -> Result<Vec<BatchId>, StoreError> {
        self.readers.read(batches::unfinished).await
    }

    /// Ended jobs to ask for again, newest first, and whether there may be more.
    pub(crate) async fn find_dead(&self, filter: DeadFilter) -> Result<DeadPage, StoreError> {
        self.readers.read(move |connection| read::find_dead(connection, &filter)).await
    }

    /// Registers somebody who takes jobs. When it answers, what was ready has gone to the claimer's sink.
    pub(crate) async fn claim(&self, claimer: Claimer) -> Result<(), StoreError> {
        self.ask(|reply| Request::Claim { claimer, reply }).await
    }

    /// Tells the writer that something outside changed.
    pub(crate) fn poke(&self) {
        // A closed shard has nothing left to do.
        let _ = self.requests.send(Request::Poke);
    }

    pub(crate) async fn lookup(&self, id: JobId, actor: Actor) -> Result<Lookup, StoreError> {
        self.readers.read(move |connection| read::lookup(connection, id, &actor)).await
    }

    pub(crate) async fn list(&self, filter: ListFilter) -> Result<ListPage, StoreError> {
        self.readers.read(move |connection| read::list(connection, &filter)).await
    }

    pub(crate) async fn attempts(&self, id: JobId, actor: Actor) -> Result<Option<Vec<Attempt>>, StoreError> {
        self.readers.read(move |connection| read::attempts(connection, id, &actor)).await
    }

    pub(crate) async fn logs(
        &self,
        id: JobId,
        actor: Actor,
        after: u64,
        limit: u32,
    ) -> Result<Option<Vec<LogLine>>, StoreError> {
        self.readers.read(move |connection| read::logs(connection, id, &actor, after, limit)).await
    }

    /// The job that an idempotency key was first used for, with the hash of its request.
    pub(crate) async fn find_key(&self, owner: Arc<str>, key: String) -> Result<Option<(JobId, [u8; 32])>, StoreError> {
        self.readers.read(move |connection| insert::find_key(connection, &owner, &key)).await
    }

    /// Looks for damage in up to `limit` rows from `cursor` on.
    pub(crate) async fn inspect(&self, cursor: Cursor, index: u16, limit: u32) -> Result<RowsPage, StoreError> {
        self.readers.read(move |connection| inspect::next_page(connection, &cursor, index, limit)).await
    }

    /// As of the last commit.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            scheduled: self.counts.scheduled.load(Ordering::Relaxed),
            queued: self.counts.queued.load(Ordering::Relaxed),
            leased: self.counts.leased.load(Ordering::Relaxed),
        }
    }

    /// Finishes what was asked before and ends the writer. Blocks.
    pub(crate) fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        drop(writer);
    }

    fn ask<T, R: FnOnce(Reply<T>) -> Request>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<T, StoreError>> + use<T, R> {
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(request(reply));
        async move {
            sent?;
            answer.await.map_err(|_| StoreError::Closed)?
        }
    }
}

/// Opens a shard's file as often as that is wanted. Workers of this process that held jobs when it was open before may
/// still run them, so only the first time do its leases belong to nobody.
fn opening(path: PathBuf, options: ShardOptions, counts: Arc<SharedCounts>) -> Open<ShardWriter> {
    let (mut is_first, mut tries) = (true, 0_u32);
    Box::new(move || {
        let options = ShardOptions { local: options.local && is_first, ..options.clone() };
        let at = |source| OpenError::Sqlite { path: path.clone(), source };
        let open = if tries == 0 { open_writer_checked } else { open_writer_again };
        tries += 1;
        let connection = open(&path, &SCHEMA)?;
        // They list states that a type here already bounds, and SQLite builds a table for such a list at each write.
        connection.pragma_update(None, "ignore_check_constraints", true).map_err(at)?;
        let store = ShardWriter::load(&connection, options, Arc::clone(&counts))
            .inspect_err(|_| leave_as_it_is(&connection))
            .map_err(at)?;
        is_first = false;
        Ok((connection, store))
    })
}
