//! A server that answers as it is told, for kinds that go out.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part of it; a test stops at the first surprise"
)]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use flowork_api_types::job::Progress;
use flowork_engine::{JobFailure, KindRegistry, kind::detached_context};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server and what it was sent.
pub struct Server {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers every request with these bytes and closes.
    pub async fn start(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (seen, answer) = (Arc::clone(&requests), answer.into());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                while !is_complete(&bytes) {
                    if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                        break;
                    }
                }
                seen.lock().unwrap().push(String::from_utf8_lossy(&bytes).into_owned());
                socket.write_all(&answer).await.ok();
            }
        });
        Self { address, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self) -> String {
        self.requests.lock().unwrap().last().unwrap().clone()
    }
}

fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// An answer with this status, these headers (each ended by `\r\n`) and this body.
pub fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Runs one attempt; also what it reported.
pub async fn run(
    registry: &KindRegistry,
    kind: &str,
    payload: Value,
) -> (Result<Value, JobFailure>, Progress, Vec<String>) {
    let registered = registry.get(kind).unwrap();
    registered.check(&payload).unwrap();
    let context = detached_context(payload, Duration::from_secs(20));
    let reporter = context.reporter.clone();
    let outcome = registered.kind.run(context).await;
    let (progress, logs) = reporter.take().unwrap_or_default();
    (outcome, progress.unwrap_or_default(), logs.into_iter().map(|line| line.message).collect())
}

/// Checks the code of a failure, that it has a hint, and whether it is retried.
#[track_caller]
pub fn expect_failure(outcome: &Result<Value, JobFailure>, code: &str, retryable: bool) {
    let failure = outcome.as_ref().unwrap_err();
    assert_eq!((failure.error.code.as_str(), failure.retryable), (code, retryable), "{failure:?}");
    assert!(failure.error.hint.is_some() || matches!(code, "CONNECTION_BROKEN" | "PROVIDER_ERROR"), "{failure:?}");
}
