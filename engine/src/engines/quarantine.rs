//! Shards that are left alone: how one gets there, how that is remembered, what a person is told.
//!
//! A shard that cannot be opened or turns out to be damaged does not stop the node or its other shards. It is not
//! replaced either: a caller's idempotency key belongs to one shard for good, and only that shard can tell whether a
//! job is there already. So calls about its jobs and keys are refused until a person has repaired it, or, where only the
//! disk failed, until the disk is back: its writer thread tries that every few seconds.

mod scrub;
#[cfg(test)]
mod tests;

use std::{
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use flowork_api_types::{
    EngineId, Timestamp,
    engine::{ShardCause, ShardProblem, ShardState},
    event::Event,
    node::Notice,
};
use flowork_sqlite::{Cause, Health, OpenError};
pub use scrub::ShardScrub;
use serde::{Deserialize, Serialize};

use crate::{
    Events,
    store::{Shard, ShardOptions, inspect::FINISHED_SUFFIX},
};

/// Waits before a shard that could not be read is opened again: many short ones, because a disk that fails for a moment
/// fails a few reads in a row, and a last few that add up to seconds.
const OPEN_AGAIN_MS: [u64; 12] = [10, 10, 20, 20, 50, 50, 100, 100, 200, 200, 500, 500];

/// Beside a shard that turned out to be damaged while it served: its damage may not show when it is opened.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    reason: String,
    since_ms: u64,
}

/// Where the marker of a shard file is.
pub(crate) fn marker_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".quarantined");
    PathBuf::from(name)
}

/// Opens a shard, or puts it in quarantine. Blocks.
///
/// # Errors
/// The trouble is not with the file.
pub(super) fn open(file: &Path, options: &ShardOptions) -> Result<Shard, OpenError> {
    let serves = Arc::new(AtomicBool::new(false));
    let health = watch(file, options.events.clone(), Arc::clone(&serves));
    if let Some(Marker { reason, since_ms }) = read_marker(file) {
        health.condemn_since(Cause::Damaged, reason, UNIX_EPOCH + Duration::from_millis(since_ms));
        return Ok(Shard::in_quarantine(health));
    }
    if let Some(reason) = unfinished_repair(file) {
        health.condemn(Cause::Damaged, reason);
        return Ok(Shard::in_quarantine(health));
    }
    match open_patiently(file, options, &health) {
        Ok(shard) => {
            serves.store(true, Ordering::Release);
            Ok(shard)
        }
        Err(error) => {
            let Some(cause) = error.cause() else { return Err(error) };
            health.condemn(cause, chain(&error));
            match cause {
                Cause::Damaged => Ok(Shard::in_quarantine(health)),
                Cause::Unreadable => Shard::unopened(file, options, health),
            }
        }
    }
}

/// A disk that fails for a moment is asked again.
fn open_patiently(file: &Path, options: &ShardOptions, health: &Health) -> Result<Shard, OpenError> {
    for pause in OPEN_AGAIN_MS.map(Duration::from_millis) {
        match Shard::open(file, options, health.clone()) {
            Err(error) if is_passing(&error) => {
                tracing::warn!(file = %file.display(), error = chain(&error), "a shard could not be read; trying again");
                std::thread::sleep(pause);
            }
            opened => return opened,
        }
    }
    Shard::open(file, options, health.clone())
}

fn is_passing(error: &OpenError) -> bool {
    match error {
        OpenError::Sqlite { source, .. } | OpenError::Migrate { source, .. } => {
            // Out of file handles, SQLite opens what it can: for reading, or not at all.
            matches!(
                source.sqlite_error_code(),
                Some(
                    rusqlite::ErrorCode::SystemIoFailure
                        | rusqlite::ErrorCode::CannotOpen
                        | rusqlite::ErrorCode::ReadOnly
                )
            )
        }
        OpenError::SqliteTooOld { .. }
        | OpenError::Directory { .. }
        | OpenError::Log { .. }
        | OpenError::Damaged { .. }
        | OpenError::Thread { .. } => false,
    }
}

