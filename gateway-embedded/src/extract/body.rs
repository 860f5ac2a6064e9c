//! JSON bodies, bounded in size, in time, and in sum.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::{sync::SemaphorePermit, time::timeout};

use super::fields;
use crate::{
    app::{App, AppState, BODY_UNIT_BYTES},
    error::ApiError,
    options::Limits,
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
        let bytes = read(body, MAX, &app.limits).await?;
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

/// Reads all of a body. A client that stops sending is given up long before one that is only slow.
async fn read(body: Body, max: usize, limits: &Limits) -> Result<Bytes, ApiError> {
    let mut body = Limited::new(body, max);
    let reading = async {
        let mut pieces: Vec<Bytes> = Vec::new();
        loop {
            let frame = timeout(limits.body_idle_timeout, body.frame()).await;
            match frame.map_err(|_| too_slow("nothing more of the body came", limits.body_idle_timeout))? {
                None => return Ok(whole(pieces)),
                Some(Ok(frame)) => pieces.extend(frame.into_data().ok()),
                Some(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large(max)),
                Some(Err(_)) => {
                    let message = "the body ended before its length";
                    return Err(ApiError::new(StatusCode::BAD_REQUEST, "BODY_INCOMPLETE", message));
                }
            }
        }
    };
    timeout(limits.body_timeout, reading).await.unwrap_or_else(|_| Err(too_slow("the body took", limits.body_timeout)))
}

fn whole(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        0 => Bytes::new(),
        1 => pieces.remove(0),
        _ => pieces.concat().into(),
    }
}

fn too_slow(what: &str, limit: Duration) -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT", format!("{what} for longer than {limit:?}"))
}

fn too_large(max: usize) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", format!("the body is longer than {max} bytes"))
        .details(serde_json::json!({"max_bytes": max}))
        .hint("put large data in a file on the node's machine and name the file in the payload")
}
