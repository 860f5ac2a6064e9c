//! The house rules that a machine can check. There are no exceptions: a rule that needs one is a wrong rule.
//!
//! Rules over text are pure functions of a path and its text; [`crates`] looks at the dependency graph.

mod crates;
pub(crate) mod documents;
mod names;
mod secrets;
mod sources;

use std::fmt;
use std::fs;

use anyhow::{Context, Result};

use crate::workspace;

/// The largest file in bytes: anything above belongs into a release or a package, not into the history.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A breach of a house rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    file: String,
    /// Counted from one; none when the whole file is meant.
    line: Option<usize>,
    message: String,
}

impl Problem {
    fn in_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, message: message.into() }
    }

    fn at(file: &str, index: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: Some(index + 1), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.file, self.message),
            None => write!(formatter, "{}: {}", self.file, self.message),
        }
    }
}

/// Returns every breach of the house rules in the project.
pub(crate) fn problems() -> Result<Vec<Problem>> {
    let root = workspace::root();
    let mut problems = Vec::new();
    for file in workspace::files()? {
        let path = root.join(&file);
        let bytes = path.metadata().with_context(|| format!("reading {file}"))?.len();
        if bytes > FILE_BYTES_MAX {
            problems.push(Problem::in_file(&file, format!("has {bytes} bytes, more than {FILE_BYTES_MAX}")));
            continue;
        }
        names::check_path(&file, &mut problems);
        let Ok(text) = String::from_utf8(fs::read(&path)?) else { continue };
        sources::check(&file, &text, &mut problems);
        names::check(&file, &text, &mut problems);
        secrets::check(&file, &text, &mut problems);
        documents::check(&file, &text, &|path| root.join(path).exists(), &mut problems);
    }
    crates::check(&mut problems)?;
    Ok(problems)
}

/// Says whether a file is made by a program, so that rules for what people write do not apply.
fn is_generated(file: &str) -> bool {
    file.contains("__generated__") || file.ends_with(".d.ts")
}

/// Says whether a file is source code of the project.
fn is_source(file: &str) -> bool {
    ["rs", "ts", "tsx", "mjs", "js"].contains(&extension(file)) && !is_generated(file)
}

/// Returns what stands behind the last dot of a file's name.
pub(crate) fn extension(file: &str) -> &str {
    file.rsplit_once('.').map_or("", |(_, extension)| extension)
}
