//! `flowork job requeue`

use flowork_api_types::{
    JobId,
    job::{Job, JobState, RequeueAnswer, RequeueRequest},
};

use crate::{client::Client, exit::Failure, output::Format};

/// Run jobs again that ended: those that are named, or all that match
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).multiple(true).args(["id", "state", "kind", "queue", "tag", "error_code"])))]
pub(crate) struct Args {
    /// The jobs
    #[arg(value_name = "JOB_ID", conflicts_with_all = ["state", "kind", "queue", "tag", "error_code", "limit"])]
    id: Vec<JobId>,
    /// All that ended so: failed, cancelled or expired; failed without it
    #[arg(long)]
    state: Option<JobState>,
    /// Only of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only those that failed with this error
    #[arg(long, value_name = "CODE")]
    error_code: Option<String>,
    /// At most this many; 1000 without it
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u32>,
    /// Put them into this queue; each goes back to its own without it
    #[arg(long, value_name = "QUEUE")]
    to_queue: Option<String>,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    // One job has reasons of its own to stay as it is, and they are worth telling.
    if let ([id], None) = (args.id.as_slice(), &args.to_queue) {
        let job: Job = client.post(&format!("/v1/jobs/{id}/requeue"), None::<&()>).await?;
        return format.print(&job, |job| format!("{} {}", job.summary.id, job.summary.state));
    }
    let request = RequeueRequest {
        ids: (!args.id.is_empty()).then_some(args.id),
        state: args.state,
        kind: args.kind,
        queue: args.queue,
        tag: args.tag,
        error_code: args.error_code,
        created_after: None,
        to_queue: args.to_queue,
        limit: args.limit,
    };
    let answer: RequeueAnswer = client.post("/v1/jobs/requeue", Some(&request)).await?;
    format.print(&answer, |answer| {
        let more = if answer.more { "; there are more, so run it again" } else { "" };
        format!("{} queued again, {} stay as they are{more}", answer.requeued, answer.skipped)
    })
}
