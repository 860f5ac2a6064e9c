//! One outgoing request and its limits.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Method,
    header::{self, HeaderMap},
};
use url::Url;

use crate::error::EgressError;

/// One outgoing request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: Method,
    /// Absolute, `http` or `https`.
    pub url: Url,
    /// Without `Host` and those that frame the body.
    pub headers: HeaderMap,
    /// Sent again on a redirect that keeps the method.
    pub body: Option<Bytes>,
    /// How long, how much, how far.
    pub limits: Limits,
}

impl Request {
    /// A request without headers and body, with default limits.
    ///
    /// # Errors
    /// [`EgressError::InvalidUrl`] if the text is no absolute URL.
    pub fn new(method: Method, url: &str) -> Result<Self, EgressError> {
        let url = Url::parse(url).map_err(|error| EgressError::InvalidUrl { reason: error.to_string() })?;
        Ok(Self { method, url, headers: HeaderMap::new(), body: None, limits: Limits::default() })
    }
}

/// How long, how much, how far.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the start to the last byte, redirects included.
    pub total_timeout: Duration,
    /// Between two pieces of the answer, and until its head.
    pub read_timeout: Duration,
    /// Bytes of the body.
    pub response_bytes_max: u64,
    /// Redirects to follow; 0 hands a redirect to the caller.
    pub redirects_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(30),
            response_bytes_max: 1 << 20,
            redirects_max: 5,
        }
    }
}

/// Refuses headers that would change where the request goes or how it is framed: with them one request could be made
/// to look like two, or reach another virtual host than the URL says.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), EgressError> {
    const FRAMING: [header::HeaderName; 8] = [
        header::HOST,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::EXPECT,
    ];
    for name in headers.keys() {
        if FRAMING.contains(name) {
            return Err(EgressError::HeaderNotAllowed {
                name: name.to_string(),
                reason: "it belongs to the connection",
            });
        }
        if name.as_str().starts_with("proxy-") {
            return Err(EgressError::HeaderNotAllowed { name: name.to_string(), reason: "no proxy is used" });
        }
    }
    Ok(())
}
