//! Syncs the write-ahead log to the disk within a second of a commit, on a thread of its own.
//!
//! A sync takes as long as the disk likes. On the writer's thread every change that comes meanwhile would wait for it, so
//! commits leave it out, and this thread sees to it through a handle of its own: a sync is about the file, not about the
//! handle. That handle is on the log only. SQLite keeps its locks on the database file and on the index of the log, and
//! none on the log itself, so no lock is lost when it is closed.
//!
//! After a sync that failed, another one that works says nothing: the system may have dropped what it could not write, or
//! hold it for written. So nothing counts as synced from then on until SQLite itself has copied the whole log to the file,
//! synced that, and begun a new log.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use flowork_sqlite::open_checkpointer;

/// How long a commit may wait for its sync. With the sync before it and its own, that is within the promised second.
const SYNC_AFTER: Duration = Duration::from_millis(400);
/// How long a new log waits for readers of the old one; the writer waits with it.
const RENEW_PATIENCE: Duration = Duration::from_millis(200);

/// The thread, and what it is told.
pub(crate) struct LogSync {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// When the first commit was made that is not synced.
    unsynced_since: Option<Instant>,
    /// A sync failed, and the log was not begun anew since.
    failing: bool,
    stopping: bool,
}

/// What the thread does now.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Sync,
    /// Nothing before this time has passed.
    WaitFor(Duration),
    /// Nothing before it is told.
    Wait,
    End,
}

impl State {
    /// Whether the thread has to be told: of the first commit after a sync.
    fn committed(&mut self, now: Instant) -> bool {
        let first = self.unsynced_since.is_none();
        self.unsynced_since.get_or_insert(now);
        first
    }

    fn turn(&self, now: Instant) -> Turn {
        match self.unsynced_since {
            None if self.stopping => Turn::End,
            None => Turn::Wait,
            Some(_) if self.stopping => Turn::Sync,
            Some(since) => match SYNC_AFTER.saturating_sub(now.saturating_duration_since(since)) {
                Duration::ZERO => Turn::Sync,
                left => Turn::WaitFor(left),
            },
        }
    }
}

/// What is synced.
pub(crate) trait Synced: Send + 'static {
    /// Brings what was written to the disk. Once it has failed, it is not asked again before [`renew`](Self::renew).
    fn sync(&mut self) -> io::Result<()>;

    /// Brings everything to the disk in another way.
    fn renew(&mut self) -> io::Result<()>;
}

/// The log of a database file, opened when it is first synced.
pub(crate) struct Log {
    database: PathBuf,
    file: Option<File>,
}

impl Log {
    pub(crate) fn of(database: &Path) -> Self {
        Self { database: database.to_owned(), file: None }
    }

    fn path(&self) -> PathBuf {
        let mut path = self.database.as_os_str().to_owned();
        path.push("-wal");
        path.into()
    }
}

impl Synced for Log {
    fn sync(&mut self) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(File::options().write(true).open(self.path())?),
        };
        file.sync_data()
    }

    fn renew(&mut self) -> io::Result<()> {
        let connection = open_checkpointer(&self.database).map_err(io::Error::other)?;
        connection.busy_timeout(RENEW_PATIENCE).map_err(io::Error::other)?;
        let held = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        if held.map_err(io::Error::other)? {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "somebody reads the log"));
        }
        Ok(())
    }
}

impl LogSync {
    /// Starts the thread, which syncs at most [`SYNC_AFTER`] after a commit.
    pub(crate) fn start(log: impl Synced) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("flowork-sync".to_owned()).spawn(move || own.run(log))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// There is something to sync. Never waits for the disk.
    pub(crate) fn committed(&self) {
        if self.shared.lock().committed(Instant::now()) {
            self.shared.changed.notify_one();
        }
    }

    /// A sync failed, so commits must see to theirs and tell whoever waits for them.
    pub(crate) fn is_failing(&self) -> bool {
        self.shared.lock().failing
    }
}

impl Drop for LogSync {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that syncs sync sessions panicked");
        }
    }
}

impl Shared {
    fn run(&self, mut log: impl Synced) {
        while self.wait() {
            let failing = {
                let mut state = self.lock();
                // Before the sync: what is committed from now on needs another one.
                state.unsynced_since = None;
                state.failing
            };
            let outcome = if failing { log.renew() } else { log.sync() };
            let mut state = self.lock();
            state.failing = outcome.is_err();
            if let Err(error) = outcome {
                tracing::error!(%error, "sync sessions could not be synced to the disk; it is tried again");
                if !state.stopping {
                    state.unsynced_since.get_or_insert_with(Instant::now);
                }
            }
        }
    }

