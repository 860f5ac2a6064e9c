//! `flowork job wait`, and waiting as `flowork job enqueue --wait` does it.

use std::time::Duration;

use flowork_api_types::{
    JobId,
    job::{Job, WAIT_MS_MAX},
};
use tokio::time::Instant;

use super::outcome;
use crate::{
    client::Client,
    duration,
    exit::{Exit, Failure},
    output::Format,
};

/// A node that is about to stop answers early; it is not asked again faster than this.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Wait for a job's end and show its result
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job
    id: JobId,
    /// Give up after this long; the job goes on
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    outcome(&until_final(args.id, args.timeout, client).await?, format)
}

/// Asks until the job has ended. The node answers when it does, so nothing is asked twice without reason.
pub(super) async fn until_final(id: JobId, timeout: Option<Duration>, client: &Client) -> Result<Job, Failure> {
    tokio::select! {
        job = ask(id, timeout, client) => job.map_err(|failure| {
            if failure.exit == Exit::Unreachable {
                failure.hint(format!("the job goes on once the node is back: flowork job wait {id}"))
            } else {
                failure
            }
        }),
        _ = tokio::signal::ctrl_c() => {
            let message = format!("stopped waiting; {id} goes on");
            Err(Failure::new(Exit::Interrupted, "INTERRUPTED", message).hint(format!("flowork job wait {id}")))
        }
    }
}

async fn ask(id: JobId, timeout: Option<Duration>, client: &Client) -> Result<Job, Failure> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let wait_ms = left.map_or(WAIT_MS_MAX, |left| WAIT_MS_MAX.min(left.as_millis() as u64));
        let (asked_at, wait) = (Instant::now(), Duration::from_millis(wait_ms));
        let job: Job = client.get(&format!("/v1/jobs/{id}?wait_ms={wait_ms}")).await?;
        if job.summary.state.is_final() {
            return Ok(job);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let message = format!("{id} is still {}; it goes on", job.summary.state);
            return Err(Failure::new(Exit::Failed, "WAIT_TIMEOUT", message).hint(format!("flowork job wait {id}")));
        }
        if asked_at.elapsed() < wait / 2 {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}
