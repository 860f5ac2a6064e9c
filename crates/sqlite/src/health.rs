//! Whether a file can still be trusted: what its writer and its readers share.
//!
//! A file that SQLite calls malformed is put in quarantine: nothing is read from it or written to it any more, because
//! every further write may damage more. A disk that fails for a moment is no reason for that: writes are refused while
//! it fails, reads go on, and only trouble that persists ends in quarantine too. From that one the file comes back once it
//! can be opened again.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;

use crate::{StoreError, open::is_damaged, reads::Reads};

/// Failures in a row after which the disk counts as broken, if they also last for [`TROUBLE_FOR`].
const TROUBLE_FAILURES: u32 = 5;
/// How long failures must last. A disk that comes back sooner, as a network volume does, costs nothing but retries.
const TROUBLE_FOR: Duration = Duration::from_secs(10);

/// How long a second look at a file may take that SQLite called malformed.
const SECOND_LOOK_MAX: Duration = Duration::from_millis(250);

/// Why a file is in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What is in it is not what was written.
    Damaged,
    /// It cannot be opened, read or written.
    Unreadable,
}

/// A file that is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// Which file.
    pub path: PathBuf,
    /// Why, in short.
    pub cause: Cause,
    /// Why, in SQLite's words.
    pub reason: String,
    /// Since when.
    pub since: SystemTime,
}

/// Writes that fail at present.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What SQLite said last.
    pub reason: String,
    /// When it began.
    pub since: SystemTime,
    began: Instant,
    failures: u32,
}

type Tell = Box<dyn Fn(Option<&Quarantine>) + Send + Sync>;

/// The state of one file. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    quarantine: Mutex<Option<Arc<Quarantine>>>,
    /// Whether `quarantine` is set: asked before every read and write.
    quarantined: AtomicBool,
    /// How often the file came back from quarantine.
    returns: watch::Sender<u64>,
    /// Without it the file is never put in quarantine.
    tell: Option<Tell>,
    /// Has the writer look: it may wait for a request while a reader meets the reason.
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    trouble: Mutex<Option<Trouble>>,
    /// Whether `trouble` is set: asked after every commit.
    troubled: AtomicBool,
    reads: Reads,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("path", &self.inner.path).field("quarantine", &self.quarantine()).finish()
    }
}

impl Health {
    /// Of a file that nothing can go on without: its errors are reported, and it is never put in quarantine.
    pub fn unguarded(path: PathBuf) -> Self {
        Self::new(path, None)
    }

    /// Of a file that others can go on without. `tell` hears of the quarantine, on the thread that met the reason; with
    /// `None`, that it is over.
    pub fn guarded(path: PathBuf, tell: impl Fn(Option<&Quarantine>) + Send + Sync + 'static) -> Self {
        Self::new(path, Some(Box::new(tell)))
    }

