//! Engines: who they are, and how they prove it.

use std::time::Duration;

use flowork_api_types::{EngineId, ShardNumber, Timestamp, engine::EngineLocation};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    ControlStore,
    secret::{SecretHash, SecretText, hash, random_hex},
    store::{EngineToken, KnownEngine, new_uuid, to_the_end},
};

/// Prefix of an engine token: `fle_<engine id, 32 hex>_<secret, 64 hex>`.
const TOKEN_PREFIX: &str = "fle_";
const TOKEN_PURPOSE: &str = "flowork engine token";
const NAME_CHARS_MAX: usize = 64;

/// An engine as the node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineRecord {
    /// Names it everywhere.
    pub id: EngineId,
    /// Its number on this node, part of every job id; never given out twice.
    pub slot: u16,
    /// For a person.
    pub name: String,
    /// Where its workers are.
    pub location: EngineLocation,
    /// Shard files it has.
    pub shards: u16,
}

/// How an engine's token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineTokenState {
    /// Whether it has one that works.
    pub usable: bool,
    /// When that one was made, or the last one was revoked.
    pub changed_at: Timestamp,
    /// Until when the one before works as well.
    pub old_until: Option<Timestamp>,
}

/// How long what came with an engine's token counts: what was exchanged for it, and what it opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenLife {
    /// For as long as the token is not replaced or revoked.
    Open,
    /// Until then: the token was replaced, and its grace ends.
    Until(Timestamp),
    /// No more.
    Over,
}

impl TokenLife {
    /// Whether it counts at this time.
    pub fn counts(self, now: Timestamp) -> bool {
        match self {
            Self::Open => true,
            Self::Until(until) => now < until,
            Self::Over => false,
        }
    }
}

/// The engine that a token proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineProof {
    /// Which engine.
    pub id: EngineId,
    /// When this token stops, if that is known: it was replaced.
    pub until: Option<Timestamp>,
    /// Which of the engine's tokens it is. It grows with each new one and with each revocation.
    pub generation: u32,
}

/// A new engine and its token, which is not shown again.
#[derive(Clone, Debug)]
pub struct NewEngine {
    /// The engine.
    pub record: EngineRecord,
    /// For its `X-Engine-Token` header.
    pub token: SecretText,
}

/// Why an engine was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateEngineError {
    /// The name is empty, too long or has control characters.
    #[error("a name has 1 to {NAME_CHARS_MAX} characters, none of them a control character")]
    InvalidName,
    /// Another engine has this name.
    #[error("there is an engine named {name:?}")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Every number an engine can have was given out.
    #[error("this node has numbered {} engines and can't number more", ShardNumber::ENGINES_MAX)]
    NoSlots,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the writer thread found.
enum Inserted {
    Yes { slot: u16 },
    NameTaken,
    NoSlots,
}

impl ControlStore {
    /// All engines, the oldest (the local one) first.
    pub fn engines(&self) -> Vec<EngineRecord> {
        let mut records: Vec<_> = self.memory.engines().values().map(|engine| engine.record.clone()).collect();
        records.sort_by_key(|record| record.slot);
        records
    }

