//! What a binary of version 1 does to a shard file: its statements, as they were released. Never edit them.

use std::path::Path;

use flowork_api_types::{JobId, ShardNumber};
use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::support::START_MS;

/// A shard file in the hands of version 1.
pub(crate) struct Version1 {
    connection: Connection,
    shard: ShardNumber,
}

/// A job that version 1 claimed.
pub(crate) struct ClaimedThen {
    pub(crate) id: JobId,
    pub(crate) epoch: u32,
    attempt: u16,
    started_at_ms: i64,
}

fn check_of(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(blake3::hash(bytes).as_bytes()[..8].try_into().unwrap())
}

impl Version1 {
    /// Opens a file as version 1 does: what it does not know in it, it leaves alone.
    pub(crate) fn open(file: &Path, shard: ShardNumber) -> Self {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let connection = Connection::open(file).unwrap();
        connection
            .execute_batch(
                "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = 0",
            )
            .unwrap();
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        if version == 0 {
            connection.execute_batch(include_str!("v1.sql")).unwrap();
        }
        Self { connection, shard }
    }

    pub(crate) fn enqueue(&self, key: &str, payload: &str, delay_ms: i64, attempts_max: u16) -> JobId {
        let newest =
            "SELECT max((SELECT coalesce(max(key), 0) FROM job), (SELECT coalesce(max(key), 0) FROM finished))";
        let last: i64 = self.connection.query_row(newest, [], |row| row.get(0)).unwrap();
        let row_key = JobId::first_key_at(START_MS).max(last + 1);
        let id = JobId::from_parts(row_key, row_key as u64, self.shard);
        let payload = payload.as_bytes();
        let inline = payload.len() <= 2 << 10;
        if !inline {
            self.connection
                .execute("INSERT INTO large_payload (key, body) VALUES (?1, ?2)", params![id.key(), payload])
                .unwrap();
        }
        self.connection
            .execute(
                "INSERT INTO job (key, tail, state, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, epoch, \
                 cancel_requested, timeout_ms, expires_at_ms, created_at_ms, idempotency_key, trace_id, tags, backoff, \
                 log_lines, payload_check, payload) VALUES (:key, :tail, :state, :queue, :kind, :priority, :run_at, :owner, \
                 0, :attempts_max, 0, 0, :timeout_ms, :expires_at, :created_at, :idempotency_key, :trace_id, :tags, \
                 :backoff, 0, :payload_check, :payload)",
                named_params! {
                    ":key": id.key(),
                    ":tail": id.tail(),
                    ":state": if delay_ms > 0 { "scheduled" } else { "queued" },
                    ":queue": "default",
                    ":kind": "x",
                    ":priority": 100,
                    ":run_at": START_MS + delay_ms,
                    ":owner": "owner",
                    ":attempts_max": attempts_max,
                    ":timeout_ms": 60_000,
                    ":expires_at": Option::<i64>::None,
                    ":created_at": START_MS,
                    ":idempotency_key": key,
                    ":trace_id": "0af7651916cd43dd8448eb211c80319c",
                    ":tags": r#"["old"]"#,
                    ":backoff": r#"{"initial_ms":1000,"factor":2.0,"max_ms":60000,"jitter":true}"#,
                    ":payload_check": check_of(payload),
                    ":payload": inline.then_some(payload),
                },
            )
            .unwrap();
        self.connection
            .execute(
                "INSERT INTO idempotency (owner, idempotency_key, body_hash, key, tail) VALUES (?1, ?2, ?3, ?4, ?5)",
                params!["owner", key, [7_u8; 32], id.key(), id.tail()],
            )
            .unwrap();
        id
    }

    /// The first ready job, leased.
    pub(crate) fn claim(&self) -> Option<ClaimedThen> {
        let sql = "SELECT key, tail, attempt, epoch FROM job INDEXED BY job_ready WHERE state = 'queued' \
                   ORDER BY priority, run_at_ms, key LIMIT ?1";
        let ready = self.connection.query_row(sql, [1], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, u16>(2)?, row.get::<_, u32>(3)?))
        });
        let (key, tail, attempt, epoch) = ready.optional().unwrap()?;
        let changed = self
            .connection
            .execute(
                "UPDATE job SET state = 'leased', attempt = ?2, epoch = ?3, lease_expires_at_ms = ?4, \
                 claimed_at_ms = ?5, progress = NULL WHERE key = ?1",
                params![key, attempt + 1, epoch + 1, START_MS + 30_000, START_MS],
            )
            .unwrap();
        assert_eq!(changed, 1);
        let id = JobId::from_key_and_tail(key, tail);
        Some(ClaimedThen { id, epoch: epoch + 1, attempt: attempt + 1, started_at_ms: START_MS })
    }

    /// Ends a claimed job, as `state`.
    pub(crate) fn finish(&self, job: &ClaimedThen, state: &str, result: Option<&str>, error: Option<&str>) {
        self.connection
            .execute(
                "INSERT INTO attempt (key, epoch, attempt, started_at_ms, finished_at_ms, outcome, error) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![job.id.key(), job.epoch, job.attempt, job.started_at_ms, START_MS, state, error],
            )
            .unwrap();
        self.retire(job.id, state, result, error);
    }

    /// Moves a job to the table of ended ones.
    pub(crate) fn retire(&self, id: JobId, state: &str, result: Option<&str>, error: Option<&str>) {
        let result = result.map(str::as_bytes);
        let moved = self
            .connection
            .execute(
                "INSERT INTO finished (key, tail, state, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, \
                 epoch, claimed_at_ms, cancel_requested, timeout_ms, expires_at_ms, created_at_ms, finished_at_ms, \
                 idempotency_key, trace_id, tags, backoff, progress, error, log_lines, payload_check, payload, \
                 result_check, result) \
                 SELECT key, tail, ?2, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, epoch, \
                 claimed_at_ms, cancel_requested, timeout_ms, expires_at_ms, created_at_ms, ?3, idempotency_key, trace_id, \
                 tags, backoff, progress, ?4, log_lines, payload_check, payload, ?5, ?6 FROM job WHERE key = ?1",
                params![id.key(), state, START_MS, error, result.map(check_of), result],
            )
            .unwrap();
        assert_eq!(moved, 1);
        self.connection.execute("DELETE FROM job WHERE key = ?1", [id.key()]).unwrap();
    }
}