    /// Waits until there is something to sync and it is time; nothing more comes after `false`.
    fn wait(&self) -> bool {
        let mut state = self.lock();
        loop {
            state = match state.turn(Instant::now()) {
                Turn::Sync => return true,
                Turn::End => return false,
                Turn::Wait => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Turn::WaitFor(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Only a defect waits for it.
    const PATIENCE: Duration = Duration::from_mins(1);

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Asked {
        Sync,
        Renew,
    }

    struct SlowDisk(Sender<Asked>, Receiver<io::Result<()>>);

    impl SlowDisk {
        fn ask(&self, asked: Asked) -> io::Result<()> {
            // The test may have seen enough.
            let _ = self.0.send(asked);
            self.1.recv().unwrap_or(Ok(()))
        }
    }

    impl Synced for SlowDisk {
        fn sync(&mut self) -> io::Result<()> {
            self.ask(Asked::Sync)
        }

        fn renew(&mut self) -> io::Result<()> {
            self.ask(Asked::Renew)
        }
    }

    /// A disk whose syncs take until they are let go.
    fn slow_disk() -> (LogSync, Receiver<Asked>, Sender<io::Result<()>>) {
        let ((begun, begins), (end, ends)) = (channel(), channel());
        (LogSync::start(SlowDisk(begun, ends)).unwrap(), begins, end)
    }

    #[test]
    fn the_first_commit_sets_the_time_of_the_sync_however_many_follow() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut state = State::default();
        assert_eq!(state.turn(begin), Turn::Wait, "nothing to sync");
        assert!(state.committed(begin), "the thread is told");
        for ms in (0..400).step_by(10) {
            assert_eq!(state.turn(at(ms)), Turn::WaitFor(Duration::from_millis(400 - ms)));
            assert!(!state.committed(at(ms)), "it knows");
        }
        for ms in [400, 401, 60_000] {
            assert_eq!(state.turn(at(ms)), Turn::Sync, "after {ms} ms");
        }
        state.stopping = true;
        assert_eq!(state.turn(begin), Turn::Sync, "at once at the end");
        state.unsynced_since = None;
        assert_eq!(state.turn(begin), Turn::End);
    }

    #[test]
    fn commits_go_on_during_a_sync_and_share_the_next() {
        let (log, begins, end) = slow_disk();
        log.committed();
        begins.recv_timeout(PATIENCE).expect("a commit is synced though no other follows");
        for _ in 0..100 {
            log.committed();
        }
        end.send(Ok(())).unwrap();
        begins.recv_timeout(PATIENCE).expect("what came during a sync needs another one");
        drop(end);
        drop(log);
        assert_eq!(begins.iter().count(), 0, "one for all of them");
    }

    #[test]
    fn what_is_not_synced_is_synced_at_the_end() {
        let (log, begins, end) = slow_disk();
        drop(end);
        log.committed();
        drop(log);
        assert_eq!(begins.iter().count(), 1);
    }

    #[test]
    fn after_a_sync_that_failed_only_a_new_log_counts() {
        let (log, begins, end) = slow_disk();
        let next = || begins.recv_timeout(PATIENCE).unwrap();
        log.committed();
        assert_eq!(next(), Asked::Sync);
        end.send(Err(io::Error::other("the disk"))).unwrap();
        assert_eq!(next(), Asked::Renew, "another sync would say nothing");
        assert!(log.is_failing());
        end.send(Err(io::Error::other("a reader"))).unwrap();
        assert_eq!(next(), Asked::Renew);
        assert!(log.is_failing(), "still");
        log.committed();
        end.send(Ok(())).unwrap();
        assert_eq!(next(), Asked::Sync, "what came meanwhile is in the new log");
        assert!(!log.is_failing());
        drop(end);
    }

    #[test]
    fn a_new_log_leaves_everything_in_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sync.db");
        let connection = flowork_sqlite::open_writer(&path, &super::super::schema::SCHEMA).unwrap();
        let mut log = Log::of(&path);
        let length = |log: &Log| std::fs::metadata(log.path()).unwrap().len();
        connection.execute("UPDATE session_time SET ahead_ms = 7", []).unwrap();
        log.sync().unwrap();
        assert!(length(&log) > 0);
        let reader = flowork_sqlite::open_reader(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT ahead_ms FROM session_time;").unwrap();
        connection.execute("UPDATE session_time SET ahead_ms = 8", []).unwrap();
        assert_eq!(log.renew().unwrap_err().kind(), io::ErrorKind::ResourceBusy, "it can not begin anew");
        drop(reader);
        log.renew().unwrap();
        assert_eq!(length(&log), 0, "all of it is in the file");
        connection.execute("UPDATE session_time SET ahead_ms = 9", []).unwrap();
        log.sync().unwrap();
        assert_eq!(super::super::load::standing(&connection).unwrap().ahead_ms, 9);
    }
}
