//! A stand-in for a language model's server: the OpenAI-compatible protocol and Anthropic's, on loopback.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

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
    /// Streams one piece, then an error of this type with this message.
    ErrorInStream(&'static str, &'static str),
    /// Takes the request and never answers.
    Hang,
    /// Answers with vectors of this length: the length of the text, its position, and zeros.
    Embed(usize),
    /// Refuses with this status, and with `Retry-After` seconds if given.
    Refuse(u16, Option<u32>),
    /// Refuses with this status and this message.
    RefuseSaying(u16, String),
    /// Answers something that is not the protocol.
    Garbage,
}

/// A server that ends when it is dropped.
pub struct LlmStandIn {
    url: String,
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    /// One request each; the last again and again.
    script: Vec<LlmBehavior>,
    requests: Mutex<Vec<(HeaderMap, Value)>>,
    at_once: Arc<AtomicUsize>,
    most_at_once: AtomicUsize,
}

/// The protocol of a request.
#[derive(Clone, Copy)]
enum Api {
    OpenAi,
    Anthropic,
}

/// Counts a request until its answer is written, or nobody reads it any more.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl LlmStandIn {
    /// Starts on a free port and answers every request alike.
    pub async fn start(behavior: LlmBehavior) -> anyhow::Result<Self> {
        Self::start_script(vec![behavior]).await
    }

    /// Starts on a free port; each request gets the next of `script`, and the last is repeated.
    pub async fn start_script(script: Vec<LlmBehavior>) -> anyhow::Result<Self> {
        anyhow::ensure!(!script.is_empty(), "a script says at least one thing");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let shared = Arc::new(Shared {
            script,
            requests: Mutex::default(),
            at_once: Arc::default(),
            most_at_once: AtomicUsize::default(),
        });
        let app = Router::new()
            .route("/v1/chat/completions", post(openai))
            .route("/v1/embeddings", post(openai))
            .route("/v1/messages", post(anthropic))
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("the stand-in ended: {error}");
            }
        });
        Ok(Self { url, shared, task: task.abort_handle() })
    }

    /// The base URL, such as `http://127.0.0.1:40001/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was asked so far, with the headers.
    pub async fn requests(&self) -> Vec<(HeaderMap, Value)> {
        self.shared.requests.lock().await.clone()
    }

    /// The most requests that were answered at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.most_at_once.load(Ordering::SeqCst)
    }
}

impl Drop for LlmStandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn openai(state: State<Arc<Shared>>, headers: HeaderMap, request: Json<Value>) -> Response {
    answer(Api::OpenAi, state, headers, request).await
}

async fn anthropic(state: State<Arc<Shared>>, headers: HeaderMap, request: Json<Value>) -> Response {
    answer(Api::Anthropic, state, headers, request).await
}

async fn answer(
    api: Api,
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Response {
    let running = Running(Arc::clone(&shared.at_once));
    let at_once = shared.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most_at_once.fetch_max(at_once, Ordering::SeqCst);
    let number = {
        let mut requests = shared.requests.lock().await;
        requests.push((headers, request.clone()));
        requests.len() - 1
    };
    match shared.script[number.min(shared.script.len() - 1)].clone() {
        LlmBehavior::Stream(pieces) => stream(api, &request, &pieces, &End::Whole, running),
        LlmBehavior::CutStream => stream(api, &request, &["half an".to_owned()], &End::Cut, running),
        LlmBehavior::ErrorInStream(kind, message) => {
            stream(api, &request, &["half an".to_owned()], &End::Error(kind, message), running)
        }
        LlmBehavior::Hang => std::future::pending().await,
        LlmBehavior::Embed(dimensions) => embed(&request, dimensions),
        LlmBehavior::Refuse(status, retry_after) => refuse(status, retry_after, "refused by the stand-in"),
        LlmBehavior::RefuseSaying(status, message) => refuse(status, None, &message),
        LlmBehavior::Garbage => "<html>this is not the API</html>".into_response(),
    }
}

fn refuse(status: u16, retry_after: Option<u32>, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = (status, Json(json!({"error": {"message": message}}))).into_response();
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

fn embed(request: &Value, dimensions: usize) -> Response {
    let texts = request["input"].as_array().cloned().unwrap_or_default();
    let items = texts.iter().enumerate().map(|(index, text)| {
        let mut vector = vec![0.0; dimensions];
        for (slot, value) in vector.iter_mut().zip([text.as_str().map_or(0, str::len), index]) {
            *slot = value as f64;
        }
        json!({"object": "embedding", "index": index, "embedding": vector})
    });
    // The order of the answer is not that of the request.
    let items: Vec<_> = items.rev().collect();
    let usage = json!({"prompt_tokens": texts.len(), "total_tokens": texts.len()});
    Json(json!({"object": "list", "data": items, "model": request["model"], "usage": usage})).into_response()
}

/// How a stream ends.
enum End {
    Whole,
    Cut,
    Error(&'static str, &'static str),
}

fn stream(api: Api, request: &Value, pieces: &[String], end: &End, running: Running) -> Response {
    let mut events = match api {
        Api::OpenAi => openai_events(&request["model"], pieces, matches!(end, End::Whole)),
        Api::Anthropic => anthropic_events(&request["model"], pieces, matches!(end, End::Whole)),
    };
    if let End::Error(kind, message) = end {
        events.push(format!(
            "event: error\ndata: {}\n\n",
            json!({"type": "error", "error": {"type": kind, "message": message}})
        ));
    }
    let mut chunks: Vec<std::io::Result<Bytes>> = events.into_iter().map(|event| Ok(event.into())).collect();
    if matches!(end, End::Cut) {
        chunks.push(Err(std::io::Error::other("cut")));
    }
    let last = chunks.len() - 1;
    let mut running = Some(running);
    // A pause between two chunks, so that each is on its way before the next, and before a cut.
    let paced = futures_util::stream::iter(chunks.into_iter().enumerate()).then(move |(index, chunk)| {
        // Over before the reader can know that it is.
        running = running.take().filter(|_| index < last);
        async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            chunk
        }
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(paced)).into_response()
}

fn openai_events(model: &Value, pieces: &[String], whole: bool) -> Vec<String> {
    let event = |choices: Value, usage: Value| {
        let data = json!({"id": "chat-1", "object": "chat.completion.chunk", "model": model, "choices": choices, "usage": usage});
        format!("data: {data}\n\n")
    };
    let piece = |text| event(json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]), Value::Null);
    let mut events: Vec<_> = pieces.iter().map(piece).collect();
    if whole {
        events.push(event(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), Value::Null));
        let count = pieces.len();
        let usage = json!({"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count});
        events.push(event(json!([]), usage));
        events.push("data: [DONE]\n\n".to_owned());
    }
    events
}

fn anthropic_events(model: &Value, pieces: &[String], whole: bool) -> Vec<String> {
    let event = |data: Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default());
    let message = json!({"id": "msg_1", "role": "assistant", "model": model, "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}});
    let mut events = vec![
        event(json!({"type": "message_start", "message": message})),
        event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
        event(json!({"type": "ping"})),
    ];
    let piece =
        |text| event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}));
    events.extend(pieces.iter().map(piece));
    if whole {
        events.push(event(json!({"type": "content_block_stop", "index": 0})));
        let usage = json!({"output_tokens": pieces.len()});
        events.push(event(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})));
        events.push(event(json!({"type": "message_stop"})));
    }
    events
}
