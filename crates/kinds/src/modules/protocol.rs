//! What goes over stdin and stdout of a module.

use flowork_api_types::job::LogLevel;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The one line on stdin.
#[derive(Debug, Serialize)]
pub(super) struct ModuleRequest<'a> {
    /// The job.
    pub(super) id: String,
    /// Counts from 1.
    pub(super) attempt: u16,
    /// The payload.
    pub(super) inputs: &'a Value,
    /// Milliseconds from now until the process is killed.
    pub(super) deadline_ms: u64,
    /// An empty folder for this attempt, deleted after it.
    pub(super) work_dir: &'a std::path::Path,
    /// What the owner allows.
    pub(super) policy: Policy<'a>,
}

/// What the owner allows.
#[derive(Debug, Serialize)]
pub(super) struct Policy<'a> {
    /// `egress.allow_hosts`.
    pub(super) allow_hosts: &'a [String],
}

/// One line on stdout.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line {
    Progress {
        fraction: Option<f64>,
        message: Option<String>,
    },
    Log {
        #[serde(default)]
        level: String,
        message: String,
    },
    Output {
        text: String,
    },
    Result {
        #[serde(default)]
        value: Value,
    },
    Error(ModuleError),
}

/// How a module says that it failed.
#[derive(Debug, Deserialize)]
pub(super) struct ModuleError {
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) details: Option<Value>,
    #[serde(default)]
    pub(super) retryable: bool,
}

/// The level a module wrote; what is not known counts as `info`.
pub(super) fn log_level(text: &str) -> LogLevel {
    match text.to_ascii_lowercase().as_str() {
        "debug" | "trace" => LogLevel::Debug,
        "warn" | "warning" => LogLevel::Warn,
        "error" | "fatal" | "critical" => LogLevel::Error,
        _ => LogLevel::Info,
    }
}
