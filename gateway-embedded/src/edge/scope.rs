//! The outermost layer: request id, trace id, span, access log, security headers, error envelope.

use std::time::Instant;

use axum::{
    Json,
    extract::{FromRequestParts, MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use flowork_api_types::error::ErrorEnvelope;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use tracing::Instrument;

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

/// Gives the request its ids, and the answer its headers and, if it is an error, its envelope.
pub(crate) async fn enter(matched: Option<MatchedPath>, mut request: Request, next: Next) -> Response {
    let scope = Scope::of(request.headers());
    let span = tracing::info_span!("request", request_id = %scope.request_id);
    let method = request.method().clone();
    let https = Arrival::of(&request).ingress == Ingress::Tunnel;
    request.extensions_mut().insert(scope.clone());
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let _entered = span.enter();
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = envelope(&error, &scope, response);
    }
    finish_headers(response.headers_mut(), &scope.request_id, https);
    tracing::debug!(
        %method,
        route = matched.as_ref().map_or("-", MatchedPath::as_str),
        status = response.status().as_u16(),
        elapsed_ms = started.elapsed().as_millis() as u64,
        "answered"
    );
    response
}

/// Turns a panic into 500 `INTERNAL`. What it said goes to the log only.
#[expect(clippy::needless_pass_by_value, reason = "the layer gives it by value")]
pub(crate) fn answer_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    tracing::error!(panic = said, "a handler panicked");
    ApiError::unexplained().into_response()
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
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
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
    use axum::{Router, body::Body, middleware::from_fn, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    async fn panics() -> &'static str {
        panic!("the password is hunter2")
    }

    #[tokio::test]
    async fn a_panic_is_answered_without_its_words() {
        let router =
            Router::new().route("/", get(panics)).layer(CatchPanicLayer::custom(answer_panic)).layer(from_fn(enter));
        let request = Request::get("/").header("x-request-id", "abc").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(r#""code":"INTERNAL""#) && text.contains(r#""request_id":"abc""#), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_failure_of_ours_names_its_causes_in_the_log_only() {
        let error = ApiError::internal(std::io::Error::other("disk on fire"));
        assert_eq!(error.chain().as_deref(), Some("disk on fire"));
        assert!(!serde_json::to_string(&error.body(None)).unwrap().contains("fire"));
    }
}
