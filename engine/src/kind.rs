//! What a job kind is, and the set of kinds this process runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use flowork_api_types::{
    JobId, Timestamp,
    engine::NewLogLine,
    error::FieldError,
    job::{JobError, LogLevel, Progress},
    kind::{BrokenModule, KindDescriptor},
    limit::LimitTarget,
};
use serde_json::Value;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

/// Text a job may keep in its progress, in bytes. Enough for a long answer of a language model, little enough to send
/// it to every viewer four times a second.
pub const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// One log line, in bytes.
pub const LOG_LINE_BYTES_MAX: usize = 8 << 10;
/// Log lines kept between two flushes. A job that writes more loses lines and is told how many.
pub const LOG_LINES_PENDING_MAX: usize = 1_000;

/// A type of work.
#[async_trait]
pub trait JobKind: Send + Sync + 'static {
    /// Name, description, payload schema.
    fn descriptor(&self) -> &KindDescriptor;

    /// What else counts a job with this payload, beside its kind, queue and creator: the provider it asks, for one.
    fn limit_targets(&self, _payload: &Value) -> Vec<LimitTarget> {
        Vec::new()
    }

    /// Runs one attempt. The payload has been checked against the schema.
    ///
    /// The future is dropped some seconds after `context.cancel` fires, so whatever it holds must clean up on drop.
    async fn run(&self, context: JobContext) -> Result<Value, JobFailure>;
}

/// What one attempt gets.
pub struct JobContext {
    /// Which job.
    pub job_id: JobId,
    /// What to run on.
    pub payload: Value,
    /// Counts from 1.
    pub attempt: u16,
    /// When the attempt will be cancelled.
    pub deadline: Instant,
    /// Fires at the deadline, when a person cancels, when the lease is lost, and when the node stops.
    pub cancel: CancellationToken,
    /// Takes progress and log lines.
    pub reporter: Reporter,
}

/// Why an attempt failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {}", .error.code, .error.message)]
pub struct JobFailure {
    /// What clients see.
    pub error: JobError,
    /// Whether another attempt makes sense.
    pub retryable: bool,
    /// The earliest sensible time for it, where the other side named one.
    pub retry_after: Option<Duration>,
    /// Everything of this target has to wait for so long, not this job alone.
    pub throttle: Option<(LimitTarget, Duration)>,
}

impl JobFailure {
    /// A failure that another attempt may mend.
    pub fn retryable(code: &str, message: impl Into<String>) -> Self {
        Self {
            error: JobError { code: code.to_owned(), message: message.into(), hint: None, details: None },
            retryable: true,
            retry_after: None,
            throttle: None,
        }
    }

    /// A failure that would only repeat itself.
    pub fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self { retryable: false, ..Self::retryable(code, message) }
    }

    /// Says what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = Some(hint.into());
        self
    }

    /// Adds data for programs.
    pub fn details(mut self, details: Value) -> Self {
        self.error.details = Some(details);
        self
    }

    /// Says that everything of `target` has to wait this long: no worker starts such a job before.
    pub fn throttled(mut self, target: LimitTarget, wait: Duration) -> Self {
        self.throttle = Some((target, wait));
        self.retry_after(wait)
    }

    /// Names the earliest sensible time for another attempt.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

/// Where an attempt reports to. Cheap to clone; never blocks.
#[derive(Clone, Default)]
pub struct Reporter {
    pending: Arc<std::sync::Mutex<Pending>>,
    wake: Arc<tokio::sync::Notify>,
}

/// What was reported since the last flush.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) progress: Progress,
    pub(crate) progress_changed: bool,
    pub(crate) logs: Vec<NewLogLine>,
    dropped: u64,
}

impl Reporter {
    /// A reporter that flushes by way of `wake`.
    pub fn new(wake: Arc<tokio::sync::Notify>) -> Self {
        Self { pending: Arc::default(), wake }
    }

