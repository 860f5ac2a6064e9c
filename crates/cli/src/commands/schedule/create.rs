//! `flowork schedule create`

use std::time::Duration;

use flowork_api_types::{
    EngineId,
    schedule::{MissedRuns, Schedule},
};
use serde_json::json;

use super::{describe, preview::Times};
use crate::{client::Client, commands::job::read_payload, duration, exit::Failure, output::Format};

/// Make a schedule
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For a person
    name: String,
    /// What to run; `flowork module list` and the GUI list what there is
    kind: String,
    #[command(flatten)]
    times: Times,
    /// What to run it on: JSON, @FILE, or - for standard input
    #[arg(long, short, value_name = "JSON", default_value = "{}", allow_hyphen_values = true)]
    payload: String,
    /// Runs that were missed while the node was down: skip, once (one run for all of them) or all
    #[arg(long, value_name = "POLICY", default_value = "once", value_parser = parse_missed)]
    missed: MissedRuns,
    /// Skip a run while the job of the run before is not over
    #[arg(long)]
    no_overlap: bool,
    /// Make it, but do not let it fire yet
    #[arg(long)]
    paused: bool,
    /// Where to run it; without it the node picks
    #[arg(long, value_name = "ENGINE_ID")]
    engine: Option<EngineId>,
    /// Which queue its jobs wait in
    #[arg(long)]
    queue: Option<String>,
    /// Lower runs first
    #[arg(long)]
    priority: Option<u16>,
    /// Attempts before a job has failed
    #[arg(long, value_name = "NUMBER")]
    attempts: Option<u16>,
    /// The longest one attempt may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// For finding its jobs again; may be given more than once
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    let milliseconds = |duration: Duration| duration.as_millis() as u64;
    let request = json!({
        "name": args.name,
        "cron": args.times.cron,
        "time_zone": args.times.time_zone,
        "interval_ms": args.times.every.map(milliseconds),
        "anchor": args.times.anchor,
        "missed": args.missed,
        "overlap": if args.no_overlap { "skip" } else { "allow" },
        "enabled": !args.paused,
        "job": {
            "kind": args.kind,
            "payload": read_payload(&args.payload)?,
            "engine_id": args.engine,
            "queue": args.queue,
            "priority": args.priority,
            "attempts_max": args.attempts,
            "timeout_ms": args.timeout.map(milliseconds),
            "tags": args.tag,
        },
    });
    let schedule: Schedule = client.post("/v1/schedules", Some(&request)).await?;
    format.print(&schedule, describe)
}

fn parse_missed(text: &str) -> Result<MissedRuns, String> {
    let known = MissedRuns::ALL.into_iter().find(|policy| policy.as_str() == text);
    known.ok_or_else(|| "missed runs are skip, once or all".to_owned())
}
