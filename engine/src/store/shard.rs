//! The handle on one shard: requests to its writer, reads from its readers.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use flowork_api_types::{
    JobId, ShardNumber,
    engine::{FinishAnswer, RenewOutcome},
    job::{Attempt, JobState, LogLine},
};
use flowork_sqlite::{GroupWriter, OpenError, Readers, Requests, StoreError, open_writer};
use tokio::sync::{mpsc, oneshot};

use super::{
    ListFilter, ListPage, Lookup, insert, read,
    requests::{ActOutcome, Actor, Budget, Claimer, EnqueueOutcome, FinishRow, NewJob, RenewRow, Reply, Request},
    schema::SCHEMA,
    writer::ShardWriter,
};
use crate::{Clock, Events};

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
}

/// One shard. Cheap to share behind an `Arc`.
pub(crate) struct Shard {
    requests: Requests<Request>,
    readers: Readers,
    counts: Arc<SharedCounts>,
    writer: std::sync::Mutex<Option<GroupWriter<Request>>>,
}

impl Shard {
    /// Opens or makes the file. Blocks.
    pub(crate) fn open(path: &Path, options: ShardOptions) -> Result<Self, OpenError> {
        let connection = open_writer(path, &SCHEMA)?;
        let counts = Arc::new(SharedCounts::default());
        let store = ShardWriter::load(&connection, options, Arc::clone(&counts))
            .map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
        let writer = GroupWriter::start(path, connection, store)?;
        Ok(Self {
            requests: writer.requests(),
            readers: Readers::new(path.to_owned()),
            counts,
            writer: std::sync::Mutex::new(Some(writer)),
        })
    }

    pub(crate) async fn enqueue(&self, job: NewJob) -> Result<EnqueueOutcome, StoreError> {
        self.ask(|reply| Request::Enqueue { job: Box::new(job), reply }).await
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

    pub(crate) async fn requeue(&self, id: JobId, actor: Actor, full: bool) -> Result<ActOutcome, StoreError> {
        self.ask(|reply| Request::Requeue { id, actor, full, reply }).await
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
