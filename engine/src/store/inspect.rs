//! Looking into shard files: [`check`], [`repair`], [`export`] on files that no node has open, and the parts of a
//! scrub that a running node does.
//!
//! A check trusts SQLite to find its way and looks at every row. A repair trusts nothing: it reads pages itself
//! ([`pages`], [`records`]), so that a broken page costs what was on it and no more.
//!
//! Never use the functions on files that a node of any process has open.

mod check;
mod export;
mod pages;
mod records;
mod repair;
mod rows;

use std::path::{Path, PathBuf};

use flowork_api_types::JobId;
use serde::Serialize;

pub use check::{CheckReport, check};
pub use export::{ExportReport, export};
pub(crate) use repair::FINISHED_SUFFIX;
pub use repair::{RepairReport, TableReport, repair};
pub(crate) use rows::{Cursor, RowsPage, next_page};

/// Findings that a report lists; what is past that is counted.
pub const FINDINGS_MAX: usize = 1_000;

/// How far a long look is: called now and then with rows or pages done, and how many there are, where that is known.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, u64, Option<u64>);

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something was lost or cannot be trusted.
    Error,
    /// Odd, and harmless.
    Warning,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// Stable, in `UPPER_SNAKE`.
    pub code: &'static str,
    /// The job it is about, if it is about one.
    pub job_id: Option<JobId>,
    /// For a person.
    pub message: String,
}

impl Finding {
    fn error(code: &'static str, job_id: Option<JobId>, message: impl Into<String>) -> Self {
        Self { level: Level::Error, code, job_id, message: message.into() }
    }

    fn warning(code: &'static str, job_id: Option<JobId>, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, code, job_id, message: message.into() }
    }
}

/// Findings up to a bound, and how many more there were.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// The first of them.
    pub items: Vec<Finding>,
    /// How many are not in `items`.
    pub more: u64,
    #[serde(skip)]
    errors: u64,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.errors += u64::from(finding.level == Level::Error);
        if self.items.len() < FINDINGS_MAX {
            self.items.push(finding);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.more += other.more;
        self.errors += other.errors;
        self.errors -= other.items.iter().filter(|finding| finding.level == Level::Error).count() as u64;
        self.extend(other.items);
    }

    /// How many are errors.
    pub fn errors(&self) -> u64 {
        self.errors
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }
}

/// Why a file could not be looked into.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// There is no such file.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// It could not be read or written.
    #[error("cannot use {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("cannot read {}", .path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The new file of a repair could not be made.
    #[error("cannot make the repaired file")]
    Make(#[from] flowork_sqlite::OpenError),
    /// What the repair made did not pass its check; the old file is as it was.
    #[error("the repaired file {} is not sound: {finding}", .path.display())]
    NotSound {
        /// The file.
        path: PathBuf,
        /// What the check found first.
        finding: String,
    },
}

fn io_at(path: &Path) -> impl Fn(std::io::Error) -> InspectError + use<> {
    let path = path.to_owned();
    move |source| match source.kind() {
        std::io::ErrorKind::NotFound => InspectError::Missing(path.clone()),
        _ => InspectError::Io { path: path.clone(), source },
    }
}

fn sqlite_at(path: &Path) -> impl Fn(rusqlite::Error) -> InspectError + use<> {
    let path = path.to_owned();
    move |source| InspectError::Sqlite { path: path.clone(), source }
}

/// `path` with `suffix` at its end.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
