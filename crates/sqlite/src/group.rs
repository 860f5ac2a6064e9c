//! The group-commit loop: one thread, one file, one transaction for everything that waits.

mod reopen;

use std::{
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::Connection;

use crate::{Health, OpenError, StoreError, checkpoint::Checkpoints, open::leave_as_it_is};

/// Requests in one transaction. A batch this long takes tens of milliseconds; more would only add to the wait.
const BATCH_MAX: usize = 1_024;
/// After a failed commit, due work waits at least this long: on a full disk it would only fail again, in a busy loop.
const FAILED_PAUSE: Duration = Duration::from_millis(500);

/// What the requests of one file do. Runs on the writer thread.
pub trait Store: Send + 'static {
    /// One request, with its way to answer.
    type Request: Send + 'static;

    /// Does one request inside the open transaction and keeps its answer until [`committed`](Self::committed).
    fn apply(&mut self, connection: &Connection, request: Self::Request) -> Applied;

    /// Whether [`apply`](Self::apply) leaves nothing of this request behind when it answers [`Applied::Undo`], or answers
    /// [`Applied::Sink`]. Such a request needs no savepoint, which is a good part of the cost of a small write.
    fn undoes_itself(&self, _request: &Self::Request) -> bool {
        false
    }

    /// Answers a request that no transaction could be opened for.
    fn refuse(&mut self, request: Self::Request, error: StoreError) {
        Self::decline(request, error);
    }

    /// Answers a request for a file that is left alone.
    fn decline(request: Self::Request, error: StoreError);

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
    /// They can't be told apart from the rest any more, so the whole batch fails, for this reason.
    Sink(StoreError),
}

/// Opens a file, and reads what its store holds of it in memory.
pub type Open<S> = Box<dyn FnMut() -> Result<(Connection, S), OpenError> + Send>;

enum Message<R> {
    Request(R),
    /// The file came into quarantine.
    Look,
    Close,
}

/// Sends requests to one writer thread. Cheap to clone.
pub struct Requests<R> {
    /// None for a file that was not opened.
    sender: Option<Sender<Message<R>>>,
    health: Health,
}

impl<R> Clone for Requests<R> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), health: self.health.clone() }
    }
}

impl<R> Requests<R> {
    /// For a file that has no writer, because it is in quarantine since before it was opened.
    pub fn to_nobody(health: Health) -> Self {
        Self { sender: None, health }
    }

    /// Queues a request for the next batch. One for a file that came into quarantine is refused by the writer, so that
    /// whatever it carries is given back.
    ///
    /// # Errors
    /// The writer has stopped, or never started.
    pub fn send(&self, request: R) -> Result<(), StoreError> {
        let Some(sender) = &self.sender else { return Err(self.health.check().err().unwrap_or(StoreError::Closed)) };
        sender.send(Message::Request(request)).map_err(|_| StoreError::Closed)
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
        Self::with_health(connection, store, Health::unguarded(path.to_owned()))
    }

    /// Starts the thread for a file whose readers have the same `health`.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn with_health(
        connection: Connection,
        store: impl Store<Request = R>,
        health: Health,
    ) -> Result<Self, OpenError> {
        Self::spawn(Some((connection, store)), None, health)
    }

    /// Starts the thread for a file that comes back by itself from a disk that failed: it is opened again and again until
    /// that works. Without `opened` it begins with that.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn reopening<S: Store<Request = R>>(
        opened: Option<(Connection, S)>,
        open: Open<S>,
        health: Health,
    ) -> Result<Self, OpenError> {
        Self::spawn(opened, Some(open), health)
    }

    fn spawn<S: Store<Request = R>>(
        opened: Option<(Connection, S)>,
        open: Option<Open<S>>,
        health: Health,
    ) -> Result<Self, OpenError> {
        let (sender, receiver) = channel();
        let requests = Requests { sender: Some(sender), health: health.clone() };
        let file = opened.map(|(connection, store)| File::new(connection, store, &health)).transpose()?;
        let wake = requests.sender.clone();
        health.wake_with(move || {
            // A writer that was closed has nothing to look at.
            let _ = wake.as_ref().map(|sender| sender.send(Message::Look));
        });
        let path = health.path().to_owned();
        let thread = std::thread::Builder::new()
            .name("flowork-writer".to_owned())
            .spawn(move || reopen::serve(file, open, &receiver, &health))
            .map_err(|source| OpenError::Thread { path, source })?;
        Ok(Self { requests, thread: Some(thread) })
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
        let _ = self.requests.sender.as_ref().map(|sender| sender.send(Message::Close));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a writer thread panicked");
        }
    }
}

/// A file that is open.
struct File<S> {
    /// Before the connection, so that it is dropped before: when the last connection closes, the log is removed.
    store: S,
    connection: Connection,
    checkpoints: Checkpoints,
}

impl<S> File<S> {
    fn new(connection: Connection, store: S, health: &Health) -> Result<Self, OpenError> {
        let checkpoints = Checkpoints::start(health.clone())
            .map_err(|source| OpenError::Thread { path: health.path().to_owned(), source })?;
        Ok(Self { store, connection, checkpoints })
    }

    /// Closes it as it is.
    fn leave(mut self) {
        leave_as_it_is(&self.connection);
        self.checkpoints.stop();
    }
}

