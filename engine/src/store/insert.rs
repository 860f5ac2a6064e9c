//! Enqueue: the idempotency record and the job, in one transaction.

use flowork_api_types::{JobId, ShardNumber, Timestamp, job::JobState};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    INLINE_PAYLOAD_BYTES_MAX, JobRow,
    requests::{EnqueueOutcome, Failed, NewJob},
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
///
/// A savepoint would cost a tenth of all of it, so what went before a failure is taken back here.
pub(super) fn enqueue(
    connection: &Connection,
    keys: &mut Keys,
    now: Timestamp,
    job: &NewJob,
    admit: impl FnOnce(JobId) -> Result<(), EnqueueOutcome>,
) -> Result<EnqueueOutcome, Failed> {
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
        take_back(connection, id, job).map_err(Failed::Stuck)?;
        return Ok(refused);
    }
    let row = new_row(id, now, job);
    if let Err(error) = insert(connection, &row, &job.payload) {
        take_back(connection, id, job).map_err(Failed::Stuck)?;
        return Err(Failed::Undone(error));
    }
    Ok(EnqueueOutcome::Created(Box::new(row)))
}

/// Removes what an enqueue has written before it could not go on.
fn take_back(connection: &Connection, id: JobId, job: &NewJob) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM idempotency WHERE owner = ?1 AND idempotency_key = ?2 AND key = ?3")?
        .execute(params![job.owner, job.idempotency_key, id.key()])?;
    connection.prepare_cached("DELETE FROM large_payload WHERE key = ?1")?.execute([id.key()])?;
    Ok(())
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
    // By position: SQLite finds a name by comparing it with each other one.
    connection
        .prepare_cached(
            "INSERT INTO job (key, tail, state, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, epoch, \
             cancel_requested, timeout_ms, expires_at_ms, created_at_ms, idempotency_key, trace_id, tags, backoff, \
             log_lines, payload_check, payload, lane, unique_key, concurrency_key, concurrency_max, limit_targets, \
             batch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, 0, 0, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 0, ?17, \
             ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
        )?
        .execute(params![
            row.id.key(),
            row.id.tail(),
            row.state.as_str(),
            row.queue,
            row.kind,
            row.priority,
            row.run_at.as_millis(),
            row.owner,
            row.attempts_max,
            row.timeout_ms as i64,
            row.expires_at.map(Timestamp::as_millis),
            row.created_at.as_millis(),
            row.idempotency_key,
            row.trace_id,
            to_text(&row.tags),
            to_text(&row.backoff),
            check_of(payload),
            inline.then_some(payload),
            row.lane().id().0,
            row.unique_key,
            row.concurrency.as_ref().map(|(key, _)| key),
            row.concurrency.as_ref().map(|(_, bound)| bound),
            (!row.targets.is_empty()).then(|| to_text(&row.targets)),
            row.batch.map(|batch| *batch.as_uuid().as_bytes()),
        ])?;
    Ok(())
}

/// JSON text of a value that always has one.
pub(super) fn to_text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with text keys is always JSON")
}

#[cfg(test)]
mod tests {
    use flowork_sqlite::open_writer;

    use super::*;
    use crate::store::schema::SCHEMA;

    fn job(kind: &str) -> NewJob {
        NewJob {
            owner: "ada".into(),
            idempotency_key: format!("key of {kind}"),
            body_hash: [7; 32],
            kind: kind.into(),
            payload: vec![b' '; INLINE_PAYLOAD_BYTES_MAX + 1],
            queue: "default".into(),
            priority: 100,
            run_at: None,
            attempts_max: 1,
            backoff: flowork_api_types::job::Backoff::default(),
            timeout_ms: 1_000,
            expires_at: None,
            tags: Vec::new(),
            trace_id: "0".repeat(32),
            unique_key: None,
            concurrency: None,
            targets: Vec::new(),
            batch: None,
        }
    }

    fn count(connection: &Connection, table: &str) -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_enqueue_that_fails_half_way_leaves_nothing_behind_and_the_transaction_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open_writer(&directory.path().join("0.db"), &SCHEMA).unwrap();
        connection
            .execute_batch(
                "CREATE TEMP TRIGGER poison BEFORE INSERT ON job WHEN new.kind = 'bad' BEGIN
                     SELECT raise(ABORT, 'not this one');
                 END;",
            )
            .unwrap();
        let mut keys = Keys::load(&connection, ShardNumber::new(0, 0).unwrap()).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut put = |kind: &str| enqueue(&connection, &mut keys, Timestamp(1), &job(kind), |_| Ok(()));
        assert!(matches!(put("good"), Ok(EnqueueOutcome::Created(_))));
        assert!(matches!(put("bad"), Err(Failed::Undone(_))));
        connection.execute_batch("COMMIT").unwrap();
        for table in ["job", "idempotency", "large_payload"] {
            assert_eq!(count(&connection, table), 1, "{table}");
        }
    }

    #[test]
    fn what_cannot_be_taken_back_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open_writer(&directory.path().join("0.db"), &SCHEMA).unwrap();
        connection
            .execute_batch(
                "CREATE TEMP TRIGGER poison BEFORE INSERT ON job BEGIN SELECT raise(ABORT, 'none'); END;
                 CREATE TEMP TRIGGER stuck BEFORE DELETE ON idempotency BEGIN SELECT raise(ABORT, 'stuck'); END;",
            )
            .unwrap();
        let mut keys = Keys::load(&connection, ShardNumber::new(0, 0).unwrap()).unwrap();
        let failed = enqueue(&connection, &mut keys, Timestamp(1), &job("bad"), |_| Ok(()));
        assert!(matches!(failed, Err(Failed::Stuck(_))), "{failed:?}");
    }
}
