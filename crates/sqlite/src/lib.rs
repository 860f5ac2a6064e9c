//! Opens SQLite files the one safe way, and gives each one writer thread that commits in groups.
//!
//! Everything that waits joins the next transaction, so one fsync serves many callers; a batch closes at once when
//! nothing more waits, so a lone write costs one fsync. [`GroupWriter`] is that loop; a store says what its requests do
//! by implementing [`Store`]. [`Database`] is the ready-made store whose requests are closures.
//!
//! Never open, hash, copy or watch a live database file by other means: closing such a handle drops this process's
//! POSIX locks on it, and committed data can vanish. Source: sqlite.org/howtocorrupt.html, section 2.2.

mod checkpoint;
mod database;
mod group;
mod health;
mod open;
mod readers;
mod reads;

pub use database::Database;
pub use group::{Applied, GroupWriter, Open, Requests, Store};
pub use health::{Cause, Health, Quarantine, Trouble};
pub use open::{
    OpenError, Schema, leave_as_it_is, open_checkpointer, open_reader, open_untouched, open_writer, open_writer_again,
    open_writer_checked, sqlite_version,
};
pub use readers::Readers;

/// Why a read or write did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; reads go on.
    #[error("the disk is full")]
    Full,
    /// The disk failed; nothing of this was kept, and another attempt may succeed.
    #[error("the disk failed")]
    Io(#[source] std::sync::Arc<rusqlite::Error>),
    /// What is in the file is not what was written.
    #[error("the database file is damaged")]
    Corrupt(#[source] std::sync::Arc<rusqlite::Error>),
    /// The file is left alone until it is repaired, or can be read and written again.
    #[error("{} is in quarantine: {}", .0.path.display(), .0.reason)]
    Quarantined(std::sync::Arc<Quarantine>),
    /// Another program reads the file and keeps its log from being emptied; writes wait for it to let go.
    #[error("another program holds on to the database file")]
    Held,
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

    /// The file is damaged.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt(_))
    }

    /// The file is left alone: until it is repaired, or until its disk is back.
    pub fn is_quarantined(&self) -> bool {
        matches!(self, Self::Quarantined(_))
    }

    /// The file is left alone until it is repaired: asking again gives the same answer.
    pub fn needs_repair(&self) -> bool {
        matches!(self, Self::Quarantined(quarantine) if quarantine.cause == Cause::Damaged)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, DiskFull, NotADatabase, SystemIoFailure};
        match error.sqlite_error_code() {
            Some(DiskFull) => Self::Full,
            Some(SystemIoFailure | CannotOpen) => Self::Io(std::sync::Arc::new(error)),
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt(std::sync::Arc::new(error)),
            _ => Self::Sqlite(std::sync::Arc::new(error)),
        }
    }
}
