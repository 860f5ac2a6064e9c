//! Answers to what is no request: the HTTP library would send a bare status, so the envelope is sent from here.

use std::time::Duration;

use flowork_api_types::error::{ErrorBody, ErrorEnvelope};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::seat::Seat;
use crate::edge::scope::{self, random_hex};

/// How long a client that spoke nonsense may take to read why.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What it may still send meanwhile; a socket that is closed on unread bytes takes the answer with it.
const UNREAD_BYTES_MAX: usize = 256 << 10;

/// What is wrong with a head that never became a request.
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    hint: Option<&'static str>,
}

impl Refusal {
    /// What to answer after the connection ended like this; `None` if there is nothing to say, or nobody to hear it.
    pub(super) fn of(error: &hyper::Error, seat: &Seat) -> Option<Self> {
        if error.is_timeout() {
            // Who sends nothing at all is only idle.
            return seat.has_begun_head().then_some(Self {
                status: StatusCode::REQUEST_TIMEOUT,
                code: "HEADER_TIMEOUT",
                message: "the head of the request took too long",
                hint: None,
            });
        }
        if error.is_parse_too_large() {
            return Some(Self {
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                code: "HEADERS_TOO_LARGE",
                message: "the head of the request is too long or has too many headers",
                hint: Some("send less in headers; payloads belong into the body"),
            });
        }
        if error.is_parse_version_h2() {
            return Some(Self {
                status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                code: "HTTP_VERSION_NOT_SUPPORTED",
                message: "this node speaks HTTP/1.1",
                hint: None,
            });
        }
        error.is_parse().then_some(Self {
            status: StatusCode::BAD_REQUEST,
            code: "BAD_REQUEST",
            message: "this is not an HTTP/1.1 request",
            hint: Some("the node speaks plain HTTP here; an address with https:// is the tunnel's"),
        })
    }

    /// Sends it and closes the socket.
    pub(super) async fn send(&self, mut stream: TcpStream, https: bool) {
        let words = async {
            stream.write_all(&self.bytes(https)).await?;
            stream.shutdown().await?;
            let mut unread = [0; 4 << 10];
            let mut left = UNREAD_BYTES_MAX;
            while left > 0 {
                match stream.read(&mut unread).await? {
                    0 => break,
                    count => left = left.saturating_sub(count),
                }
            }
            std::io::Result::Ok(())
        };
        if let Ok(Err(error)) = timeout(LAST_WORDS, words).await {
            tracing::debug!(%error, "a client did not hear why it was refused");
        }
    }

    fn bytes(&self, https: bool) -> Vec<u8> {
        let request_id = random_hex::<12>();
        let body = ErrorEnvelope {
            error: ErrorBody {
                code: self.code.to_owned(),
                message: self.message.to_owned(),
                details: None,
                hint: self.hint.map(str::to_owned),
                request_id: Some(request_id.clone()),
            },
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut headers = http::HeaderMap::new();
        scope::finish_headers(&mut headers, &request_id, https);
        let mut answer = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n",
            self.status.as_u16(),
            self.status.canonical_reason().unwrap_or_default(),
            body.len()
        )
        .into_bytes();
        for (name, value) in &headers {
            answer.extend_from_slice(name.as_str().as_bytes());
            answer.extend_from_slice(b": ");
            answer.extend_from_slice(value.as_bytes());
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(&body);
        answer
    }
}
