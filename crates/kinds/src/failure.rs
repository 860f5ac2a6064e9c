//! From errors of the way out to failures of an attempt.

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use flowork_egress::{EgressError, header};
use flowork_engine::{JobContext, JobFailure};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// A server that asks for more patience than this gets this much.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// Turns an error of the way out into a failure; says what to do next.
pub(crate) fn from_egress(error: &EgressError) -> JobFailure {
    let code = match error {
        EgressError::InvalidUrl { .. }
        | EgressError::SchemeNotAllowed { .. }
        | EgressError::CredentialsInUrl { .. } => "INVALID_URL",
        EgressError::Refused { .. } => "EGRESS_REFUSED",
        EgressError::HeaderNotAllowed { .. } => "INVALID_HEADER",
        EgressError::Dns { .. } => "DNS_FAILED",
        EgressError::Connect { .. } => "CONNECT_FAILED",
        EgressError::Tls { .. } => "TLS_FAILED",
        EgressError::Timeout { .. } => "HTTP_TIMEOUT",
        EgressError::TooManyRedirects { .. } | EgressError::InvalidRedirect { .. } => "BAD_REDIRECT",
        EgressError::ResponseTooLarge { .. } => "RESPONSE_TOO_LARGE",
        EgressError::Transfer { .. } => "CONNECTION_BROKEN",
        EgressError::Client { .. } => "HTTP_CLIENT_FAILED",
    };
    let failure = JobFailure { retryable: error.is_transient(), ..JobFailure::permanent(code, error.chain()) };
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// What a `Retry-After` header asks for: seconds or a date.
pub(crate) fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            SystemTime::from(at).duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Runs `work` until the attempt is cancelled.
pub(crate) async fn until_cancelled<T>(
    context: &JobContext,
    work: impl Future<Output = Result<T, JobFailure>>,
) -> Result<T, JobFailure> {
    tokio::select! {
        outcome = work => outcome,
        () = context.cancel.cancelled() => Err(ended(context.deadline)),
    }
}

/// The failure of an attempt that was ended from outside.
pub(crate) fn ended(deadline: Instant) -> JobFailure {
    // The deadline reaches an attempt as a cancellation too.
    if Instant::now() >= deadline {
        JobFailure::retryable("TIMEOUT", "the attempt took longer than its timeout")
            .hint("allow more time with timeout_ms, or give the job less to do")
    } else {
        JobFailure::retryable("CANCELLED", "the attempt was cancelled")
    }
}

/// Reads a payload that has been checked against the schema.
pub(crate) fn parse_payload<T: DeserializeOwned>(context: &JobContext) -> Result<T, JobFailure> {
    serde_json::from_value(context.payload.clone())
        .map_err(|error| JobFailure::permanent("INVALID_PAYLOAD", format!("the payload can't be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_takes_seconds_and_dates() {
        let wait = |text: &str| retry_after(&[(header::RETRY_AFTER, text.parse().unwrap())].into_iter().collect());
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO), "a date that is over");
        assert_eq!(wait("Tue, 31 Dec 2999 23:59:59 GMT"), Some(RETRY_AFTER_MAX));
        assert_eq!(wait("soon"), None);
    }
}