    fn new(path: PathBuf, tell: Option<Tell>) -> Self {
        let inner = Inner {
            path,
            quarantine: Mutex::default(),
            quarantined: AtomicBool::new(false),
            returns: watch::Sender::new(0),
            tell,
            wake: OnceLock::new(),
            trouble: Mutex::default(),
            troubled: AtomicBool::new(false),
            reads: Reads::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Which file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Why the file is left alone, if it is.
    pub fn quarantine(&self) -> Option<Arc<Quarantine>> {
        if !self.inner.quarantined.load(Ordering::Acquire) {
            return None;
        }
        self.inner.lock_quarantine().clone()
    }

    /// How often the file came back from quarantine, and when it does again. What held on to it before has to begin anew.
    pub fn returns(&self) -> watch::Receiver<u64> {
        self.inner.returns.subscribe()
    }

    /// Writes that fail at present, though nobody gave up on the file.
    pub fn trouble(&self) -> Option<Trouble> {
        self.inner.lock().clone()
    }

    /// How often the file came back from quarantine.
    pub(crate) fn returned(&self) -> u64 {
        *self.inner.returns.borrow()
    }

    /// Puts the file in quarantine, if it is guarded. The first reason stays, unless it was only that the disk failed.
    pub fn condemn(&self, cause: Cause, reason: impl Into<String>) {
        self.condemn_since(cause, reason.into(), SystemTime::now());
    }

    /// The same, for what an earlier run found.
    pub fn condemn_since(&self, cause: Cause, reason: String, since: SystemTime) {
        let Some(tell) = &self.inner.tell else { return };
        let quarantine = Arc::new(Quarantine { path: self.inner.path.clone(), cause, reason, since });
        {
            let mut current = self.inner.lock_quarantine();
            if current.as_ref().is_some_and(|known| known.cause == Cause::Damaged || cause == Cause::Unreadable) {
                return;
            }
            *current = Some(Arc::clone(&quarantine));
            self.inner.quarantined.store(true, Ordering::Release);
        }
        let until = match cause {
            Cause::Damaged => "it is repaired",
            Cause::Unreadable => "it can be opened again, which is tried every few seconds",
        };
        tracing::error!(
            file = %quarantine.path.display(),
            reason = quarantine.reason,
            "a file is in quarantine: nothing is read from it or written to it until {until}"
        );
        tell(Some(&quarantine));
        if let Some(wake) = self.inner.wake.get() {
            wake();
        }
    }

    /// Takes what wakes the writer when the file comes into quarantine. A file has one writer.
    pub(crate) fn wake_with(&self, wake: impl Fn() + Send + Sync + 'static) {
        let first = self.inner.wake.set(Box::new(wake));
        debug_assert!(first.is_ok(), "a file has one writer");
    }

    /// The file could be opened again. Says whether that ends its quarantine: not if it turned out to be damaged.
    pub(crate) fn came_back(&self) -> bool {
        {
            let mut current = self.inner.lock_quarantine();
            if current.as_ref().is_none_or(|known| known.cause == Cause::Damaged) {
                return false;
            }
            *self.inner.lock() = None;
            self.inner.troubled.store(false, Ordering::Relaxed);
            // First: whoever finds the file sound from now on must know that it is another one than before.
            self.inner.returns.send_modify(|returns| *returns += 1);
            *current = None;
            self.inner.quarantined.store(false, Ordering::Release);
        }
        tracing::info!(file = %self.inner.path.display(), "a file has left quarantine: it could be opened again");
        if let Some(tell) = &self.inner.tell {
            tell(None);
        }
        true
    }

    /// `Err` while the file is in quarantine.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.quarantine() {
            None => Ok(()),
            Some(quarantine) => Err(StoreError::Quarantined(quarantine)),
        }
    }

    /// Takes note of what went wrong; answers the error to report.
    pub(crate) fn failed(&self, error: StoreError) -> StoreError {
        match &error {
            StoreError::Corrupt(source) => {
                if self.inner.is_damaged(source) {
                    self.condemn(Cause::Damaged, source.to_string());
                }
            }
            StoreError::Io(source) => {
                // A process that is out of file handles is no fault of the file.
                let failing = source.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure);
                if failing && self.inner.note_trouble(&source.to_string()) {
                    self.condemn(Cause::Unreadable, source.to_string());
                }
            }
            StoreError::Full => {
                self.inner.note_trouble("the disk is full");
            }
            StoreError::Closed | StoreError::Held | StoreError::Quarantined(_) | StoreError::Sqlite(_) => {}
        }
        self.check().err().unwrap_or(error)
    }

    /// A write reached the disk.
    pub(crate) fn wrote(&self) {
        if self.inner.troubled.swap(false, Ordering::Relaxed) {
            *self.inner.lock() = None;
        }
    }

    /// The reads that run now.
    pub(crate) fn reads(&self) -> &Reads {
        &self.inner.reads
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_quarantine(&self) -> MutexGuard<'_, Option<Arc<Quarantine>>> {
        self.quarantine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk that fails to read for a moment can look like a damaged file too, so a second look decides. Where it
    /// decides nothing, as with a damage that a quick look does not see, only trouble that persists is believed.
    fn is_damaged(&self, error: &rusqlite::Error) -> bool {
        let by_sqlite = matches!(error, rusqlite::Error::SqliteFailure(..));
        !by_sqlite || is_damaged(&self.path, SECOND_LOOK_MAX) == Some(true) || self.note_trouble(&error.to_string())
    }

    /// Counts a failure; answers whether the trouble persists.
    fn note_trouble(&self, reason: &str) -> bool {
        let mut trouble = self.lock();
        let trouble = trouble.get_or_insert_with(|| Trouble {
            reason: String::new(),
            since: SystemTime::now(),
            began: Instant::now(),
            failures: 0,
        });
        trouble.failures += 1;
        reason.clone_into(&mut trouble.reason);
        self.troubled.store(true, Ordering::Relaxed);
        persists(trouble.failures, trouble.began.elapsed())
    }
}

