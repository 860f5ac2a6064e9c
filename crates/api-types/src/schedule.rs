//! Schedules: what to enqueue, and when.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{JobId, ScheduleId, Timestamp, job::EnqueueRequest};

/// Schedules a node may have. Each costs memory and, once enabled, timers.
pub const SCHEDULES_MAX: usize = 1_000;
/// The longest name, in characters.
pub const SCHEDULE_NAME_CHARS_MAX: usize = 100;
/// The longest cron expression, in bytes.
pub const CRON_BYTES_MAX: usize = 200;
/// The shortest interval: a second. What must run more often is one job that loops.
pub const INTERVAL_MS_MIN: u64 = 1_000;
/// The longest interval: a year.
pub const INTERVAL_MS_MAX: u64 = 31_536_000_000;
/// The longest job of a schedule, in bytes of JSON. Larger data belongs in a file that the payload names.
pub const SCHEDULE_JOB_BYTES_MAX: usize = 64 << 10;
/// Runs one preview may ask for.
pub const PREVIEW_RUNS_MAX: u32 = 50;
/// Runs a preview shows that asks for no number, and that each schedule shows.
pub const PREVIEW_RUNS: u32 = 5;
/// Missed runs that are made up for at the most; older ones are dropped.
pub const MISSED_RUNS_MAX: usize = 100;
/// Schedules a page at the most.
pub const SCHEDULE_PAGE_MAX: u32 = 200;

/// What becomes of runs that were due while the node was down, asleep or drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissedRuns {
    /// They do not happen.
    Skip,
    /// One run stands for all of them.
    #[default]
    Once,
    /// Each of them happens, the last 100 at the most.
    All,
}

impl MissedRuns {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Once, Self::All];

    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

/// What becomes of a run that is due while the job of the run before is still open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is enqueued all the same.
    #[default]
    Allow,
    /// It does not happen.
    Skip,
}

impl Overlap {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Allow, Self::Skip];

    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
        }
    }
}

/// Body of `POST /v1/schedules`. Give `cron` or `interval_ms`, not both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateScheduleRequest {
    /// For a person.
    #[schema(min_length = 1, max_length = 100, example = "Nightly report")]
    pub name: String,
    /// Five fields (minute, hour, day of month, month, day of week), six with the second in front, or an alias such as
    /// `@daily`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200, example = "30 2 * * MON-FRI")]
    pub cron: Option<String>,
    /// IANA name of the time zone that `cron` is in; `UTC` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// Time between two runs, whatever the clock on the wall says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1_000, maximum = 31_536_000_000_u64)]
    pub interval_ms: Option<u64>,
    /// Where intervals are counted from, and before which there is no run; the moment of creation without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Timestamp>,
    /// What is enqueued each time. `run_at`, `delay_ms` and `expires_at` have no place here. At most 64 KiB.
    pub job: EnqueueRequest,
    /// What becomes of missed runs; `once` without it.
    #[serde(default)]
    pub missed: MissedRuns,
    /// What becomes of a run while the one before is not over; `allow` without it.
    #[serde(default)]
    pub overlap: Overlap,
    /// Whether it fires; `true` without it.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

fn enabled() -> bool {
    true
}

/// Body of `PATCH /v1/schedules/{schedule_id}`: what is there is changed. A new `cron` takes the place of an interval and
/// the other way around. Runs that were due before a change of the times, or while the schedule was paused, do not count
/// as missed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateScheduleRequest {
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub cron: Option<String>,
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1_000, maximum = 31_536_000_000_u64)]
    pub interval_ms: Option<u64>,
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Timestamp>,
    /// As on creation; it takes the place of the whole job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<EnqueueRequest>,
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<MissedRuns>,
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// `false` pauses it, `true` lets it go on from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Body of `POST /v1/schedules/preview`. Give `cron` or `interval_ms`, not both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewScheduleRequest {
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200, example = "@daily")]
    pub cron: Option<String>,
    /// As on creation; for intervals, it says how local times are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1_000, maximum = 31_536_000_000_u64)]
    pub interval_ms: Option<u64>,
    /// As on creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Timestamp>,
    /// Runs after this time; after now without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    /// How many; 5 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 50)]
    pub count: Option<u32>,
}

/// A run to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduledRun {
    /// When.
    pub at: Timestamp,
    /// The same in the schedule's time zone, for a person.
    #[schema(example = "Sun 2026-03-29 03:00:00 CEST")]
    pub local: String,
}

/// Answer of `POST /v1/schedules/preview`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SchedulePreview {
    /// In their order. Fewer than asked for when there are no more.
    pub runs: Vec<ScheduledRun>,
}

/// Why runs did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// They were missed, and the schedule says so: `skip`, or `once` for all but the last.
    Missed,
    /// More were missed than are made up for; these were the oldest.
    TooMany,
    /// The job of the run before was still open, or another one with the same unique key.
    Overlap,
    /// The job was refused; `last_error` has the reason.
    Refused,
}

/// Runs that did not happen, the latest time this was so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkippedRuns {
    /// Why.
    pub reason: SkipReason,
    /// How many.
    pub count: u64,
    /// There were more: not all of them were counted.
    pub uncounted: bool,
    /// When the last of them was due.
    pub due_at: Timestamp,
}

/// Why the last run could not be enqueued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleError {
    /// Stable, in `UPPER_SNAKE`.
    #[schema(example = "QUEUE_FULL")]
    pub code: String,
    /// For a person.
    pub message: String,
    /// When the run was due.
    pub due_at: Timestamp,
    /// It is tried again until it works; without it, this run does not happen.
    pub retrying: bool,
}

/// What a caller may do with a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleAction {
    /// `PATCH /v1/schedules/{schedule_id}`
    Update,
    /// The same, with `enabled: false`
    Pause,
    /// The same, with `enabled: true`
    Resume,
    /// `POST /v1/schedules/{schedule_id}/run`
    Run,
    /// `DELETE /v1/schedules/{schedule_id}`
    Delete,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// Names it everywhere.
    pub id: ScheduleId,
    /// For a person.
    pub name: String,
    /// When it runs, unless it has an interval.
    pub cron: Option<String>,
    /// IANA name of the time zone that `cron` is in.
    pub time_zone: Option<String>,
    /// Time between two runs, unless it has a cron expression.
    pub interval_ms: Option<u64>,
    /// Where intervals are counted from.
    pub anchor: Option<Timestamp>,
    /// What is enqueued each time.
    pub job: EnqueueRequest,
    /// What becomes of missed runs.
    pub missed: MissedRuns,
    /// What becomes of a run while the one before is not over.
    pub overlap: Overlap,
    /// Whether it fires.
    pub enabled: bool,
    /// Who made it; its jobs are enqueued in this name.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last enqueued a job.
    pub last_fired_at: Option<Timestamp>,
    /// When that run was due.
    pub last_due_at: Option<Timestamp>,
    /// That job. It may be gone: jobs are kept for some days.
    pub last_job_id: Option<JobId>,
    /// Why the last run could not be enqueued; gone once one could.
    pub last_error: Option<ScheduleError>,
    /// Runs that did not happen, the latest time this was so.
    pub last_skipped: Option<SkippedRuns>,
    /// The runs to come; none while it is paused.
    pub next_runs: Vec<ScheduledRun>,
    /// What this caller may do with it now.
    pub allowed_actions: Vec<ScheduleAction>,
}

/// Answer of `GET /v1/schedules`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleList {
    /// Newest first.
    pub items: Vec<Schedule>,
    /// Pass as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// Query of `GET /v1/schedules`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSchedulesQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<ScheduleId>,
    /// Schedules a page, 1 to 200; 50 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
