//! The kinds that engines elsewhere said they run, so that they are known before such an engine is heard again.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, MutexGuard, PoisonError},
};

use flowork_api_types::{EngineId, Timestamp, kind::KindDescriptor};
use flowork_sqlite::StoreError;
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::{
    ControlStore,
    store::{Memory, to_the_end},
};

/// The same kinds are written again after this long, so that the row tells when the engine was last heard of, about.
const HEARD_AGAIN_MS: i64 = 3_600_000;
/// An engine that was not heard of for a day is not counted on. What its row tells may be an hour old.
const FORGOTTEN_AFTER_MS: i64 = 86_400_000 + HEARD_AGAIN_MS;

pub(crate) const TABLE: &str = "
CREATE TABLE engine_kinds (
    engine_id BLOB PRIMARY KEY CHECK (length(engine_id) = 16),
    kinds TEXT NOT NULL,
    stored_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What the row of an engine holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptKinds {
    hash: [u8; 32],
    at: Timestamp,
}

impl KeptKinds {
    fn new(text: &str, at: Timestamp) -> Self {
        Self { hash: *blake3::hash(text.as_bytes()).as_bytes(), at }
    }

    /// Its row need not be written to say this.
    fn says(&self, other: &Self) -> bool {
        self.hash == other.hash && self.at.as_millis().abs_diff(other.at.as_millis()) < HEARD_AGAIN_MS.unsigned_abs()
    }
}

impl ControlStore {
    /// Keeps the kinds of an engine, and that it was heard of. What was kept or read last is not written again within an
    /// hour: engines name their kinds all the time.
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
        let kept = KeptKinds::new(&text, now);
        let is_kept = |memory: &Memory| lock(memory).get(&engine_id).is_some_and(|before| before.says(&kept));
        if is_kept(&self.memory) {
            return Ok(());
        }
        let (database, memory) = (self.database.clone(), Arc::clone(&self.memory));
        to_the_end(async move {
            let key = engine_id.as_uuid();
            let known = Arc::clone(&memory);
            let written = database.write(move |connection| {
                connection.execute(
                    "INSERT INTO engine_kinds (engine_id, kinds, stored_at_ms) VALUES (?1, ?2, ?3)
                     ON CONFLICT (engine_id) DO UPDATE SET kinds = excluded.kinds, stored_at_ms = excluded.stored_at_ms",
                    params![key.as_bytes(), text, now.as_millis()],
                )?;
                // Here, so that memory changes in the order of the writes.
                lock(&known).insert(engine_id, kept);
                Ok(())
            });
            let written = written.await;
            if written.is_err() {
                // The next heartbeat tries again.
                lock(&memory).remove(&engine_id);
            }
            written
        })
        .await
    }

    /// The kinds of the engines that may still be there, as they were kept: they have a token that works, and were heard of
    /// within a day. What can't be read, because a newer version wrote it, is left out.
    ///
    /// # Errors
    /// The store failed.
    pub async fn engine_kinds(&self, now: Timestamp) -> Result<Vec<(EngineId, Vec<KindDescriptor>)>, StoreError> {
        let read = |row: &Row<'_>| {
            let id = EngineId::from_uuid(Uuid::from_bytes(row.get(0)?));
            Ok((id, row.get::<_, String>(1)?, Timestamp(row.get(2)?)))
        };
        let rows: Vec<(EngineId, String, Timestamp)> = self
            .database
            .read(move |connection| {
                let mut rows = connection.prepare("SELECT engine_id, kinds, stored_at_ms FROM engine_kinds")?;
                rows.query_map([], read)?.collect()
            })
            .await?;
        let mut known = lock(&self.memory);
        for (id, text, at) in &rows {
            // What was written since is newer.
            if let Entry::Vacant(entry) = known.entry(*id) {
                entry.insert(KeptKinds::new(text, *at));
            }
        }
        drop(known);
        let may_be_there = |id, at: Timestamp| {
            now.as_millis().saturating_sub(at.as_millis()) <= FORGOTTEN_AFTER_MS
                && self.engine_token_state(id, now).is_some_and(|token| token.usable || token.old_until.is_some())
        };
        let rows = rows.into_iter().filter(|(id, _, at)| may_be_there(*id, *at));
        Ok(rows.filter_map(|(id, text, _)| Some((id, serde_json::from_str(&text).ok()?))).collect())
    }
}

fn lock(memory: &Memory) -> MutexGuard<'_, HashMap<EngineId, KeptKinds>> {
    memory.engine_kinds.lock().unwrap_or_else(PoisonError::into_inner)
}
