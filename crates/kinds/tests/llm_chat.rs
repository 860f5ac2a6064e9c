//! `llm.chat` against stand-ins for providers.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/server.rs"]
mod server;

use std::{collections::BTreeMap, time::Duration};

use flowork_egress::EgressPolicy;
use flowork_engine::{JobFailure, KindRegistry};
use flowork_kinds::{ApiKey, KindsOptions, Provider, ProviderOptions, Providers, register_builtin};
use serde_json::{Value, json};
use server::{Server, answer, expect_failure, run};

const KEY: &str = "sk-canary-key";

fn registry(base_url: &str) -> KindRegistry {
    let provider = Provider::new(ProviderOptions {
        model: Some("tiny".to_owned()),
        api_key: Some(ApiKey::new(KEY.to_owned())),
        max_retries: 0,
        ..ProviderOptions::new(base_url)
    })
    .unwrap();
    let providers = Providers::new(BTreeMap::from([("local".to_owned(), provider)]), None);
    let registry = KindRegistry::default();
    // No host is allowed: that of the provider is by being one.
    register_builtin(&registry, KindsOptions { egress: EgressPolicy::default(), providers, ..KindsOptions::default() })
        .unwrap();
    registry
}

fn ask() -> Value {
    json!({"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5})
}

async fn chat(server: &Server) -> Result<Value, JobFailure> {
    let outcome = run(&registry(&server.url("/v1")), "llm.chat", ask()).await.0;
    if let Err(failure) = &outcome {
        assert!(!format!("{failure:?}").contains("canary"), "a key must never be shown: {failure:?}");
    }
    outcome
}

fn stream(pieces: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut body = String::new();
    for piece in pieces {
        write!(body, "data: {piece}\n\n").unwrap();
    }
    answer(200, "content-type: text/event-stream\r\n", &body)
}

const HELLO: [&str; 5] = [
    r#"{"model":"tiny-1","choices":[{"delta":{"role":"assistant","content":""}}]}"#,
    r#"{"choices":[{"delta":{"content":"Hel"}}]}"#,
    r#"{"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#,
    "[DONE]",
];

#[tokio::test]
async fn a_stream_becomes_output_and_a_result() {
    let server = Server::start(stream(&HELLO)).await;
    let (outcome, progress, _) = run(&registry(&server.url("/v1/")), "llm.chat", ask()).await;
    let result = outcome.unwrap();
    assert_eq!(
        (&result["content"], &result["model"], &result["provider"]),
        (&json!("Hello"), &json!("tiny-1"), &json!("local"))
    );
    assert_eq!(result["usage"], json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}));
    assert_eq!(result["finish_reason"], "stop");
    assert!(result["elapsed_ms"].is_u64() && result["first_token_ms"].is_u64());
    assert_eq!(progress.output.as_deref(), Some("Hello"));
    assert_eq!(result["tries"].as_array().unwrap().len(), 1);
    assert_eq!(result["tries"][0]["outcome"], "answered");
    let sent = server.request();
    assert!(sent.starts_with("POST /v1/chat/completions ") && sent.contains(&format!("authorization: Bearer {KEY}")));
    let body: Value = serde_json::from_str(sent.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((&body["model"], &body["stream"], &body["temperature"]), (&json!("tiny"), &json!(true), &json!(0.5)));
    assert_eq!(body["stream_options"]["include_usage"], true);
    assert!(body.get("provider").is_none());
}

#[tokio::test]
async fn an_endpoint_that_does_not_stream_works_too() {
    let body =
        r#"{"model":"m","choices":[{"message":{"content":"Hi"},"finish_reason":"length"}],"usage":{"total_tokens":9}}"#;
    let result = chat(&Server::start(answer(200, "content-type: application/json\r\n", body)).await).await.unwrap();
    assert_eq!((&result["content"], &result["finish_reason"]), (&json!("Hi"), &json!("length")));
    let no_done = Server::start(stream(&HELLO[..4])).await;
    assert_eq!(chat(&no_done).await.unwrap()["content"], "Hello", "a finish reason is an end too");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let error = format!(r#"{{"error":{{"message":"bad key {KEY}"}}}}"#);
    for (status, code, retryable) in [
        (401, "PROVIDER_AUTH_FAILED", false),
        (403, "PROVIDER_AUTH_FAILED", false),
        (404, "MODEL_NOT_FOUND", false),
        (400, "PROVIDER_REJECTED", false),
        (413, "PROVIDER_REJECTED", false),
        (429, "RATE_LIMITED", true),
        (500, "PROVIDER_ERROR", true),
        (503, "PROVIDER_ERROR", true),
        (301, "PROVIDER_MOVED", false),
    ] {
        let outcome = chat(&Server::start(answer(status, "retry-after: 3\r\n", &error)).await).await;
        expect_failure(&outcome, code, retryable);
        let failure = outcome.unwrap_err();
        assert_eq!(failure.retry_after, retryable.then_some(Duration::from_secs(3)), "{status}");
        assert!(status == 301 || failure.error.message.contains("bad key [API key]"), "{failure:?}");
    }
}

#[tokio::test]
async fn broken_answers_are_told_apart() {
    expect_failure(&chat(&Server::start(stream(&HELLO[..2])).await).await, "PROVIDER_STREAM_CUT", true);
    let cut =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 900\r\n\r\ndata: {\"choices\":[]}\n\n";
    expect_failure(&chat(&Server::start(cut).await).await, "PROVIDER_STREAM_CUT", true);
    for garbage in [
        stream(&["not json"]),
        stream(&["[DONE]"]),
        answer(200, "content-type: text/html\r\n", "<html>hello</html>"),
        answer(200, "content-type: application/json\r\n", "{}"),
        answer(200, "content-type: application/json\r\n", "{"),
        answer(200, "content-type: text/event-stream\r\n", ""),
    ] {
        expect_failure(&chat(&Server::start(garbage).await).await, "PROVIDER_INVALID_ANSWER", false);
    }
    let long = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "x".repeat(600 << 10));
    expect_failure(&chat(&Server::start(stream(&[&long])).await).await, "ANSWER_TOO_LARGE", false);
    let inside = stream(&[HELLO[1], r#"{"error":{"message":"out of memory"}}"#]);
    expect_failure(&chat(&Server::start(inside).await).await, "PROVIDER_ERROR", true);
}

#[tokio::test]
async fn a_provider_that_is_down_says_how_to_start_it() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = run(&registry(&format!("http://{closed}/v1")), "llm.chat", ask()).await.0;
    expect_failure(&outcome, "PROVIDER_UNREACHABLE", true);
    assert!(outcome.unwrap_err().error.hint.unwrap().contains("providers.local.base_url"));
}

#[tokio::test]
async fn providers_and_models_must_be_known() {
    let registry = registry("http://127.0.0.1:9/v1");
    let payload = json!({"provider": "lokal", "messages": ask()["messages"]});
    let outcome = run(&registry, "llm.chat", payload).await.0;
    expect_failure(&outcome, "UNKNOWN_PROVIDER", false);
    assert!(outcome.unwrap_err().error.hint.unwrap().contains("local"));
    let empty = KindRegistry::default();
    register_builtin(&empty, KindsOptions::default()).unwrap();
    expect_failure(&run(&empty, "llm.chat", ask()).await.0, "NO_PROVIDER", false);
}
