//! `command.run`: one of the programs that the owner lists, with arguments, input, and limits.
//!
//! Off unless the owner turns it on, for it runs with the rights of the node. [`guard`] decides what may run, in which
//! folder and with which variables; nothing here goes through a shell. [`output`] keeps what a program writes.

mod guard;
mod output;
mod schema;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    process::ExitStatus,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use flowork_api_types::kind::KindDescriptor;
use flowork_engine::{JobContext, JobFailure, JobKind};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    process::ChildStdin,
    time::{sleep_until, timeout},
};

use self::{
    guard::{Allowed, Guard},
    output::Captured,
};
use crate::{
    failure::{ended, parse_payload},
    process::{Pipes, Process, Start, describe, signal},
};

/// How long pipes are read after the program has ended: something that left the group may hold them.
const DRAIN: Duration = Duration::from_secs(1);
const TIMEOUT_MS_DEFAULT: u64 = 60_000;
const TIMEOUT_MS_MAX: u64 = 3_600_000;
/// What is kept of each stream, where the payload does not say.
const OUTPUT_BYTES_DEFAULT: usize = 64 << 10;
/// Twice this, as JSON, fits into a result.
const OUTPUT_BYTES_MAX: usize = 256 << 10;

/// What the owner allows.
#[derive(Clone, Debug, Default)]
pub struct CommandOptions {
    /// Absolute paths of the programs that jobs may run.
    pub programs: Vec<PathBuf>,
    /// Names of variables that programs get from the node, and that jobs may set.
    pub environment: Vec<String>,
    /// Folders that programs may run in, with what is below them.
    pub work_dirs: Vec<PathBuf>,
    /// Memory of each process, in bytes; a job may ask for less. On Linux.
    pub memory_bytes_max: Option<u64>,
    /// Where running programs are recorded for [`end_orphans`](crate::end_orphans); nowhere if `None`. It exists.
    pub pid_dir: Option<PathBuf>,
}

/// The kind `command.run`.
pub struct CommandRun {
    descriptor: KindDescriptor,
    guard: Guard,
    options: CommandOptions,
}

#[derive(Debug, Deserialize)]
struct Payload {
    program: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    cwd: Option<String>,
    timeout_ms: Option<u64>,
    #[cfg(target_os = "linux")]
    memory_mb: Option<u64>,
    output_bytes_max: Option<usize>,
    ok_exit_codes: Option<Vec<i32>>,
}

/// How the program came to its end.
enum End {
    Exited(ExitStatus),
    /// Cancelled, or past the deadline of the attempt.
    Stopped,
    /// Past the time the payload gives it.
    TimeUp,
    /// The system lost track of it.
    Lost(io::Error),
}

impl CommandRun {
    /// The kind, running what `options` list. Looks at the programs and folders as they are now.
    pub fn new(options: CommandOptions) -> Self {
        let descriptor = KindDescriptor {
            name: "command.run".to_owned(),
            title: "Run a program".to_owned(),
            description: "Runs one of the programs that the owner of this node lists, without a shell, and keeps what \
                          it writes."
                .to_owned(),
            payload_schema: schema::schema(&options),
            timeout_ms: TIMEOUT_MS_MAX + 30_000,
            reaches_machine: true,
        };
        Self { descriptor, guard: Guard::new(&options), options }
    }

    /// The smaller of what the job asks for and what the owner allows.
    #[cfg(target_os = "linux")]
    fn memory_bytes(&self, payload: &Payload) -> Option<u64> {
        let asked = payload.memory_mb.map(|megabytes| megabytes << 20);
        asked.into_iter().chain(self.options.memory_bytes_max).min()
    }

    fn start(&self, payload: &Payload, allowed: Allowed) -> Result<(Process, Pipes), JobFailure> {
        let start = Start {
            program: &allowed.program,
            called: Some(&allowed.called),
            args: &payload.args,
            folder: &allowed.folder,
            environment: allowed.environment,
        };
        let (process, pipes) = Process::start(start).map_err(|error| not_started(&payload.program, &error))?;
        #[cfg(target_os = "linux")]
        if let Some(bytes) = self.memory_bytes(payload) {
            // Dropped, it is killed.
            process.limit_memory(bytes).map_err(|error| not_started(&payload.program, &error))?;
        }
        Ok((process, pipes))
    }
}

