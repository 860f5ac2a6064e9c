//! One attempt, from its start to its end.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::{Assigned, AttemptEnd, JobSource, Payload, STOP_GRACE, Slot, Stop, StopReason, Workers};
use crate::{JobContext, JobFailure, Reporter, jobs::lease::RESULT_BYTES_MAX, kind::RegisteredKind};

/// How long an aborted attempt may take to let go of what it holds.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// Runs the attempt and has its end stored.
pub(super) async fn run<S: JobSource>(workers: Workers<S>, job: Assigned, slot: Slot, reporter: Reporter, stop: Stop) {
    let lease = job.lease;
    if let Some(failure) = workers.members().refuse(&job.created_by) {
        tracing::info!(job = %lease.id, owner = job.created_by, "the job is not run: its owner is no member");
        workers.attempts().ended(lease);
        let end = AttemptEnd { lease, outcome: Err(failure), stop };
        workers.source().finish(&workers, end, slot).await;
        workers.attempts().remove(lease);
        workers.slots_freed();
        return;
    }
    match workers.kinds().get(&job.kind) {
        Some(kind) => run_kind(&workers, job, slot, &kind, reporter, stop).await,
        // The kind went away after the claim; the job waits until some engine runs it again.
        None => workers.source().release(&workers, lease, slot).await,
    }
    workers.attempts().remove(lease);
    workers.slots_freed();
}

async fn run_kind<S: JobSource>(
    workers: &Workers<S>,
    job: Assigned,
    slot: Slot,
    kind: &RegisteredKind,
    reporter: Reporter,
    stop: Stop,
) {
    let lease = job.lease;
    let ended = attempt(job, kind, reporter, &stop).await;
    let outcome = match ended.map(|result| serde_json::to_vec(&result).expect("a JSON value is always JSON")) {
        Ok(text) if text.len() > RESULT_BYTES_MAX => Err(too_large(text.len())),
        outcome => outcome,
    };
    workers.attempts().ended(lease);
    match (stop.reason(), &outcome) {
        // Nothing that is written with this epoch counts any more.
        (Some(StopReason::LeaseLost), _) => tracing::warn!(job = %lease.id, "the lease was lost while the job ran"),
        (Some(StopReason::Shutdown), Err(_)) => workers.source().release(workers, lease, slot).await,
        _ => workers.source().finish(workers, AttemptEnd { lease, outcome, stop }, slot).await,
    }
}

async fn attempt(
    job: Assigned,
    registered: &RegisteredKind,
    reporter: Reporter,
    stop: &Stop,
) -> Result<Value, JobFailure> {
    let allowed = job.timeout;
    let payload = match job.payload {
        Payload::Value(payload) => payload,
        Payload::Text(text) => serde_json::from_slice(&text)
            .map_err(|error| JobFailure::permanent("INVALID_PAYLOAD", error.to_string()))?,
    };
    // The kind may have changed since the job was enqueued.
    if let Err(errors) = registered.check(&payload) {
        let first = errors.first().map(|error| format!("{}: {}", error.field, error.message)).unwrap_or_default();
        return Err(JobFailure::permanent("INVALID_PAYLOAD", format!("the payload no longer fits: {first}")));
    }
    let context = JobContext {
        job_id: job.lease.id,
        payload,
        attempt: job.attempt,
        deadline: Instant::now() + allowed,
        cancel: stop.token().clone(),
        reporter,
    };
    let kind = Arc::clone(&registered.kind);
    // A task of its own, so that a panic ends the attempt and not the worker.
    let mut running = tokio::spawn(async move { kind.run(context).await });
    let ended = tokio::select! {
        ended = &mut running => Some(ended),
        () = stop.token().cancelled() => None,
        () = sleep(allowed) => {
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
                    Err(_) => return Err(interrupted(stop, allowed)),
                }
            }
        },
    };
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => Err(JobFailure::retryable("PANICKED", "the job kind crashed")
            .hint("This is a defect of the job kind; the log of its engine has the details.")),
        Err(_) => return Err(interrupted(stop, allowed)),
    };
    match (stop.reason(), outcome) {
        (Some(StopReason::Deadline | StopReason::Cancelled), Err(_)) => Err(interrupted(stop, allowed)),
        (_, outcome) => outcome,
    }
}

/// Why an attempt failed that was told to stop.
fn interrupted(stop: &Stop, allowed: Duration) -> JobFailure {
    match stop.reason() {
        Some(StopReason::Deadline) => {
            JobFailure::retryable("TIMEOUT", format!("the attempt took longer than its {} ms", allowed.as_millis()))
                .hint("Give the job a larger timeout_ms, or less to do.")
        }
        Some(StopReason::Cancelled) => JobFailure::permanent("CANCELLED", "a person cancelled the job"),
        Some(StopReason::LeaseLost | StopReason::Shutdown) | None => {
            JobFailure::retryable("INTERRUPTED", "the job did not stop when it was told to")
        }
    }
}

/// What is too large to be kept fails the attempt.
fn too_large(bytes: usize) -> JobFailure {
    let message = format!("the result has {bytes} bytes; at most {RESULT_BYTES_MAX} are kept");
    // Another attempt would make as much.
    JobFailure::permanent("RESULT_TOO_LARGE", message).hint("Write large results to a file, and return its path.")
}
