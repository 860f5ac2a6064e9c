//! How a module says that it failed.

use std::{io, path::Path};

/// A failure, as the `error` line carries it.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Failure {
    /// Stable, in `UPPER_SNAKE`.
    pub(crate) code: &'static str,
    /// For a person.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Whether another attempt makes sense.
    pub(crate) retryable: bool,
}

impl Failure {
    /// A failure that would only repeat itself.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, retryable: false }
    }

    /// Says what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Another attempt may go better.
    pub(crate) fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// A file or folder that can't be read or written.
    pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        let message = format!("can't {doing} {}: {error}", path.display());
        match error.kind() {
            io::ErrorKind::NotFound => Self::new("NOT_FOUND", format!("{} does not exist", path.display()))
                .hint("give the full path of a file on the machine that runs the node"),
            io::ErrorKind::PermissionDenied => {
                Self::new("PERMISSION_DENIED", message).hint("let the user that runs the node read and write there")
            }
            io::ErrorKind::StorageFull => {
                Self::new("DISK_FULL", message).hint("free some space on that disk").retryable(true)
            }
            _ => Self::new("IO_ERROR", message).retryable(true),
        }
    }
}
