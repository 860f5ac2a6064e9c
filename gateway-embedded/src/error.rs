//! The one way an error becomes HTTP: a status, a stable code, words for the caller, the source for the log.
//!
//! A handler's [`ApiError`] travels in the response's extensions to `edge::scope`, which knows the request id, writes
//! the envelope and logs the source once.

mod engine;
mod member;
mod policy;
mod schedule;
mod session;
mod sign_in;

use std::{sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use flowork_api_types::{
    Timestamp,
    error::{ErrorBody, FieldError},
};
use flowork_control::StoreError;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

/// How long to wait before another try when the reason should pass quickly.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// How long to wait for a disk that fails or is held.
const RETRY_STORAGE: Duration = Duration::from_secs(5);
/// How long to wait for a shard that a person has to repair.
const RETRY_QUARANTINED: Duration = Duration::from_mins(1);

/// An answer that is not a success.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Arc<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Option<Value>,
    hint: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Arc::new(Parts { status, code, message, details: None, hint: None, headers: Vec::new(), source: None }))
    }

    /// 400 `VALIDATION_ERROR` naming the fields.
    pub(crate) fn validation(errors: &[FieldError]) -> Self {
        let message = match errors {
            [one] if one.field.is_empty() => one.message.clone(),
            [one] => format!("{}: {}", one.field, one.message),
            many => format!("{} fields are not valid; details lists them", many.len()),
        };
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
            .details(serde_json::to_value(errors).unwrap_or_default())
    }

    /// 400 `VALIDATION_ERROR` naming one field.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::validation(&[FieldError { field: field.to_owned(), message: message.into() }])
    }

    /// 500 `INTERNAL`: the caller learns nothing but the request id; the log has the source.
    pub(crate) fn internal(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::unexplained().source(source)
    }

    /// 500 `INTERNAL` without a source.
    pub(crate) fn unexplained() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the node failed to handle this request")
            .hint("the node's log has the reason under this request_id")
    }

    /// 503 `SHUTTING_DOWN`.
    pub(crate) fn shutting_down() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "SHUTTING_DOWN", "the node is stopping").retry_after(RETRY_SOON)
    }

    /// The same error under another code, where clients know it by that.
    pub(crate) fn named(self, code: &'static str) -> Self {
        self.change(|parts| parts.code = code)
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.change(|parts| parts.hint = Some(hint.into()))
    }

    pub(crate) fn details(self, details: Value) -> Self {
        self.change(|parts| parts.details = Some(details))
    }

    pub(crate) fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.change(|parts| parts.headers.push((name, value)))
    }

    /// Sets `Retry-After`, in whole seconds, at least 1.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1_000).max(1) as u64;
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(crate) fn source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.change(|parts| parts.source = Some(Arc::new(source)))
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// What the caller gets.
    pub(crate) fn body(&self, request_id: Option<&str>) -> ErrorBody {
        ErrorBody {
            code: self.0.code.to_owned(),
            message: self.0.message.clone(),
            details: self.0.details.clone(),
            hint: self.0.hint.clone(),
            request_id: request_id.map(ToOwned::to_owned),
        }
    }

    /// The causes, outermost first, for the log.
    pub(crate) fn chain(&self) -> Option<String> {
        let mut next: Option<&dyn std::error::Error> = self.0.source.as_deref().map(|source| source as _);
        let mut chain = Vec::new();
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        (!chain.is_empty()).then(|| chain.join(": "))
    }

    fn change(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        for (name, value) in &self.0.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::new(StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL", "the node's disk is full")
                .hint("free some space on the node's machine; what was accepted before is safe")
                .retry_after(Duration::from_secs(30)),
            StoreError::Io(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "STORAGE_FAILING",
                "the node's disk failed; nothing of this request was kept",
            )
            .hint("try again; if it goes on, look at the disk of the node's machine and at the node's log")
            .retry_after(RETRY_STORAGE)
            .source(error),
            StoreError::Held => Self::new(StatusCode::SERVICE_UNAVAILABLE, "STORAGE_HELD", error.to_string())
                .hint("end the program that reads the node's database files; use `flowork shard export` instead")
                .retry_after(RETRY_STORAGE),
            StoreError::Quarantined(ref quarantine) => {
                let message = format!("the shard that holds this is in quarantine: {}", quarantine.reason);
                let (hint, wait) = if error.needs_repair() {
                    (
                        "stop the node and run `flowork shard check`, then `flowork shard repair`; GET /v1/engines names the file",
                        RETRY_QUARANTINED,
                    )
                } else {
                    (
                        "look at the disk; the shard comes back by itself once its file, which GET /v1/engines names, can be opened",
                        RETRY_STORAGE,
                    )
                };
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "SHARD_QUARANTINED", message)
                    .hint(hint)
                    .details(serde_json::json!({"since": Timestamp::from(quarantine.since)}))
                    .retry_after(wait)
            }
            StoreError::Closed => Self::shutting_down(),
            StoreError::Corrupt(_) | StoreError::Sqlite(_) => Self::internal(error),
        }
    }
}
