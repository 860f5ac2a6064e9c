//! JSON bodies, bounded in size, in time, and in sum.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, timeout_at},
};

use super::fields;
use crate::{
    app::{App, AppState, BODY_UNIT_BYTES},
    auth::{credentials::Person, person::EnginePass},
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
        // The body may have taken long, and who was let in when it began may be shut out since.
        if let Some(person) = parts.extensions.get::<Person>() {
            person.check(&app.state)?;
        }
        if let Some(engine) = parts.extensions.get::<EnginePass>() {
            engine.check(&app.state)?;
        }
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

/// What a body can earn: no longer than the tokens live that calls come with.
const EARNED_MAX: Duration = Duration::from_mins(15);

/// Reads all of a body. What comes gives a client more time, so one that is only slow is not given up; one that stops, or
/// sends a byte now and then, is.
async fn read(body: Body, max: usize, limits: &Limits) -> Result<Bytes, ApiError> {
    let mut body = Limited::new(body, max);
    let (begun, mut whole) = (Instant::now(), Whole::default());
    loop {
        let earned = Duration::from_millis(whole.len() as u64 * 1_000 / u64::from(limits.body_rate_min.get()));
        let earned = earned.min(EARNED_MAX);
        let (due, idle) = (begun + limits.body_timeout + earned, Instant::now() + limits.body_idle_timeout);
        match timeout_at(due.min(idle), body.frame()).await {
            Err(_) if idle <= due => {
                return Err(too_slow("no byte of the body came in time", limits.body_idle_timeout));
            }
            Err(_) => return Err(too_slow("the body comes too slowly", limits.body_timeout + earned)),
            Ok(None) => return Ok(whole.into_bytes()),
            Ok(Some(Ok(frame))) => {
                whole.add(frame.into_data().unwrap_or_default());
            }
            Ok(Some(Err(error))) if error.is::<LengthLimitError>() => return Err(too_large(max)),
            Ok(Some(Err(_))) => {
                let message = "the body ended before its length";
                return Err(ApiError::new(StatusCode::BAD_REQUEST, "BODY_INCOMPLETE", message));
            }
        }
    }
}

/// What has come of a body. One piece is kept as it is; several are copied, because each holds the whole buffer that it was
/// read into, and a client may send a byte at a time.
#[derive(Default)]
struct Whole {
    first: Bytes,
    rest: Vec<u8>,
}

impl Whole {
    fn len(&self) -> usize {
        if self.rest.is_empty() { self.first.len() } else { self.rest.len() }
    }

    fn add(&mut self, piece: Bytes) {
        if self.len() == 0 {
            self.first = piece;
            return;
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(&piece);
    }

    fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.into() }
    }
}

fn too_slow(what: &str, limit: Duration) -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT", format!("{what}; it had {} s", limit.as_secs_f32()))
}

fn too_large(max: usize) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", format!("the body is longer than {max} bytes"))
        .details(serde_json::json!({"max_bytes": max}))
        .hint("put large data in a file on the node's machine and name the file in the payload")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    /// A body of one piece after each pause, and then nothing any more.
    fn dripping(bytes: usize, pause: Duration, pieces: usize, ends: bool) -> Body {
        Body::from_stream(stream::unfold(0, move |sent| async move {
            if sent == pieces {
                return if ends { None } else { std::future::pending().await };
            }
            tokio::time::sleep(pause).await;
            Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; bytes])), sent + 1))
        }))
    }

    /// What came of it, and after how long.
    async fn read_timed(body: Body) -> (Result<usize, ApiError>, Duration) {
        let begun = Instant::now();
        let read = read(body, 16 << 20, &Limits::default()).await;
        (read.map(|bytes| bytes.len()), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_gives_nobody_more_time() {
        for pause in [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(9)] {
            let (read, took) = read_timed(dripping(1, pause, usize::MAX, false)).await;
            assert!(read.is_err(), "a byte each {pause:?}");
            assert!(took >= Duration::from_secs(10) && took < Duration::from_millis(10_100), "{pause:?}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_has_used_up_what_it_earned() {
        let (read, took) = read_timed(dripping(1 << 20, Duration::ZERO, 1, false)).await;
        assert!(read.is_err());
        assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(11), "{took:?}");
        let (read, took) = read_timed(dripping(1, Duration::ZERO, 0, false)).await;
        assert!(read.is_err());
        assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(11), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_earns_more_time_than_a_token_lives() {
        let (read, took) = read_timed(dripping(5 << 10, Duration::from_secs(1), usize::MAX, false)).await;
        assert!(read.is_err());
        assert!(took >= EARNED_MAX && took < EARNED_MAX + Duration::from_secs(12), "{took:?}");
    }

    #[tokio::test]
    async fn a_body_in_many_pieces_is_whole() {
        let pieces =
            ["", "{", "", "\"a\":", "1}"].map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes())));
        let whole = read(Body::from_stream(stream::iter(pieces)), 16, &Limits::default()).await.unwrap();
        assert_eq!(whole, "{\"a\":1}");
        assert!(read(Body::empty(), 16, &Limits::default()).await.unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_on_a_slow_line_arrives() {
        let (read, took) = read_timed(dripping(5 << 10, Duration::from_secs(1), 200, true)).await;
        assert_eq!(read.unwrap(), 1_000 << 10);
        assert!(took >= Duration::from_secs(200), "{took:?}");
        // Gaps of a radio, as long as what comes between them makes up for them.
        let (read, _) = read_timed(dripping(50 << 10, Duration::from_secs(9), 20, true)).await;
        assert_eq!(read.unwrap(), 1_000 << 10);
    }
}
