//! `flowork schedule preview`

use std::time::Duration;

use flowork_api_types::{
    Timestamp,
    schedule::{PreviewScheduleRequest, SchedulePreview},
};

use super::run_line;
use crate::{client::Client, duration, exit::Failure, output::Format};

/// When a schedule runs
#[derive(Debug, clap::Args)]
pub(super) struct Times {
    /// Minute, hour, day of month, month, day of week; or with the second in front; or @daily and the like
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "every", required_unless_present = "every")]
    pub(super) cron: Option<String>,
    /// IANA name of the time zone that --cron is in, such as Europe/Berlin; UTC without it
    #[arg(long, value_name = "NAME")]
    pub(super) time_zone: Option<String>,
    /// Time between two runs
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(super) every: Option<Duration>,
    /// Where intervals are counted from, as in 2026-01-31T08:00:00Z; now without it
    #[arg(long, value_name = "TIME", conflicts_with = "cron")]
    pub(super) anchor: Option<Timestamp>,
}

/// Tell when a schedule would run, and make nothing
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    times: Times,
    /// How many runs, at most 50
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    count: u32,
    /// Runs after this time, as in 2026-01-31T08:00:00Z; after now without it
    #[arg(long, value_name = "TIME")]
    after: Option<Timestamp>,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    let request = PreviewScheduleRequest {
        cron: args.times.cron,
        time_zone: args.times.time_zone,
        interval_ms: args.times.every.map(|every| every.as_millis() as u64),
        anchor: args.times.anchor,
        after: args.after,
        count: Some(args.count),
    };
    let preview: SchedulePreview = client.post("/v1/schedules/preview", Some(&request)).await?;
    format.print(&preview, |preview| preview.runs.iter().map(run_line).collect::<Vec<_>>().join("\n"))
}
