//! The group-commit loop: one thread, one file, one transaction for everything that waits.

use std::{
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::Connection;

use crate::{OpenError, StoreError};

/// Requests in one transaction. A batch this long takes tens of milliseconds; more would only add to the wait.
const BATCH_MAX: usize = 1_024;
/// WAL pages after which a passive checkpoint runs between batches (4 MiB of 4 KiB pages).
const CHECKPOINT_PAGES: u32 = 1_024;
/// WAL pages after which readers are asked to let go, so that the WAL starts over (64 MiB).
const RESTART_PAGES: u32 = 16_384;
/// After a failed commit, due work waits at least this long: on a full disk it would only fail again, in a busy loop.
const FAILED_PAUSE: Duration = Duration::from_millis(500);

/// What the requests of one file do. Runs on the writer thread.
pub trait Store: Send + 'static {
    /// One request, with its way to answer.
    type Request: Send + 'static;

    /// Does one request inside the open transaction and keeps its answer until [`committed`](Self::committed).
    fn apply(&mut self, connection: &Connection, request: Self::Request) -> Applied;

    /// Answers a request that no transaction could be opened for.
    fn refuse(&mut self, request: Self::Request, error: StoreError);

    /// Runs after the last request of a batch, inside its transaction, and also when the due time has come.
    ///
    /// # Errors
    /// Sink the whole batch.
    fn settle(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// Tells the outcome of the transaction: answers go out, or errors do.
    fn committed(&mut self, connection: &Connection, outcome: Result<(), StoreError>);

    /// How long from now [`settle`](Self::settle) must run again with no request; `None` for never.
    fn due_in(&self) -> Option<Duration>;
}

/// What is to become of a request's changes.
#[derive(Debug)]
pub enum Applied {
    /// They are part of the batch.
    Keep,
    /// They are undone, for this reason; the rest of the batch goes on.
    Undo(StoreError),
}

enum Message<R> {
    Request(R),
    Close,
}

/// Sends requests to one writer thread. Cheap to clone.
pub struct Requests<R> {
    sender: Sender<Message<R>>,
}

impl<R> Clone for Requests<R> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<R> Requests<R> {
    /// Queues a request for the next batch.
    ///
    /// # Errors
    /// The writer has stopped.
    pub fn send(&self, request: R) -> Result<(), StoreError> {
        self.sender.send(Message::Request(request)).map_err(|_| StoreError::Closed)
    }
}

/// The writer thread of one file.
pub struct GroupWriter<R> {
    requests: Requests<R>,
    thread: Option<JoinHandle<()>>,
}

impl<R: Send + 'static> GroupWriter<R> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(path: &Path, connection: Connection, store: impl Store<Request = R>) -> Result<Self, OpenError> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("flowork-writer".to_owned())
            .spawn(move || Loop { connection, store, receiver, wal_pages_kept: 0, failed: false }.run())
            .map_err(|source| OpenError::Thread { path: path.to_owned(), source })?;
        Ok(Self { requests: Requests { sender }, thread: Some(thread) })
    }

    /// Where requests go.
    pub fn requests(&self) -> Requests<R> {
        self.requests.clone()
    }

    /// Finishes what was sent before, checkpoints and ends the thread. Blocks.
    pub fn close(self) {
        drop(self);
    }
}

impl<R> Drop for GroupWriter<R> {
    fn drop(&mut self) {
        // The loop may have ended by itself; then there is nothing to tell it.
        let _ = self.requests.sender.send(Message::Close);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a writer thread panicked");
        }
    }
}

struct Loop<S: Store> {
    connection: Connection,
    store: S,
    receiver: Receiver<Message<S::Request>>,
    wal_pages_kept: u32,
    /// The last transaction failed.
    failed: bool,
}

enum Wake<R> {
    Request(R),
    Due,
    Close,
}

impl<S: Store> Loop<S> {
    fn run(mut self) {
        loop {
            match self.wait() {
                Wake::Request(first) => {
                    if self.batch(Some(first)) {
                        break;
                    }
                }
                Wake::Due => {
                    if self.batch(None) {
                        break;
                    }
                }
                Wake::Close => break,
            }
            self.checkpoint();
        }
        if self.store.due_in() == Some(Duration::ZERO) {
            self.batch(None);
        }
        // The last connection to close checkpoints and removes the WAL by itself.
    }

    fn wait(&self) -> Wake<S::Request> {
        let pause = if self.failed { FAILED_PAUSE } else { Duration::ZERO };
        let message = match self.store.due_in().map(|wait| wait.max(pause)) {
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => self.receiver.recv_timeout(wait),
        };
        match message {
            Ok(Message::Request(request)) => Wake::Request(request),
            Err(RecvTimeoutError::Timeout) => Wake::Due,
            Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => Wake::Close,
        }
    }

