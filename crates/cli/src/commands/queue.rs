//! `flowork queue list`, `pause` and `resume`

use flowork_api_types::queue::{Queue, QueueList, QueueName};

use crate::{
    client::Client,
    exit::Failure,
    output::{Format, table},
};

/// List queues, hold them back and let them go on
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the queues with their depth, delays and rates
    List,
    /// Claim no more jobs of a queue; jobs that run finish. Holds across restarts, until `resume`
    Pause {
        /// The queue; it needs no jobs yet
        name: QueueName,
    },
    /// Let a queue go on
    Resume {
        /// The queue
        name: QueueName,
    },
}

pub(super) async fn run(command: Command, client: &Client, format: Format) -> Result<(), Failure> {
    match command {
        Command::List => {
            let queues: QueueList = client.get("/v1/queues").await?;
            format.print(&queues, |queues| {
                let rows: Vec<_> = queues.items.iter().map(row).collect();
                let headings =
                    ["QUEUE", "STATE", "SCHEDULED", "QUEUED", "LEASED", "OLDEST", "P50", "P95", "IN/S", "OUT/S"];
                table(&headings, &rows)
            })
        }
        Command::Pause { name } => act(&name, "pause", client, format).await,
        Command::Resume { name } => act(&name, "resume", client, format).await,
    }
}

async fn act(name: &QueueName, action: &str, client: &Client, format: Format) -> Result<(), Failure> {
    let queue: Queue = client.post(&format!("/v1/queues/{name}/{action}"), None::<&()>).await?;
    format.print(&queue, |queue| {
        let jobs = match queue.queued {
            0 => "no job is ready".to_owned(),
            1 => "1 job is ready".to_owned(),
            many => format!("{many} jobs are ready"),
        };
        format!("{} {}; {jobs}.", queue.name, if queue.paused { "is paused" } else { "goes on" })
    })
}

fn row(queue: &Queue) -> Vec<String> {
    let dash = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), milliseconds);
    vec![
        queue.name.clone(),
        if queue.paused { "paused".to_owned() } else { "open".to_owned() },
        queue.scheduled.to_string(),
        queue.queued.to_string(),
        queue.leased.to_string(),
        dash(queue.oldest_queued_age_ms),
        dash(queue.claim_delay_p50_ms),
        dash(queue.claim_delay_p95_ms),
        format!("{:.1}", queue.enqueued_per_s),
        format!("{:.1}", queue.finished_per_s + queue.failed_per_s),
    ]
}

fn milliseconds(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{ms}ms"),
        10_000..600_000 => format!("{}s", ms / 1_000),
        600_000..36_000_000 => format!("{}m", ms / 60_000),
        _ => format!("{}h", ms / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let shown = [0, 9_999, 10_000, 599_999, 600_000, 36_000_000, 360_000_000].map(milliseconds);
        assert_eq!(shown, ["0ms", "9999ms", "10s", "599s", "10m", "10h", "100h"]);
    }
}
