//! One attempt, from claim to finish.

use std::{sync::Arc, time::Duration};

use flowork_api_types::{
    JobId,
    engine::{FinishAnswer, NewLogLine},
    job::{JobError, Progress},
};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{STOP_GRACE, Shared, Stop, StopReason};
use crate::{
    JobContext, JobFailure, Reporter,
    jobs::lease::RESULT_BYTES_MAX,
    kind::RegisteredKind,
    store::{Claimed, FinishRow},
};

/// Waits between tries to store how an attempt ended; the last one repeats until the lease is lost.
const FINISH_AGAIN: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// How long an aborted attempt may take to let go of what it holds.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// Runs the attempt and stores how it ended.
pub(super) async fn run(shared: Arc<Shared>, job: Claimed, reporter: Reporter, stop: Stop) {
    match shared.kinds.get(&job.kind) {
        Some(kind) => run_kind(&shared, &job, &kind, &reporter, &stop).await,
        // The kind went away after the claim; the job waits until some engine runs it again.
        None => release(&shared, job.id, job.epoch).await,
    }
    shared.remove(job.id, job.epoch);
    shared.wake_starved();
}

async fn run_kind(shared: &Shared, job: &Claimed, kind: &RegisteredKind, reporter: &Reporter, stop: &Stop) {
    let outcome = attempt(job, kind, reporter, stop).await;
    match (stop.reason(), &outcome) {
        // Nothing that is written with this epoch counts any more.
        (Some(StopReason::LeaseLost), _) => {
            tracing::warn!(job = %job.id, "the lease was lost while the job ran");
            shared.budget.give_back(1);
        }
        (Some(StopReason::Shutdown), Err(_)) => release(shared, job.id, job.epoch).await,
        _ => finish(shared, job, outcome, reporter, stop).await,
    }
}

async fn attempt(
    job: &Claimed,
    registered: &RegisteredKind,
    reporter: &Reporter,
    stop: &Stop,
) -> Result<Value, JobFailure> {
    let payload: Value = serde_json::from_slice(&job.payload)
        .map_err(|error| JobFailure::permanent("INVALID_PAYLOAD", error.to_string()))?;
    // The kind may have changed since the job was enqueued.
    if let Err(errors) = registered.check(&payload) {
        let first = errors.first().map(|error| format!("{}: {}", error.field, error.message)).unwrap_or_default();
        return Err(JobFailure::permanent("INVALID_PAYLOAD", format!("the payload no longer fits: {first}")));
    }
    let allowed = Duration::from_millis(job.timeout_ms);
    let context = JobContext {
        job_id: job.id,
        payload,
        attempt: job.attempt,
        deadline: Instant::now() + allowed,
        cancel: stop.token.clone(),
        reporter: reporter.clone(),
    };
    let kind = Arc::clone(&registered.kind);
    // A task of its own, so that a panic ends the attempt and not the worker.
    let mut running = tokio::spawn(async move { kind.run(context).await });
    let ended = tokio::select! {
        ended = &mut running => Some(ended),
        () = stop.token.cancelled() => None,
        () = tokio::time::sleep(allowed) => {
            stop.because(StopReason::Deadline);
            None
        }
    };
    let ended = match ended {
        Some(ended) => ended,
        None => match timeout(STOP_GRACE, &mut running).await {
            Ok(ended) => ended,
            Err(_) => {
                running.abort();
                // One that blocks its thread cannot be aborted; the worker goes on without it.
                match timeout(ABORT_GRACE, running).await {
                    Ok(ended) => ended,
                    Err(_) => return Err(interrupted(stop, job)),
                }
            }
        },
    };
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => Err(JobFailure::retryable("PANICKED", "the job kind crashed")
            .hint("This is a defect of the job kind; the node's log has the details.")),
        Err(_) => return Err(interrupted(stop, job)),
    };
    match (stop.reason(), outcome) {
        (Some(StopReason::Deadline | StopReason::Cancelled), Err(_)) => Err(interrupted(stop, job)),
        (_, outcome) => outcome,
    }
}

