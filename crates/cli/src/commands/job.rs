//! `flowork job …`

mod cancel;
mod enqueue;
mod follow;
mod get;
mod list;
mod requeue;
mod wait;

pub(crate) use enqueue::read_payload;

use clap::Subcommand;
use flowork_api_types::{
    JobId,
    job::{Job, JobState},
};

use crate::{
    client::Client,
    exit::{Exit, Failure},
    output::{Format, pretty},
};

/// Enqueue jobs and follow them
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Enqueue a job
    Enqueue(enqueue::Args),
    /// Show a job with its payload and result
    Get {
        /// The job
        id: JobId,
    },
    /// List jobs, newest first
    List(list::Args),
    /// Ask for a job's end
    Cancel {
        /// The job
        id: JobId,
    },
    /// Run jobs again that ended: those that are named, or all that match
    Requeue(requeue::Args),
    /// Wait for a job's end and show its result
    Wait(wait::Args),
    /// Show what a job wrote to its log
    Logs(follow::Args),
}

pub(super) async fn run(command: Command, client: &Client, format: Format) -> Result<(), Failure> {
    match command {
        Command::Enqueue(args) => enqueue::run(args, client, format).await,
        Command::Get { id } => get::run(id, client, format).await,
        Command::List(args) => list::run(args, client, format).await,
        Command::Cancel { id } => cancel::run(id, client, format).await,
        Command::Requeue(args) => requeue::run(args, client, format).await,
        Command::Wait(args) => wait::run(args, client, format).await,
        Command::Logs(args) => follow::run(args, client, format).await,
    }
}

/// A job for a person: where it is, then what came of it.
fn describe(job: &Job) -> String {
    let summary = &job.summary;
    let mut lines = vec![
        format!("{} {}", summary.id, summary.state),
        format!("kind      {}", summary.kind),
        format!("queue     {}, priority {}", summary.queue, summary.priority),
        format!("attempt   {} of {}", summary.attempt, summary.attempts_max),
        format!("created   {} by {}", summary.created_at, summary.created_by),
    ];
    if summary.state == JobState::Scheduled {
        lines.push(format!("run at    {}", summary.run_at));
    }
    lines.extend(summary.finished_at.map(|at| format!("finished  {at}")));
    let progress = summary.progress.as_ref().and_then(|progress| progress.message.clone());
    lines.extend(progress.map(|message| format!("progress  {message}")));
    if let Some(error) = &summary.error {
        lines.push(format!("error     {}: {}", error.code, error.message));
        lines.extend(error.hint.as_ref().map(|hint| format!("hint      {hint}")));
    }
    lines.push(format!("payload   {}", pretty(&job.payload)));
    lines.extend(job.result.as_ref().map(|result| format!("result    {}", pretty(result))));
    lines.join("\n")
}

/// How a job that was waited for ended, as the end of this program.
fn outcome(job: &Job, format: Format) -> Result<(), Failure> {
    let summary = &job.summary;
    if summary.state == JobState::Completed {
        return format.print(job, |job| pretty(job.result.as_ref().unwrap_or(&serde_json::Value::Null)));
    }
    if format.is_json() {
        // The document is the answer; the error on standard error repeats its reason.
        format.print(job, |_| String::new())?;
    }
    let reason = summary.error.as_ref().map(|error| format!(": {}: {}", error.code, error.message)).unwrap_or_default();
    let hint = summary.error.as_ref().and_then(|error| error.hint.clone());
    let code = format!("JOB_{}", summary.state.as_str().to_uppercase());
    Err(Failure::new(Exit::JobFailed, &code, format!("{} {}{reason}", summary.id, summary.state)).hint(hint))
}
