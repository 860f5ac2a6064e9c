//! The kinds that engines elsewhere said they run, so that they are known before such an engine is heard again.

use std::sync::PoisonError;

use flowork_api_types::{EngineId, Timestamp, kind::KindDescriptor};
use flowork_sqlite::StoreError;
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::ControlStore;

pub(crate) const TABLE: &str = "
CREATE TABLE engine_kinds (
    engine_id BLOB PRIMARY KEY CHECK (length(engine_id) = 16),
    kinds TEXT NOT NULL,
    stored_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

impl ControlStore {
    /// Keeps the kinds of an engine. What was kept or read last is not written again: engines name their kinds all the time.
    ///
    /// # Errors
    /// The store failed; what was kept before still is.
    pub async fn keep_engine_kinds(
        &self,
        engine_id: EngineId,
        mut kinds: Vec<KindDescriptor>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        kinds.sort_by(|a, b| a.name.cmp(&b.name));
        let text = serde_json::to_string(&kinds).expect("descriptors are plain data");
        let hash = *blake3::hash(text.as_bytes()).as_bytes();
        let kept = |hash| {
            let mut known = self.memory.engine_kinds.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(engine_id, hash)
        };
        // Two heartbeats of one engine at once are one more write, at worst.
        let before = kept(hash);
        if before == Some(hash) {
            return Ok(());
        }
        let key = engine_id.as_uuid();
        let written = self.database.write(move |connection| {
            connection.execute(
                "INSERT INTO engine_kinds (engine_id, kinds, stored_at_ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT (engine_id) DO UPDATE SET kinds = excluded.kinds, stored_at_ms = excluded.stored_at_ms",
                params![key.as_bytes(), text, now.as_millis()],
            )
        });
        match written.await {
            Ok(_) => Ok(()),
            Err(error) => {
                // The next heartbeat tries again.
                self.memory.engine_kinds.lock().unwrap_or_else(PoisonError::into_inner).remove(&engine_id);
                Err(error)
            }
        }
    }

    /// The kinds of all engines, as they were kept. What can't be read, because a newer version wrote it, is left out.
    ///
    /// # Errors
    /// The store failed.
    pub async fn engine_kinds(&self) -> Result<Vec<(EngineId, Vec<KindDescriptor>)>, StoreError> {
        let read = |row: &Row<'_>| {
            let id = EngineId::from_uuid(Uuid::from_bytes(row.get(0)?));
            Ok((id, row.get::<_, String>(1)?))
        };
        let rows: Vec<(EngineId, String)> = self
            .database
            .read(move |connection| {
                connection.prepare("SELECT engine_id, kinds FROM engine_kinds")?.query_map([], read)?.collect()
            })
            .await?;
        Ok(rows.into_iter().filter_map(|(id, text)| Some((id, serde_json::from_str(&text).ok()?))).collect())
    }
}
