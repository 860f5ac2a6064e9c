//! `flowork drain on`, `off` and `status`

use std::fmt::Write as _;

use flowork_api_types::{
    drain::{Drain, DrainRequest},
    job::WAIT_MS_MAX,
};
use tokio::time::{Duration, Instant};

use crate::{
    client::Client,
    exit::{Exit, Failure},
    output::Format,
};

/// A node that is about to stop answers early; it is not asked again faster than this.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Let what runs finish and start nothing new
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Take and claim no more jobs; jobs that run finish. Holds across restarts, until `off`
    On {
        /// Why, for others who see it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Return once no job runs any more
        #[arg(long)]
        wait: bool,
    },
    /// Go back to work
    Off,
    /// Show whether the node drains, since when, by whom, and how many jobs still run
    Status,
}

pub(super) async fn run(command: Command, client: &Client, format: Format) -> Result<(), Failure> {
    let drain = match command {
        Command::On { reason, wait } => {
            let drain = set(client, DrainRequest { on: true, reason }).await?;
            if wait { until_still(client).await? } else { drain }
        }
        Command::Off => set(client, DrainRequest { on: false, reason: None }).await?,
        Command::Status => client.get("/drain").await?,
    };
    format.print(&drain, describe)
}

async fn set(client: &Client, request: DrainRequest) -> Result<Drain, Failure> {
    client.post("/drain", Some(&request)).await
}

async fn until_still(client: &Client) -> Result<Drain, Failure> {
    tokio::select! {
        drain = ask(client) => drain,
        _ = tokio::signal::ctrl_c() => {
            let failure = Failure::new(Exit::Interrupted, "INTERRUPTED", "stopped waiting; the node goes on draining");
            Err(failure.hint("flowork drain status".to_owned()))
        }
    }
}

/// Asks until no job runs, or somebody has ended the drain. The node answers when it is so, or after half a minute.
async fn ask(client: &Client) -> Result<Drain, Failure> {
    loop {
        let asked_at = Instant::now();
        let drain: Drain = client.get(&format!("/drain?wait_ms={WAIT_MS_MAX}")).await?;
        if !drain.on {
            let message = "the drain was ended before all jobs had finished";
            return Err(Failure::new(Exit::Failed, "DRAIN_ENDED", message));
        }
        if drain.running == 0 {
            return Ok(drain);
        }
        if asked_at.elapsed() < Duration::from_millis(WAIT_MS_MAX) / 2 {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

/// In a sentence or two; `flowork status` has the same.
pub(super) fn describe(drain: &Drain) -> String {
    if !drain.on {
        return format!("The node works; {}.", jobs_run(drain.running));
    }
    let mut text = "Draining".to_owned();
    if let Some(since) = drain.since {
        let _ = write!(text, " since {since}");
    }
    if let Some(by) = &drain.by {
        let _ = write!(text, ", by {by}");
    }
    if let Some(reason) = &drain.reason {
        let _ = write!(text, " ({reason})");
    }
    let _ = write!(text, "; {}.", jobs_run(drain.running));
    if drain.unstored {
        text.push_str(" It could not be stored, so a restart ends it: make room on the disk, and drain again.");
    }
    if drain.stopping {
        text.push_str(" The node is about to stop.");
    }
    text
}

fn jobs_run(running: u64) -> String {
    match running {
        0 => "no job runs".to_owned(),
        1 => "1 job runs".to_owned(),
        many => format!("{many} jobs run"),
    }
}
