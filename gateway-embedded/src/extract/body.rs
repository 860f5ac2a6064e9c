//! JSON bodies, bounded in size, in time, and in sum.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::sync::SemaphorePermit;

use super::fields;
use crate::{
    app::{App, AppState, BODY_UNIT_BYTES},
    error::ApiError,
};

/// A JSON body of at most `MAX` bytes.
pub(crate) struct JsonBody<T, const MAX: usize>(pub(crate) T);

impl<T: DeserializeOwned, const MAX: usize> FromRequest<AppState> for JsonBody<T, MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        check_content_type(&parts.headers)?;
        let declared = declared_length(&parts.headers);
        if declared.is_some_and(|bytes| bytes > MAX as u64) {
            return Err(too_large(MAX));
        }
        let _reserved = reserve(app, declared.map_or(MAX, |bytes| bytes as usize))?;
        let bytes = read(body, MAX, app.limits.body_timeout).await?;
        fields::from_slice(&bytes).map(Self)
    }
}

/// The content type picks the parser, so it must say JSON. It also keeps plain HTML forms of other sites out.
fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let message = if given.is_empty() {
        "the Content-Type header is missing".to_owned()
    } else {
        format!("this call takes JSON, not {:?}", given.chars().take(100).collect::<String>())
    };
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
        .hint("send the header Content-Type: application/json"))
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn reserve(app: &App, bytes: usize) -> Result<SemaphorePermit<'_>, ApiError> {
    let units = bytes.div_ceil(BODY_UNIT_BYTES) as u32;
    app.body_budget.try_acquire_many(units).map_err(|_| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", "too many large requests at the same time")
            .hint(format!("together they may hold {} bytes; try again later", app.limits.body_bytes_in_flight_max))
            .retry_after(Duration::from_secs(1))
    })
}

async fn read(body: Body, max: usize, time: Duration) -> Result<Bytes, ApiError> {
    let collected = tokio::time::timeout(time, Limited::new(body, max).collect()).await.map_err(|_| {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT", format!("the body took longer than {time:?}"))
    })?;
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(max)),
        Err(_) => Err(ApiError::new(StatusCode::BAD_REQUEST, "BODY_INCOMPLETE", "the body ended before its length")),
    }
}

fn too_large(max: usize) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", format!("the body is longer than {max} bytes"))
        .details(serde_json::json!({"max_bytes": max}))
        .hint("put large data in a file on the node's machine and name the file in the payload")
}
