//! The answer: head at once, body in pieces under the request's limits.

use bytes::{Bytes, BytesMut};
use reqwest::{StatusCode, header::HeaderMap};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::{error::EgressError, redirect::Redirect, request::Limits};

/// The answer to a request.
#[derive(Debug)]
pub struct Response {
    /// Of the last hop.
    pub status: StatusCode,
    /// Of the last hop.
    pub headers: HeaderMap,
    /// Where it ended.
    pub url: Url,
    /// What was followed on the way.
    pub redirects: Vec<Redirect>,
    pub(crate) inner: reqwest::Response,
    pub(crate) deadline: Instant,
    pub(crate) limits: Limits,
    pub(crate) received: u64,
}

impl Response {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// A time limit was hit, the connection broke, or the body is longer than `response_bytes_max`.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EgressError> {
        let host = || self.url.host_str().unwrap_or_default().to_owned();
        let read_deadline = Instant::now() + self.limits.read_timeout;
        let chunk = match timeout_at(self.deadline.min(read_deadline), self.inner.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => {
                return Err(EgressError::Transfer { host: host(), source: Box::new(error.without_url()) });
            }
            Err(_) if self.deadline <= read_deadline => {
                return Err(EgressError::Timeout {
                    host: host(),
                    phase: "finish its answer",
                    limit: self.limits.total_timeout,
                });
            }
            Err(_) => {
                return Err(EgressError::Timeout {
                    host: host(),
                    phase: "send more data",
                    limit: self.limits.read_timeout,
                });
            }
        };
        if let Some(chunk) = &chunk {
            self.received += chunk.len() as u64;
            if self.received > self.limits.response_bytes_max {
                return Err(EgressError::ResponseTooLarge { host: host(), max: self.limits.response_bytes_max });
            }
        }
        Ok(chunk)
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Self::chunk`]; a body whose announced length is over the limit is refused before it is read.
    pub async fn bytes(&mut self) -> Result<Bytes, EgressError> {
        let announced = self.inner.content_length().unwrap_or(0);
        if announced > self.limits.response_bytes_max {
            let host = self.url.host_str().unwrap_or_default().to_owned();
            return Err(EgressError::ResponseTooLarge { host, max: self.limits.response_bytes_max });
        }
        let mut body = BytesMut::with_capacity(announced as usize);
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}
