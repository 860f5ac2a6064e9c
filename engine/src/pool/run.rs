//! One attempt, from claim to finish.

use std::{sync::Arc, time::Duration};

use flowork_api_types::{JobId, engine::FinishAnswer, engine::NewLogLine, job::JobError};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{STOP_GRACE, Shared, Stop, StopReason};
use crate::{
    JobContext, JobFailure, Reporter,
    jobs::lease::RESULT_BYTES_MAX,
    store::{Claimed, FinishRow},
};

/// Waits between tries to store how an attempt ended; the last one repeats until the lease is lost.
const FINISH_AGAIN: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Runs the attempt and stores how it ended.
pub(super) async fn run(shared: Arc<Shared>, job: Claimed, reporter: Reporter, stop: Stop) {
    let outcome = attempt(&shared, &job, &reporter, &stop).await;
    match (stop.reason(), &outcome) {
        // Nothing that is written with this epoch counts any more.
        (Some(StopReason::LeaseLost), _) => {
            tracing::warn!(job = %job.id, "the lease was lost while the job ran");
            shared.budget.give_back(1);
        }
        (Some(StopReason::Shutdown), Err(_)) => release(&shared, job.id, job.epoch).await,
        _ => finish(&shared, &job, outcome, &reporter, &stop).await,
    }
    shared.remove(job.id);
    shared.wake_starved();
}

async fn attempt(
    shared: &Shared,
    job: &Claimed,
    reporter: &Reporter,
    stop: &Stop,
) -> Result<Value, JobFailure> {
    let Some(registered) = shared.kinds.get(&job.kind) else {
        let message = format!("this engine does not run {} any more", job.kind);
        return Err(JobFailure::retryable("KIND_UNAVAILABLE", message)
            .hint("Put the module back, and requeue the job."));
    };
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
                running.await
            }
        },
    };
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => Err(JobFailure::retryable("PANICKED", "the job kind crashed")
            .hint("This is a defect of the job kind; the node's log has the details.")),
        Err(_) => Err(JobFailure::retryable("INTERRUPTED", "the job did not stop when it was told to")),
    };
    match (stop.reason(), outcome) {
        (_, Ok(result)) => Ok(result),
        (Some(StopReason::Deadline), Err(_)) => Err(JobFailure::retryable(
            "TIMEOUT",
            format!("the attempt took longer than its {} ms", job.timeout_ms),
        )
        .hint("Give the job a larger timeout_ms, or less to do.")),
        (Some(StopReason::Cancelled), Err(_)) => Err(JobFailure::permanent("CANCELLED", "a person cancelled the job")),
        (_, failed) => failed,
    }
}

/// Stores how the attempt ended, and keeps trying while the disk is full or fails: the work is done and must not be
/// lost for want of a moment.
async fn finish(
    shared: &Shared,
    job: &Claimed,
    outcome: Result<Value, JobFailure>,
    reporter: &Reporter,
    stop: &Stop,
) {
    let row = to_row(job, outcome, remaining_logs(reporter));
    let Some(host) = &shared.host else { return };
    let Some(shard) = host.shard(job.id.shard()) else { return };
    host.count_finished(1);
    // The slot is given back with the first try, whatever becomes of it.
    let mut slots = Some(Arc::clone(&shared.budget));
    for wait in FINISH_AGAIN.into_iter().chain(std::iter::repeat(FINISH_AGAIN[FINISH_AGAIN.len() - 1])) {
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
        if stop.reason() == Some(StopReason::LeaseLost) {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

fn to_row(job: &Claimed, outcome: Result<Value, JobFailure>, logs: Vec<NewLogLine>) -> FinishRow {
    let mut row = FinishRow {
        id: job.id,
        epoch: job.epoch,
        outcome: Ok(Vec::new()),
        retryable: false,
        retry_after: None,
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

fn remaining_logs(reporter: &Reporter) -> Vec<NewLogLine> {
    reporter.take().map(|(_, logs)| logs).unwrap_or_default()
}

/// Gives a lease back unused, with its slot.
pub(super) async fn release(shared: &Shared, id: JobId, epoch: u32) {
    let Some(shard) = shared.host.as_ref().and_then(|host| host.shard(id.shard())) else { return };
    if let Err(error) = shard.release(vec![(id, epoch)], Some(Arc::clone(&shared.budget))).await {
        tracing::warn!(job = %id, error = %error, "a lease could not be given back; the next start does it");
    }
}