/// Between two steps of a repair the file may be without its log.
fn unfinished_repair(file: &Path) -> Option<&'static str> {
    let mut name = file.as_os_str().to_owned();
    name.push(FINISHED_SUFFIX);
    Path::new(&name).exists().then_some("a repair was interrupted; run `flowork shard repair` again to end it")
}

fn watch(file: &Path, events: Events, serves: Arc<AtomicBool>) -> Health {
    Health::guarded(file.to_owned(), move |quarantine| {
        match quarantine {
            Some(quarantine) => {
                if serves.load(Ordering::Acquire)
                    && quarantine.cause == Cause::Damaged
                    && let Err(error) = write_marker(&quarantine.path, &quarantine.reason, quarantine.since)
                {
                    let file = quarantine.path.display();
                    tracing::error!(%error, %file, "the quarantine will not outlast this run");
                }
            }
            None => serves.store(true, Ordering::Release),
        }
        events.publish(None, Event::EnginesChanged);
    })
}

/// An error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn read_marker(file: &Path) -> Option<Marker> {
    let text = fs::read(marker_path(file)).ok()?;
    // A marker that was cut short by a crash still says the one thing that matters.
    Some(
        serde_json::from_slice(&text).unwrap_or_else(|_| Marker {
            reason: "an earlier run of the node found it damaged".to_owned(),
            since_ms: 0,
        }),
    )
}

fn write_marker(file: &Path, reason: &str, since: SystemTime) -> std::io::Result<()> {
    let since_ms = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let marker = Marker { reason: reason.to_owned(), since_ms };
    let mut text = serde_json::to_vec(&marker).expect("a struct of a text and a number is JSON");
    text.push(b'\n');
    let mut written = fs::File::create(marker_path(file))?;
    written.write_all(&text)?;
    written.sync_all()
}

/// What is wrong with a shard, if anything is.
pub(super) fn problem(engine: EngineId, index: usize, health: &Health) -> Option<ShardProblem> {
    let file = health.path().display().to_string();
    let index = index as u16;
    if let Some(quarantine) = health.quarantine() {
        let (cause, hint) = match quarantine.cause {
            Cause::Damaged => (
                ShardCause::Damaged,
                format!(
                    "stop the node, run `flowork shard check --engine {engine} --shard {index}`, \
                     then `flowork shard repair --engine {engine} --shard {index}`, and start it again"
                ),
            ),
            Cause::Unreadable => (
                ShardCause::Unreadable,
                "look at the disk and at who may read and write the file; the node opens it again by itself, within ten \
                 seconds of when it can"
                    .to_owned(),
            ),
        };
        return Some(ShardProblem {
            index,
            state: ShardState::Quarantined,
            cause,
            reason: quarantine.reason.clone(),
            since: Timestamp::from(quarantine.since),
            file,
            hint,
        });
    }
    health.trouble().map(|trouble| ShardProblem {
        index,
        state: ShardState::Failing,
        cause: ShardCause::Unreadable,
        reason: trouble.reason,
        since: Timestamp::from(trouble.since),
        file,
        hint: "look at the disk: is it full, or does it fail? What was accepted before is safe".to_owned(),
    })
}

/// The same for a list of notices.
pub(super) fn notice(engine: &str, problem: &ShardProblem) -> Notice {
    let ShardProblem { index, state, reason, since, file, hint, .. } = problem;
    let (code, what) = match state {
        ShardState::Quarantined => ("SHARD_QUARANTINED", "is in quarantine, and its jobs cannot be reached,"),
        ShardState::Failing => ("SHARD_FAILING", "cannot be written to"),
    };
    Notice {
        code: code.to_owned(),
        message: format!("Shard {index} of engine {engine} {what} since {since}: {reason} ({file})."),
        hint: Some(hint.clone()),
    }
}