/// Why an attempt failed that was told to stop.
fn interrupted(stop: &Stop, job: &Claimed) -> JobFailure {
    match stop.reason() {
        Some(StopReason::Deadline) => {
            JobFailure::retryable("TIMEOUT", format!("the attempt took longer than its {} ms", job.timeout_ms))
                .hint("Give the job a larger timeout_ms, or less to do.")
        }
        Some(StopReason::Cancelled) => JobFailure::permanent("CANCELLED", "a person cancelled the job"),
        Some(StopReason::LeaseLost | StopReason::Shutdown) | None => {
            JobFailure::retryable("INTERRUPTED", "the job did not stop when it was told to")
        }
    }
}

/// Stores how the attempt ended, and keeps trying while the disk is full or fails: the work is done and must not be
/// lost for want of a moment.
async fn finish(shared: &Shared, job: &Claimed, outcome: Result<Value, JobFailure>, reporter: &Reporter, stop: &Stop) {
    let row = to_row(job, outcome, last_words(shared, reporter));
    let Some(host) = &shared.host else { return };
    let Some(shard) = host.shard(job.id.shard()) else { return };
    host.count_finished(1);
    // The slot is given back with the first try, whatever becomes of it.
    let mut slots = Some(Arc::clone(&shared.budget));
    let mut waits = FINISH_AGAIN.into_iter();
    loop {
        match shard.finish(vec![row.clone()], slots.take()).await {
            Ok(answers) => {
                if answers.first() == Some(&FinishAnswer::LeaseLost) {
                    tracing::warn!(job = %job.id, "the attempt ended after its lease was lost");
                }
                return;
            }
            Err(error) if error.is_closed() => return,
            Err(error) => tracing::error!(job = %job.id, error = %error, "the end of an attempt could not be stored"),
        }
        let next = waits.next();
        // A node that stops can't wait for ever; the next start reclaims the lease.
        if stop.reason() == Some(StopReason::LeaseLost) || (next.is_none() && shared.stopping.is_cancelled()) {
            return;
        }
        tokio::time::sleep(next.unwrap_or(FINISH_AGAIN[FINISH_AGAIN.len() - 1])).await;
    }
}

fn to_row(
    job: &Claimed,
    outcome: Result<Value, JobFailure>,
    (progress, logs): (Option<Progress>, Vec<NewLogLine>),
) -> FinishRow {
    let mut row = FinishRow {
        id: job.id,
        epoch: job.epoch,
        outcome: Ok(Vec::new()),
        retryable: false,
        retry_after: None,
        progress,
        logs,
    };
    match outcome {
        Ok(result) => {
            let result = serde_json::to_vec(&result).expect("a JSON value is always JSON");
            row.outcome = if result.len() <= RESULT_BYTES_MAX { Ok(result) } else { Err(too_large(result.len())) };
        }
        Err(failure) => {
            row.retryable = failure.retryable;
            row.retry_after = failure.retry_after;
            row.outcome = Err(failure.error);
        }
    }
    row
}

fn too_large(bytes: usize) -> JobError {
    JobError {
        code: "RESULT_TOO_LARGE".to_owned(),
        message: format!("the result has {bytes} bytes; at most {RESULT_BYTES_MAX} are kept"),
        hint: Some("Write large results to a file, and return its path.".to_owned()),
        details: None,
    }
}

/// What was reported and not yet sent. Under the lock under which the rest is taken and sent, so that the rest is stored
/// before the finish: after it nothing of this attempt counts.
fn last_words(shared: &Shared, reporter: &Reporter) -> (Option<Progress>, Vec<NewLogLine>) {
    let _running = shared.running();
    reporter.take().unwrap_or_default()
}

/// Gives a lease back unused, with its slot.
pub(super) async fn release(shared: &Shared, id: JobId, epoch: u32) {
    let Some(shard) = shared.host.as_ref().and_then(|host| host.shard(id.shard())) else { return };
    if let Err(error) = shard.release(vec![(id, epoch)], Some(Arc::clone(&shared.budget))).await {
        tracing::warn!(job = %id, error = %error, "a lease could not be given back; the next start does it");
    }
}
