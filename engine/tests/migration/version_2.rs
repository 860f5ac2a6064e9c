//! What a binary of version 2 does to the batches of a shard file: its statements, as they were released. Never edit them.

use std::path::Path;

use flowork_api_types::BatchId;
use rusqlite::{Connection, params};

use crate::support::START_MS;

/// A shard file in the hands of version 2.
pub(crate) struct Version2 {
    connection: Connection,
}

/// As version 2 made the id of the owner's batch.
pub(crate) fn batch_id(key: &str) -> BatchId {
    let mut hasher = blake3::Hasher::new_derive_key("flowork batch id 1");
    for part in ["owner", key] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let bytes: [u8; 16] = hasher.finalize().as_bytes()[..16].try_into().unwrap();
    BatchId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

fn bytes(batch: BatchId) -> [u8; 16] {
    *batch.as_uuid().as_bytes()
}

impl Version2 {
    /// Opens a file as version 2 does: what it does not know in it, it leaves alone.
    pub(crate) fn open(file: &Path) -> Self {
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
            connection.execute_batch(include_str!("v2.sql")).unwrap();
        }
        Self { connection }
    }

    pub(crate) fn open_batch(&self, key: &str, callback: Option<&str>) {
        self.connection
            .execute(
                "INSERT INTO batch (batch, owner, callback, created_at_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                params![bytes(batch_id(key)), "owner", callback, START_MS],
            )
            .unwrap();
    }

    pub(crate) fn seal(&self, key: &str, jobs: i64) {
        self.connection
            .execute(
                "UPDATE batch SET jobs = max(coalesce(jobs, 0), ?2) WHERE batch = ?1 AND finished_at_ms IS NULL",
                params![bytes(batch_id(key)), jobs],
            )
            .unwrap();
    }

    /// What it knows of a batch: its jobs, and its callback.
    pub(crate) fn find(&self, key: &str) -> (Option<i64>, Option<String>) {
        self.connection
            .query_row(
                "SELECT batch, owner, callback, jobs, created_at_ms, finished_at_ms, callback_error, callback_key, \
                 callback_tail FROM batch WHERE batch = ?1",
                [bytes(batch_id(key))],
                |row| Ok((row.get(3)?, row.get(2)?)),
            )
            .unwrap()
    }

    /// Notes that all jobs of a batch have ended.
    pub(crate) fn close(&self, key: &str) {
        let closed = self
            .connection
            .execute(
                "UPDATE batch SET finished_at_ms = ?2, callback_error = ?3, callback_key = ?4, callback_tail = ?5 \
                 WHERE batch = ?1 AND finished_at_ms IS NULL",
                params![
                    bytes(batch_id(key)),
                    START_MS,
                    Option::<String>::None,
                    Option::<i64>::None,
                    Option::<i64>::None
                ],
            )
            .unwrap();
        assert_eq!(closed, 1);
    }
}
