//! A job's row, read once into types.

use std::sync::Arc;

use flowork_api_types::{
    BatchId, EngineId, JobId, Timestamp,
    job::{Backoff, Job, JobAction, JobError, JobState, JobSummary, Progress, Redrive},
    limit::LimitTarget,
};
use rusqlite::{Row, types::Type};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::ready::LaneKey;

/// What a look-up of one job gave.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// The job.
    Found(Box<JobRow>),
    /// No such job here, or not for this owner.
    NotFound,
    /// The job's payload or result is not what was stored.
    Corrupt {
        /// `payload` or `result`.
        what: &'static str,
    },
}

/// A job as stored.
#[derive(Clone, Debug)]
pub(crate) struct JobRow {
    pub(crate) id: JobId,
    pub(crate) state: JobState,
    pub(crate) queue: Arc<str>,
    pub(crate) kind: Arc<str>,
    pub(crate) priority: u16,
    pub(crate) run_at: Timestamp,
    pub(crate) owner: Arc<str>,
    pub(crate) attempt: u16,
    pub(crate) attempts_max: u16,
    pub(crate) epoch: u32,
    pub(crate) lease_expires_at: Option<Timestamp>,
    pub(crate) claimed_at: Option<Timestamp>,
    pub(crate) cancel_requested: bool,
    pub(crate) timeout_ms: u64,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) idempotency_key: String,
    pub(crate) trace_id: String,
    pub(crate) tags: Vec<String>,
    pub(crate) backoff: Backoff,
    pub(crate) progress: Option<Progress>,
    pub(crate) error: Option<JobError>,
    pub(crate) unique_key: Option<Arc<str>>,
    /// The concurrency key and its bound.
    pub(crate) concurrency: Option<(Arc<str>, u32)>,
    pub(crate) targets: Vec<LimitTarget>,
    pub(crate) batch: Option<BatchId>,
    pub(crate) redriven_from: Option<Redrive>,
    pub(crate) payload: Value,
    pub(crate) result: Option<Value>,
}

/// The columns that [`JobRow::from_row`] reads, in its order.
macro_rules! columns {
    () => {
        "key, tail, state, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, epoch, \
         lease_expires_at_ms, claimed_at_ms, cancel_requested, timeout_ms, expires_at_ms, created_at_ms, \
         finished_at_ms, idempotency_key, trace_id, tags, backoff, progress, error, unique_key, concurrency_key, \
         concurrency_max, limit_targets, batch, redriven_from"
    };
}
pub(super) use columns;

impl JobRow {
    /// Reads the columns of [`columns!`]. Payload and result stay empty.
    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: JobId::from_key_and_tail(row.get(0)?, row.get(1)?),
            state: parse(row, 2)?,
            queue: row.get(3)?,
            kind: row.get(4)?,
            priority: row.get(5)?,
            run_at: Timestamp(row.get(6)?),
            owner: row.get(7)?,
            attempt: row.get(8)?,
            attempts_max: row.get(9)?,
            epoch: row.get(10)?,
            lease_expires_at: row.get::<_, Option<i64>>(11)?.map(Timestamp),
            claimed_at: row.get::<_, Option<i64>>(12)?.map(Timestamp),
            cancel_requested: row.get(13)?,
            timeout_ms: row.get::<_, i64>(14)? as u64,
            expires_at: row.get::<_, Option<i64>>(15)?.map(Timestamp),
            created_at: Timestamp(row.get(16)?),
            finished_at: row.get::<_, Option<i64>>(17)?.map(Timestamp),
            idempotency_key: row.get(18)?,
            trace_id: row.get(19)?,
            tags: lenient_json(row, 20)?.unwrap_or_default(),
            backoff: lenient_json(row, 21)?.unwrap_or_default(),
            progress: lenient_json(row, 22)?,
            error: lenient_json(row, 23)?,
            unique_key: row.get(24)?,
            concurrency: row.get::<_, Option<Arc<str>>>(25)?.zip(row.get(26)?),
            targets: lenient_json(row, 27)?.unwrap_or_default(),
            batch: row.get::<_, Option<[u8; 16]>>(28)?.map(|bytes| BatchId::from_uuid(Uuid::from_bytes(bytes))),
            redriven_from: lenient_json(row, 29)?,
            payload: Value::Null,
            result: None,
        })
    }

    /// The lane it waits in while it is ready.
    pub(super) fn lane(&self) -> LaneKey {
        LaneKey {
            priority: self.priority,
            owner: Arc::clone(&self.owner),
            queue: Arc::clone(&self.queue),
            kind: Arc::clone(&self.kind),
            concurrency: self.concurrency.clone(),
            targets: self.targets.clone(),
        }
    }

    /// As clients see it in lists. `may_act`: this caller may cancel and requeue it.
    pub(crate) fn into_summary(self, engine_id: EngineId, may_act: bool) -> JobSummary {
        let allowed_actions = match self.state {
            _ if !may_act => vec![],
            JobState::Leased if self.cancel_requested => vec![],
            JobState::Scheduled | JobState::Queued | JobState::Leased => vec![JobAction::Cancel],
            JobState::Failed | JobState::Cancelled | JobState::Expired => vec![JobAction::Requeue],
            JobState::Completed => vec![],
        };
        JobSummary {
            id: self.id,
            engine_id,
            queue: self.queue.as_ref().to_owned(),
            kind: self.kind.as_ref().to_owned(),
            state: self.state,
            priority: self.priority,
            progress: self.progress,
            error: self.error,
            attempt: self.attempt,
            attempts_max: self.attempts_max,
            run_at: self.run_at,
            lease_expires_at: self.lease_expires_at,
            tags: self.tags,
            unique_key: self.unique_key.map(|key| key.to_string()),
            concurrency_max: self.concurrency.as_ref().map(|(_, bound)| *bound),
            concurrency_key: self.concurrency.map(|(key, _)| key.to_string()),
            batch_id: self.batch,
            redriven_from: self.redriven_from,
            timeout_ms: self.timeout_ms,
            expires_at: self.expires_at,
            created_by: self.owner.to_string(),
            created_at: self.created_at,
            claimed_at: self.claimed_at,
            finished_at: self.finished_at,
            cancel_requested: self.cancel_requested,
            allowed_actions,
        }
    }

    /// As clients see it by itself.
    pub(crate) fn into_job(mut self, engine_id: EngineId, may_act: bool) -> Job {
        Job {
            payload: std::mem::take(&mut self.payload),
            result: self.result.take(),
            idempotency_key: std::mem::take(&mut self.idempotency_key),
            trace_id: std::mem::take(&mut self.trace_id),
            summary: self.into_summary(engine_id, may_act),
        }
    }
}

/// Guards stored bytes against bits that flip on the disk, which SQLite does not notice.
pub(super) fn check_of(bytes: &[u8]) -> i64 {
    let hash = blake3::hash(bytes);
    i64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes"))
}

pub(super) fn bad_column(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn parse(row: &Row<'_>, column: usize) -> rusqlite::Result<JobState> {
    row.get_ref(column)?.as_str()?.parse().map_err(|error| bad_column(column, error))
}

/// For what a job can do without: one damaged row must not keep a shard from serving the others.
pub(super) fn lenient_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?.as_bytes_or_null()?;
    Ok(text.and_then(|text| {
        serde_json::from_slice(text)
            .inspect_err(
                |error| tracing::error!(column, error = %error, "a job's row is damaged; a default takes its place"),
            )
            .ok()
    }))
}

pub(super) fn optional_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(None),
        Some(text) => serde_json::from_str(text).map(Some).map_err(|error| bad_column(column, error)),
    }
}
