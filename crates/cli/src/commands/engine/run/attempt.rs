//! One attempt of a job: runs its kind until it ends, is told to stop, or its time is up.

use std::{sync::Arc, time::Duration};

use flowork_api_types::engine::{ClaimedJob, FinishItem, FinishOutcome};
use flowork_engine::{JobContext, JobFailure, KindRegistry, Reporter};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long an attempt may take to stop after it was told to.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What the gateway keeps of a result.
const RESULT_BYTES_MAX: usize = 1 << 20;

/// Runs the attempt; the answer is ready to be sent.
pub(super) async fn run(
    job: ClaimedJob,
    kinds: KindRegistry,
    reporter: Reporter,
    cancel: CancellationToken,
) -> FinishItem {
    let (id, epoch) = (job.id, job.epoch);
    let ended = attempt(job, &kinds, reporter, cancel).await;
    let ended = match ended.as_ref().ok().and_then(too_large) {
        Some(failure) => Err(failure),
        None => ended,
    };
    let (outcome, result, failure) = match ended {
        Ok(result) => (FinishOutcome::Completed, Some(result), None),
        Err(failure) => (FinishOutcome::Failed, None, Some(failure)),
    };
    let retryable = failure.as_ref().map(|failure| failure.retryable);
    FinishItem { id, epoch, outcome, result, error: failure.map(|failure| failure.error), retryable }
}

/// A result too large to be kept would also be too large to be sent.
fn too_large(result: &Value) -> Option<JobFailure> {
    let bytes = serde_json::to_vec(result).map_or(0, |text| text.len());
    (bytes > RESULT_BYTES_MAX).then(|| {
        let message = format!("the result has {bytes} bytes; at most {RESULT_BYTES_MAX} are kept");
        JobFailure::permanent("RESULT_TOO_LARGE", message).hint("Write large results to a file, and return its path.")
    })
}

async fn attempt(
    job: ClaimedJob,
    kinds: &KindRegistry,
    reporter: Reporter,
    cancel: CancellationToken,
) -> Result<Value, JobFailure> {
    let Some(registered) = kinds.get(&job.kind) else {
        let message = format!("this engine does not run {} any more", job.kind);
        return Err(JobFailure::retryable("KIND_UNAVAILABLE", message));
    };
    if let Err(errors) = registered.check(&job.payload) {
        let first = errors.first().map(|error| format!("{}: {}", error.field, error.message)).unwrap_or_default();
        let message = format!("the payload does not fit this engine's {}: {first}", job.kind);
        return Err(JobFailure::permanent("INVALID_PAYLOAD", message));
    }
    let allowed = Duration::from_millis(job.timeout_ms);
    let context = JobContext {
        job_id: job.id,
        payload: job.payload,
        attempt: job.attempt,
        deadline: Instant::now() + allowed,
        cancel: cancel.clone(),
        reporter,
    };
    let kind = Arc::clone(&registered.kind);
    // A task of its own, so that a panic ends the attempt and not the engine.
    let mut running = tokio::spawn(async move { kind.run(context).await });
    let mut overdue = false;
    let ended = tokio::select! {
        ended = &mut running => Some(ended),
        () = cancel.cancelled() => None,
        () = sleep(allowed) => {
            overdue = true;
            cancel.cancel();
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
    match ended {
        Ok(Ok(result)) => Ok(result),
        _ if overdue => {
            let message = format!("the attempt took longer than its {} ms", job.timeout_ms);
            Err(JobFailure::retryable("TIMEOUT", message).hint("Give the job a larger timeout_ms, or less to do."))
        }
        _ if cancel.is_cancelled() => Err(JobFailure::retryable("INTERRUPTED", "the attempt was told to stop")),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(JobFailure::retryable("PANICKED", "the job kind crashed")
            .hint("This is a defect of the job kind; the engine's log has the details.")),
    }
}
