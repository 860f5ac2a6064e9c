//! Opening the store, and what it keeps in memory.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use flowork_api_types::{EngineId, SessionId, Timestamp, member::GuestPolicy};
use flowork_sqlite::{Database, StoreError};
use uuid::Uuid;

use crate::{
    challenges::Challenges,
    engine_kinds::KeptKinds,
    engines::EngineRecord,
    kind_grants::KindGrants,
    members::KnownMembers,
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
    pub(crate) challenges: Mutex<Challenges>,
    engines: RwLock<HashMap<EngineId, KnownEngine>>,
    /// Held from a write to the change in memory, so that both happen in one order.
    pub(crate) engine_changes: tokio::sync::Mutex<()>,
    /// Grows whenever a token of an engine stops, or is going to.
    pub(crate) engine_token_ends: tokio::sync::watch::Sender<u64>,
    /// The kinds that were kept last, so that the same ones are not written again.
    pub(crate) engine_kinds: Mutex<HashMap<EngineId, KeptKinds>>,
    pub(crate) members: RwLock<KnownMembers>,
    /// Held from a write to the change in memory, so that both happen in one order.
    pub(crate) member_changes: tokio::sync::Mutex<()>,
    /// The version of the list of members.
    pub(crate) member_versions: tokio::sync::watch::Sender<u64>,
    pub(crate) kind_grants: RwLock<KindGrants>,
    pub(crate) guests: RwLock<GuestPolicy>,
    pub(crate) policies: RwLock<Policies>,
    /// Held from a write to the change in memory, so that both happen in one order.
    pub(crate) policy_changes: tokio::sync::Mutex<()>,
    /// Grows whenever a session ends.
    pub(crate) session_ends: tokio::sync::watch::Sender<u64>,
}

/// An engine and its token.
#[derive(Clone, Debug)]
pub(crate) struct KnownEngine {
    pub(crate) record: EngineRecord,
    pub(crate) token: EngineToken,
}

/// What an engine's token hashes to, and the one before, until its grace is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineToken {
    pub(crate) hash: Option<SecretHash>,
    pub(crate) old: Option<(SecretHash, Timestamp)>,
    pub(crate) changed_at: Timestamp,
    pub(crate) generation: u32,
}

impl EngineToken {
    /// The generation of the one before. A token that is replaced without a grace, or revoked, leaves none behind, so
    /// that is always the last one. It wraps for one that was replaced when generations did not grow with that.
    pub(crate) const fn old_generation(&self) -> u32 {
        self.generation.wrapping_sub(1)
    }
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
        store.load_members().await?;
        store.load_kind_grants().await?;
        store.load_guest_policy().await?;
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
