//! A small pool of reading connections, so that reads never wait for writes.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{Health, StoreError, open::leave_as_it_is, open_reader};

/// Reads at once from one file; more wait their turn.
const CONNECTIONS_MAX: usize = 4;

/// Reading connections of one file, opened when first needed.
#[derive(Clone, Debug)]
pub struct Readers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    health: Health,
    idle: Mutex<Idle>,
    permits: Arc<Semaphore>,
}

/// Connections that nobody reads from at present.
#[derive(Debug, Default)]
struct Idle {
    /// As often the file had come back from quarantine when they were opened. Older ones may lead to a disk that is gone.
    returns: u64,
    connections: Vec<Connection>,
}

impl Idle {
    /// Those that were opened since the file came back for the last time.
    fn at(&mut self, returns: u64) -> &mut Vec<Connection> {
        if self.returns < returns {
            self.returns = returns;
            self.connections.drain(..).for_each(|connection| leave_as_it_is(&connection));
        }
        &mut self.connections
    }
}

impl Readers {
    /// Readers of the file at `path`, which must exist by the first read.
    pub fn new(path: PathBuf) -> Self {
        Self::with_health(Health::unguarded(path))
    }

    /// Readers of a file whose writer has the same `health`.
    pub fn with_health(health: Health) -> Self {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { inner: Arc::new(Inner { health, idle: Mutex::default(), permits }) }
    }

    /// Runs `query` on a connection of the pool, on a thread where blocking is allowed.
    ///
    /// # Errors
    /// What SQLite reported, or that the file is in quarantine.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.health.check()?;
        let permit = Arc::clone(&self.inner.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let inner = Arc::clone(&self.inner);
        let work = move || {
            // Held here, because the read goes on when whoever asked has gone.
            let _permit = permit;
            inner.health.check()?;
            let returns = inner.health.returned();
            let pooled = inner.lock().at(returns).pop();
            let connection = match pooled {
                Some(connection) => connection,
                None => inner.open().map_err(|error| inner.health.failed(error.into()))?,
            };
            let read = inner.health.reads().begin(&connection);
            let answer = query(&connection);
            drop(read);
            inner.put_back(connection, returns);
            answer.map_err(|error| inner.health.failed(error.into()))
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.health.quarantine().is_some() {
            self.lock().connections.iter().for_each(leave_as_it_is);
        }
    }
}

impl Inner {
    fn open(&self) -> rusqlite::Result<Connection> {
        open_reader(self.health.path())
    }

    fn put_back(&self, connection: Connection, returns: u64) {
        let mut idle = self.lock();
        if idle.returns == returns {
            idle.connections.push(connection);
        } else {
            leave_as_it_is(&connection);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
