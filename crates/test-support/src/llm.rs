//! A stand-in for a language model's server: the OpenAI-compatible chat protocol, on loopback.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Mutex, task::AbortHandle};

/// How the stand-in answers.
#[derive(Clone, Debug)]
pub enum LlmBehavior {
    /// Streams these pieces of text and the usage.
    Stream(Vec<String>),
    /// Streams one piece, then cuts the connection.
    CutStream,
    /// Refuses with this status, and with `Retry-After` seconds if given.
    Refuse(u16, Option<u32>),
    /// Answers something that is not the protocol.
    Garbage,
}

/// A server that ends when it is dropped.
pub struct LlmStandIn {
    url: String,
    requests: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    task: AbortHandle,
}

#[derive(Clone)]
struct Shared {
    behavior: LlmBehavior,
    requests: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl LlmStandIn {
    /// Starts on a free port.
    pub async fn start(behavior: LlmBehavior) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared { behavior, requests: Arc::clone(&requests) };
        let app = Router::new().route("/v1/chat/completions", post(chat)).with_state(shared);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("the stand-in ended: {error}");
            }
        });
        Ok(Self { url, requests, task: task.abort_handle() })
    }

    /// The base URL, such as `http://127.0.0.1:40001/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was asked so far, with the headers.
    pub async fn requests(&self) -> Vec<(HeaderMap, Value)> {
        self.requests.lock().await.clone()
    }
}

impl Drop for LlmStandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn chat(State(shared): State<Shared>, headers: HeaderMap, Json(request): Json<Value>) -> Response {
    let model = request["model"].clone();
    shared.requests.lock().await.push((headers, request));
    match shared.behavior {
        LlmBehavior::Stream(pieces) => stream(&model, &pieces, true),
        LlmBehavior::CutStream => stream(&model, &["half an".to_owned()], false),
        LlmBehavior::Refuse(status, retry_after) => refuse(status, retry_after),
        LlmBehavior::Garbage => "<html>this is not the API</html>".into_response(),
    }
}

fn refuse(status: u16, retry_after: Option<u32>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = (status, Json(json!({"error": {"message": "refused by the stand-in"}}))).into_response();
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

fn stream(model: &Value, pieces: &[String], whole: bool) -> Response {
    let chunk = |choices: Value, usage: Value| {
        let data = json!({"id": "chat-1", "object": "chat.completion.chunk", "model": model, "choices": choices, "usage": usage});
        Bytes::from(format!("data: {data}\n\n"))
    };
    let mut chunks: Vec<std::io::Result<Bytes>> = pieces
        .iter()
        .map(|piece| Ok(chunk(json!([{"index": 0, "delta": {"content": piece}, "finish_reason": null}]), Value::Null)))
        .collect();
    if whole {
        chunks.push(Ok(chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), Value::Null)));
        let count = pieces.len();
        let usage = json!({"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count});
        chunks.push(Ok(chunk(json!([]), usage)));
        chunks.push(Ok(Bytes::from_static(b"data: [DONE]\n\n")));
    } else {
        chunks.push(Err(std::io::Error::other("cut")));
    }
    // A pause between two chunks, so that each is on its way before the next, and before a cut.
    let paced = futures_util::stream::iter(chunks).then(|chunk| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        chunk
    });
    let body = Body::from_stream(paced);
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}
