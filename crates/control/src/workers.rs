//! How many workers people decided on for engines.

use std::collections::BTreeMap;

use flowork_api_types::{EngineId, Timestamp};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use crate::{ControlStore, store::to_the_end};

pub(crate) const TABLE: &str = "
CREATE TABLE engine_workers (
    engine_id BLOB PRIMARY KEY CHECK (length(engine_id) = 16),
    workers INTEGER NOT NULL CHECK (workers >= 1),
    set_at_ms INTEGER NOT NULL,
    set_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// How many workers somebody decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkersRecord {
    /// How many.
    pub workers: u32,
    /// When that was decided.
    pub since: Timestamp,
    /// Who decided it.
    pub by: String,
}

impl ControlStore {
    /// Notes how many workers an engine is to have; `None`: nobody has decided. The same number again keeps who decided it
    /// first, and when.
    ///
    /// # Errors
    /// The store failed; nothing changed.
    pub async fn set_workers(&self, engine_id: EngineId, record: Option<WorkersRecord>) -> Result<(), StoreError> {
        let store = self.clone();
        to_the_end(async move {
            let _in_turn = store.memory.policy_changes.lock().await;
            let known = store
                .database
                .write(move |connection| {
                    match record {
                        Some(record) => upsert(connection, engine_id, &record),
                        None => {
                            let key = engine_id.as_uuid();
                            connection.execute("DELETE FROM engine_workers WHERE engine_id = ?1", [key.as_bytes()])
                        }
                    }?;
                    select(connection)
                })
                .await?;
            store.change_policies(|policies| policies.workers = known);
            Ok(())
        })
        .await
    }
}

fn upsert(connection: &Connection, engine_id: EngineId, record: &WorkersRecord) -> rusqlite::Result<usize> {
    connection.execute(
        "INSERT INTO engine_workers (engine_id, workers, set_at_ms, set_by) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (engine_id) DO UPDATE SET workers = excluded.workers, set_at_ms = excluded.set_at_ms,
             set_by = excluded.set_by WHERE workers <> excluded.workers",
        params![engine_id.as_uuid().as_bytes(), record.workers, record.since.as_millis(), record.by],
    )
}

pub(crate) fn select(connection: &Connection) -> rusqlite::Result<BTreeMap<EngineId, WorkersRecord>> {
    let read = |row: &Row<'_>| {
        let id = EngineId::from_uuid(Uuid::from_bytes(row.get(0)?));
        Ok((id, WorkersRecord { workers: row.get(1)?, since: Timestamp(row.get(2)?), by: row.get(3)? }))
    };
    connection
        .prepare("SELECT engine_id, workers, set_at_ms, set_by FROM engine_workers")?
        .query_map([], read)?
        .collect()
}