    /// Makes an engine with a token of its own.
    ///
    /// # Errors
    /// See [`CreateEngineError`]; nothing changed.
    pub async fn create_engine(
        &self,
        name: &str,
        location: EngineLocation,
        shards: u16,
        now: Timestamp,
    ) -> Result<NewEngine, CreateEngineError> {
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(CreateEngineError::InvalidName);
        }
        let id = EngineId::from_uuid(new_uuid(now));
        let token = format!("{TOKEN_PREFIX}{}_{}", id.as_uuid().simple(), random_hex());
        let token_hash = hash(TOKEN_PURPOSE, &token);
        let token = SecretText::from_text(token);
        let store = self.clone();
        to_the_end(async move {
            let row_name = name.clone();
            let inserted = store
                .database
                .write(move |connection| insert(connection, id, &row_name, location, shards, &token_hash, now))
                .await?;
            let slot = match inserted {
                Inserted::Yes { slot } => slot,
                Inserted::NameTaken => return Err(CreateEngineError::NameTaken { name }),
                Inserted::NoSlots => return Err(CreateEngineError::NoSlots),
            };
            let record = EngineRecord { id, slot, name, location, shards };
            let token_of = EngineToken { hash: Some(token_hash), old: None, changed_at: now, generation: 0 };
            let known = KnownEngine { record: record.clone(), token: token_of };
            store.memory.engines_mut().insert(id, known);
            Ok(NewEngine { record, token })
        })
        .await
    }

    /// Says whose token this is: found by the id in it, compared in constant time.
    pub fn engine_of_token(&self, token: &str, now: Timestamp) -> Option<EngineProof> {
        let (id, _) = token.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
        let id = EngineId::from_uuid(Uuid::try_parse(id).ok()?);
        let given = hash(TOKEN_PURPOSE, token);
        let engines = self.memory.engines();
        let token = &engines.get(&id)?.token;
        let (until, generation) = match (token.hash, token.old) {
            (Some(current), _) if current == given => (None, token.generation),
            (_, Some((old, until))) if old == given && now < until => (Some(until), token.old_generation()),
            _ => return None,
        };
        Some(EngineProof { id, until, generation })
    }

    /// How long what came with this engine's token of this generation counts. A short token that was exchanged for it
    /// knows of no replacement, so this is asked with each use.
    pub fn engine_token_life(&self, id: EngineId, generation: u32) -> TokenLife {
        let engines = self.memory.engines();
        let Some(KnownEngine { token, .. }) = engines.get(&id) else { return TokenLife::Over };
        match token.old {
            _ if token.hash.is_some() && generation == token.generation => TokenLife::Open,
            Some((_, until)) if generation == token.old_generation() => TokenLife::Until(until),
            _ => TokenLife::Over,
        }
    }

    /// How the engine's token stands; `None` for an engine that does not exist.
    pub fn engine_token_state(&self, id: EngineId, now: Timestamp) -> Option<EngineTokenState> {
        let engines = self.memory.engines();
        let token = &engines.get(&id)?.token;
        Some(EngineTokenState {
            usable: token.hash.is_some(),
            changed_at: token.changed_at,
            old_until: token.old.map(|(_, until)| until).filter(|until| now < *until),
        })
    }

    /// Changes whenever a token of an engine stops, or is going to.
    pub fn engine_token_ends(&self) -> watch::Receiver<u64> {
        self.memory.engine_token_ends.subscribe()
    }

    /// Gives the engine a new token. The one it has works until `grace` is over, and those before it no more.
    ///
    /// # Errors
    /// The store failed. `None` for an engine that does not exist.
    pub async fn rotate_engine_token(
        &self,
        id: EngineId,
        grace: Duration,
        now: Timestamp,
    ) -> Result<Option<SecretText>, StoreError> {
        let token = format!("{TOKEN_PREFIX}{}_{}", id.as_uuid().simple(), random_hex());
        let token_hash = hash(TOKEN_PURPOSE, &token);
        let token = SecretText::from_text(token);
        let until = (!grace.is_zero()).then(|| Timestamp(now.as_millis() + grace.as_millis() as i64));
        let update = "UPDATE engines SET token_hash = ?2, token_changed_at_ms = ?4, old_token_until_ms = ?3,
                          old_token_hash = CASE WHEN ?3 IS NULL THEN NULL ELSE token_hash END,
                          token_generation = token_generation + 1
                      WHERE id = ?1 RETURNING ";
        let changed = self.change_engine_token(id, move |connection| {
            let select = format!("{update}{ENGINE_COLUMNS}");
            let key = id.as_uuid();
            let row = params![key.as_bytes(), token_hash.as_bytes(), until.map(Timestamp::as_millis), now.as_millis()];
            connection.query_row(&select, row, engine_from_row).optional()
        });
        Ok(changed.await?.then_some(token))
    }

    /// Takes the engine's tokens away; it stays, and so do its jobs. Says whether there is such an engine.
    ///
    /// # Errors
    /// The store failed.
    pub async fn revoke_engine_token(&self, id: EngineId, now: Timestamp) -> Result<bool, StoreError> {
        let update = "UPDATE engines SET token_hash = NULL, old_token_hash = NULL, old_token_until_ms = NULL,
                          token_changed_at_ms = ?2, token_generation = token_generation + 1
                      WHERE id = ?1 RETURNING ";
        let changed = self.change_engine_token(id, move |connection| {
            let select = format!("{update}{ENGINE_COLUMNS}");
            let key = id.as_uuid();
            let row = params![key.as_bytes(), now.as_millis()];
            connection.query_row(&select, row, engine_from_row).optional()
        });
        changed.await
    }

    async fn change_engine_token(
        &self,
        id: EngineId,
        change: impl FnOnce(&Connection) -> rusqlite::Result<Option<KnownEngine>> + Send + 'static,
    ) -> Result<bool, StoreError> {
        let store = self.clone();
        to_the_end(async move {
            let _in_turn = store.memory.engine_changes.lock().await;
            let Some(engine) = store.database.write(move |connection| change(connection)).await? else {
                return Ok(false);
            };
            store.memory.engines_mut().insert(id, engine);
            store.memory.engine_token_ends.send_modify(|count| *count += 1);
            Ok(true)
        })
        .await
    }

    pub(crate) async fn load_engines(&self) -> Result<(), StoreError> {
        let rows = self
            .database
            .read(|connection| {
                connection
                    .prepare(&format!("SELECT {ENGINE_COLUMNS} FROM engines"))?
                    .query_map([], engine_from_row)?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        self.memory.engines_mut().extend(rows.into_iter().map(|engine| (engine.record.id, engine)));
        Ok(())
    }
}

fn insert(
    connection: &Connection,
    id: EngineId,
    name: &str,
    location: EngineLocation,
    shards: u16,
    token_hash: &SecretHash,
    now: Timestamp,
) -> rusqlite::Result<Inserted> {
    let taken = connection.query_row("SELECT 1 FROM engines WHERE name = ?1", [name], |_| Ok(())).optional()?.is_some();
    if taken {
        return Ok(Inserted::NameTaken);
    }
    // Counted apart from the rows, so that a removed engine's number is not given out again.
    let slot: u16 = connection
        .query_row("SELECT value FROM settings WHERE name = 'engine_slots_given'", [], |row| row.get::<_, String>(0))
        .optional()?
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    if slot >= ShardNumber::ENGINES_MAX {
        return Ok(Inserted::NoSlots);
    }
    connection.execute(
        "INSERT INTO settings (name, value) VALUES ('engine_slots_given', ?1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [(slot + 1).to_string()],
    )?;
    connection.execute(
        "INSERT INTO engines (id, slot, name, location, shards, token_hash, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id.as_uuid().as_bytes(),
            slot,
            name,
            location_text(location),
            shards,
            token_hash.as_bytes(),
            now.as_millis()
        ],
    )?;
    Ok(Inserted::Yes { slot })
}

