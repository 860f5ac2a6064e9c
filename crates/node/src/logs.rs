//! Where log lines go: standard error for whoever watches, and files in `logs/` for later.
//!
//! The files hold JSON lines. They are bounded in number and size, and lines are dropped rather than work delayed when
//! the disk cannot keep up; the log says when that happened.

use std::{
    fs::{self, File},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use flowork_api_types::Timestamp;
use flowork_engine::Clock;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{
        self,
        writer::{MakeWriter, OptionalWriter},
    },
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Files that are kept; with the next constant, all logs of a node stay below 100 MiB.
const FILES_MAX: usize = 14;
/// A file that reached this is followed by a new one, as on a new day.
const FILE_BYTES_MAX: u64 = 7 << 20;
/// Lines that may wait for the disk.
const LINES_WAITING_MAX: usize = 16_384;

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("the log setting {filter:?} cannot be read: {reason}")]
    Filter {
        /// What was set.
        filter: String,
        /// Why.
        reason: String,
    },
    /// The file cannot be used.
    #[error("cannot write logs in {}", .path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes out what waits when dropped, so it must live until the process ends.
#[must_use]
#[derive(Debug)]
pub(crate) struct LogGuard {
    _worker: WorkerGuard,
}

/// Starts logging for the whole process.
///
/// `quiet` keeps standard error to warnings, for a terminal on which a person reads something else.
///
/// # Errors
/// The filter cannot be read, or `logs` cannot be written in.
pub(crate) fn start(logs: &Path, filter: &str, quiet: bool) -> Result<LogGuard, LogError> {
    let dropped = Arc::new(OnceLock::new());
    let file = BoundedLog::open(logs, Clock::System, Arc::clone(&dropped))
        .map_err(|source| LogError::Io { path: logs.to_owned(), source })?;
    let (writer, worker) =
        NonBlockingBuilder::default().buffered_lines_limit(LINES_WAITING_MAX).thread_name("logs").finish(file);
    // Set once, here; only the writer's thread reads it.
    let _ = dropped.set(writer.error_counter());

    let to_file = fmt::layer().json().with_writer(CurrentFile).with_filter(parse(filter)?);
    let terminal = io::stderr().is_terminal();
    let to_stderr = fmt::layer().with_writer(io::stderr).with_ansi(terminal);
    let to_stderr = to_stderr.with_filter(parse(if quiet { "warn" } else { filter })?);
    // A second start in one process, as of a desktop app whose node was stopped, keeps the first one's subscriber, and
    // with it the filter; the file is its own.
    let _ = tracing_subscriber::registry().with(to_file).with(to_stderr).try_init();
    *CURRENT_FILE.write().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    Ok(LogGuard { _worker: worker })
}

/// The file of the node that was started last in this process. There is one subscriber a process, for good, and a file for
/// each node.
static CURRENT_FILE: RwLock<Option<NonBlocking>> = RwLock::new(None);

/// Writes to the [current file](CURRENT_FILE).
struct CurrentFile;

impl MakeWriter<'_> for CurrentFile {
    type Writer = OptionalWriter<NonBlocking>;

    fn make_writer(&self) -> Self::Writer {
        CURRENT_FILE.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

/// Logs to standard error alone, for programs without a data directory of their own.
///
/// # Errors
/// The filter cannot be read.
pub fn log_to_stderr(filter: &str) -> Result<(), LogError> {
    let terminal = io::stderr().is_terminal();
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(terminal).with_filter(parse(filter)?);
    // As above: the first one stays.
    let _ = tracing_subscriber::registry().with(layer).try_init();
    Ok(())
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|error| LogError::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

/// A file that is followed by another when it is full or the day is over, the oldest being removed.
struct BoundedLog {
    directory: PathBuf,
    clock: Clock,
    dropped: Arc<OnceLock<ErrorCounter>>,
    dropped_told: usize,
    file: File,
    bytes: u64,
    day: String,
}

impl BoundedLog {
    fn open(directory: &Path, clock: Clock, dropped: Arc<OnceLock<ErrorCounter>>) -> io::Result<Self> {
        let now = clock.now();
        let day = day(now);
        let newest = list(directory)?.pop();
        let path = newest
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(&day)))
            .unwrap_or_else(|| directory.join(file_name(now)));
        let file = File::options().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        let log = Self { directory: directory.to_owned(), clock, dropped, dropped_told: 0, file, bytes, day };
        log.prune()?;
        Ok(log)
    }

    fn follow(&mut self, now: Timestamp) -> io::Result<()> {
        self.file.flush()?;
        self.file = File::options().create(true).append(true).open(self.directory.join(file_name(now)))?;
        (self.bytes, self.day) = (self.file.metadata()?.len(), day(now));
        self.prune()
    }

    fn prune(&self) -> io::Result<()> {
        let files = list(&self.directory)?;
        for path in files.iter().take(files.len().saturating_sub(FILES_MAX)) {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn tell_of_dropped(&mut self, now: Timestamp) -> io::Result<()> {
        let dropped = self.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        if dropped > self.dropped_told {
            let message = format!("{} log lines were dropped: the disk could not keep up", dropped - self.dropped_told);
            let line = serde_json::json!({"timestamp": now, "level": "WARN", "fields": {"message": message}});
            writeln!(self.file, "{line}")?;
            self.dropped_told = dropped;
        }
        Ok(())
    }
}

impl Write for BoundedLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let now = self.clock.now();
        if self.bytes + line.len() as u64 > FILE_BYTES_MAX || day(now) != self.day {
            self.follow(now)?;
        }
        self.tell_of_dropped(now)?;
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// `2026-01-31` of `2026-01-31T08:00:00.000Z`.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Sorts by time, and is a name that Windows allows.
fn file_name(at: Timestamp) -> String {
    format!("flowork-{}.jsonl", at.to_string().replace(':', ""))
}

/// Log files, oldest first.
fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("flowork-") && name.ends_with(".jsonl") {
            files.push(directory.join(&*name));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn files_are_bounded_in_number_and_size() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(1_700_000_000_000);
        let mut log = BoundedLog::open(dir.path(), clock.clone(), Arc::default()).unwrap();
        let line = vec![b'x'; 1 << 20];
        for _ in 0..FILES_MAX * 8 {
            clock.advance(Duration::from_millis(1));
            log.write_all(&line).unwrap();
        }
        let files = list(dir.path()).unwrap();
        assert_eq!(files.len(), FILES_MAX);
        for file in files {
            assert!(fs::metadata(&file).unwrap().len() <= FILE_BYTES_MAX, "{}", file.display());
        }
    }

    #[test]
    fn new_day_begins_a_new_file_and_a_restart_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(1_700_000_000_000);
        for _ in 0..2 {
            BoundedLog::open(dir.path(), clock.clone(), Arc::default()).unwrap().write_all(b"a\n").unwrap();
        }
        assert_eq!(list(dir.path()).unwrap().len(), 1);
        let mut log = BoundedLog::open(dir.path(), clock.clone(), Arc::default()).unwrap();
        clock.advance(Duration::from_hours(24));
        log.write_all(b"b\n").unwrap();
        assert_eq!(list(dir.path()).unwrap().len(), 2);
    }
}
