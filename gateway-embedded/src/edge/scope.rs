//! The outermost layer: request id, trace id, span, access log, security headers, error envelope.

use std::time::Instant;

use axum::{
    Json,
    extract::{FromRequestParts, MatchedPath, Request},
    response::{IntoResponse, Response},
};
use flowork_api_types::error::ErrorEnvelope;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use tracing::Span;

use super::client::{Arrival, Ingress};
use crate::error::ApiError;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Headers of every answer. The GUI adds its content security policy, and whoever sets `Cache-Control` keeps it.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CACHE_CONTROL, "no-store"),
];
/// A year, and of this name only: others below it may not be ours.
const HTTPS_ONLY: &str = "max-age=31536000";
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What names this request in the log, in the answer and in the jobs it makes.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) request_id: String,
    /// 32 hexadecimal digits, of the caller's `traceparent` or new.
    pub(crate) trace_id: String,
}

/// A request between its coming and its answer.
pub(crate) struct Visit {
    scope: Scope,
    span: Span,
    method: Method,
    route: Option<MatchedPath>,
    https: bool,
    started: Instant,
}

/// Gives a request its ids.
pub(crate) fn enter(request: &mut Request) -> Visit {
    let scope = Scope::of(request.headers());
    request.extensions_mut().insert(scope.clone());
    Visit {
        span: tracing::info_span!("request", request_id = %scope.request_id),
        scope,
        method: request.method().clone(),
        route: request.extensions().get().cloned(),
        https: Arrival::of(request).ingress == Ingress::Tunnel,
        started: Instant::now(),
    }
}

impl Visit {
    /// What is logged on the request's behalf belongs in here.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Gives the answer its headers and, if it is an error, its envelope.
    pub(crate) fn leave(self, mut response: Response) -> Response {
        let _entered = self.span.enter();
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            response = envelope(&error, &self.scope, response);
        }
        finish_headers(response.headers_mut(), &self.scope.request_id, self.https);
        tracing::debug!(
            method = %self.method,
            route = self.route.as_ref().map_or("-", MatchedPath::as_str),
            status = response.status().as_u16(),
            elapsed_ms = self.started.elapsed().as_millis() as u64,
            "answered"
        );
        response
    }
}

/// Turns a panic into 500 `INTERNAL`. What it said goes to the log only.
pub(crate) fn answer_panic(panic: &(dyn std::any::Any + Send)) -> ApiError {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    tracing::error!(panic = said, "a handler panicked");
    ApiError::unexplained()
}

impl Scope {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| is_sane(id));
        let trace = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(trace_id_of);
        Self {
            request_id: given.map_or_else(random_hex::<12>, ToOwned::to_owned),
            trace_id: trace.map_or_else(random_hex::<16>, ToOwned::to_owned),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Scope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

/// `N` random bytes as hexadecimal digits.
pub(crate) fn random_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    let mut text = String::with_capacity(2 * N);
    for digit in bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]) {
        text.extend(char::from_digit(digit.into(), 16));
    }
    text
}

fn envelope(error: &ApiError, scope: &Scope, response: Response) -> Response {
    match error.chain() {
        Some(chain) if error.status().is_server_error() => {
            tracing::error!(code = error.code(), chain, "request failed");
        }
        Some(chain) => tracing::debug!(code = error.code(), chain, "request refused"),
        None => {}
    }
    let body = Json(ErrorEnvelope { error: error.body(Some(&scope.request_id)) }).into_response();
    let (mut parts, _) = response.into_parts();
    let (body_parts, body) = body.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(body_parts.headers);
    Response::from_parts(parts, body)
}

/// Gives an answer the headers that every one has. Behind a tunnel the browser speaks HTTPS, and is to go on so.
pub(crate) fn finish_headers(headers: &mut HeaderMap, request_id: &str, https: bool) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // An allowed page of another origin must be able to read what CORS lets it fetch.
    let policy = if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) { "cross-origin" } else { "same-origin" };
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static(policy));
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HTTPS_ONLY));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
}

fn is_sane(id: &str) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The trace id in a W3C `traceparent` of version 00, unless it is malformed or all zeros.
fn trace_id_of(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let valid = version == "00"
        && lower_hex(trace, 32)
        && trace.bytes().any(|byte| byte != b'0')
        && lower_hex(parent, 16)
        && lower_hex(flags, 2)
        && parts.next().is_none();
    valid.then_some(trace)
}

/// 404 for a path that no route has.
pub(crate) fn route_not_found(path: &str, nearest: Option<&str>) -> ApiError {
    let shown: String = path.chars().take(200).collect();
    let error = ApiError::new(StatusCode::NOT_FOUND, "ROUTE_NOT_FOUND", format!("there is no route {shown}"));
    match nearest {
        Some(near) => error.hint(format!("did you mean {near}? /openapi.json lists every route")),
        None => error.hint("/openapi.json lists every route"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_ours_names_its_causes_in_the_log_only() {
        let error = ApiError::internal(std::io::Error::other("disk on fire"));
        assert_eq!(error.chain().as_deref(), Some("disk on fire"));
        assert!(!serde_json::to_string(&error.body(None)).unwrap().contains("fire"));
    }
}
