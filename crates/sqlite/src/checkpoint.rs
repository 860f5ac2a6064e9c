//! Moving pages from the write-ahead log to the file, out of the way of commits.
//!
//! Copying is the long part, and a passive checkpoint blocks nobody: it runs on a connection and a thread of its own.
//! What is written meanwhile is left over, so when the log has become long the writer copies that little rest itself,
//! between two batches; then the next commit starts the log over. Readers of an old state keep the log from starting
//! over, so past a limit new reads wait for a moment and old ones are ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::Connection;

use crate::{
    Health, StoreError,
    open::{leave_as_it_is, open_checkpointer},
};

/// Pages in the log that are not in the file yet, after which they are copied (4 MiB of 4 KiB pages).
const COPY_PAGES: u32 = 1_024;
/// Pages in the log after which it should start over (16 MiB).
const RESTART_PAGES: u32 = 4_096;
/// What may be left for the writer to copy (256 KiB): less than another pass of the thread would save.
const REST_PAGES: u32 = 64;
/// Passes of the thread for one request. Each has less to copy than the one before.
const PASSES_MAX: u32 = 3;
/// Pages in the log after which reads give way (64 MiB).
const LONG_PAGES: u32 = 16_384;
/// Pages in the log at which nothing more is written (256 MiB). Only another program's read gets it there.
const PAGES_MAX: u32 = 65_536;
/// A read may take this long while the log is long.
const READ_MAX: Duration = Duration::from_secs(5);
/// How long a restart waits for reads and for the writer. New reads wait as long.
const PATIENCE: Duration = Duration::from_millis(200);

/// Tells how much is in the log and copies nothing.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";

/// How much is in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Log {
    pages: u32,
    /// Of these, pages that are in the file too.
    copied: u32,
}

impl Log {
    fn rest(self) -> u32 {
        self.pages.saturating_sub(self.copied)
    }
}

/// What the writer knows of its log, and the thread that empties it.
pub(crate) struct Checkpoints {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    /// As of the last commit.
    log: Log,
    /// Nothing is tried before the log has this many pages: after a checkpoint that readers kept short, the next would
    /// be too.
    next_at: u32,
    limits: Limits,
}

/// What the writer and the thread share.
struct Shared {
    health: Health,
    /// The thread has something to do.
    busy: AtomicBool,
    /// The thread has copied all it could, so the rest is short.
    copied: AtomicBool,
}

/// The sizes above; tests use smaller ones.
#[derive(Clone, Copy, Debug)]
struct Limits {
    long_pages: u32,
    pages_max: u32,
    read_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { long_pages: LONG_PAGES, pages_max: PAGES_MAX, read_max: READ_MAX }
    }
}

impl Checkpoints {
    pub(crate) fn start(health: Health) -> std::io::Result<Self> {
        Self::with_limits(health, Limits::default())
    }

    fn with_limits(health: Health, limits: Limits) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { health, busy: AtomicBool::new(false), copied: AtomicBool::new(false) });
        // One place: a request that comes while another waits is the same request.
        let (wake, requests) = sync_channel(1);
        let copier = Copier { shared: Arc::clone(&shared), requests, limits };
        let thread = std::thread::Builder::new().name("flowork-copier".to_owned()).spawn(move || copier.run())?;
        let (log, next_at) = (Log::default(), COPY_PAGES);
        Ok(Self { wake: Some(wake), thread: Some(thread), shared, log, next_at, limits })
    }

    /// Looks at the log after a commit, and has it copied when it is time.
    pub(crate) fn committed(&mut self, connection: &Connection) {
        if let Err(error) = self.look(connection) {
            let error = self.shared.health.failed(error.into());
            tracing::warn!(error = ?error, "a checkpoint failed; it is tried again after the next commit");
        }
    }

    fn look(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        // SQLite has no call for the WAL's length alone, and statting the file would cost a system call a commit; a
        // no-op checkpoint reports it from shared memory.
        let log = checkpoint(connection, LOOK)?;
        if log.pages < self.log.pages {
            self.next_at = COPY_PAGES;
        }
        self.log = log;
        if self.shared.busy.load(Ordering::Acquire) {
            return Ok(());
        }
        if self.shared.copied.swap(false, Ordering::AcqRel) {
            if log.pages >= RESTART_PAGES {
                self.log = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
            }
            self.next_at = self.log.pages + COPY_PAGES;
            return Ok(());
        }
        if log.pages >= self.next_at {
            self.wake();
        }
        Ok(())
    }

    fn wake(&self) {
        self.shared.busy.store(true, Ordering::Release);
        if let Some(Err(TrySendError::Disconnected(()))) = self.wake.as_ref().map(|wake| wake.try_send(())) {
            // It ended because the file is in quarantine, and the writer ends too.
            self.shared.busy.store(false, Ordering::Release);
        }
    }

    /// Makes sure that the log may grow.
    pub(crate) fn make_room(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if self.log.pages < self.limits.pages_max {
            return Ok(());
        }
        let log = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)");
        self.log = log.map_err(|error| self.shared.health.failed(error.into()))?;
        if self.log.pages < self.limits.pages_max || self.log.rest() == 0 {
            return Ok(());
        }
        if !self.shared.busy.load(Ordering::Acquire) {
            self.wake();
        }
        Err(StoreError::Held)
    }

    /// Ends the thread. Blocks until it has.
    pub(crate) fn stop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a checkpoint thread panicked");
        }
    }
}

