//! Where log lines go: standard error for whoever watches, and files in `logs/` for later.
//!
//! The files hold JSON lines. They are bounded in number and size, and lines are dropped rather than work delayed when
//! the disk cannot keep up; the log says when that happened.
//!
//! There is one subscriber a process, for good, and a file for whoever began to log last: a node that stops gives the lines
//! back to the program that it ran in.

use std::{
    fs::{self, File},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
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
    reload,
    util::SubscriberInitExt,
};

/// How much of one kind of log is kept.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// What its files are called, before the time.
    name: &'static str,
    /// Files that are kept.
    files_max: usize,
    /// A file that reached this is followed by a new one, as on a new day.
    file_bytes_max: u64,
}

/// What a node writes. With the other one, all logs of a data directory stay below 100 MiB.
const NODE: Bounds = Bounds { name: "flowork", files_max: 14, file_bytes_max: 7 << 20 };
/// What a program writes that shows a node and has none in its process: little, but for a week.
const PROGRAM: Bounds = Bounds { name: "desktop", files_max: 7, file_bytes_max: 256 << 10 };
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

/// Writes out what waits when dropped, so it must live for as long as there is something to log.
#[must_use]
#[derive(Debug)]
pub struct LogGuard {
    id: u64,
    _worker: WorkerGuard,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let mut files = FILES.write().unwrap_or_else(PoisonError::into_inner);
        files.retain(|(id, _)| *id != self.id);
    }
}

/// Starts logging for the whole process, on behalf of a node.
///
/// `quiet` keeps standard error to warnings, for a terminal on which a person reads something else.
///
/// # Errors
/// The filter cannot be read, or `logs` cannot be written in.
pub(crate) fn start(logs: &Path, filter: &str, quiet: bool) -> Result<LogGuard, LogError> {
    begin(logs, NODE, filter, quiet)
}

/// Starts logging for a program that shows a node: into files of its own beside the node's, whenever it has no node in its
/// process. What a node was told to log counts from that node's start on.
///
/// # Errors
/// The filter cannot be read, or `logs` cannot be written in.
pub fn log_beside_node(logs: &Path, filter: &str) -> Result<LogGuard, LogError> {
    begin(logs, PROGRAM, filter, io::stderr().is_terminal())
}

fn begin(logs: &Path, bounds: Bounds, filter: &str, quiet: bool) -> Result<LogGuard, LogError> {
    static IDS: AtomicU64 = AtomicU64::new(0);
    let dropped = Arc::new(OnceLock::new());
    let file = BoundedLog::open(logs, bounds, Clock::System, Arc::clone(&dropped))
        .map_err(|source| LogError::Io { path: logs.to_owned(), source })?;
    let (writer, worker) =
        NonBlockingBuilder::default().buffered_lines_limit(LINES_WAITING_MAX).thread_name("logs").finish(file);
    // Set once, here; only the writer's thread reads it.
    let _ = dropped.set(writer.error_counter());
    subscribe(parse(filter)?, parse(if quiet { "warn" } else { filter })?);
    let id = IDS.fetch_add(1, Ordering::Relaxed);
    FILES.write().unwrap_or_else(PoisonError::into_inner).push((id, writer));
    Ok(LogGuard { id, _worker: worker })
}

/// Sets what is logged, and subscribes if nobody in this process has yet.
fn subscribe(file: EnvFilter, stderr: EnvFilter) {
    type Set = Box<dyn Fn(EnvFilter) + Send + Sync>;
    static FILTERS: OnceLock<(Set, Set)> = OnceLock::new();
    let (to_file, to_stderr) = FILTERS.get_or_init(|| {
        let (file, set_file) = reload::Layer::new(EnvFilter::default());
        let (stderr, set_stderr) = reload::Layer::new(EnvFilter::default());
        let to_file = fmt::layer().json().with_writer(CurrentFile).with_filter(file);
        let terminal = io::stderr().is_terminal();
        let to_stderr = fmt::layer().with_writer(io::stderr).with_ansi(terminal).with_filter(stderr);
        // Whoever subscribed before, such as a test, stays; then nothing is set here.
        let _ = tracing_subscriber::registry().with(to_file).with(to_stderr).try_init();
        let set_file = move |filter: EnvFilter| drop(set_file.reload(filter));
        let set_stderr = move |filter: EnvFilter| drop(set_stderr.reload(filter));
        (Box::new(set_file), Box::new(set_stderr))
    });
    to_file(file);
    to_stderr(stderr);
}

/// The files of all who log in this process; the last one gets the lines.
static FILES: RwLock<Vec<(u64, NonBlocking)>> = RwLock::new(Vec::new());

/// Writes to the last of the [files](FILES).
struct CurrentFile;

impl MakeWriter<'_> for CurrentFile {
    type Writer = OptionalWriter<NonBlocking>;

    fn make_writer(&self) -> Self::Writer {
        FILES.read().unwrap_or_else(PoisonError::into_inner).last().map(|(_, file)| file.clone()).into()
    }
}

