//! A file whose requests are closures: for stores that are written rarely.

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{Applied, GroupWriter, OpenError, Readers, Requests, Schema, Store, StoreError, open_writer};

/// One SQLite file. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Database {
    requests: Requests<Write>,
    readers: Readers,
    writer: Arc<std::sync::Mutex<Option<GroupWriter<Write>>>>,
}

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Write = Box<dyn FnOnce(Result<&Connection, StoreError>) -> (Applied, Answer) + Send>;

impl Database {
    /// Opens or makes the file and starts its writer thread.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, schema: &'static Schema) -> Result<Self, OpenError> {
        let connection = open_writer(path, schema)?;
        let writer = GroupWriter::start(path, connection, Closures::default())?;
        Ok(Self {
            requests: writer.requests(),
            readers: Readers::new(path.to_owned()),
            writer: Arc::new(std::sync::Mutex::new(Some(writer))),
        })
    }

    /// Runs `change` in the next group commit and answers once it is on disk. An error undoes this change alone.
    ///
    /// # Errors
    /// `change` failed, the commit failed, or the database is closed.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.requests.send(Box::new(move |connection| {
            let changed = connection.and_then(|connection| change(connection).map_err(StoreError::from));
            let applied = match &changed {
                Ok(_) => Applied::Keep,
                Err(error) => Applied::Undo(error.clone()),
            };
            let answer = move |committed: Result<(), StoreError>| {
                // Whoever asked may have gone; the change stands all the same.
                let _ = sender.send(changed.and_then(|value| committed.map(|()| value)));
            };
            (applied, Box::new(answer) as Answer)
        }))?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `query` on a reading connection.
    ///
    /// # Errors
    /// What SQLite reported.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(query).await
    }

    /// Finishes what was sent before and ends the writer thread.
    pub async fn close(self) {
        let writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // Joining blocks; the runtime must not.
            let _ = tokio::task::spawn_blocking(move || writer.close()).await;
        }
    }
}

#[derive(Default)]
struct Closures {
    answers: Vec<Answer>,
}

impl Store for Closures {
    type Request = Write;

    fn apply(&mut self, connection: &Connection, request: Write) -> Applied {
        let (applied, answer) = request(Ok(connection));
        self.answers.push(answer);
        applied
    }

    fn decline(request: Write, error: StoreError) {
        let (_, answer) = request(Err(error));
        answer(Ok(()));
    }

    fn settle(&mut self, _: &Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    fn committed(&mut self, _: &Connection, outcome: Result<(), StoreError>) {
        for answer in self.answers.drain(..) {
            answer(outcome.clone());
        }
    }

    fn due_in(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SCHEMA: Schema = Schema { name: "test", migrations: &["CREATE TABLE a (x INTEGER PRIMARY KEY) STRICT"] };

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_bad_write_does_not_sink_its_batch() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("a.db"), &SCHEMA).unwrap();
        let mut writes = Vec::new();
        for x in 0..200_i64 {
            let database = database.clone();
            // Every tenth repeats a key and must fail alone.
            let key = if x % 10 == 9 { x - 1 } else { x };
            writes.push(tokio::spawn(async move {
                database
                    .write(move |connection| {
                        connection.execute("INSERT INTO a VALUES (?1 + 10000)", [x])?;
                        connection.execute("INSERT INTO a VALUES (?1)", [key])
                    })
                    .await
                    .is_ok()
            }));
        }
        let mut kept = 0;
        for write in writes {
            kept += i64::from(write.await.unwrap());
        }
        let rows = database
            .read(|connection| connection.query_row("SELECT count(*) FROM a", [], |row| row.get::<_, i64>(0)))
            .await
            .unwrap();
        assert_eq!(kept, 180);
        assert_eq!(rows, 360, "both rows of a good write, neither row of a bad one");
    }

    #[tokio::test]
    async fn a_closed_database_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("a.db"), &SCHEMA).unwrap();
        database.clone().close().await;
        let outcome = database.write(|connection| connection.execute("INSERT INTO a VALUES (1)", [])).await;
        assert!(matches!(outcome, Err(StoreError::Closed)));
    }
}