/// The thread's side.
struct Copier {
    shared: Arc<Shared>,
    requests: Receiver<()>,
    limits: Limits,
}

impl Copier {
    fn run(self) {
        // Opened when first needed: most files never are.
        let mut connection = None;
        while self.requests.recv().is_ok() && self.shared.health.quarantine().is_none() {
            match self.copy(&mut connection) {
                Ok(()) => self.shared.copied.store(true, Ordering::Release),
                Err(error) => {
                    let error = self.shared.health.failed(error.into());
                    tracing::warn!(error = ?error, "a checkpoint failed; it is tried again after the next commit");
                }
            }
            self.shared.busy.store(false, Ordering::Release);
        }
        if let (Some(connection), Some(_)) = (&connection, self.shared.health.quarantine()) {
            leave_as_it_is(connection);
        }
    }

    fn copy(&self, connection: &mut Option<Connection>) -> rusqlite::Result<()> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(open_checkpointer(self.shared.health.path())?),
        };
        for _ in 0..PASSES_MAX {
            let log = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
            if log.pages >= self.limits.long_pages {
                return self.restart(connection);
            }
            // More passes cost more fsyncs, and only pay when the writer is about to copy the rest.
            if log.pages < RESTART_PAGES || checkpoint(connection, LOOK)?.rest() <= REST_PAGES {
                break;
            }
        }
        Ok(())
    }

    /// Starts the log over while nobody reads. If somebody does not let go in time, the next request tries again.
    fn restart(&self, connection: &Connection) -> rusqlite::Result<()> {
        let reads = self.shared.health.reads();
        let ended = reads.end_older_than(self.limits.read_max);
        if ended > 0 {
            tracing::warn!(ended, file = %self.shared.health.path().display(), "reads that took too long were ended");
        }
        connection.busy_timeout(PATIENCE)?;
        let outcome = reads.paused(PATIENCE, || checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)"));
        outcome.transpose().map(|_| ())
    }
}

