//! The JSON lines a module writes on stdout.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::failure::Failure;

/// Progress is for eyes: more often than this only costs.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Writes lines, from any thread.
pub(crate) struct Channel {
    inner: Mutex<Inner>,
}

struct Inner {
    output: Box<dyn Write + Send>,
    progress_at: Option<Instant>,
}

impl Channel {
    /// Writes to `output`.
    pub(crate) fn new(output: impl Write + Send + 'static) -> Self {
        Self { inner: Mutex::new(Inner { output: Box::new(output), progress_at: None }) }
    }

    /// Says how far the work is; lines that come too close together are left out.
    pub(crate) fn progress(&self, fraction: f64, message: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.progress_at.is_some_and(|at| at.elapsed() < PROGRESS_INTERVAL) && fraction < 1.0 {
            return;
        }
        inner.progress_at = Some(Instant::now());
        inner.line(&json!({"type": "progress", "fraction": fraction, "message": message}));
    }

    /// Writes a line to the job's log.
    pub(crate) fn log(&self, level: &str, message: &str) {
        self.line(&json!({"type": "log", "level": level, "message": message}));
    }

    /// Ends the attempt well.
    pub(crate) fn result(&self, value: &Value) {
        self.line(&json!({"type": "result", "value": value}));
    }

    /// Ends the attempt badly.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.line(&json!({
            "type": "error",
            "code": failure.code,
            "message": failure.message,
            "hint": failure.hint,
            "retryable": failure.retryable,
        }));
    }

    fn line(&self, value: &Value) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).line(value);
    }
}

impl Inner {
    fn line(&mut self, value: &Value) {
        let mut line = value.to_string();
        line.push('\n');
        let written = self.output.write_all(line.as_bytes()).and_then(|()| self.output.flush());
        if written.is_err() {
            // Nobody listens any more; going on would be work for nothing.
            std::process::exit(1);
        }
    }
}
