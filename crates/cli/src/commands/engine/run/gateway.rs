//! The calls of an engine to its gateway.

use std::{net::IpAddr, time::Duration};

use flowork_api_types::engine::{
    ClaimAnswer, ClaimRequest, FinishAnswerList, HeartbeatAnswer, HeartbeatRequest, Lease, ReleaseRequest, RenewAnswer,
    RenewRequest,
};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use serde::{Serialize, de::DeserializeOwned};

use super::backoff;
use crate::{
    client::{http_client, unreachable},
    exit::{Exit, Failure},
};

/// A claim waits this long for a job. Its lease counts from when it was sent, so it is well below one.
pub(super) const CLAIM_WAIT: Duration = Duration::from_secs(10);
/// A claim that has no answer by then gets none; a job that came with it would have little left of its lease.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(15);
/// A third of a lease: three renewals may hang before it ends.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The gateway ends a stream after a day by itself.
const STREAM_TIMEOUT: Duration = Duration::from_hours(25);

/// The gateway, as one engine.
#[derive(Clone)]
pub(super) struct Gateway {
    http: reqwest::Client,
    url: Url,
    token: HeaderValue,
}

/// A call that gave nothing.
#[derive(Debug)]
pub(super) struct CallError {
    pub(super) failure: Failure,
    pub(super) cause: CallCause,
    /// What the gateway asked for.
    pub(super) retry_after: Option<Duration>,
}

/// What to make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallCause {
    /// It may work later.
    Passing,
    /// The gateway does not take what was sent, now or later.
    Refused,
    /// The gateway does not take this engine.
    Unwelcome,
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
        Ok(Self { http: http_client(parsed.as_str(), ANSWER_TIMEOUT)?, url: parsed, token })
    }

    pub(super) async fn claim(&self, request: &ClaimRequest) -> Result<ClaimAnswer, CallError> {
        let request = self.request(Method::POST, "/v1/engine/claim").timeout(CLAIM_TIMEOUT).json(request);
        self.read(request).await
    }

    pub(super) async fn renew(&self, request: &RenewRequest) -> Result<RenewAnswer, CallError> {
        self.post("/v1/engine/renew", request).await
    }

    /// `body`: a `FinishRequest`, as JSON text.
    pub(super) async fn finish(&self, body: String) -> Result<FinishAnswerList, CallError> {
        let request = self.request(Method::POST, "/v1/engine/finish").header(CONTENT_TYPE, "application/json");
        self.read(request.body(body)).await
    }

    pub(super) async fn release(&self, jobs: Vec<Lease>) -> Result<(), CallError> {
        self.send(self.request(Method::POST, "/v1/engine/release").json(&ReleaseRequest { jobs })).await.map(|_| ())
    }

    pub(super) async fn heartbeat(&self, request: &HeartbeatRequest) -> Result<HeartbeatAnswer, CallError> {
        self.post("/v1/engine/heartbeat", request).await
    }

    /// A stream of server-sent events.
    pub(super) async fn directives(&self) -> Result<Response, CallError> {
        let request = self.request(Method::GET, "/v1/engine/directives").header("Accept", "text/event-stream");
        self.send(request.timeout(STREAM_TIMEOUT)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.url.as_str().trim_end_matches('/'));
        self.http.request(method, url).header("X-Engine-Token", self.token.clone())
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CallError> {
        self.read(self.request(Method::POST, path).json(body)).await
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        let answer = self.send(request).await?;
        let path = answer.url().path().to_owned();
        let bytes = answer.bytes().await.map_err(|error| self.lost(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("the answer to {path} cannot be read: {error}");
            let failure = Failure::new(Exit::Failed, "UNEXPECTED_ANSWER", message);
            CallError { failure, cause: CallCause::Passing, retry_after: None }
        })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let answer = request.send().await.map_err(|error| self.lost(&error))?;
        let (status, retry_after) = (answer.status(), retry_after(answer.headers()));
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await.map_err(|error| self.lost(&error))?;
        Err(CallError { failure: Failure::from_answer(status, &bytes), cause: cause_of(status), retry_after })
    }

    fn lost(&self, error: &reqwest::Error) -> CallError {
        let failure = unreachable(self.url.as_str(), error);
        CallError { failure, cause: CallCause::Passing, retry_after: None }
    }
}

fn cause_of(status: StatusCode) -> CallCause {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CallCause::Unwelcome,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            CallCause::Refused
        }
        _ => CallCause::Passing,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(backoff::LONGEST))
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
    fn only_what_may_work_later_is_tried_again() {
        for (status, cause) in [
            (401, CallCause::Unwelcome),
            (403, CallCause::Unwelcome),
            (400, CallCause::Refused),
            (413, CallCause::Refused),
            (404, CallCause::Passing),
            (429, CallCause::Passing),
            (503, CallCause::Passing),
            (507, CallCause::Passing),
        ] {
            assert_eq!(cause_of(StatusCode::from_u16(status).unwrap()), cause, "{status}");
        }
    }
}
