//! How an attempt ended, as the gateway takes it: JSON text, so that what waits is as large as what is sent.

use std::time::Duration;

use flowork_api_types::{
    JobId, Timestamp,
    engine::{FinishOutcome, Lease, NewLogLine, Throttle},
    job::{JobError, LogLevel, Progress},
};
use flowork_engine::{JobFailure, clock::wall_now, jobs::bounds::cut_error};
use serde::Serialize;
use serde_json::value::RawValue;

/// Lines that go with an end, in bytes. More of them go ahead, in a renewal.
const LINES_BYTES_MAX: usize = 256 << 10;

/// A `FinishItem` whose result is JSON text already.
#[derive(Serialize)]
struct Ended<'a> {
    id: JobId,
    epoch: u32,
    outcome: FinishOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<JobError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<NewLogLine>,
}

/// Writes the end of an attempt.
pub(super) fn to_text(
    lease: Lease,
    outcome: Result<Vec<u8>, JobFailure>,
    progress: Option<Progress>,
    logs: Vec<NewLogLine>,
) -> serde_json::Result<String> {
    let (result, failure) = match outcome {
        Ok(result) => (Some(serde_json::from_slice::<Box<RawValue>>(&result)?), None),
        Err(failure) => (None, Some(failure)),
    };
    let outcome = if failure.is_none() { FinishOutcome::Completed } else { FinishOutcome::Failed };
    let (retryable, wait) =
        failure.as_ref().map_or((None, None), |failure| (Some(failure.retryable), failure.retry_after));
    let throttle = failure.as_ref().and_then(|failure| failure.throttle.clone());
    let throttle = throttle.map(|(target, wait)| Throttle { target, wait_ms: millis(wait) });
    let ended = Ended {
        id: lease.id,
        epoch: lease.epoch,
        outcome,
        result: result.as_deref(),
        error: failure.map(|failure| cut_error(failure.error)),
        retryable,
        retry_after_ms: wait.map(millis),
        throttle,
        progress,
        logs,
    };
    serde_json::to_string(&ended)
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

/// The body of a finish.
pub(super) fn body(ends: &[&str]) -> String {
    format!(r#"{{"results":[{}]}}"#, ends.join(","))
}

pub(super) fn bytes_of(lines: &[NewLogLine]) -> usize {
    lines.iter().map(|line| line.message.len() + 80).sum()
}

pub(super) fn are_too_many(lines: &[NewLogLine]) -> bool {
    bytes_of(lines) > LINES_BYTES_MAX
}

/// The last lines, as many as go with an end, and before them one that says how many are missing.
pub(super) fn cut_lines(lines: Vec<NewLogLine>) -> Vec<NewLogLine> {
    let (mut bytes, all) = (0, lines.len());
    let fitting = lines.iter().rev().take_while(|line| {
        bytes += line.message.len() + 80;
        bytes <= LINES_BYTES_MAX
    });
    let dropped = all - fitting.count();
    let mut kept: Vec<_> = lines.into_iter().skip(dropped).collect();
    if dropped > 0 {
        let at: Timestamp = kept.first().map_or_else(wall_now, |line| line.at);
        let message = format!("{dropped} lines were dropped: the gateway could not be reached to take them");
        kept.insert(0, NewLogLine { at, level: LogLevel::Warn, message });
    }
    kept
}

#[cfg(test)]
mod tests {
    use flowork_api_types::{engine::FinishRequest, limit::LimitTarget};
    use flowork_engine::jobs::bounds::ERROR_BYTES_MAX;
    use serde_json::json;

    use super::*;

    fn lease() -> Lease {
        Lease { id: "job_01930c5ea2f07a3c8000000000000000".parse().unwrap(), epoch: 3 }
    }

    fn line(message: &str) -> NewLogLine {
        NewLogLine { at: Timestamp(0), level: LogLevel::Info, message: message.to_owned() }
    }

    #[test]
    fn body_is_what_the_gateway_reads() {
        let result = to_text(lease(), Ok(br#"{"a":[1,2.50]}"#.to_vec()), None, vec![line("done")]).unwrap();
        let failure = JobFailure::permanent("BOOM", "it broke").retry_after(Duration::from_secs(2));
        let failure = failure.throttled(LimitTarget::Provider("one".to_owned()), Duration::from_secs(2));
        let failed = to_text(lease(), Err(failure), None, Vec::new()).unwrap();
        let request: FinishRequest = serde_json::from_str(&body(&[&result, &failed])).unwrap();
        let [completed, failed] = request.results.as_slice() else { panic!("two results") };
        assert_eq!((completed.id, completed.epoch, completed.outcome), (lease().id, 3, FinishOutcome::Completed));
        assert_eq!((&completed.result, completed.logs.len()), (&Some(json!({"a": [1, 2.5]})), 1));
        assert_eq!(
            (failed.outcome, failed.retryable, failed.retry_after_ms),
            (FinishOutcome::Failed, Some(false), Some(2_000))
        );
        assert_eq!(failed.error.as_ref().unwrap().code, "BOOM");
        let throttle = failed.throttle.as_ref().unwrap();
        assert_eq!((throttle.target.to_string().as_str(), throttle.wait_ms), ("provider:one", 2_000));
    }

    #[test]
    fn lines_past_the_bound_are_dropped_from_the_start_and_counted() {
        let lines: Vec<_> = (0..100).map(|number| line(&format!("{number} {}", "x".repeat(8_000)))).collect();
        assert!(are_too_many(&lines));
        let kept = cut_lines(lines);
        assert!(!are_too_many(&kept[1..]));
        assert!(
            kept[0].message.starts_with(&format!("{} lines were dropped", 101 - kept.len())),
            "{}",
            kept[0].message
        );
        assert!(kept.last().unwrap().message.starts_with("99 "));
        assert_eq!(cut_lines(vec![line("a")]), [line("a")]);
    }

    #[test]
    fn error_that_is_too_large_keeps_its_code_and_the_start_of_its_message() {
        let failure = JobFailure::permanent("BOOM", "é".repeat(200_000)).details(json!("x".repeat(200_000)));
        let text = to_text(lease(), Err(failure), None, Vec::new()).unwrap();
        assert!(text.len() <= ERROR_BYTES_MAX, "{}", text.len());
        assert!(text.contains("BOOM"));
    }
}
