//! Batches: jobs that were enqueued together, and the job that follows when all of them have ended.
//!
//! A batch's own row is in the shard that its id leads to; its jobs are wherever their idempotency keys put them. Whether
//! all have ended is asked of every shard, by the index over the jobs that name the batch; nothing is counted along.

use std::sync::Arc;

use flowork_api_types::{
    BatchId, JobId, Timestamp,
    job::{Batch, JobState},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::requests::NewBatch;

/// A batch as stored.
#[derive(Clone, Debug)]
pub(crate) struct BatchRow {
    pub(crate) id: BatchId,
    pub(crate) owner: Arc<str>,
    /// JSON text.
    pub(crate) callback: Option<String>,
    /// Known once the batch is sealed.
    pub(crate) jobs: Option<u64>,
    pub(crate) created_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) callback_error: Option<String>,
    pub(crate) callback_job: Option<JobId>,
    /// Of the request that opened it; `None` if an older version did. Never changes.
    pub(crate) request_hash: Option<[u8; 32]>,
}

/// Jobs of a batch by what became of them, in one shard or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BatchSums {
    pub(crate) open: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) expired: u64,
}

impl BatchSums {
    pub(crate) fn add(&mut self, other: Self) {
        self.open += other.open;
        self.completed += other.completed;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.expired += other.expired;
    }
}

impl BatchRow {
    pub(crate) fn into_batch(self, sums: BatchSums) -> Batch {
        Batch {
            id: self.id,
            created_by: self.owner.to_string(),
            created_at: self.created_at,
            jobs: self.jobs,
            open: sums.open,
            completed: sums.completed,
            failed: sums.failed,
            cancelled: sums.cancelled,
            expired: sums.expired,
            finished_at: self.finished_at,
            callback_job_id: self.callback_job,
            callback_error: self.callback_error,
        }
    }
}

/// Opens a batch, unless it was opened before; then it stays as it is.
pub(super) fn open(connection: &Connection, batch: &NewBatch, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO batch (batch, owner, callback, created_at_ms, request_hash) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![bytes(batch.id), batch.owner, batch.callback, now.as_millis(), batch.request_hash])
        .map(|_| ())
}

/// Notes that all jobs of a batch are in.
pub(super) fn seal(connection: &Connection, batch: BatchId, jobs: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE batch SET jobs = max(coalesce(jobs, 0), ?2) WHERE batch = ?1 AND finished_at_ms IS NULL",
        )?
        .execute(params![bytes(batch), jobs as i64])
        .map(|_| ())
}

/// Notes that all jobs of a batch have ended.
pub(super) fn close(
    connection: &Connection,
    batch: BatchId,
    callback: Option<&Result<JobId, String>>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (job, error) = match callback {
        None => (None, None),
        Some(Ok(job)) => (Some(job), None),
        Some(Err(error)) => (None, Some(error)),
    };
    connection
        .prepare_cached(
            "UPDATE batch SET finished_at_ms = ?2, callback_error = ?3, callback_key = ?4, callback_tail = ?5 \
             WHERE batch = ?1 AND finished_at_ms IS NULL",
        )?
        .execute(params![bytes(batch), now.as_millis(), error, job.map(|id| id.key()), job.map(|id| id.tail())])
        .map(|_| ())
}

/// A batch whose own row is in this shard.
pub(super) fn find(connection: &Connection, batch: BatchId) -> rusqlite::Result<Option<BatchRow>> {
    connection
        .prepare_cached(
            "SELECT batch, owner, callback, jobs, created_at_ms, finished_at_ms, callback_error, callback_key, \
             callback_tail, request_hash FROM batch WHERE batch = ?1",
        )?
        .query_row([bytes(batch)], from_row)
        .optional()
}

/// The sealed batches of this shard that have not been closed.
pub(super) fn unfinished(connection: &Connection) -> rusqlite::Result<Vec<BatchId>> {
    connection
        .prepare_cached("SELECT batch FROM batch WHERE finished_at_ms IS NULL AND jobs IS NOT NULL")?
        .query_map([], |row| row.get::<_, [u8; 16]>(0).map(from_bytes))?
        .collect()
}

/// Whether a job of a batch in this shard has not ended.
pub(super) fn has_open(connection: &Connection, batch: BatchId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM job WHERE batch = ?1)")?
        .query_row([bytes(batch)], |row| row.get(0))
}

/// What became of a batch's jobs in this shard.
pub(super) fn sums(connection: &Connection, batch: BatchId) -> rusqlite::Result<BatchSums> {
    let transaction = connection.unchecked_transaction()?;
    let open: i64 = transaction
        .prepare_cached("SELECT count(*) FROM job WHERE batch = ?1")?
        .query_row([bytes(batch)], |row| row.get(0))?;
    let mut sums = BatchSums { open: open.max(0).unsigned_abs(), ..BatchSums::default() };
    let mut statement =
        transaction.prepare_cached("SELECT state, count(*) FROM finished WHERE batch = ?1 GROUP BY state")?;
    let mut rows = statement.query([bytes(batch)])?;
    while let Some(row) = rows.next()? {
        let jobs = row.get::<_, i64>(1)?.max(0).unsigned_abs();
        match row.get_ref(0)?.as_str()?.parse() {
            Ok(JobState::Completed) => sums.completed = jobs,
            Ok(JobState::Failed) => sums.failed = jobs,
            Ok(JobState::Cancelled) => sums.cancelled = jobs,
            Ok(JobState::Expired) => sums.expired = jobs,
            Ok(JobState::Scheduled | JobState::Queued | JobState::Leased) | Err(_) => {}
        }
    }
    Ok(sums)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<BatchRow> {
    let key: Option<i64> = row.get(7)?;
    Ok(BatchRow {
        id: from_bytes(row.get(0)?),
        owner: row.get(1)?,
        callback: row.get(2)?,
        jobs: row.get::<_, Option<i64>>(3)?.map(|jobs| jobs.max(0).unsigned_abs()),
        created_at: Timestamp(row.get(4)?),
        finished_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        callback_error: row.get(6)?,
        callback_job: key.zip(row.get(8)?).map(|(key, tail)| JobId::from_key_and_tail(key, tail)),
        request_hash: row.get(9)?,
    })
}

fn bytes(batch: BatchId) -> [u8; 16] {
    *batch.as_uuid().as_bytes()
}

fn from_bytes(bytes: [u8; 16]) -> BatchId {
    BatchId::from_uuid(uuid::Uuid::from_bytes(bytes))
}