const ENGINE_COLUMNS: &str = "id, slot, name, location, shards, token_hash, old_token_hash, old_token_until_ms,
    coalesce(token_changed_at_ms, created_at_ms), token_generation";

fn engine_from_row(row: &Row<'_>) -> rusqlite::Result<KnownEngine> {
    let location: String = row.get(3)?;
    Ok(KnownEngine {
        record: EngineRecord {
            id: EngineId::from_uuid(Uuid::from_bytes(row.get(0)?)),
            slot: row.get(1)?,
            name: row.get(2)?,
            location: if location == "local" { EngineLocation::Local } else { EngineLocation::External },
            shards: row.get(4)?,
        },
        token: EngineToken {
            hash: row.get::<_, Option<[u8; 32]>>(5)?.map(SecretHash::from_bytes),
            old: match (row.get::<_, Option<[u8; 32]>>(6)?, row.get::<_, Option<i64>>(7)?) {
                (Some(old), Some(until_ms)) => Some((SecretHash::from_bytes(old), Timestamp(until_ms))),
                _ => None,
            },
            changed_at: Timestamp(row.get(8)?),
            generation: row.get(9)?,
        },
    })
}

const fn location_text(location: EngineLocation) -> &'static str {
    match location {
        EngineLocation::Local => "local",
        EngineLocation::External => "external",
    }
}
