//! A small pool of reading connections, so that reads never wait for writes.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{StoreError, open_reader};

/// Reads at once from one file; more wait their turn.
const CONNECTIONS_MAX: usize = 4;

/// Reading connections of one file, opened when first needed.
#[derive(Clone, Debug)]
pub struct Readers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Readers of the file at `path`, which must exist by the first read.
    pub fn new(path: PathBuf) -> Self {
        Self {
            inner: Arc::new(Inner { path, idle: Mutex::default(), permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }),
        }
    }

    /// Runs `query` on a connection of the pool, on a thread where blocking is allowed.
    ///
    /// # Errors
    /// What SQLite reported.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.inner.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let inner = Arc::clone(&self.inner);
        let work = move || {
            // Held here, because the read goes on when whoever asked has gone.
            let _permit = permit;
            let pooled = inner.lock().pop();
            let connection = match pooled {
                Some(connection) => connection,
                None => open_reader(&inner.path)?,
            };
            let answer = query(&connection);
            inner.lock().push(connection);
            answer
        };
        let answer = tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?;
        Ok(answer?)
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
