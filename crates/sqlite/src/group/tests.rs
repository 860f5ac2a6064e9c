//! Batches that fail, requests that do, and files that come back.

use std::{sync::mpsc, time::Instant};

use super::*;
use crate::{Cause, Readers, Schema, open_writer};

static SCHEMA: Schema = Schema { name: "test", migrations: &["CREATE TABLE a (x INTEGER) STRICT"] };

/// Always due, and never able to do what is due.
struct Stuck(mpsc::Sender<Instant>);

impl Store for Stuck {
    type Request = mpsc::Sender<StoreError>;

    fn apply(&mut self, _: &Connection, _: Self::Request) -> Applied {
        Applied::Keep
    }

    fn decline(request: Self::Request, error: StoreError) {
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

    fn decline((_, answer): Self::Request, _: StoreError) {
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
    let file = File { store: Numbers(Vec::new()), connection, checkpoints };
    let mut writer = Loop { file, receiver: &receiver, health, failed: false };
    let mut batch = |numbers: &[i64]| -> Vec<bool> {
        let answers: Vec<_> = numbers
            .iter()
            .map(|number| {
                let (answer, answered) = mpsc::channel();
                assert!(sender.send(Message::Request((*number, answer))).is_ok());
                answered
            })
            .collect();
        while let Ok(Message::Request(first)) = receiver.try_recv() {
            writer.batch(Some(first));
        }
        answers.into_iter().map(|answered| answered.recv().unwrap()).collect()
    };
    assert_eq!(batch(&[1, 0, 2]), [true, false, true]);
    assert_eq!(batch(&[3, -1]), [false, false]);
    assert_eq!(batch(&[4]), [true]);
    let sum: i64 = writer.file.connection.query_row("SELECT sum(x) FROM a", [], |row| row.get(0)).unwrap();
    assert_eq!(sum, 7);
    writer.file.checkpoints.stop();
}

/// The rows of a file, by a reader that shares its writer's health.
async fn rows(readers: &Readers) -> Result<i64, StoreError> {
    readers.read(|connection| connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0))).await
}

#[tokio::test]
async fn a_file_whose_disk_failed_is_opened_again_until_it_can_be_and_a_damaged_one_never() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let health = Health::guarded(path.clone(), |_| {});
    let (opened, opens) = mpsc::channel();
    let mut tries = 0;
    let open: Open<Numbers> = Box::new({
        let path = path.clone();
        move || {
            tries += 1;
            let _ = opened.send(());
            if tries == 1 {
                let failed = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_READ);
                let source = rusqlite::Error::SqliteFailure(failed, None);
                return Err(OpenError::Sqlite { path: path.clone(), source });
            }
            Ok((open_writer(&path, &SCHEMA)?, Numbers(Vec::new())))
        }
    });
    let first = (open_writer(&path, &SCHEMA).unwrap(), Numbers(Vec::new()));
    let writer = GroupWriter::reopening(Some(first), open, health.clone()).unwrap();
    let readers = Readers::with_health(health.clone());
    let write = |number: i64| {
        let (answer, answered) = mpsc::channel();
        writer.requests().send((number, answer)).unwrap();
        answered.recv().unwrap()
    };
    assert!(write(1));
    assert_eq!(rows(&readers).await.unwrap(), 1);
    let mut returns = health.returns();
    // Nobody asks for anything meanwhile, so the writer has to be woken.
    health.condemn(Cause::Unreadable, "an I/O error");
    assert!(!write(2) && rows(&readers).await.is_err(), "it is left alone");
    tokio::time::timeout(Duration::from_mins(1), returns.changed()).await.unwrap().unwrap();
    assert_eq!(opens.try_iter().count(), 2, "the first try came too early");
    assert!(write(3) && health.quarantine().is_none());
    assert_eq!(rows(&readers).await.unwrap(), 2);
    health.condemn(Cause::Damaged, "a page is malformed");
    assert!(!write(4) && rows(&readers).await.is_err());
    writer.close();
    assert_eq!(opens.try_iter().count(), 0, "nobody opens it again");
}
