//! `flowork schedule …`

mod create;
mod preview;

use clap::Subcommand;
use flowork_api_types::{
    ScheduleId,
    job::Job,
    schedule::{ListSchedulesQuery, Schedule, ScheduleList, ScheduledRun, SkipReason, UpdateScheduleRequest},
};

use crate::{
    client::Client,
    exit::Failure,
    output::{Format, line, pretty, table},
};

/// Enqueue jobs by the clock
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a schedule
    Create(create::Args),
    /// List schedules, newest first
    List,
    /// Show a schedule with its next runs
    Get {
        /// The schedule
        id: ScheduleId,
    },
    /// Keep a schedule from firing
    Pause {
        /// The schedule
        id: ScheduleId,
    },
    /// Let a schedule go on from now
    Resume {
        /// The schedule
        id: ScheduleId,
    },
    /// Remove a schedule; its jobs stay
    Delete {
        /// The schedule
        id: ScheduleId,
    },
    /// Enqueue a schedule's job now
    Run {
        /// The schedule
        id: ScheduleId,
        /// The same key twice enqueues one job; without it a random one is made
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Tell when a schedule would run, and make nothing
    Preview(preview::Args),
}

pub(super) async fn run(command: Command, client: &Client, format: Format) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create::run(args, client, format).await,
        Command::List => list(client, format).await,
        Command::Get { id } => {
            let schedule: Schedule = client.get(&format!("/v1/schedules/{id}")).await?;
            format.print(&schedule, describe)
        }
        Command::Pause { id } => switch(id, false, client, format).await,
        Command::Resume { id } => switch(id, true, client, format).await,
        Command::Delete { id } => {
            client.delete(&format!("/v1/schedules/{id}")).await?;
            if format.is_json() { Ok(()) } else { line(&format!("{id} is gone")) }
        }
        Command::Run { id, idempotency_key } => {
            let key = idempotency_key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
            let job: Job = client.post_keyed(&format!("/v1/schedules/{id}/run"), &key).await?;
            format.print(&job, |job| format!("{} {}", job.summary.id, job.summary.state))
        }
        Command::Preview(args) => preview::run(args, client, format).await,
    }
}

async fn list(client: &Client, format: Format) -> Result<(), Failure> {
    let mut all = ScheduleList { items: Vec::new(), next_cursor: None };
    let mut query = ListSchedulesQuery::default();
    loop {
        let page: ScheduleList = client.get_with("/v1/schedules", &query).await?;
        query.cursor = page.items.last().map(|schedule| schedule.id);
        all.items.extend(page.items);
        if page.next_cursor.is_none() {
            break;
        }
    }
    format.print(&all, |all| {
        let rows: Vec<_> = all.items.iter().map(row).collect();
        table(&["ID", "NAME", "KIND", "WHEN", "NEXT RUN", "LAST FIRED"], &rows)
    })
}

async fn switch(id: ScheduleId, enabled: bool, client: &Client, format: Format) -> Result<(), Failure> {
    let request = UpdateScheduleRequest { enabled: Some(enabled), ..UpdateScheduleRequest::default() };
    let schedule: Schedule = client.patch(&format!("/v1/schedules/{id}"), &request).await?;
    format.print(&schedule, |schedule| format!("{id} {}", next(schedule)))
}

fn row(schedule: &Schedule) -> Vec<String> {
    let fired = schedule.last_fired_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    vec![
        schedule.id.to_string(),
        schedule.name.clone(),
        schedule.job.kind.clone(),
        when(schedule),
        next(schedule),
        fired,
    ]
}

fn when(schedule: &Schedule) -> String {
    match (&schedule.cron, schedule.interval_ms) {
        (Some(cron), _) => format!("{cron} ({})", schedule.time_zone.as_deref().unwrap_or("UTC")),
        (None, interval_ms) => format!("every {} ms", interval_ms.unwrap_or_default()),
    }
}

fn next(schedule: &Schedule) -> String {
    match schedule.next_runs.first() {
        _ if !schedule.enabled => "paused".to_owned(),
        Some(run) => run.local.clone(),
        None => "none".to_owned(),
    }
}

/// A schedule for a person: when it runs, then what became of it.
fn describe(schedule: &Schedule) -> String {
    let mut lines = vec![
        format!("{} {}", schedule.id, schedule.name),
        format!("when      {}", when(schedule)),
        format!("job       {}", schedule.job.kind),
        format!("missed    {}", schedule.missed.as_str()),
        format!("overlap   {}", schedule.overlap.as_str()),
        format!("created   {} by {}", schedule.created_at, schedule.created_by),
    ];
    if let (Some(at), Some(job_id)) = (schedule.last_fired_at, schedule.last_job_id) {
        lines.push(format!("fired     {at} as {job_id}"));
    }
    if let Some(error) = &schedule.last_error {
        let outlook = if error.retrying { "it is tried again" } else { "that run does not happen" };
        lines.push(format!("error     {}: {}; {outlook}", error.code, error.message));
    }
    if let Some(skipped) = &schedule.last_skipped {
        let more = if skipped.uncounted { "more than " } else { "" };
        let reason = match skipped.reason {
            SkipReason::Missed => "they were missed",
            SkipReason::TooMany => "too many were missed",
            SkipReason::Overlap => "the job before was not over",
            SkipReason::Refused => "the job was refused",
        };
        lines.push(format!("skipped   {more}{} until {}: {reason}", skipped.count, skipped.due_at));
    }
    lines.push(format!("payload   {}", pretty(&schedule.job.payload)));
    lines.push(if schedule.enabled { "next runs".to_owned() } else { "paused".to_owned() });
    lines.extend(schedule.next_runs.iter().map(run_line));
    lines.join("\n")
}

fn run_line(run: &ScheduledRun) -> String {
    format!("  {}  {}", run.at, run.local)
}
