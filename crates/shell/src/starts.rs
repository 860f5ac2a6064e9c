//! Counting starts that came to nothing, so that after three of them the next one is careful.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::disk;

/// After this many starts in a row that came to nothing, the next one is in recovery mode.
const FAILED_MAX: u32 = 3;

/// A start that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Start the node in recovery mode: workers and modules off.
    pub recovery: bool,
    /// Starts right before it that were cut off before the node was healthy.
    pub failed_before: u32,
}

/// The count of one data directory, in `run/desktop-starts.json`. What cannot be read or written there is logged and
/// otherwise ignored: a count is no reason not to start.
#[derive(Clone, Debug)]
pub struct Starts {
    path: PathBuf,
}

/// What is in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Count {
    /// A start has begun, and nothing was heard of it since.
    pending: bool,
    /// The start that has begun is one in recovery mode.
    recovery: bool,
    /// Starts in a row that came to nothing, without the one that has begun.
    failed: u32,
}

impl Starts {
    /// The count of a data directory, which need not be there yet.
    pub fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("run").join("desktop-starts.json") }
    }

    /// Says that a start begins. After three in a row that neither became healthy nor ended, it is one in recovery mode.
    pub fn begun(&self) -> Attempt {
        let before = self.read();
        let failed = if before.pending { before.failed.saturating_add(1) } else { before.failed };
        let recovery = failed >= FAILED_MAX;
        self.write(Count { pending: true, recovery, failed });
        Attempt { recovery, failed_before: failed }
    }

    /// Says that the node serves and the app works: the count begins anew. Of a start in recovery mode that says little, so
    /// the next one is as usual, and if that one fails, the one after it is careful again.
    pub fn healthy(&self) {
        let failed = if self.read().recovery { FAILED_MAX - 1 } else { 0 };
        self.write(Count { failed, ..Count::default() });
    }

    /// Says that the start ended in order, by quitting or with an error that was shown: it does not count.
    pub fn ended(&self) {
        self.write(Count { pending: false, ..self.read() });
    }

    fn read(&self) -> Count {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Count::default(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the count of starts cannot be read");
                return Count::default();
            }
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!(path = %self.path.display(), %error, "the count of starts is none and begins anew");
            Count::default()
        })
    }

    fn write(&self, count: Count) {
        let text = serde_json::to_vec(&count).expect("a struct of numbers is valid JSON");
        if let Err(error) = disk::replace(&self.path, &text) {
            tracing::warn!(path = %self.path.display(), %error, "the count of starts cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts() -> (tempfile::TempDir, Starts) {
        let dir = tempfile::tempdir().unwrap();
        let starts = Starts::new(&dir.path().join("data"));
        (dir, starts)
    }

    #[test]
    fn fourth_start_after_three_that_came_to_nothing_is_careful() {
        let (_dir, starts) = starts();
        for failed_before in 0..3 {
            assert_eq!(starts.begun(), Attempt { recovery: false, failed_before });
        }
        assert_eq!(starts.begun(), Attempt { recovery: true, failed_before: 3 });
        assert!(starts.begun().recovery, "one in recovery mode that fails is followed by another");
    }

    #[test]
    fn healthy_start_begins_the_count_anew() {
        let (_dir, starts) = starts();
        starts.begun();
        starts.begun();
        starts.begun();
        starts.healthy();
        assert_eq!(starts.begun(), Attempt { recovery: false, failed_before: 0 });
    }

    #[test]
    fn start_that_ended_in_order_counts_neither_way() {
        let (_dir, starts) = starts();
        for _ in 0..5 {
            assert_eq!(starts.begun().failed_before, 0);
            starts.ended();
        }
        starts.begun();
        starts.begun();
        starts.ended();
        assert_eq!(starts.begun().failed_before, 1, "what came before it still counts");
    }

    #[test]
    fn after_recovery_one_more_failure_is_enough() {
        let (_dir, starts) = starts();
        while !starts.begun().recovery {}
        starts.healthy();
        starts.ended();
        assert!(!starts.begun().recovery, "the next is as usual");
        assert!(starts.begun().recovery, "and it failed");
    }

    #[test]
    fn damaged_or_unwritable_count_is_no_reason_not_to_start() {
        let (_dir, starts) = starts();
        starts.begun();
        fs::write(&starts.path, "{").unwrap();
        assert_eq!(starts.begun().failed_before, 0);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!Starts::new(file.path()).begun().recovery, "its directory is a file");
    }
}
