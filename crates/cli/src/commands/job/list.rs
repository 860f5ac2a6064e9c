//! `flowork job list`

use flowork_api_types::{
    EngineId,
    job::{JobList, JobState, JobSummary, ListJobsQuery},
};

use crate::{
    client::Client,
    exit::Failure,
    output::{Format, table},
};

/// The most the node gives in one page.
const PAGE_JOBS_MAX: u32 = 200;

/// List jobs, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only in this state: scheduled, queued, leased, completed, failed, cancelled or expired
    #[arg(long)]
    state: Option<JobState>,
    /// Only of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only of this engine
    #[arg(long, value_name = "ENGINE_ID")]
    engine: Option<EngineId>,
    /// Only of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only with this tag
    #[arg(long)]
    tag: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    let mut query = ListJobsQuery {
        state: args.state,
        kind: args.kind,
        engine_id: args.engine,
        queue: args.queue,
        tag: args.tag,
        ..ListJobsQuery::default()
    };
    let mut list = JobList { items: Vec::new(), next_cursor: None, partial: false };
    loop {
        let missing = args.limit.saturating_sub(list.items.len() as u32);
        query.limit = Some(missing.clamp(1, PAGE_JOBS_MAX));
        query.cursor = list.next_cursor.take();
        let page: JobList = client.get_with("/v1/jobs", &query).await?;
        list.items.extend(page.items);
        list.next_cursor = page.next_cursor;
        list.partial |= page.partial;
        if list.next_cursor.is_none() || list.items.len() as u32 >= args.limit {
            break;
        }
    }
    format.print(&list, |list| {
        let rows: Vec<_> = list.items.iter().map(row).collect();
        let mut text = table(&["ID", "STATE", "KIND", "QUEUE", "ATTEMPT", "CREATED"], &rows);
        if list.next_cursor.is_some() {
            text.push_str("\nThere are more: raise --limit.");
        }
        if list.partial {
            text.push_str("\nA shard is in quarantine, and its jobs are missing here; see `flowork status`.");
        }
        text
    })
}

fn row(job: &JobSummary) -> Vec<String> {
    vec![
        job.id.to_string(),
        job.state.to_string(),
        job.kind.clone(),
        job.queue.clone(),
        format!("{}/{}", job.attempt, job.attempts_max),
        job.created_at.to_string(),
    ]
}