struct Loop<'a, S: Store> {
    file: File<S>,
    receiver: &'a Receiver<Message<S::Request>>,
    health: Health,
    /// The last transaction failed.
    failed: bool,
}

/// Why the loop ended.
#[derive(PartialEq, Eq)]
enum End {
    Closed,
    Quarantined,
}

enum Wake<R> {
    Request(R),
    Due,
    Close,
}

impl<S: Store> Loop<'_, S> {
    fn run(mut self) -> End {
        loop {
            let close = match self.wait() {
                Wake::Request(first) => self.batch(Some(first)),
                Wake::Due => self.batch(None),
                Wake::Close => break,
            };
            if self.health.quarantine().is_some() {
                self.file.leave();
                // A batch that took the message to close answers so.
                return if close { End::Closed } else { End::Quarantined };
            }
            if close {
                break;
            }
        }
        if self.file.store.due_in() == Some(Duration::ZERO) {
            self.batch(None);
        }
        // The last connection to close checkpoints and removes the WAL by itself.
        self.file.checkpoints.stop();
        if self.health.quarantine().is_some() {
            self.file.leave();
        }
        End::Closed
    }

    fn wait(&self) -> Wake<S::Request> {
        let pause = if self.failed { FAILED_PAUSE } else { Duration::ZERO };
        let message = match self.file.store.due_in().map(|wait| wait.max(pause)) {
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => self.receiver.recv_timeout(wait),
        };
        match message {
            Ok(Message::Request(request)) => Wake::Request(request),
            Ok(Message::Look) | Err(RecvTimeoutError::Timeout) => Wake::Due,
            Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => Wake::Close,
        }
    }

    /// Runs one transaction; tells whether the loop must end.
    fn batch(&mut self, first: Option<S::Request>) -> bool {
        let begun = self.health.check().and_then(|()| self.file.checkpoints.make_room(&self.file.connection));
        let begun = begun.and_then(|()| {
            execute(&self.file.connection, "BEGIN IMMEDIATE").map_err(|error| self.health.failed(error.into()))
        });
        if let Err(error) = begun {
            self.failed = true;
            tracing::error!(error = ?error, "a transaction could not begin");
            if let Some(request) = first {
                self.file.store.refuse(request, error);
            }
            return false;
        }
        let changes = self.file.connection.total_changes();
        let (applied, close) = self.apply_waiting(first);
        let outcome = applied
            .and_then(|()| self.file.store.settle(&self.file.connection).map_err(settle_error))
            // A reader may have found damage meanwhile.
            .and_then(|()| self.health.check())
            .and_then(|()| self.probe(changes))
            .and_then(|()| execute(&self.file.connection, "COMMIT").map_err(StoreError::from))
            .map_err(|error| self.health.failed(error));
        if let Err(error) = &outcome {
            tracing::error!(error = ?error, "a group commit failed; whoever asked is told so");
            if !self.file.connection.is_autocommit()
                && let Err(error) = execute(&self.file.connection, "ROLLBACK")
            {
                tracing::error!(error = %error, "the rollback failed too");
            }
        } else {
            self.health.wrote();
        }
        self.failed = outcome.is_err();
        self.file.store.committed(&self.file.connection, outcome);
        if self.health.quarantine().is_none() {
            self.file.checkpoints.committed(&self.file.connection);
        }
        close
    }

    /// A transaction that changed nothing commits without the disk, and would say nothing of one that fails.
    fn probe(&self, changes_before: u64) -> Result<(), StoreError> {
        if self.health.trouble().is_some() && self.file.connection.total_changes() == changes_before {
            reopen::prove_writable(&self.file.connection)?;
        }
        Ok(())
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
                Ok(Message::Look) | Err(_) => {}
            }
        }
        (Ok(()), false)
    }

    /// Applies one request so that its failure costs the others nothing. An error comes back only when it ended the
    /// whole transaction, as a full disk does.
    fn apply_isolated(&mut self, request: S::Request) -> Result<(), StoreError> {
        if self.file.store.undoes_itself(&request) {
            return match self.file.store.apply(&self.file.connection, request) {
                Applied::Undo(error) if self.file.connection.is_autocommit() || error.is_corrupt() => Err(error),
                Applied::Keep | Applied::Undo(_) => Ok(()),
                Applied::Sink(error) => Err(error),
            };
        }
        if let Err(error) = execute(&self.file.connection, "SAVEPOINT request").map_err(StoreError::from) {
            self.file.store.refuse(request, error.clone());
            return Err(error);
        }
        match self.file.store.apply(&self.file.connection, request) {
            Applied::Keep => execute(&self.file.connection, "RELEASE request")?,
            // On a damaged file nothing of the batch can be trusted.
            Applied::Undo(error) if self.file.connection.is_autocommit() || error.is_corrupt() => return Err(error),
            Applied::Sink(error) => return Err(error),
            Applied::Undo(_) => {
                execute(&self.file.connection, "ROLLBACK TO request")?;
                execute(&self.file.connection, "RELEASE request")?;
            }
        }
        Ok(())
    }
}

/// A row that cannot be read although SQLite gives it stops all work of a store, as a damaged page does.
fn settle_error(error: rusqlite::Error) -> StoreError {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    match error {
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..) => {
            StoreError::Corrupt(std::sync::Arc::new(error))
        }
        _ => error.into(),
    }
}

/// Runs a statement without parameters or rows, from the statement cache.
fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

#[cfg(test)]
mod tests;