/// Logs to standard error alone, for programs without a data directory of their own.
///
/// # Errors
/// The filter cannot be read.
pub fn log_to_stderr(filter: &str) -> Result<(), LogError> {
    let terminal = io::stderr().is_terminal();
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(terminal).with_filter(parse(filter)?);
    // Whoever subscribed before stays.
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
    bounds: Bounds,
    clock: Clock,
    dropped: Arc<OnceLock<ErrorCounter>>,
    dropped_told: usize,
    file: File,
    bytes: u64,
    day: String,
}

impl BoundedLog {
    fn open(directory: &Path, bounds: Bounds, clock: Clock, dropped: Arc<OnceLock<ErrorCounter>>) -> io::Result<Self> {
        let now = clock.now();
        let day = day(now);
        let newest = list(directory, bounds.name)?.pop();
        let path = newest
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(&day)))
            .unwrap_or_else(|| directory.join(file_name(bounds.name, now)));
        let file = File::options().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        let log = Self { directory: directory.to_owned(), bounds, clock, dropped, dropped_told: 0, file, bytes, day };
        log.prune()?;
        Ok(log)
    }

    fn follow(&mut self, now: Timestamp) -> io::Result<()> {
        self.file.flush()?;
        let path = self.directory.join(file_name(self.bounds.name, now));
        self.file = File::options().create(true).append(true).open(path)?;
        (self.bytes, self.day) = (self.file.metadata()?.len(), day(now));
        self.prune()
    }

    fn prune(&self) -> io::Result<()> {
        let files = list(&self.directory, self.bounds.name)?;
        for path in files.iter().take(files.len().saturating_sub(self.bounds.files_max)) {
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
        if self.bytes + line.len() as u64 > self.bounds.file_bytes_max || day(now) != self.day {
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
fn file_name(name: &str, at: Timestamp) -> String {
    format!("{name}-{}.jsonl", at.to_string().replace(':', ""))
}

/// Log files of one name, oldest first.
fn list(directory: &Path, name: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?.file_name();
        let entry = entry.to_string_lossy();
        let rest = entry.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        if rest.and_then(|rest| rest.strip_suffix(".jsonl")).is_some() {
            files.push(directory.join(&*entry));
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
        let mut log = BoundedLog::open(dir.path(), NODE, clock.clone(), Arc::default()).unwrap();
        let line = vec![b'x'; 1 << 20];
        for _ in 0..NODE.files_max * 8 {
            clock.advance(Duration::from_millis(1));
            log.write_all(&line).unwrap();
        }
        let files = list(dir.path(), NODE.name).unwrap();
        assert_eq!(files.len(), NODE.files_max);
        for file in files {
            assert!(fs::metadata(&file).unwrap().len() <= NODE.file_bytes_max, "{}", file.display());
        }
    }

    #[test]
    fn new_day_begins_a_new_file_and_a_restart_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(1_700_000_000_000);
        for _ in 0..2 {
            BoundedLog::open(dir.path(), NODE, clock.clone(), Arc::default()).unwrap().write_all(b"a\n").unwrap();
        }
        assert_eq!(list(dir.path(), NODE.name).unwrap().len(), 1);
        let mut log = BoundedLog::open(dir.path(), NODE, clock.clone(), Arc::default()).unwrap();
        clock.advance(Duration::from_hours(24));
        log.write_all(b"b\n").unwrap();
        assert_eq!(list(dir.path(), NODE.name).unwrap().len(), 2);
    }

    #[test]
    fn two_kinds_of_log_in_one_folder_leave_each_other_alone() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(1_700_000_000_000);
        for bounds in [NODE, PROGRAM] {
            let mut log = BoundedLog::open(dir.path(), bounds, clock.clone(), Arc::default()).unwrap();
            for _ in 0..bounds.files_max + 2 {
                clock.advance(Duration::from_hours(24));
                log.write_all(b"a\n").unwrap();
            }
        }
        for bounds in [NODE, PROGRAM] {
            assert_eq!(list(dir.path(), bounds.name).unwrap().len(), bounds.files_max, "{bounds:?}");
        }
        let most: u64 = [NODE, PROGRAM].iter().map(|bounds| bounds.files_max as u64 * bounds.file_bytes_max).sum();
        assert!(most < 100 << 20, "{most}");
    }

    #[test]
    fn program_gets_the_lines_when_its_node_has_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let text = |bounds: Bounds| -> String {
            let files = list(dir.path(), bounds.name).unwrap();
            files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
        };
        let program = log_beside_node(dir.path(), "warn").unwrap();
        tracing::error!("before the node");
        let node = start(dir.path(), "info", false).unwrap();
        tracing::info!("by the node");
        drop(node);
        tracing::error!("after the node");
        drop(program);
        tracing::error!("to nobody");
        assert!(text(NODE).contains("by the node") && !text(NODE).contains("before"), "{}", text(NODE));
        let told = text(PROGRAM);
        assert!(told.contains("before the node") && told.contains("after the node"), "{told}");
        assert!(!told.contains("by the node") && !told.contains("to nobody"), "{told}");
    }
}
