//! `flowork job enqueue`

use std::{io::Read, time::Duration};

use flowork_api_types::{
    EngineId,
    job::{EnqueueRequest, Job, PAYLOAD_BYTES_MAX},
};
use serde_json::Value;

use super::{outcome, wait};
use crate::{
    client::Client,
    duration,
    exit::{Exit, Failure, chain},
    output::{self, Format},
};

/// Enqueue a job
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to run; `flowork module list` and the GUI list what there is
    kind: String,
    /// What to run it on: JSON, @FILE, or - for standard input
    #[arg(long, short, value_name = "JSON", default_value = "{}", allow_hyphen_values = true)]
    payload: String,
    /// Where to run it; without it the node picks
    #[arg(long, value_name = "ENGINE_ID")]
    engine: Option<EngineId>,
    /// Which queue it waits in
    #[arg(long)]
    queue: Option<String>,
    /// Lower runs first
    #[arg(long)]
    priority: Option<u16>,
    /// Not before this long from now
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    delay: Option<Duration>,
    /// Attempts before the job has failed
    #[arg(long, value_name = "NUMBER")]
    attempts: Option<u16>,
    /// The longest one attempt may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// For finding it again; may be given more than once
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Refuse the job while another open job of yours has this key
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// Jobs with this key share a bound on how many run at once
    #[arg(long, value_name = "KEY")]
    concurrency_key: Option<String>,
    /// That bound; 1 without it
    #[arg(long, value_name = "NUMBER", requires = "concurrency_key")]
    concurrency_max: Option<u32>,
    /// The same key twice enqueues one job; without it a random one is made and shown
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Wait for the job's end and show its result
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    let key = args.idempotency_key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let request = EnqueueRequest {
        kind: args.kind,
        payload: read_payload(&args.payload)?,
        engine_id: args.engine,
        queue: args.queue,
        priority: args.priority,
        run_at: None,
        delay_ms: args.delay.map(|delay| delay.as_millis() as u64),
        attempts_max: args.attempts,
        backoff: None,
        timeout_ms: args.timeout.map(|timeout| timeout.as_millis() as u64),
        expires_at: None,
        tags: args.tag,
        unique_key: args.unique_key,
        concurrency_key: args.concurrency_key,
        concurrency_max: args.concurrency_max,
    };
    let (job, replayed): (Job, bool) = client.enqueue(&key, &request).await.map_err(|failure| {
        // Whether the node took it is unknown, and the same key finds out without a second job.
        if failure.exit == Exit::Unreachable {
            failure.hint(format!("repeat with --idempotency-key {key}: it enqueues the job at most once"))
        } else {
            failure
        }
    })?;
    let told = format!("{} {}{} (idempotency key {key})", job.summary.id, job.summary.state, replay(replayed));
    if !args.wait {
        return format.print(&job, |_| told);
    }
    if !format.is_json() {
        output::say(&told);
    }
    outcome(&wait::until_final(job.summary.id, None, client).await?, format)
}

fn replay(replayed: bool) -> &'static str {
    if replayed { ", enqueued before with this key" } else { "" }
}

pub(crate) fn read_payload(source: &str) -> Result<Value, Failure> {
    let (text, place) = match source.strip_prefix('@') {
        Some(path) => (read_bounded(std::fs::File::open(path), path)?, path.to_owned()),
        None if source == "-" => {
            (read_bounded(Ok(std::io::stdin().lock()), "standard input")?, "standard input".to_owned())
        }
        None => (source.to_owned(), "--payload".to_owned()),
    };
    serde_json::from_str(&text).map_err(|error| {
        Failure::new(Exit::Usage, "INVALID_JSON", format!("{place} is not JSON: {error}"))
            .hint("quote it for the shell: --payload '{\"duration_ms\": 1000}'".to_owned())
    })
}

/// The node refuses more than this, so reading further would be for nothing.
fn read_bounded(source: std::io::Result<impl Read>, place: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = source.and_then(|source| source.take(PAYLOAD_BYTES_MAX as u64 * 2).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(error) => {
            Err(Failure::new(Exit::Usage, "PAYLOAD_UNREADABLE", format!("cannot read {place}: {}", chain(&error))))
        }
    }
}
