//! Opening the store, and what it keeps in memory.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use flowork_api_types::{EngineId, SessionId, Timestamp};
use flowork_sqlite::{Database, StoreError};
use uuid::Uuid;

use crate::{
    engines::EngineRecord,
    policies::Policies,
    schema::SCHEMA,
    secret::{SecretHash, random_bytes},
};

/// The control store. Cheap to clone.
#[derive(Clone)]
pub struct ControlStore {
    pub(crate) database: Database,
    pub(crate) memory: Arc<Memory>,
}

/// The answers that every request needs. The file is the truth; this follows each commit.
#[derive(Default)]
pub(crate) struct Memory {
    live_sessions: RwLock<HashSet<SessionId>>,
    engines: RwLock<HashMap<EngineId, KnownEngine>>,
    pub(crate) policies: RwLock<Policies>,
    /// Held from a write to the change in memory, so that both happen in one order.
    pub(crate) policy_changes: tokio::sync::Mutex<()>,
    /// Grows whenever a session ends.
    pub(crate) session_ends: tokio::sync::watch::Sender<u64>,
}

/// An engine and what its token hashes to.
#[derive(Clone, Debug)]
pub(crate) struct KnownEngine {
    pub(crate) record: EngineRecord,
    pub(crate) token_hash: Option<SecretHash>,
}

/// Why the store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be opened or is not ours.
    #[error("can't open the control store")]
    File(#[from] flowork_sqlite::OpenError),
    /// Reading it failed.
    #[error("can't read the control store")]
    Read(#[from] StoreError),
}

impl ControlStore {
    /// Opens or makes the file and reads what every request needs into memory.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let store = Self { database: Database::open(path, &SCHEMA)?, memory: Arc::default() };
        store.load_engines().await?;
        store.load_sessions().await?;
        store.load_policies().await?;
        Ok(store)
    }

    /// Finishes what was written before and closes the file.
    pub async fn close(self) {
        self.database.close().await;
    }
}

/// Runs a change to its end, also when whoever asked for it has gone away: a request is dropped with its connection,
/// and memory would then miss what the file has.
pub(crate) async fn to_the_end<T: Send + 'static>(change: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(change).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime stops, and with it the caller.
            Err(_) => std::future::pending().await,
        },
    }
}

impl Memory {
    pub(crate) fn live_sessions(&self) -> RwLockReadGuard<'_, HashSet<SessionId>> {
        self.live_sessions.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn live_sessions_mut(&self) -> RwLockWriteGuard<'_, HashSet<SessionId>> {
        self.live_sessions.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn engines(&self) -> RwLockReadGuard<'_, HashMap<EngineId, KnownEngine>> {
        self.engines.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn engines_mut(&self) -> RwLockWriteGuard<'_, HashMap<EngineId, KnownEngine>> {
        self.engines.write().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn new_uuid(now: Timestamp) -> Uuid {
    let unix_ms = now.as_millis().max(0) as u64;
    uuid::Builder::from_unix_timestamp_millis(unix_ms, &random_bytes::<10>()).into_uuid()
}
