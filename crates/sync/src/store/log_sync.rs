//! Syncs the write-ahead log to the disk within a second of a commit, on a thread of its own.
//!
//! A sync takes as long as the disk likes. On the writer's thread every change that comes meanwhile would wait for it, so
//! commits leave it out, and this thread sees to it through a handle of its own: a sync is about the file, not about the
//! handle. That handle is on the log only. SQLite keeps its locks on the database file and on the index of the log, and
//! none on the log itself, so no lock is lost when it is closed.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long a commit may wait for its sync. With the sync before it and its own, that is within the promised second.
const SYNC_AFTER: Duration = Duration::from_millis(400);

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
    /// The last sync failed.
    failing: bool,
    stopping: bool,
}

/// The log of a database file, opened when it is first synced.
pub(crate) struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Log {
    pub(crate) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), file: None }
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(File::options().write(true).open(&self.path)?),
        };
        file.sync_data()
    }
}

impl LogSync {
    /// Starts the thread, which calls `sync` at most [`SYNC_AFTER`] after a commit.
    pub(crate) fn start(sync: impl FnMut() -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("flowork-sync".to_owned()).spawn(move || own.run(sync))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// There is something to sync. Never waits for the disk.
    pub(crate) fn committed(&self) {
        let mut state = self.shared.lock();
        if state.unsynced_since.is_none() {
            state.unsynced_since = Some(Instant::now());
            self.shared.changed.notify_one();
        }
    }

    /// The last sync failed, so commits must see to theirs and tell whoever waits for them.
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
    fn run(&self, mut sync: impl FnMut() -> io::Result<()>) {
        while self.wait() {
            // Before the sync: what is committed from now on needs another one.
            self.lock().unsynced_since = None;
            let outcome = sync();
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
            let Some(since) = state.unsynced_since else {
                if state.stopping {
                    return false;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = SYNC_AFTER.saturating_sub(since.elapsed());
            if left.is_zero() || state.stopping {
                return true;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
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

    /// A disk whose syncs take until they are let go.
    fn slow_disk() -> (LogSync, Receiver<()>, Sender<io::Result<()>>) {
        let ((begun, begins), (end, ends)) = (channel(), channel());
        let sync = move || {
            let _ = begun.send(());
            ends.recv().unwrap_or(Ok(()))
        };
        (LogSync::start(sync).unwrap(), begins, end)
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
    fn a_sync_that_failed_is_told_and_tried_again() {
        let (log, begins, end) = slow_disk();
        log.committed();
        begins.recv_timeout(PATIENCE).unwrap();
        end.send(Err(io::Error::other("the disk"))).unwrap();
        begins.recv_timeout(PATIENCE).expect("another try");
        assert!(log.is_failing());
        end.send(Ok(())).unwrap();
        while log.is_failing() {
            std::thread::yield_now();
        }
    }
}
