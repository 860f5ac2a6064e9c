//! Runs a module once: request in, lines out, an end in any case.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use async_trait::async_trait;
use flowork_api_types::{
    job::{JobError, LogLevel},
    kind::KindDescriptor,
};
use flowork_engine::{JobContext, JobFailure, JobKind, Reporter};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, BufReader},
    process::ChildStdin,
    time::{Instant, sleep_until, timeout},
};

use super::{
    ModuleOptions,
    environment::environment,
    lines::{LineError, Lines, Overlong},
    manifest::Manifest,
    protocol::{Line, ModuleError, ModuleRequest, Policy, log_level},
};
use crate::{
    failure::ended,
    process::{Pipes, Process, Start, describe, signal},
};

/// A line that carries a result: as long as a result may be, and what is around it.
const RESULT_LINE_BYTES_MAX: usize = (1 << 20) + (16 << 10);
/// Any other line.
const LINE_BYTES_MAX: usize = 64 << 10;
/// A line of stderr; the rest of it is dropped.
const STDERR_LINE_BYTES_MAX: usize = 8 << 10;
/// Log lines of one attempt.
const LOG_LINES_MAX: u64 = 10_000;
/// Lines that are no JSON and are shown all the same.
const GARBAGE_SHOWN: u64 = 5;
/// Lines of stderr in the failure of a crash.
const STDERR_TAIL: usize = 20;
/// How long pipes are read after the program has ended: something that left the group may hold them.
const DRAIN: Duration = Duration::from_secs(1);
/// A code of a module that is longer is no code.
const CODE_CHARS_MAX: usize = 64;

/// The kind `module.<id>`.
pub(super) struct Module {
    descriptor: KindDescriptor,
    manifest: Manifest,
    folder: PathBuf,
    options: ModuleOptions,
}

impl Module {
    /// The kind of the module in `folder`.
    pub(super) fn new(manifest: Manifest, folder: PathBuf, options: ModuleOptions) -> Self {
        Self { descriptor: manifest.descriptor(), manifest, folder, options }
    }

