//! The group-commit loop: one thread, one file, one transaction for everything that waits.

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
    fn refuse(&mut self, request: Self::Request, error: StoreError);

    /// Runs after the last request of a batch, inside its transaction, and also when the due time has come.
    ///
    /// # Errors
    /// Sink the whole batch.
    fn settle(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// Tells the outcome of the transaction: answers go out, or errors do.
    fn committed(&mut self, connection: &Connection, outcome: Result<(), StoreError>);

    /// The file is in quarantine: nothing is done for it any more.
    fn abandon(&mut self) {}

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

enum Message<R> {
    Request(R),
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
        let (sender, receiver) = channel();
        let path = health.path().to_owned();
        let failed = |source| OpenError::Thread { path: path.clone(), source };
        let checkpoints = Checkpoints::start(health.clone()).map_err(failed)?;
        let requests = Requests { sender: Some(sender), health: health.clone() };
        let thread = std::thread::Builder::new()
            .name("flowork-writer".to_owned())
            .spawn(move || Loop { connection, store, receiver, checkpoints, health, failed: false }.run())
            .map_err(failed)?;
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

struct Loop<S: Store> {
    /// Before the connection, so that it is dropped before: when the last connection closes, the log is removed.
    store: S,
    connection: Connection,
    receiver: Receiver<Message<S::Request>>,
    checkpoints: Checkpoints,
    health: Health,
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
            let close = match self.wait() {
                Wake::Request(first) => self.batch(Some(first)),
                Wake::Due => self.batch(None),
                Wake::Close => break,
            };
            if self.health.quarantine().is_some() {
                // A batch that took the message to close answers so.
                return if close { self.leave() } else { self.refuse_all() };
            }
            if close {
                break;
            }
        }
        if self.store.due_in() == Some(Duration::ZERO) {
            self.batch(None);
        }
        // The last connection to close checkpoints and removes the WAL by itself.
        self.checkpoints.stop();
        if self.health.quarantine().is_some() {
            self.leave();
        }
    }

    /// Answers whoever still asks, until the writer is closed.
    fn refuse_all(mut self) {
        self.store.abandon();
        while let Ok(Message::Request(request)) = self.receiver.recv() {
            let error = self.health.check().err().unwrap_or(StoreError::Closed);
            self.store.refuse(request, error);
        }
        self.leave();
    }

    fn leave(mut self) {
        leave_as_it_is(&self.connection);
        self.checkpoints.stop();
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
        let begun = self.health.check().and_then(|()| self.checkpoints.make_room(&self.connection));
        let begun = begun.and_then(|()| {
            execute(&self.connection, "BEGIN IMMEDIATE").map_err(|error| self.health.failed(error.into()))
        });
        if let Err(error) = begun {
            self.failed = true;
            tracing::error!(error = ?error, "a transaction could not begin");
            if let Some(request) = first {
                self.store.refuse(request, error);
            }
            return false;
        }
        let (applied, close) = self.apply_waiting(first);
        let outcome = applied
            .and_then(|()| self.store.settle(&self.connection).map_err(settle_error))
            // A reader may have found damage meanwhile.
            .and_then(|()| self.health.check())
            .and_then(|()| execute(&self.connection, "COMMIT").map_err(StoreError::from))
            .map_err(|error| self.health.failed(error));
        if let Err(error) = &outcome {
            tracing::error!(error = ?error, "a group commit failed; nothing of it was kept");
            if !self.connection.is_autocommit()
                && let Err(error) = execute(&self.connection, "ROLLBACK")
            {
                tracing::error!(error = %error, "the rollback failed too");
            }
        } else {
            self.health.wrote();
        }
        self.failed = outcome.is_err();
        self.store.committed(&self.connection, outcome);
        if self.health.quarantine().is_none() {
            self.checkpoints.committed(&self.connection);
        }
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

    /// Applies one request so that its failure costs the others nothing. An error comes back only when it ended the
    /// whole transaction, as a full disk does.
    fn apply_isolated(&mut self, request: S::Request) -> Result<(), StoreError> {
        if self.store.undoes_itself(&request) {
            return match self.store.apply(&self.connection, request) {
                Applied::Undo(error) if self.connection.is_autocommit() || error.is_corrupt() => Err(error),
                Applied::Keep | Applied::Undo(_) => Ok(()),
                Applied::Sink(error) => Err(error),
            };
        }
        if let Err(error) = execute(&self.connection, "SAVEPOINT request").map_err(StoreError::from) {
            self.store.refuse(request, error.clone());
            return Err(error);
        }
        match self.store.apply(&self.connection, request) {
            Applied::Keep => execute(&self.connection, "RELEASE request")?,
            // On a damaged file nothing of the batch can be trusted.
            Applied::Undo(error) if self.connection.is_autocommit() || error.is_corrupt() => return Err(error),
            Applied::Sink(error) => return Err(error),
            Applied::Undo(_) => {
                execute(&self.connection, "ROLLBACK TO request")?;
                execute(&self.connection, "RELEASE request")?;
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

    /// Writes numbers without savepoints; a negative one can't be taken back.
    struct Numbers(Vec<mpsc::Sender<bool>>);

    impl Store for Numbers {
        type Request = (i64, mpsc::Sender<bool>);

        fn apply(&mut self, connection: &Connection, (number, answer): Self::Request) -> Applied {
            if number == 0 {
                let _ = answer.send(false);
                return Applied::Undo(StoreError::Closed);
            }
            connection.execute("INSERT INTO a VALUES (?1)", [number]).unwrap();
            self.0.push(answer);
            if number < 0 { Applied::Sink(StoreError::Closed) } else { Applied::Keep }
        }

        fn undoes_itself(&self, _: &Self::Request) -> bool {
            true
        }

        fn refuse(&mut self, (_, answer): Self::Request, _: StoreError) {
            answer.send(false).unwrap();
        }

        fn settle(&mut self, _: &Connection) -> rusqlite::Result<()> {
            Ok(())
        }

        fn committed(&mut self, _: &Connection, outcome: Result<(), StoreError>) {
            for answer in self.0.drain(..) {
                answer.send(outcome.is_ok()).unwrap();
            }
        }

        fn due_in(&self) -> Option<Duration> {
            None
        }
    }

    #[test]
    fn without_savepoints_a_request_that_undid_itself_costs_nobody_and_one_that_could_not_sinks_its_batch() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let connection = open_writer(&path, &SCHEMA).unwrap();
        let health = Health::unguarded(path.clone());
        let (sender, receiver) = channel();
        let checkpoints = Checkpoints::start(health.clone()).unwrap();
        let mut writer = Loop { connection, store: Numbers(Vec::new()), receiver, checkpoints, health, failed: false };
        let mut batch = |numbers: &[i64]| -> Vec<bool> {
            let answers: Vec<_> = numbers
                .iter()
                .map(|number| {
                    let (answer, answered) = mpsc::channel();
                    assert!(sender.send(Message::Request((*number, answer))).is_ok());
                    answered
                })
                .collect();
            while let Ok(Message::Request(first)) = writer.receiver.try_recv() {
                writer.batch(Some(first));
            }
            answers.into_iter().map(|answered| answered.recv().unwrap()).collect()
        };
        assert_eq!(batch(&[1, 0, 2]), [true, false, true]);
        assert_eq!(batch(&[3, -1]), [false, false]);
        assert_eq!(batch(&[4]), [true]);
        let sum: i64 = writer.connection.query_row("SELECT sum(x) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 7);
        writer.checkpoints.stop();
    }
}