    /// Says how far the job is, from 0 to 1 where it knows, and what it is doing.
    pub fn progress(&self, fraction: Option<f64>, message: Option<&str>) {
        self.change(|pending| {
            pending.progress.fraction = fraction.filter(|fraction| fraction.is_finite()).map(|f| f.clamp(0.0, 1.0));
            pending.progress.message = message.map(|message| cut(message, LOG_LINE_BYTES_MAX));
            pending.progress_changed = true;
        });
    }

    /// Adds to the text the job has produced so far; past 64 KiB the start is dropped.
    pub fn output(&self, text: &str) {
        self.change(|pending| {
            let output = pending.progress.output.get_or_insert_default();
            output.push_str(text);
            if output.len() > OUTPUT_BYTES_MAX {
                let start = output.ceil_char_boundary(output.len() - OUTPUT_BYTES_MAX);
                output.drain(..start);
            }
            pending.progress_changed = true;
        });
    }

    /// Drops the text produced so far: what comes now starts over.
    pub fn restart_output(&self) {
        self.change(|pending| {
            pending.progress_changed |= pending.progress.output.take().is_some();
        });
    }

    /// Writes a line to the job's log.
    pub fn log(&self, level: LogLevel, message: &str) {
        self.change(|pending| {
            if pending.logs.len() >= LOG_LINES_PENDING_MAX {
                pending.dropped += 1;
                return;
            }
            let message = cut(message, LOG_LINE_BYTES_MAX);
            pending.logs.push(NewLogLine { at: crate::clock::wall_now(), level, message });
        });
    }

    /// Takes what was reported since the last call; `None` if nothing was.
    pub fn take(&self) -> Option<(Option<Progress>, Vec<NewLogLine>)> {
        let mut pending = self.lock();
        if !pending.progress_changed && pending.logs.is_empty() {
            return None;
        }
        if pending.dropped > 0 {
            let message = format!(
                "{} lines were dropped: a job may write {LOG_LINES_PENDING_MAX} lines between two flushes",
                pending.dropped
            );
            pending.logs.push(NewLogLine { at: crate::clock::wall_now(), level: LogLevel::Warn, message });
            pending.dropped = 0;
        }
        let progress = std::mem::take(&mut pending.progress_changed).then(|| pending.progress.clone());
        Some((progress, std::mem::take(&mut pending.logs)))
    }

    /// Takes back what was taken and did not arrive. Lines past the bound are dropped, the oldest first; so is a
    /// progress that was overtaken.
    pub(crate) fn put_back(&self, progress: bool, mut logs: Vec<NewLogLine>) {
        let mut pending = self.lock();
        pending.progress_changed |= progress;
        logs.append(&mut pending.logs);
        let excess = logs.len().saturating_sub(LOG_LINES_PENDING_MAX);
        logs.drain(..excess);
        pending.logs = logs;
        pending.dropped += excess as u64;
    }

    fn change(&self, change: impl FnOnce(&mut Pending)) {
        change(&mut self.lock());
        self.wake.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The start of a text, with a note of how long it was, in at most `bytes`.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}… (cut, {} bytes)", &text[..text.floor_char_boundary(bytes - 40)], text.len())
}

/// A kind and its compiled schema.
pub struct RegisteredKind {
    /// Runs it.
    pub kind: Arc<dyn JobKind>,
    validator: jsonschema::Validator,
}

impl RegisteredKind {
    /// Checks a payload; the errors name fields below `/payload`.
    pub fn check(&self, payload: &Value) -> Result<(), Vec<FieldError>> {
        check_payload(&self.validator, payload)
    }
}

/// Schema problems of one payload shown to a person; more would not help.
const FIELD_ERRORS_MAX: usize = 20;

