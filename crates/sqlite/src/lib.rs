//! Opens SQLite files the one safe way, and gives each one writer thread that commits in groups.
//!
//! Everything that waits joins the next transaction, so one fsync serves many callers; a batch closes at once when
//! nothing more waits, so a lone write costs one fsync. [`GroupWriter`] is that loop; a store says what its requests do
//! by implementing [`Store`]. [`Database`] is the ready-made store whose requests are closures.
//!
//! Never open, hash, copy or watch a live database file by other means: closing such a handle drops this process's
//! POSIX locks on it, and committed data can vanish. Source: sqlite.org/howtocorrupt.html, section 2.2.

mod database;
mod group;
mod open;
mod readers;

pub use database::Database;
pub use group::{Applied, GroupWriter, Requests, Store};
pub use open::{OpenError, Schema, open_reader, open_writer, sqlite_version};
pub use readers::Readers;

/// Why a read or write did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; reads go on.
    #[error("the disk is full")]
    Full,
    /// The writer has stopped, because the node is stopping.
    #[error("the store is closed")]
    Closed,
    /// SQLite reported something else.
    #[error("the database failed")]
    Sqlite(#[source] std::sync::Arc<rusqlite::Error>),
}

impl StoreError {
    /// Nothing can be written until there is space again.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full)
    }

    /// The node is stopping.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sqlite(std::sync::Arc::new(error)),
        }
    }
}
