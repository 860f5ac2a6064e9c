//! One visit to one schedule: what is owed, what is due, and how each run ends.

use std::time::Duration;

use flowork_api_types::{
    JobId, ScheduleId, Timestamp,
    auth::Role,
    member::{KindRoles, owner_is_allowed},
    schedule::{Overlap, ScheduleError, SkipReason, SkippedRuns},
};
use flowork_control::{RunEnd, ScheduleRecord, StoreError};
use flowork_engine::jobs::{
    Caller,
    enqueue::{EnqueueError, Enqueued},
    query::JobLookupError,
};

use crate::{
    Inner,
    operations::{job_key, timing_text, trace_id},
    plan::plan,
    timing::Timing,
};

/// The first wait of a run that can't be enqueued; it doubles up to [`BLOCKED_WAIT_MAX`].
const BLOCKED_WAIT: Duration = Duration::from_secs(1);
/// The longest wait of a run that can't be enqueued.
const BLOCKED_WAIT_MAX: Duration = Duration::from_mins(1);

/// When the schedule wants to be visited again.
pub(crate) enum Visited {
    /// At its next due time.
    Next(Timestamp),
    /// When what it owes is tried again.
    Blocked {
        /// When.
        until: Timestamp,
        /// How often in a row.
        times: u32,
    },
    /// When somebody changes it.
    Over,
}

/// Whether a job of a schedule may be enqueued now in its maker's name.
enum Right {
    /// It may.
    Given,
    /// Its kind is open to the maker's role no more, or not to what the schedule was changed to.
    Refused(ScheduleError),
    /// No engine runs the kind, and nobody decided who may enqueue it: that shows once an engine runs it again.
    Unknown,
}

/// What became of a run that was owed.
enum Ended {
    /// It fired or was skipped.
    Over,
    /// It is still owed, and tried again after this long.
    Blocked(Duration),
}

pub(crate) async fn visit(inner: &Inner, id: ScheduleId, blocked: u32) -> Visited {
    let began = inner.clock.now();
    match try_visit(inner, id, blocked, began).await {
        Ok(visited) => visited,
        Err(StoreError::Closed) => Visited::Over,
        Err(error) => {
            tracing::error!(schedule_id = %id, %error, "the schedule can't be read or written; it is tried again");
            retry(began, blocked, None)
        }
    }
}

async fn try_visit(inner: &Inner, id: ScheduleId, blocked: u32, began: Timestamp) -> Result<Visited, StoreError> {
    let Some(mut record) = inner.control.schedule(id, None).await?.filter(|record| record.text.enabled) else {
        return Ok(Visited::Over);
    };
    if let Some(due) = record.state.pending_due_at {
        let ended = end(inner, &mut record, due).await?;
        inner.tell(&record.owner);
        if let Ended::Blocked(wait) = ended {
            return Ok(retry(began, blocked, Some(wait)));
        }
    }
    let now = inner.clock.now();
    let timing = match Timing::parse(&timing_text(&record.text), now) {
        Ok(timing) => timing,
        Err(error) => {
            // It was understood once; a time zone can leave the system's database.
            let due_at = record.state.handled_until;
            let error = ScheduleError { code: "TIMES".into(), message: error.to_string(), due_at, retrying: false };
            blocked_by(inner, &record, error).await?;
            return Ok(Visited::Over);
        }
    };
    let mut plan = plan(&timing, record.text.missed, record.state.handled_until, inner.started, now);
    let set_back = plan.handled_until < record.state.handled_until;
    let told = !plan.fire.is_empty() || plan.skipped.is_some() || set_back;
    if let Some(skipped) = &plan.skipped {
        tracing::warn!(schedule_id = %id, skipped.count, reason = ?skipped.reason, "scheduled runs were skipped");
    }
    if plan.fire.is_empty() && told {
        inner.control.skip_runs(&record, plan.handled_until, plan.skipped.take()).await?;
    }
    let mut visited = plan.next.map_or(Visited::Over, Visited::Next);
    for due in plan.fire {
        if !inner.control.begin_run(&record, due, plan.skipped.take()).await? {
            // It was changed meanwhile: the next visit sees it as it is now.
            visited = Visited::Next(now);
            break;
        }
        if let Ended::Blocked(wait) = end(inner, &mut record, due).await? {
            visited = retry(began, blocked, Some(wait));
            break;
        }
    }
    if told {
        inner.tell(&record.owner);
    }
    Ok(visited)
}