#[async_trait]
impl JobKind for CommandRun {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        let payload: Payload = parse_payload(&context)?;
        let own_folder = match payload.cwd {
            Some(_) => None,
            None => Some(own_folder()?),
        };
        let allowed = self.guard.check(&payload, own_folder.as_ref().map(tempfile::TempDir::path))?;
        let time = Duration::from_millis(payload.timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT).min(TIMEOUT_MS_MAX));
        let started = Instant::now();
        let time_up = tokio::time::Instant::now() + time;
        let (mut process, pipes) = self.start(&payload, allowed)?;
        #[cfg(unix)]
        if let Some(dir) = &self.options.pid_dir {
            process.record(dir, &context.job_id.to_string());
        }
        context.reporter.progress(None, Some(&format!("running {}", payload.program)));
        let mut captured =
            Captured::new(payload.output_bytes_max.unwrap_or(OUTPUT_BYTES_DEFAULT).min(OUTPUT_BYTES_MAX));
        let end = tokio::select! {
            end = drive(&mut process, pipes, &payload.stdin, &mut captured, &context) => end,
            () = context.cancel.cancelled() => End::Stopped,
            () = sleep_until(context.deadline) => End::Stopped,
            () = sleep_until(time_up) => End::TimeUp,
        };
        match end {
            End::Exited(_) => {}
            End::Stopped if tokio::time::Instant::now() < context.deadline => process.terminate().await,
            End::Stopped | End::TimeUp | End::Lost(_) => process.kill().await,
        }
        let duration_ms = started.elapsed().as_millis() as u64;
        match end {
            End::Exited(status) => outcome(status, captured, duration_ms, &payload),
            End::Stopped => Err(ended(context.deadline)),
            End::TimeUp => {
                let message =
                    format!("{} took longer than its {} ms and was killed", payload.program, time.as_millis());
                Err(JobFailure::retryable("COMMAND_TIMEOUT", message)
                    .hint("allow more time with timeout_ms of the payload, or give the program less to do")
                    .details(captured.tails()))
            }
            End::Lost(error) => {
                Err(JobFailure::retryable("COMMAND_LOST", format!("{} can't be waited for: {error}", payload.program)))
            }
        }
    }
}

/// Feeds and reads the program until it has ended.
async fn drive(process: &mut Process, pipes: Pipes, input: &str, captured: &mut Captured, context: &JobContext) -> End {
    let Pipes { stdin, stdout, stderr } = pipes;
    let streams = async { tokio::join!(feed(stdin, input), captured.read(stdout, stderr, &context.reporter)) };
    tokio::pin!(streams);
    let status = tokio::select! {
        status = process.wait() => {
            timeout(DRAIN, &mut streams).await.ok();
            status
        }
        _ = &mut streams => process.wait().await,
    };
    status.map_or_else(End::Lost, End::Exited)
}

/// Writes the input. A program that does not read it is no error: the pipe then fills up or breaks.
async fn feed(mut stdin: ChildStdin, input: &str) {
    if let Err(error) = stdin.write_all(input.as_bytes()).await {
        tracing::debug!(%error, "a program does not read its input");
    }
}

fn outcome(status: ExitStatus, captured: Captured, duration_ms: u64, payload: &Payload) -> Result<Value, JobFailure> {
    let is_good = status.code().is_some_and(|code| match &payload.ok_exit_codes {
        Some(codes) => codes.contains(&code),
        None => code == 0,
    });
    if is_good {
        let mut result = json!({
            "exit_code": status.code(),
            "signal": signal(status),
            "truncated": captured.is_truncated(),
            "duration_ms": duration_ms,
        });
        captured.put_into(&mut result);
        return Ok(result);
    }
    let mut details = captured.tails();
    details["exit_code"] = json!(status.code());
    details["signal"] = json!(signal(status));
    details["duration_ms"] = json!(duration_ms);
    Err(JobFailure::retryable("COMMAND_FAILED", format!("{} ended with {}", payload.program, describe(status)))
        .hint("the end of its output is in the details; if this exit code is fine, list it in ok_exit_codes")
        .details(details))
}

fn own_folder() -> Result<tempfile::TempDir, JobFailure> {
    tempfile::Builder::new().prefix("flowork-command-").tempdir().map_err(|error| {
        JobFailure::retryable("COMMAND_NOT_STARTED", format!("can't make a folder to run in: {error}"))
            .hint("free some space in the system's temporary folder, or name a folder with cwd")
    })
}

fn not_started(program: &str, error: &io::Error) -> JobFailure {
    let message = format!("{program} can't be started: {error}");
    match error.kind() {
        io::ErrorKind::NotFound => JobFailure::permanent("COMMAND_NOT_STARTED", message)
            .hint("if it is a script, the program that its first line names is missing"),
        io::ErrorKind::PermissionDenied => {
            JobFailure::permanent("COMMAND_NOT_STARTED", message).hint(format!("chmod +x {program}"))
        }
        _ => JobFailure::retryable("COMMAND_NOT_STARTED", message),
    }
}
