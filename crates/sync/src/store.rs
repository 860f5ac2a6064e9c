//! `sync.db`: the sessions as of their last change, and every change as an event.
//!
//! A change is written to the write-ahead log before it is answered, in one transaction with its event, so it survives
//! the end of the process and the audit always equals what was acknowledged. It is synced to disk within a second, by a
//! thread that holds up no change (`log_sync`): a power cut may cost the last second.

mod events;
mod journal;
mod load;
mod log_sync;
mod schema;

use std::path::Path;

use flowork_api_types::{SyncSessionId, session::SessionEvent};
use flowork_sqlite::{GroupWriter, OpenError, Readers, StoreError, open_writer};
use tokio::sync::oneshot;

use crate::{machine::Session, time::Standing};
pub(crate) use events::NewEvent;
use journal::Journal;
pub(crate) use journal::{Failed, Outcome, SessionWrite, Writes};
use log_sync::{Log, LogSync};

/// What was stored before the node started.
pub(crate) struct Found {
    pub(crate) sessions: Vec<Session>,
    pub(crate) standing: Standing,
}

/// The store of all sessions.
pub(crate) struct SessionStore {
    writer: GroupWriter<Journal>,
    readers: Readers,
}

impl SessionStore {
    /// Opens or makes the file, and reads what is in it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Found), OpenError> {
        let at = |source| OpenError::Sqlite { path: path.to_owned(), source };
        let connection = open_writer(path, &schema::SCHEMA)?;
        journal::sync_later(&connection).map_err(at)?;
        let sessions = load::sessions(&connection).map_err(at)?;
        let standing = load::standing(&connection).map_err(at)?;
        let sync =
            LogSync::start(Log::of(path)).map_err(|source| OpenError::Thread { path: path.to_owned(), source })?;
        let writer = GroupWriter::start(path, connection, journal::Journaling::new(sync))?;
        Ok((Self { writer, readers: Readers::new(path.to_owned()) }, Found { sessions, standing }))
    }

    /// Where changes are written.
    pub(crate) fn journal(&self) -> JournalSender {
        JournalSender { requests: self.writer.requests() }
    }

    /// Events of a session, oldest first, after a sequence number; of one owner's session only, if one is given.
    pub(crate) async fn events(
        &self,
        session_id: SyncSessionId,
        owner: Option<String>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SessionEvent>, StoreError> {
        self.readers
            .read(move |connection| events::of_session(connection, session_id, owner.as_deref(), after, limit))
            .await
    }

    /// Finishes what was sent before, and closes the file. Blocks.
    pub(crate) fn close(self) {
        self.writer.close();
    }
}

/// Sends changes to the writer thread. Cheap to clone.
#[derive(Clone)]
pub(crate) struct JournalSender {
    requests: flowork_sqlite::Requests<Journal>,
}

impl JournalSender {
    /// Writes changes in one transaction. An error means that nothing of them was kept; otherwise nothing is missing but
    /// what was of a session that could not be stored.
    pub(crate) async fn save(&self, writes: Writes) -> Outcome {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Journal { writes, answer })?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}
