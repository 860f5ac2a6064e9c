//! `flowork job logs`

use flowork_api_types::{
    JobId,
    job::{Job, LogLine, LogList},
};
use futures_util::StreamExt;

use crate::{
    client::Client,
    exit::{Exit, Failure, chain},
    output::Format,
};

/// Lines asked for at a time.
const PAGE_LINES: u32 = 500;

/// Show what a job wrote to its log
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job
    id: JobId,
    /// Go on until the job ends
    #[arg(long, short)]
    follow: bool,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    let mut printed = 0;
    if !args.follow {
        return print_new(args.id, &mut printed, client, format).await;
    }
    tokio::select! {
        followed = follow(args.id, &mut printed, client, format) => followed,
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::new(Exit::Interrupted, "INTERRUPTED", format!("stopped following; {} goes on", args.id)))
        }
    }
}

/// Asks for new lines whenever the stream says that something about the job changed.
async fn follow(id: JobId, printed: &mut u64, client: &Client, format: Format) -> Result<(), Failure> {
    loop {
        // Listening comes first, so that no line falls between the two.
        let mut changes = client.events(&format!("/v1/jobs/{id}/events")).await?.bytes_stream();
        loop {
            let job: Job = client.get(&format!("/v1/jobs/{id}")).await?;
            print_new(id, printed, client, format).await?;
            if job.summary.state.is_final() {
                return Ok(());
            }
            match changes.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let message = format!("the node ended the stream: {}", chain(&error));
                    return Err(Failure::new(Exit::Unreachable, "NODE_UNREACHABLE", message));
                }
                None => break,
            }
        }
    }
}

async fn print_new(id: JobId, printed: &mut u64, client: &Client, format: Format) -> Result<(), Failure> {
    loop {
        let page: LogList = client.get(&format!("/v1/jobs/{id}/logs?after={printed}&limit={PAGE_LINES}")).await?;
        for line in &page.items {
            *printed = line.seq;
            format.print(line, describe)?;
        }
        if page.next_cursor.is_none() {
            return Ok(());
        }
    }
}

fn describe(line: &LogLine) -> String {
    format!("{} {:5} {}", line.at, line.level.as_str(), line.message)
}