pub(crate) fn check_payload(validator: &jsonschema::Validator, payload: &Value) -> Result<(), Vec<FieldError>> {
    let errors: Vec<_> = validator
        .iter_errors(payload)
        .take(FIELD_ERRORS_MAX)
        .map(|error| FieldError {
            field: format!("/payload{}", error.instance_path()),
            message: cut(&error.to_string(), 500),
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// A schema that is not valid JSON Schema.
#[derive(Debug, thiserror::Error)]
#[error("the payload schema of {kind} is not valid: {reason}")]
pub struct InvalidSchemaError {
    kind: String,
    reason: String,
}

/// Compiles a payload schema.
pub(crate) fn compile_schema(descriptor: &KindDescriptor) -> Result<jsonschema::Validator, InvalidSchemaError> {
    jsonschema::validator_for(&descriptor.payload_schema)
        .map_err(|error| InvalidSchemaError { kind: descriptor.name.clone(), reason: error.to_string() })
}

/// The kinds this process runs. Shared; changes while running.
#[derive(Clone)]
pub struct KindRegistry {
    kinds: Arc<RwLock<BTreeMap<String, Arc<RegisteredKind>>>>,
    broken: Arc<RwLock<Vec<BrokenModule>>>,
    changed: watch::Sender<u64>,
}

impl Default for KindRegistry {
    fn default() -> Self {
        Self { kinds: Arc::default(), broken: Arc::default(), changed: watch::Sender::new(0) }
    }
}

impl KindRegistry {
    /// Adds a kind, or replaces the one of its name.
    ///
    /// # Errors
    /// Its payload schema is not a valid JSON Schema; nothing changed.
    pub fn register(&self, kind: Arc<dyn JobKind>) -> Result<(), InvalidSchemaError> {
        let validator = compile_schema(kind.descriptor())?;
        let name = kind.descriptor().name.clone();
        write(&self.kinds).insert(name, Arc::new(RegisteredKind { kind, validator }));
        self.changed.send_modify(|version| *version += 1);
        Ok(())
    }

    /// Removes a kind; attempts that run go on.
    pub fn unregister(&self, name: &str) {
        if write(&self.kinds).remove(name).is_some() {
            self.changed.send_modify(|version| *version += 1);
        }
    }

    /// Says which modules are there but can't be used; replaces what was said before.
    pub fn set_broken_modules(&self, broken: Vec<BrokenModule>) {
        *write(&self.broken) = broken;
        self.changed.send_modify(|version| *version += 1);
    }

    /// Modules that are there but can't be used.
    pub fn broken_modules(&self) -> Vec<BrokenModule> {
        read(&self.broken).clone()
    }

    /// The kind of this name.
    pub fn get(&self, name: &str) -> Option<Arc<RegisteredKind>> {
        read(&self.kinds).get(name).cloned()
    }

    /// All kinds, by name.
    pub fn descriptors(&self) -> Vec<KindDescriptor> {
        read(&self.kinds).values().map(|registered| registered.kind.descriptor().clone()).collect()
    }

    /// The names of all kinds.
    pub fn names(&self) -> Vec<String> {
        read(&self.kinds).keys().cloned().collect()
    }

    /// Changes whenever a kind or a broken module does.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Names near `wanted`, nearest first, at most three.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut scored: Vec<_> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(score, _)| *score > 0.7)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// The moment `timeout` from now, for tests of kinds.
pub fn deadline_in(timeout: Duration) -> Instant {
    Instant::now() + timeout
}

/// A context for running a kind by itself, without a queue; for tests and `flowork module check`.
pub fn detached_context(payload: Value, timeout: Duration) -> JobContext {
    JobContext {
        job_id: JobId::from_parts(
            JobId::first_key_at(Timestamp::as_millis(crate::clock::wall_now())),
            0,
            flowork_api_types::ShardNumber::new(0, 0).expect("zero is in range"),
        ),
        payload,
        attempt: 1,
        deadline: deadline_in(timeout),
        cancel: CancellationToken::new(),
        reporter: Reporter::default(),
    }
}
