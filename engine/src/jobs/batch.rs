//! Batches: many jobs enqueued at once, and a job that follows when all of them have ended.

mod unended;

use std::sync::Arc;

use flowork_api_types::{
    BatchId, JobId,
    event::Event,
    job::{Batch, BatchRequest, EnqueueRequest},
};
use flowork_sqlite::StoreError;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use unended::Unended;

use super::{
    Caller,
    enqueue::{EnqueueError, Enqueued, hash::batch_hash},
};
use crate::{
    engines::Engines,
    store::{BatchRow, BatchSums, NewBatch, Shard},
};

/// A batch that has a name.
#[derive(Clone, Debug)]
pub struct NamedBatch {
    /// Of the batch itself; with the caller it makes the batch's id.
    pub idempotency_key: String,
    /// A job to enqueue when all others have ended.
    pub callback: Option<EnqueueRequest>,
    /// Two requests with one hash are the same request.
    request_hash: [u8; 32],
}

impl NamedBatch {
    /// The batch of a request, under the key that came with it.
    pub fn new(idempotency_key: String, request: &BatchRequest) -> Self {
        Self { idempotency_key, callback: request.callback.clone(), request_hash: batch_hash(request) }
    }
}

/// Why a batch can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum BatchLookupError {
    /// No such batch, or none that the caller may see.
    #[error("there is no batch {batch_id}")]
    NotFound {
        /// As it was asked for.
        batch_id: BatchId,
    },
    /// The store failed.
    #[error("the batch could not be read")]
    Store(#[from] StoreError),
}

