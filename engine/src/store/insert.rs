//! Enqueue: the idempotency record and the job, in one transaction.

use flowork_api_types::{JobId, ShardNumber, Timestamp, job::JobState};
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::{
    INLINE_PAYLOAD_BYTES_MAX, JobRow,
    requests::{EnqueueOutcome, NewJob},
    rows::check_of,
};

/// Hands out row keys: strictly rising within a shard, whatever the clock does.
#[derive(Debug)]
pub(super) struct Keys {
    shard: ShardNumber,
    last: i64,
}

impl Keys {
    /// Goes on after the newest job of the shard.
    pub(super) fn load(connection: &Connection, shard: ShardNumber) -> rusqlite::Result<Self> {
        let newest =
            "SELECT max((SELECT coalesce(max(key), 0) FROM job), (SELECT coalesce(max(key), 0) FROM finished))";
        Ok(Self { shard, last: connection.query_row(newest, [], |row| row.get(0))? })
    }

    fn next(&mut self, now: Timestamp) -> JobId {
        self.last = JobId::first_key_at(now.as_millis()).max(self.last + 1);
        JobId::from_parts(self.last, rand::random(), self.shard)
    }
}

/// Inserts a job, unless its idempotency key was used before, or `admit` refuses it.
pub(super) fn enqueue(
    connection: &Connection,
    keys: &mut Keys,
    now: Timestamp,
    job: &NewJob,
    admit: impl FnOnce(JobId) -> Result<(), EnqueueOutcome>,
) -> rusqlite::Result<EnqueueOutcome> {
    let id = keys.next(now);
    // Most keys are new, and one statement finds that out and takes the key.
    let taken = connection
        .prepare_cached(
            "INSERT INTO idempotency (owner, idempotency_key, body_hash, key, tail) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![job.owner, job.idempotency_key, job.body_hash, id.key(), id.tail()])?;
    if taken == 0
        && let Some((original, body_hash)) = find_key(connection, &job.owner, &job.idempotency_key)?
    {
        return Ok(if body_hash == job.body_hash {
            EnqueueOutcome::Replayed(original)
        } else {
            EnqueueOutcome::KeyReused(original)
        });
    }
    if let Err(refused) = admit(id) {
        connection
            .prepare_cached("DELETE FROM idempotency WHERE owner = ?1 AND idempotency_key = ?2")?
            .execute(params![job.owner, job.idempotency_key])?;
        return Ok(refused);
    }
    let row = new_row(id, now, job);
    insert(connection, &row, &job.payload)?;
    Ok(EnqueueOutcome::Created(Box::new(row)))
}

/// The job that a key was first used for, with the hash of its request.
pub(super) fn find_key(
    connection: &Connection,
    owner: &str,
    idempotency_key: &str,
) -> rusqlite::Result<Option<(JobId, [u8; 32])>> {
    connection
        .prepare_cached("SELECT key, tail, body_hash FROM idempotency WHERE owner = ?1 AND idempotency_key = ?2")?
        .query_row([owner, idempotency_key], |row| {
            Ok((JobId::from_key_and_tail(row.get(0)?, row.get(1)?), row.get(2)?))
        })
        .optional()
}

fn new_row(id: JobId, now: Timestamp, job: &NewJob) -> JobRow {
    let run_at = job.run_at.unwrap_or(now);
    JobRow {
        id,
        state: if run_at > now { JobState::Scheduled } else { JobState::Queued },
        queue: job.queue.clone(),
        kind: job.kind.clone(),
        priority: job.priority,
        run_at,
        owner: job.owner.clone(),
        attempt: 0,
        attempts_max: job.attempts_max,
        epoch: 0,
        lease_expires_at: None,
        claimed_at: None,
        cancel_requested: false,
        timeout_ms: job.timeout_ms,
        expires_at: job.expires_at,
        created_at: now,
        finished_at: None,
        idempotency_key: job.idempotency_key.clone(),
        trace_id: job.trace_id.clone(),
        tags: job.tags.clone(),
        backoff: job.backoff,
        progress: None,
        error: None,
        unique_key: job.unique_key.clone(),
        concurrency: job.concurrency.clone(),
        targets: job.targets.clone(),
        batch: job.batch,
        redriven_from: None,
        payload: serde_json::Value::Null,
        result: None,
    }
}

fn insert(connection: &Connection, row: &JobRow, payload: &[u8]) -> rusqlite::Result<()> {
    let inline = payload.len() <= INLINE_PAYLOAD_BYTES_MAX;
    if !inline {
        connection
            .prepare_cached("INSERT INTO large_payload (key, body) VALUES (?1, ?2)")?
            .execute(params![row.id.key(), payload])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO job (key, tail, state, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, epoch, \
             cancel_requested, timeout_ms, expires_at_ms, created_at_ms, idempotency_key, trace_id, tags, backoff, \
             log_lines, payload_check, payload, lane, unique_key, concurrency_key, concurrency_max, limit_targets, \
             batch) VALUES (:key, :tail, :state, :queue, :kind, :priority, :run_at, :owner, \
             0, :attempts_max, 0, 0, :timeout_ms, :expires_at, :created_at, :idempotency_key, :trace_id, :tags, \
             :backoff, 0, :payload_check, :payload, :lane, :unique_key, :concurrency_key, :concurrency_max, \
             :limit_targets, :batch)",
        )?
        .execute(named_params! {
            ":key": row.id.key(),
            ":tail": row.id.tail(),
            ":state": row.state.as_str(),
            ":queue": row.queue,
            ":kind": row.kind,
            ":priority": row.priority,
            ":run_at": row.run_at.as_millis(),
            ":owner": row.owner,
            ":attempts_max": row.attempts_max,
            ":timeout_ms": row.timeout_ms as i64,
            ":expires_at": row.expires_at.map(Timestamp::as_millis),
            ":created_at": row.created_at.as_millis(),
            ":idempotency_key": row.idempotency_key,
            ":trace_id": row.trace_id,
            ":tags": to_text(&row.tags),
            ":backoff": to_text(&row.backoff),
            ":payload_check": check_of(payload),
            ":payload": inline.then_some(payload),
            ":lane": row.lane().id().0,
            ":unique_key": row.unique_key,
            ":concurrency_key": row.concurrency.as_ref().map(|(key, _)| key),
            ":concurrency_max": row.concurrency.as_ref().map(|(_, bound)| bound),
            ":limit_targets": (!row.targets.is_empty()).then(|| to_text(&row.targets)),
            ":batch": row.batch.map(|batch| *batch.as_uuid().as_bytes()),
        })?;
    Ok(())
}

/// JSON text of a value that always has one.
pub(super) fn to_text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with text keys is always JSON")
}