/// Enqueues the run that is owed, and writes down what came of it.
async fn end(inner: &Inner, record: &mut ScheduleRecord, due: Timestamp) -> Result<Ended, StoreError> {
    let caller = Caller { subject: record.owner.as_str().into(), sees_all: false, may_act: true };
    match right(inner, record, due) {
        Right::Given => {}
        Right::Refused(told) => {
            let skipped = one_skipped(SkipReason::Refused, due);
            inner.control.end_run(record.id, due, RunEnd::Skipped(skipped, Some(told))).await?;
            return Ok(Ended::Over);
        }
        Right::Unknown => {
            let kind = record.text.job.kind.chars().take(100).collect();
            let error = EnqueueError::UnknownKind { kind, nearest: Vec::new() };
            return refused(inner, record, due, &error).await;
        }
    }
    if record.text.overlap == Overlap::Skip && is_open(inner, &caller, record.state.last_job_id).await? {
        let skipped = one_skipped(SkipReason::Overlap, due);
        inner.control.end_run(record.id, due, RunEnd::Skipped(skipped, None)).await?;
        return Ok(Ended::Over);
    }
    let key = job_key(record.id, due);
    let job = record.text.job.clone();
    let trace = trace_id(&key);
    let error = match inner.engines.enqueue(&caller, &key, job, trace).await {
        Ok(Enqueued { job, .. }) => return fired(inner, record, due, job.summary.id).await,
        // The job was changed after this run was enqueued and before that was written down.
        Err(EnqueueError::IdempotencyKeyReused { original, .. }) => return fired(inner, record, due, original).await,
        Err(EnqueueError::UniqueKeyHeld { .. }) => {
            let skipped = one_skipped(SkipReason::Overlap, due);
            inner.control.end_run(record.id, due, RunEnd::Skipped(skipped, None)).await?;
            return Ok(Ended::Over);
        }
        Err(error) => error,
    };
    refused(inner, record, due, &error).await
}

/// Writes down why the run could not be enqueued, and whether it is tried again.
async fn refused(
    inner: &Inner,
    record: &ScheduleRecord,
    due: Timestamp,
    error: &EnqueueError,
) -> Result<Ended, StoreError> {
    let wait = wait_of(error);
    let told = ScheduleError {
        code: code_of(error).to_owned(),
        message: error.to_string(),
        due_at: due,
        retrying: wait.is_some(),
    };
    if let Some(wait) = wait {
        blocked_by(inner, record, told).await?;
        return Ok(Ended::Blocked(wait));
    }
    tracing::warn!(schedule_id = %record.id, %due, %error, "a scheduled job was refused");
    let skipped = one_skipped(SkipReason::Refused, due);
    inner.control.end_run(record.id, due, RunEnd::Skipped(skipped, Some(told))).await?;
    Ok(Ended::Over)
}

/// Members come and go, and so do their rights and what the node's owner decides about kinds. All other makers are of
/// tokens that the node's owner signed; their role is known only while they call.
fn right(inner: &Inner, record: &ScheduleRecord, due: Timestamp) -> Right {
    let refused = |code: &str, message| {
        Right::Refused(ScheduleError { code: code.to_owned(), message, due_at: due, retrying: false })
    };
    let role = inner.control.role_of(&record.owner);
    let can_enqueue = |role| matches!(role, Some(Role::Owner | Role::Operator | Role::Member));
    if !owner_is_allowed(&record.owner, |_| can_enqueue(role)) {
        return refused("OWNER_NOT_MEMBER", "who made this schedule may enqueue no jobs now".to_owned());
    }
    let kind = record.text.job.kind.as_str();
    let reaches_machine = inner.engines.kind_reaches_machine(kind);
    let KindRoles { roles, decided, .. } = inner.control.kind_roles(kind, reaches_machine);
    let open = match role {
        Some(role) => roles.contains(&role),
        None => roles.iter().any(|role| *role != Role::Owner),
    };
    if open {
        return Right::Given;
    }
    if reaches_machine.is_none() && !decided {
        return Right::Unknown;
    }
    let kind: String = kind.chars().take(100).collect();
    let message = format!(
        "who made this schedule may enqueue no jobs of the kind {kind} now; the owner of this node can open the kind to \
         their role, or pause the schedule"
    );
    refused("KIND_NOT_ALLOWED", message)
}