impl Engines {
    /// Enqueues many jobs at once; they share fsyncs, and one bad entry fails alone. With a name the batch can be looked
    /// at, sent again, and followed by a job.
    ///
    /// # Errors
    /// [`EnqueueError::InvalidIdempotencyKey`], [`EnqueueError::BatchKeyReused`], and what
    /// [`check_request`](Self::check_request) says of the callback: no job was enqueued. [`EnqueueError::Store`]: jobs may
    /// be in, of a batch that is not whole before the same request is sent again.
    pub async fn enqueue_batch(
        &self,
        caller: &Caller,
        named: Option<NamedBatch>,
        entries: Vec<(String, Result<EnqueueRequest, EnqueueError>)>,
        trace_id: String,
    ) -> Result<(Option<BatchId>, Vec<Result<Enqueued, EnqueueError>>), EnqueueError> {
        let batch = match named {
            Some(named) => Some(self.open_batch(caller, named).await?),
            None => None,
        };
        let enqueues = entries.into_iter().map(|(key, request)| {
            let trace_id = trace_id.clone();
            async move { self.enqueue_in(caller, &key, request?, trace_id, batch).await }
        });
        let outcomes = futures_util::future::join_all(enqueues).await;
        if let Some(batch) = batch {
            // Whoever is told to come back sends the batch again, and it is not whole before that.
            if !outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(EnqueueError::is_passing)) {
                let jobs = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
                self.home_of(batch)?.seal_batch(batch, jobs).await?;
                // All of them may have ended before the batch was sealed.
                self.batch_moved(batch);
            }
        }
        Ok((batch, outcomes))
    }

    /// A batch with what became of its jobs.
    ///
    /// # Errors
    /// See [`BatchLookupError`].
    pub async fn batch(&self, caller: &Caller, id: BatchId) -> Result<Batch, BatchLookupError> {
        let not_found = || BatchLookupError::NotFound { batch_id: id };
        let row = self.home_of(id)?.batch(id).await?.ok_or_else(not_found)?;
        if !caller.actor().may_see(&row.owner) {
            return Err(not_found());
        }
        Ok(row.into_batch(self.batch_sums(id).await?))
    }

    /// Closes batches as their last jobs end, and those that ended unnoticed before a start.
    pub(crate) fn finish_batches(&self, mut moved: mpsc::UnboundedReceiver<BatchId>) {
        let (engines, stopping) = (self.clone(), self.stopping());
        self.spawn(async move {
            let mut unended = Unended::of(engines.all_shards());
            let mut ended = Vec::new();
            loop {
                let next_try = unended.next_try();
                tokio::select! {
                    count = moved.recv_many(&mut ended, 1_024) => {
                        if count == 0 {
                            return;
                        }
                        unended.close(&engines, ended.drain(..).collect()).await;
                    }
                    () = sleep_until(next_try.unwrap_or_else(Instant::now)), if next_try.is_some() => {
                        unended.retry(&engines).await;
                    }
                    () = stopping.cancelled() => return,
                }
            }
        });
    }

    async fn open_batch(&self, caller: &Caller, named: NamedBatch) -> Result<BatchId, EnqueueError> {
        super::enqueue::check_key(&named.idempotency_key)?;
        if let Some(callback) = &named.callback {
            self.check_request(callback)?;
        }
        let id = batch_id(&caller.subject, &named.idempotency_key);
        let callback = named.callback.map(|job| serde_json::to_string(&job).expect("a request is always JSON"));
        let request_hash = named.request_hash;
        let batch = NewBatch { id, owner: Arc::clone(&caller.subject), callback, request_hash };
        let home = self.home_of(id)?;
        let stored = loop {
            home.open_batch(batch.clone()).await?;
            // One that was there may be so old that it went in between.
            if let Some(row) = home.batch(id).await? {
                break row.request_hash;
            }
        };
        match stored {
            Some(stored) if stored != request_hash => Err(EnqueueError::BatchKeyReused { batch_id: id }),
            // A batch of an older version has none.
            Some(_) | None => Ok(id),
        }
    }

    fn batch_moved(&self, batch: BatchId) {
        // Nobody listens while the node stops; the next start looks.
        let _ = self.batch_moves().send(batch);
    }

    /// Closes a batch if all its jobs have ended; tells whether there is nothing to try again. `again`: a try failed.
    async fn end_batch(&self, id: BatchId, again: bool) -> bool {
        match self.try_end_batch(id, again).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(batch = %id, error = &error as &dyn std::error::Error, "a batch could not be closed yet");
                false
            }
        }
    }

    async fn try_end_batch(&self, id: BatchId, again: bool) -> Result<(), EnqueueError> {
        let home = self.home_of(id)?;
        let Some(row) = home.batch(id).await? else { return Ok(()) };
        // One that was closed was told of, unless the try that closed it failed after its commit.
        if row.jobs.is_none() || (row.finished_at.is_some() && !again) {
            return Ok(());
        }
        let sums = self.batch_sums(id).await?;
        if sums.open > 0 {
            return Ok(());
        }
        if row.finished_at.is_none() {
            let callback = match &row.callback {
                Some(callback) => Some(self.enqueue_callback(&row, callback, sums).await?),
                None => None,
            };
            home.close_batch(id, callback).await?;
        }
        let BatchSums { open: _, completed, failed, cancelled, expired } = sums;
        let finished = Event::BatchFinished { batch_id: id, completed, failed, cancelled, expired };
        self.events().publish(Some(row.owner), finished);
        Ok(())
    }

    /// Once for each batch, however often it is tried: the batch's id is the idempotency key. A refusal that time may
    /// mend comes back as an error, so that it is tried again.
    async fn enqueue_callback(
        &self,
        row: &BatchRow,
        callback: &str,
        sums: BatchSums,
    ) -> Result<Result<JobId, String>, EnqueueError> {
        let Ok(mut request) = serde_json::from_str::<EnqueueRequest>(callback) else {
            return Ok(Err("the stored callback is damaged".to_owned()));
        };
        if let Some(place) = request.payload.as_object_mut().and_then(|payload| payload.get_mut("batch")) {
            *place = serde_json::json!({
                "id": row.id, "completed": sums.completed, "failed": sums.failed, "cancelled": sums.cancelled,
                "expired": sums.expired,
            });
        }
        let caller = Caller { subject: Arc::clone(&row.owner), sees_all: false, may_act: true };
        let key = format!("batch:{}", row.id);
        let trace_id = format!("{:032x}", rand::random::<u128>());
        match self.enqueue(&caller, &key, request, trace_id).await {
            Ok(enqueued) => Ok(Ok(enqueued.job.summary.id)),
            // It was enqueued before a crash, when the counts were others.
            Err(EnqueueError::IdempotencyKeyReused { original }) => Ok(Ok(original)),
            Err(error) if error.is_passing() => Err(error),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    async fn batch_sums(&self, id: BatchId) -> Result<BatchSums, StoreError> {
        let mut sums = BatchSums::default();
        for shard in self.all_shards() {
            sums.add(shard.batch_sums(id).await?);
        }
        Ok(sums)
    }

    pub(crate) fn all_shards(&self) -> Vec<Arc<Shard>> {
        self.hosts().iter().flat_map(|host| host.all_shards()).collect()
    }

    /// The shard with the batch's own row: always one of the first engine, which every node has.
    fn home_of(&self, id: BatchId) -> Result<Arc<Shard>, StoreError> {
        let hosts = self.hosts();
        let first = hosts.first().ok_or(StoreError::Closed)?;
        let shards = first.all_shards();
        let place = id.as_uuid().as_u128() % shards.len().max(1) as u128;
        shards.get(place as usize).cloned().ok_or(StoreError::Closed)
    }
}

/// The same for the same caller and key.
fn batch_id(owner: &str, key: &str) -> BatchId {
    let mut hasher = blake3::Hasher::new_derive_key("flowork batch id 1");
    for part in [owner, key] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let bytes: [u8; 16] = hasher.finalize().as_bytes()[..16].try_into().expect("a hash has 32 bytes");
    BatchId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_named_by_its_caller_and_key() {
        assert_eq!(batch_id("a", "b"), batch_id("a", "b"));
        assert_ne!(batch_id("a", "b"), batch_id("ab", ""));
        assert_eq!(batch_id("a", "b").as_uuid().get_version_num(), 8);
    }
}