    /// Runs one transaction; tells whether the loop must end.
    fn batch(&mut self, first: Option<S::Request>) -> bool {
        if let Err(error) = execute(&self.connection, "BEGIN IMMEDIATE") {
            self.failed = true;
            tracing::error!(error = %error, "a transaction could not begin");
            if let Some(request) = first {
                self.store.refuse(request, error.into());
            }
            return false;
        }
        let (applied, close) = self.apply_waiting(first);
        let outcome = applied
            .and_then(|()| self.store.settle(&self.connection).map_err(StoreError::from))
            .and_then(|()| execute(&self.connection, "COMMIT").map_err(StoreError::from));
        if let Err(error) = &outcome {
            tracing::error!(error = ?error, "a group commit failed; nothing of it was kept");
            if !self.connection.is_autocommit()
                && let Err(error) = execute(&self.connection, "ROLLBACK")
            {
                tracing::error!(error = %error, "the rollback failed too");
            }
        }
        self.failed = outcome.is_err();
        self.store.committed(&self.connection, outcome);
        close
    }

    /// Applies `first` and whatever else waits. The flag tells that the loop must end after this batch.
    fn apply_waiting(&mut self, first: Option<S::Request>) -> (Result<(), StoreError>, bool) {
        let mut next = first;
        let mut count = 0;
        while let Some(request) = next.take() {
            if let Err(error) = self.apply_isolated(request) {
                return (Err(error), false);
            }
            count += 1;
            if count == BATCH_MAX {
                break;
            }
            match self.receiver.try_recv() {
                Ok(Message::Request(request)) => next = Some(request),
                Ok(Message::Close) => return (Ok(()), true),
                Err(_) => {}
            }
        }
        (Ok(()), false)
    }

    /// Applies one request in a savepoint. An error comes back only when it ended the whole transaction, as a full
    /// disk does.
    fn apply_isolated(&mut self, request: S::Request) -> Result<(), StoreError> {
        if let Err(error) = execute(&self.connection, "SAVEPOINT request").map_err(StoreError::from) {
            self.store.refuse(request, error.clone());
            return Err(error);
        }
        match self.store.apply(&self.connection, request) {
            Applied::Keep => execute(&self.connection, "RELEASE request")?,
            Applied::Undo(error) if self.connection.is_autocommit() => return Err(error),
            Applied::Undo(_) => {
                execute(&self.connection, "ROLLBACK TO request")?;
                execute(&self.connection, "RELEASE request")?;
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self) {
        let pages = match wal_checkpoint_due(&self.connection, self.wal_pages_kept) {
            Ok(Some(pages)) => pages,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(error = %error, "a checkpoint failed; it is tried again after the next commit");
                return;
            }
        };
        self.wal_pages_kept = pages;
    }
}

/// Runs a statement without parameters or rows, from the statement cache.
fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Checkpoints when the WAL has grown by enough. Answers the pages that are still in it when one ran.
fn wal_checkpoint_due(connection: &Connection, kept: u32) -> rusqlite::Result<Option<u32>> {
    // SQLite has no call for the WAL's length alone, and statting the file would cost a system call a commit; a
    // no-op checkpoint reports it from shared memory.
    let log: i64 = connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?.query_row([], |row| row.get(1))?;
    let log = u32::try_from(log).unwrap_or(0);
    if log < kept.saturating_add(CHECKPOINT_PAGES) && log < RESTART_PAGES {
        return Ok(None);
    }
    let mode = if log >= RESTART_PAGES { "PRAGMA wal_checkpoint(RESTART)" } else { "PRAGMA wal_checkpoint(PASSIVE)" };
    let (log, done): (i64, i64) =
        connection.prepare_cached(mode)?.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
    // All of it checkpointed: the next write starts the WAL over.
    Ok(Some(if log == done { 0 } else { u32::try_from(log).unwrap_or(0) }))
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use super::*;
    use crate::{Schema, open_writer};

    static SCHEMA: Schema = Schema { name: "test", migrations: &["CREATE TABLE a (x INTEGER) STRICT"] };

    /// Always due, and never able to do what is due.
    struct Stuck(mpsc::Sender<Instant>);

    impl Store for Stuck {
        type Request = mpsc::Sender<StoreError>;

        fn apply(&mut self, _: &Connection, _: Self::Request) -> Applied {
            Applied::Keep
        }

        fn refuse(&mut self, request: Self::Request, error: StoreError) {
            request.send(error).unwrap();
        }

        fn settle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
            // The test may have seen enough.
            let _ = self.0.send(Instant::now());
            connection.execute("INSERT INTO missing VALUES (1)", []).map(|_| ())
        }

        fn committed(&mut self, _: &Connection, outcome: Result<(), StoreError>) {
            assert!(outcome.is_err());
        }

        fn due_in(&self) -> Option<Duration> {
            Some(Duration::ZERO)
        }
    }

    #[test]
    fn due_work_that_fails_is_tried_again_after_a_pause() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let (sender, settled) = mpsc::channel();
        let writer = GroupWriter::start(&path, open_writer(&path, &SCHEMA).unwrap(), Stuck(sender)).unwrap();
        let tries: Vec<Instant> = settled.iter().take(3).collect();
        assert!(tries[2] - tries[1] >= FAILED_PAUSE, "without the pause this is a busy loop");
        writer.close();
    }
}
