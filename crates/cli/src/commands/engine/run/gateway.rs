//! The calls of an engine to its gateway, and how long to wait after one that failed.

use std::{net::IpAddr, time::Duration};

use flowork_api_types::engine::{
    ClaimAnswer, ClaimRequest, FinishAnswerList, FinishRequest, HeartbeatAnswer, HeartbeatRequest, RenewAnswer,
    RenewRequest,
};
use reqwest::{
    StatusCode, Url,
    header::{HeaderMap, HeaderValue, RETRY_AFTER},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    client::{http_client, unreachable},
    exit::{Exit, Failure},
};

/// Longer than the longest claim waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);
/// The first wait after a failure is at most this, doubled with each further one.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// No wait is longer than this.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The gateway, as one engine.
#[derive(Clone)]
pub(super) struct Gateway {
    http: reqwest::Client,
    url: Url,
    token: HeaderValue,
}

/// A call that gave nothing.
pub(super) struct CallError {
    pub(super) failure: Failure,
    /// Trying again would only repeat it.
    pub(super) fatal: bool,
    /// What the gateway asked for.
    retry_after: Option<Duration>,
}

impl Gateway {
    /// Takes the token over a connection that others can't read: TLS, or this machine's own.
    pub(super) fn new(url: &str, token: &str) -> Result<Self, Failure> {
        let bad = |reason: &str| Failure::new(Exit::Usage, "INVALID_GATEWAY", format!("--gateway {url}: {reason}"));
        let parsed = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
        let host = parsed.host_str().ok_or_else(|| bad("there is no host in it"))?;
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        if !(parsed.scheme() == "https" || parsed.scheme() == "http" && loopback) {
            return Err(bad("the token would be sent in the clear").hint("use an https:// address".to_owned()));
        }
        let mut token = HeaderValue::from_str(token).map_err(|_| bad("the token cannot be sent as a header"))?;
        token.set_sensitive(true);
        Ok(Self { http: http_client(ANSWER_TIMEOUT)?, url: parsed, token })
    }

    pub(super) async fn claim(&self, request: &ClaimRequest) -> Result<ClaimAnswer, CallError> {
        self.call("/v1/engine/claim", request).await
    }

    pub(super) async fn renew(&self, request: &RenewRequest) -> Result<RenewAnswer, CallError> {
        self.call("/v1/engine/renew", request).await
    }

    pub(super) async fn finish(&self, request: &FinishRequest) -> Result<FinishAnswerList, CallError> {
        self.call("/v1/engine/finish", request).await
    }

    pub(super) async fn heartbeat(&self, request: &HeartbeatRequest) -> Result<HeartbeatAnswer, CallError> {
        self.call("/v1/engine/heartbeat", request).await
    }

    async fn call<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CallError> {
        let url = format!("{}{path}", self.url.as_str().trim_end_matches('/'));
        let lost = |error: reqwest::Error| CallError {
            failure: unreachable(self.url.as_str(), &error),
            fatal: false,
            retry_after: None,
        };
        let request = self.http.post(url).header("X-Engine-Token", self.token.clone()).json(body);
        let answer = request.send().await.map_err(lost)?;
        let (status, retry_after) = (answer.status(), retry_after(answer.headers()));
        let bytes = answer.bytes().await.map_err(lost)?;
        if !status.is_success() {
            let failure = Failure::from_answer(status, &bytes);
            let fatal = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            return Err(CallError { failure, fatal, retry_after });
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("the answer to {path} cannot be read: {error}");
            let failure = Failure::new(Exit::Failed, "UNEXPECTED_ANSWER", message);
            CallError { failure, fatal: false, retry_after }
        })
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(BACKOFF_MAX))
}

/// Waits that grow with each failure in a row, each anywhere between nothing and its bound, so that engines that lost
/// one gateway do not come back to it together.
#[derive(Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(super) fn next(&mut self, error: &CallError) -> Duration {
        let bound = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(rand::random()).max(error.retry_after.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_not_sent_in_the_clear_to_another_machine() {
        for fine in ["https://node.example", "http://127.0.0.1:7717", "http://localhost:1", "http://[::1]:1"] {
            assert!(Gateway::new(fine, "fle_x").is_ok(), "{fine}");
        }
        for bad in ["http://192.168.1.2:7717", "http://node.example", "ftp://127.0.0.1", "node"] {
            assert_eq!(Gateway::new(bad, "fle_x").map(|_| ()).expect_err(bad).exit, Exit::Usage);
        }
    }

    #[test]
    fn waits_are_bounded_and_honor_what_the_gateway_asks() {
        let mut backoff = Backoff::default();
        let failure = || Failure::new(Exit::Busy, "X", "x");
        for _ in 0..40 {
            let wait = backoff.next(&CallError { failure: failure(), fatal: false, retry_after: None });
            assert!(wait <= BACKOFF_MAX);
        }
        let asked = CallError { failure: failure(), fatal: false, retry_after: Some(BACKOFF_MAX) };
        assert_eq!(backoff.next(&asked), BACKOFF_MAX);
    }
}