async fn fired(inner: &Inner, record: &mut ScheduleRecord, due: Timestamp, job_id: JobId) -> Result<Ended, StoreError> {
    let end = RunEnd::Fired { job_id, at: inner.clock.now() };
    inner.control.end_run(record.id, due, end).await?;
    record.state.last_job_id = Some(job_id);
    Ok(Ended::Over)
}

/// Writes the error down if it is a new one: a node that drains for an hour is no reason for a write a second.
async fn blocked_by(inner: &Inner, record: &ScheduleRecord, error: ScheduleError) -> Result<(), StoreError> {
    let known = record.state.last_error.as_ref();
    if known.is_some_and(|known| known.code == error.code && known.due_at == error.due_at) {
        return Ok(());
    }
    tracing::warn!(schedule_id = %record.id, code = error.code, error.message, "a scheduled job could not be enqueued");
    inner.control.end_run(record.id, error.due_at, RunEnd::Blocked(error)).await
}

/// Whether the job of the last run has not ended yet.
async fn is_open(inner: &Inner, caller: &Caller, last: Option<JobId>) -> Result<bool, StoreError> {
    let Some(id) = last else { return Ok(false) };
    match inner.engines.job(caller, id).await {
        Ok(job) => Ok(!job.summary.state.is_final()),
        Err(JobLookupError::Store(error)) => Err(error),
        // Ended and pruned, or damaged: neither holds the schedule up.
        Err(_) => Ok(false),
    }
}

fn one_skipped(reason: SkipReason, due_at: Timestamp) -> SkippedRuns {
    SkippedRuns { reason, count: 1, uncounted: false, due_at }
}

/// Counted from when the visit began: whoever hears of it may do something about it before it is over.
fn retry(began: Timestamp, blocked: u32, wait: Option<Duration>) -> Visited {
    let doubled = BLOCKED_WAIT.saturating_mul(2_u32.saturating_pow(blocked.min(10)));
    let wait = doubled.max(wait.unwrap_or_default()).min(BLOCKED_WAIT_MAX);
    let until = Timestamp(began.as_millis() + wait.as_millis() as i64);
    Visited::Blocked { until, times: blocked + 1 }
}

/// How long to wait for what may pass by itself; `None` for what would be refused for ever.
fn wait_of(error: &EnqueueError) -> Option<Duration> {
    match error {
        EnqueueError::InvalidPayload { .. }
        | EnqueueError::InvalidFields { .. }
        | EnqueueError::PayloadTooLarge { .. }
        | EnqueueError::InvalidIdempotencyKey { .. } => None,
        EnqueueError::QueueFull { retry_after, .. } | EnqueueError::Draining { retry_after, .. } => Some(*retry_after),
        // The disk may get free; a module or an engine may come back.
        _ => Some(BLOCKED_WAIT),
    }
}

fn code_of(error: &EnqueueError) -> &'static str {
    match error {
        EnqueueError::QueueFull { .. } => "QUEUE_FULL",
        EnqueueError::Draining { .. } => "DRAINING",
        EnqueueError::Store(_) => "STORE",
        EnqueueError::UnknownKind { .. } => "UNKNOWN_KIND",
        EnqueueError::UnknownEngine { .. } => "ENGINE_NOT_FOUND",
        EnqueueError::KindUnavailable { .. } => "KIND_UNAVAILABLE",
        EnqueueError::InvalidPayload { .. } | EnqueueError::InvalidFields { .. } => "VALIDATION_ERROR",
        EnqueueError::PayloadTooLarge { .. } => "PAYLOAD_TOO_LARGE",
        _ => "UNAVAILABLE",
    }
}