fn checkpoint(connection: &Connection, sql: &str) -> rusqlite::Result<Log> {
    // While another connection checkpoints, SQLite gives -1 for both.
    let (pages, copied): (i64, i64) =
        connection.prepare_cached(sql)?.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
    match (u32::try_from(pages), u32::try_from(copied)) {
        (Ok(pages), Ok(copied)) => Ok(Log { pages, copied }),
        _ if sql == LOOK => Ok(Log::default()),
        _ => checkpoint(connection, LOOK),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::mpsc, time::Instant};

    use super::*;
    use crate::{Database, Readers, Schema, open_reader, open_writer};

    static SCHEMA: Schema =
        Schema { name: "test", migrations: &["CREATE TABLE a (x INTEGER PRIMARY KEY, b BLOB) STRICT"] };
    /// Only a defect waits for it.
    const PATIENCE: Duration = Duration::from_mins(1);
    const SMALL: Limits = Limits { long_pages: 2_048, pages_max: 4_096, read_max: Duration::from_millis(10) };

    /// A writer as the group commit uses it, without the group.
    struct Writer {
        connection: Connection,
        checkpoints: Checkpoints,
    }

    impl Writer {
        fn new(path: &Path, limits: Limits) -> Self {
            let connection = open_writer(path, &SCHEMA).unwrap();
            let health = Health::unguarded(path.to_owned());
            Self { connection, checkpoints: Checkpoints::with_limits(health, limits).unwrap() }
        }

        /// Commits about 16 pages.
        fn commit(&mut self) -> Result<Log, StoreError> {
            self.checkpoints.make_room(&self.connection)?;
            self.connection.execute("INSERT INTO a (b) VALUES (randomblob(65000))", []).unwrap();
            self.checkpoints.committed(&self.connection);
            Ok(self.checkpoints.log)
        }
    }

    #[test]
    fn the_log_starts_over_under_steady_writes() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(&directory.path().join("a.db"), Limits::default());
        let mut longest = 0;
        let (mut last, mut restarts) = (0, 0);
        let began = Instant::now();
        while restarts < 3 {
            let pages = writer.commit().unwrap().pages;
            restarts += u32::from(pages < last);
            longest = longest.max(pages);
            last = pages;
            assert!(began.elapsed() < PATIENCE, "the log only grows: {longest} pages");
        }
        assert!(longest < LONG_PAGES, "{longest}");
        writer.checkpoints.stop();
    }

    #[test]
    fn a_read_of_another_program_bounds_the_log_and_writes_go_on_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let mut writer = Writer::new(&path, SMALL);
        writer.commit().unwrap();
        let reader = open_reader(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM a").unwrap();
        let began = Instant::now();
        let refused = loop {
            match writer.commit() {
                Ok(log) => assert!(log.pages < SMALL.pages_max + 64, "{log:?}"),
                Err(error) => break error,
            }
            assert!(began.elapsed() < PATIENCE);
        };
        assert!(matches!(refused, StoreError::Held), "{refused}");
        reader.execute_batch("COMMIT").unwrap();
        while let Err(error) = writer.commit() {
            assert!(matches!(error, StoreError::Held) && began.elapsed() < PATIENCE, "{error}");
        }
        writer.checkpoints.stop();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_of_ours_that_takes_too_long_is_ended_so_that_the_log_can_start_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let connection = open_writer(&path, &SCHEMA).unwrap();
        let health = Health::unguarded(path.clone());
        let checkpoints = Checkpoints::with_limits(health.clone(), SMALL).unwrap();
        let mut writer = Writer { connection, checkpoints };
        writer.commit().unwrap();
        let readers = Readers::with_health(health);
        let (started, reading) = mpsc::channel();
        let read = tokio::spawn(async move {
            readers
                .read(move |connection| {
                    connection.query_row("SELECT count(*) FROM a", [], |_| {
                        started.send(()).map_err(|_| rusqlite::Error::InvalidQuery)
                    })?;
                    let endless =
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, a";
                    connection.query_row(endless, [], |row| row.get::<_, i64>(0))
                })
                .await
        });
        tokio::task::spawn_blocking(move || {
            reading.recv().unwrap();
            let (mut last, began) = (0, Instant::now());
            loop {
                match writer.commit() {
                    Ok(log) if log.pages < last => break,
                    Ok(log) => last = log.pages,
                    Err(error) => assert!(matches!(error, StoreError::Held), "{error}"),
                }
                assert!(began.elapsed() < PATIENCE, "the log never started over");
            }
            writer.checkpoints.stop();
        })
        .await
        .unwrap();
        assert!(read.await.unwrap().is_err(), "the read was ended");
    }

    #[tokio::test]
    async fn closing_leaves_no_log_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let database = Database::open(&path, &SCHEMA).unwrap();
        for _ in 0..200 {
            database
                .write(|connection| connection.execute("INSERT INTO a (b) VALUES (randomblob(65000))", []))
                .await
                .unwrap();
        }
        database.close().await;
        assert!(!directory.path().join("a.db-wal").exists());
    }
}