    fn start(&self) -> Result<(Process, Pipes), JobFailure> {
        let flowork = match &self.options.program {
            Some(program) => Ok(program.clone()),
            None => running_program(),
        };
        let flowork = flowork.map_err(|error| not_started("{flowork}", &error))?;
        let program = self.manifest.program(&self.folder, &flowork).map_err(|error| {
            let failure = JobFailure::permanent("MODULE_NOT_FOUND", error.reason);
            match error.hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        let start = Start {
            program: &program,
            // For those who list processes: the path may say nothing.
            called: (program == flowork).then_some(Path::new("flowork")),
            args: &self.manifest.entry.command[1..],
            folder: &self.folder,
            environment: environment(),
        };
        Process::start(start).map_err(|error| not_started(&program.display().to_string(), &error))
    }

    fn request(&self, context: &JobContext, work_dir: &Path) -> Vec<u8> {
        let request = ModuleRequest {
            id: context.job_id.to_string(),
            attempt: context.attempt,
            inputs: &context.payload,
            deadline_ms: context.deadline.saturating_duration_since(Instant::now()).as_millis() as u64,
            work_dir,
            policy: Policy { allow_hosts: &self.options.allow_hosts },
        };
        let mut bytes = serde_json::to_vec(&request).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

#[async_trait]
impl JobKind for Module {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        let base = self.options.work_dir.clone().unwrap_or_else(std::env::temp_dir);
        let work_dir = tempfile::Builder::new().prefix("flowork-module-").tempdir_in(&base).map_err(|error| {
            JobFailure::retryable("MODULE_NOT_STARTED", format!("can't make a folder in {}: {error}", base.display()))
                .hint("free some space, and let the user that runs the node write there")
        })?;
        let request = self.request(&context, work_dir.path());
        let (mut process, pipes) = self.start()?;
        #[cfg(unix)]
        if let Some(dir) = &self.options.pid_dir {
            process.record(dir, &context.job_id.to_string());
        }
        let mut session = Session::new(context.reporter.clone());
        let end = tokio::select! {
            end = session.drive(&mut process, pipes, &request, self.manifest.limits.output_bytes_max) => end,
            () = context.cancel.cancelled() => End::Stopped,
            () = sleep_until(context.deadline) => End::Stopped,
        };
        match end {
            End::Exited(_) => {}
            End::Stopped if Instant::now() < context.deadline => process.terminate().await,
            End::Stopped | End::Violation(_) | End::Lost(_) => process.kill().await,
        }
        session.outcome(end, &context)
    }
}

/// How the process came to its end.
enum End {
    Exited(ExitStatus),
    /// Over a bound.
    Violation(String),
    /// Cancelled, or past the deadline.
    Stopped,
    /// The system lost track of it.
    Lost(io::Error),
}

/// What a module has said so far.
struct Session {
    reporter: Reporter,
    result: Option<Value>,
    error: Option<ModuleError>,
    stdout: StdoutCounts,
    stderr: StderrTail,
}

#[derive(Default)]
struct StdoutCounts {
    log_lines: u64,
    garbage: u64,
}

#[derive(Default)]
struct StderrTail {
    lines: u64,
    tail: VecDeque<String>,
}

impl Session {
    fn new(reporter: Reporter) -> Self {
        Self { reporter, result: None, error: None, stdout: StdoutCounts::default(), stderr: StderrTail::default() }
    }

    /// Feeds and reads the process until it has ended or goes over a bound.
    async fn drive(&mut self, process: &mut Process, pipes: Pipes, request: &[u8], output_bytes_max: u64) -> End {
        let Pipes { stdin, stdout, stderr } = pipes;
        let Self { reporter, result, error, stdout: counts, stderr: tail } = self;
        let streams = async {
            tokio::try_join!(
                feed(stdin, request),
                read_stdout(stdout, output_bytes_max, |line| take_line(line, reporter, result, error, counts)),
                read_stderr(stderr, output_bytes_max, reporter, tail),
            )
        };
        tokio::pin!(streams);
        tokio::select! {
            status = process.wait() => match status {
                Ok(status) => match timeout(DRAIN, &mut streams).await {
                    Ok(Err(violation)) => End::Violation(violation),
                    Ok(Ok(_)) | Err(_) => End::Exited(status),
                },
                Err(error) => End::Lost(error),
            },
            read = &mut streams => match read {
                Err(violation) => End::Violation(violation),
                Ok(_) => match process.wait().await {
                    Ok(status) => End::Exited(status),
                    Err(error) => End::Lost(error),
                },
            },
        }
    }

    fn outcome(mut self, end: End, context: &JobContext) -> Result<Value, JobFailure> {
        if self.stdout.garbage > GARBAGE_SHOWN {
            let message = format!("{} lines on stdout were not of the protocol", self.stdout.garbage);
            self.reporter.log(LogLevel::Warn, &message);
        }
        match end {
            End::Violation(reason) => Err(JobFailure::permanent("OUTPUT_TOO_LARGE", reason)
                .hint("write large data to a file and put its path into the result; limits.output_bytes_max of the manifest raises the bound of all output")),
            End::Lost(error) => Err(JobFailure::retryable("MODULE_LOST", format!("the module can't be waited for: {error}"))),
            End::Stopped => match self.result.take() {
                Some(result) if Instant::now() >= context.deadline && self.error.is_none() => {
                    self.reporter.log(LogLevel::Warn, "the module gave its result but did not end; it was killed");
                    Ok(result)
                }
                _ => Err(ended(context.deadline)),
            },
            End::Exited(status) => self.exited(status),
        }
    }

    fn exited(self, status: ExitStatus) -> Result<Value, JobFailure> {
        if let Some(error) = self.error {
            return Err(reported(error));
        }
        match self.result {
            Some(result) if status.success() => Ok(result),
            None if status.success() => Err(JobFailure::permanent(
                "MODULE_NO_RESULT",
                "the module ended without a result",
            )
            .hint("before it ends, it writes a line {\"type\": \"result\", \"value\": …} on stdout and flushes it")
            .details(json!({"lines_not_understood": self.stdout.garbage}))),
            _ => Err(JobFailure::retryable("MODULE_CRASHED", format!("the module ended with {}", describe(status)))
                .hint("the last lines of its stderr are in the details and in the log of the job")
                .details(json!({
                    "exit_code": status.code(),
                    "signal": signal(status),
                    "stderr": self.stderr.tail,
                }))),
        }
    }
}

/// Takes in what a module wrote to stdout, as a session does; an error says which bound it went over.
pub(super) async fn take_output(bytes: &[u8], max: u64, reporter: Reporter) -> Result<(), String> {
    let mut session = Session::new(reporter);
    let Session { reporter, result, error, stdout: counts, .. } = &mut session;
    read_stdout(bytes, max, |line| take_line(line, reporter, result, error, counts)).await?;
    _ = session.exited(ExitStatus::default());
    Ok(())
}

/// Writes the request. A program that does not read it is no error: the pipe then fills up or breaks.
async fn feed(mut stdin: ChildStdin, request: &[u8]) -> Result<(), String> {
    if let Err(error) = stdin.write_all(request).await {
        tracing::debug!(%error, "a module does not read its request");
    }
    Ok(())
}

async fn read_stdout(stream: impl AsyncRead + Unpin, max: u64, mut take: impl FnMut(&[u8])) -> Result<(), String> {
    let mut lines = Lines::new(BufReader::new(stream), RESULT_LINE_BYTES_MAX, Overlong::Refuse, max);
    loop {
        match lines.next().await {
            Ok(Some(line)) => take(&line),
            Ok(None) => return Ok(()),
            Err(error) => return broken(error, "stdout", max),
        }
    }
}

async fn read_stderr(
    stream: impl AsyncRead + Unpin,
    max: u64,
    reporter: &Reporter,
    seen: &mut StderrTail,
) -> Result<(), String> {
    let mut lines = Lines::new(BufReader::new(stream), STDERR_LINE_BYTES_MAX, Overlong::Cut, max);
    loop {
        match lines.next().await {
            Ok(Some(line)) => {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                seen.lines += 1;
                log_bounded(reporter, seen.lines, LogLevel::Warn, &line);
                if seen.tail.len() == STDERR_TAIL {
                    seen.tail.pop_front();
                }
                seen.tail.push_back(line);
            }
            Ok(None) => return Ok(()),
            Err(error) => return broken(error, "stderr", max),
        }
    }
}

/// The program that runs, which an upgrade may have replaced or moved away: the kernel keeps the one that was started, and
/// a node and its modules must be of one version.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn running_program() -> io::Result<PathBuf> {
    Ok("/proc/self/exe".into())
}

/// The program that runs.
#[cfg(not(target_os = "linux"))]
fn running_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

fn broken(error: LineError, stream: &str, max: u64) -> Result<(), String> {
    match error {
        LineError::TooMuch => Err(format!("the module wrote more than {max} bytes on {stream}")),
        LineError::TooLong => {
            Err(format!("the module wrote a line of more than {RESULT_LINE_BYTES_MAX} bytes on {stream}"))
        }
        LineError::Io(error) => {
            tracing::debug!(%error, stream, "the pipe of a module broke");
            Ok(())
        }
    }
}

fn take_line(
    bytes: &[u8],
    reporter: &Reporter,
    result: &mut Option<Value>,
    error: &mut Option<ModuleError>,
    counts: &mut StdoutCounts,
) {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return;
    }
    match serde_json::from_slice::<Line>(bytes) {
        Ok(Line::Result { value }) => *result = Some(value),
        Ok(_) if bytes.len() > LINE_BYTES_MAX => {
            counts.garbage += 1;
            reporter.log(
                LogLevel::Warn,
                &format!("a line of {} bytes was dropped; {LINE_BYTES_MAX} are allowed", bytes.len()),
            );
        }
        Ok(Line::Progress { fraction, message }) => reporter.progress(fraction, message.as_deref()),
        Ok(Line::Output { text }) => reporter.output(&text),
        Ok(Line::Error(failure)) => *error = Some(failure),
        Ok(Line::Log { level, message }) => {
            counts.log_lines += 1;
            log_bounded(reporter, counts.log_lines, log_level(&level), &message);
        }
        Err(reason) => {
            counts.garbage += 1;
            if counts.garbage <= GARBAGE_SHOWN {
                let text: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
                reporter.log(LogLevel::Warn, &format!("not a line of the protocol ({reason}): {text}"));
            }
        }
    }
}

fn log_bounded(reporter: &Reporter, count: u64, level: LogLevel, message: &str) {
    if count <= LOG_LINES_MAX {
        reporter.log(level, message);
    } else if count == LOG_LINES_MAX + 1 {
        reporter.log(LogLevel::Warn, &format!("further lines are dropped: an attempt may log {LOG_LINES_MAX}"));
    }
}

/// The failure a module reported.
fn reported(error: ModuleError) -> JobFailure {
    let is_code = |code: &String| {
        !code.is_empty()
            && code.len() <= CODE_CHARS_MAX
            && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    JobFailure {
        error: JobError {
            code: error.code.filter(is_code).unwrap_or_else(|| "MODULE_ERROR".to_owned()),
            message: error.message,
            hint: error.hint,
            details: error.details,
        },
        retryable: error.retryable,
        retry_after: None,
        throttle: None,
    }
}

fn not_started(program: &str, error: &io::Error) -> JobFailure {
    match error.kind() {
        io::ErrorKind::NotFound => JobFailure::permanent(
            "MODULE_NOT_FOUND",
            format!("the program {program} can't be found"),
        )
        .hint(
            "install it, or correct entry.command in the manifest; for a script, also the program its first line names",
        ),
        io::ErrorKind::PermissionDenied => {
            JobFailure::permanent("MODULE_NOT_EXECUTABLE", format!("the program {program} may not be executed"))
                .hint(format!("chmod +x {program}"))
        }
        _ => JobFailure::retryable("MODULE_NOT_STARTED", format!("the program {program} can't be started: {error}")),
    }
}