fn persists(failures: u32, lasted: Duration) -> bool {
    failures >= TROUBLE_FAILURES && lasted >= TROUBLE_FOR
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn failure(code: i32) -> StoreError {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None).into()
    }

    fn guarded() -> (Health, Arc<AtomicU32>) {
        let told = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&told);
        let tell = move |_: Option<&Quarantine>| {
            count.fetch_add(1, Ordering::SeqCst);
        };
        (Health::guarded(PathBuf::from("a.db"), tell), told)
    }

    #[test]
    fn damage_ends_in_quarantine_at_once_and_is_told_once() {
        for code in [rusqlite::ffi::SQLITE_CORRUPT, rusqlite::ffi::SQLITE_CORRUPT_INDEX, rusqlite::ffi::SQLITE_NOTADB] {
            let (health, told) = guarded();
            assert!(matches!(health.failed(failure(code)), StoreError::Quarantined(_)), "{code}");
            health.failed(failure(code));
            assert!(health.check().is_err_and(|error| error.is_quarantined()));
            assert_eq!(told.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn a_full_or_failing_disk_is_trouble_until_a_write_succeeds() {
        for code in [rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_IOERR_FSYNC] {
            let (health, _) = guarded();
            for _ in 0..100 {
                assert!(!health.failed(failure(code)).is_quarantined(), "it has not lasted long enough");
            }
            assert!(health.trouble().is_some());
            health.wrote();
            assert!(health.trouble().is_none() && health.check().is_ok());
        }
    }

    #[test]
    fn only_a_disk_that_failed_comes_back() {
        let (health, told) = guarded();
        assert!(!health.came_back(), "it was never away");
        health.condemn(Cause::Unreadable, "an I/O error");
        health.condemn(Cause::Unreadable, "another");
        assert_eq!(health.quarantine().unwrap().reason, "an I/O error", "the first reason stays");
        assert!(health.came_back() && health.check().is_ok() && health.trouble().is_none());
        assert_eq!((*health.returns().borrow(), told.load(Ordering::SeqCst)), (1, 2));
        health.condemn(Cause::Unreadable, "again");
        health.condemn(Cause::Damaged, "a page is malformed");
        health.condemn(Cause::Unreadable, "again");
        assert_eq!(health.quarantine().unwrap().cause, Cause::Damaged, "damage outweighs it");
        assert!(!health.came_back() && health.check().is_err());
        assert_eq!((*health.returns().borrow(), told.load(Ordering::SeqCst)), (1, 4));
    }

    #[test]
    fn only_many_failures_over_some_time_persist() {
        assert!(persists(TROUBLE_FAILURES, TROUBLE_FOR));
        assert!(!persists(TROUBLE_FAILURES - 1, TROUBLE_FOR * 10));
        assert!(!persists(TROUBLE_FAILURES * 10, TROUBLE_FOR / 2));
    }

    #[test]
    fn an_unguarded_file_reports_and_goes_on() {
        let health = Health::unguarded(PathBuf::from("a.db"));
        assert!(health.failed(failure(rusqlite::ffi::SQLITE_CORRUPT)).is_corrupt());
        assert!(health.check().is_ok());
    }
}
