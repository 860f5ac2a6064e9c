//! `http.request` against real servers of this machine.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/server.rs"]
mod server;

use std::time::Duration;

use flowork_egress::EgressPolicy;
use flowork_engine::KindRegistry;
use flowork_kinds::{KindsOptions, register_builtin};
use serde_json::{Value, json};
use server::{Server, answer, expect_failure, run};

fn registry() -> KindRegistry {
    let registry = KindRegistry::default();
    let egress = EgressPolicy::parse(&["127.0.0.1"]).unwrap();
    register_builtin(&registry, KindsOptions { egress, ..KindsOptions::default() }).unwrap();
    registry
}

async fn request(payload: Value) -> Result<Value, flowork_engine::JobFailure> {
    run(&registry(), "http.request", payload).await.0
}

#[tokio::test]
async fn an_answer_is_kept() {
    let server = Server::start(answer(201, "content-type: text/plain\r\nx-a: 1\r\nx-a: 2\r\n", "hello")).await;
    let payload = json!({"method": "POST", "url": server.url("/x?y=1"), "headers": {"x-key": "k"}, "json": {"a": 1}});
    let result = request(payload).await.unwrap();
    assert_eq!((&result["status"], &result["body"], &result["bytes"]), (&json!(201), &json!("hello"), &json!(5)));
    assert_eq!((&result["headers"]["x-a"], &result["url"]), (&json!("1, 2"), &json!(server.url("/x?y=1"))));
    assert!(result["body_base64"].is_null() && result["elapsed_ms"].is_u64());
    let sent = server.request();
    assert!(sent.starts_with("POST /x?y=1 HTTP/1.1") && sent.ends_with("{\"a\":1}"), "{sent}");
    assert!(sent.contains("x-key: k") && sent.contains("content-type: application/json"), "{sent}");
}

#[tokio::test]
async fn bytes_and_other_encodings_come_through() {
    let mut bytes = answer(200, "", "xxxx").into_bytes();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(b"\xff\x00\x01\x02");
    let result = request(json!({"url": Server::start(bytes.clone()).await.url("/")})).await.unwrap();
    assert_eq!((&result["body_base64"], &result["body"]), (&json!("/wABAg=="), &Value::Null));
    let mut latin = answer(200, "content-type: text/html; charset=iso-8859-1\r\n", "xxxx").into_bytes();
    let end = latin.len() - 4;
    latin[end..].copy_from_slice(b"caf\xe9");
    assert_eq!(request(json!({"url": Server::start(latin).await.url("/")})).await.unwrap()["body"], "caf\u{e9}");
    // Control characters take six bytes each as JSON: such a body would not fit into a result as text.
    let body = "\u{1}".repeat(700 << 10);
    let payload = json!({"url": Server::start(answer(200, "", &body)).await.url("/"), "response_bytes_max": 700 << 10});
    let result = request(payload).await.unwrap();
    assert!(result["body_base64"].is_string() && result.to_string().len() < 1 << 20);
}

#[tokio::test]
async fn statuses_decide_about_failure_and_retry() {
    for (status, retryable) in [(404, false), (401, false), (400, false), (429, true), (500, true), (503, true)] {
        let server = Server::start(answer(status, "retry-after: 7\r\n", "reason")).await;
        let outcome = request(json!({"url": server.url("/")})).await;
        expect_failure(&outcome, "HTTP_STATUS", retryable);
        let failure = outcome.unwrap_err();
        assert_eq!(failure.retry_after, retryable.then_some(Duration::from_secs(7)), "{status}");
        assert_eq!(failure.error.details, Some(json!({"status": status, "body": "reason"})));
        let fine = request(json!({"url": server.url("/"), "expect_status": [status]})).await.unwrap();
        assert_eq!(fine["status"], status);
    }
    let server = Server::start(answer(200, "", "")).await;
    expect_failure(&request(json!({"url": server.url("/"), "expect_status": [204]})).await, "HTTP_STATUS", false);
}

#[tokio::test]
async fn redirects_are_followed_or_shown() {
    let target = Server::start(answer(200, "", "end")).await;
    let front = Server::start(answer(302, &format!("location: {}\r\n", target.url("/end")), "")).await;
    let result = request(json!({"url": front.url("/")})).await.unwrap();
    assert_eq!((&result["url"], &result["redirects"][0]["status"]), (&json!(target.url("/end")), &json!(302)));
    let shown = request(json!({"url": front.url("/"), "follow_redirects": false})).await.unwrap();
    assert_eq!((&shown["status"], &shown["headers"]["location"]), (&json!(302), &json!(target.url("/end"))));
}

#[tokio::test]
async fn what_can_not_be_fetched_says_why() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    expect_failure(&request(json!({"url": format!("http://{closed}/")})).await, "CONNECT_FAILED", true);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    expect_failure(&request(json!({"url": url, "timeout_ms": 50})).await, "HTTP_TIMEOUT", true);
    expect_failure(&request(json!({"url": "http://10.0.0.1/"})).await, "EGRESS_REFUSED", false);
    expect_failure(&request(json!({"url": "https://u:p@example.com/"})).await, "INVALID_URL", false);
    let headers = json!({"url": "http://127.0.0.1/", "headers": {"host": "x"}});
    expect_failure(&request(headers).await, "INVALID_HEADER", false);
    let server = Server::start(answer(200, "", &"x".repeat(1_000))).await;
    let small = json!({"url": server.url("/"), "response_bytes_max": 999});
    expect_failure(&request(small).await, "RESPONSE_TOO_LARGE", false);
    let garbage = Server::start("what is HTTP\r\n\r\n").await;
    expect_failure(&request(json!({"url": garbage.url("/")})).await, "CONNECTION_BROKEN", true);
    let cut = Server::start("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await;
    expect_failure(&request(json!({"url": cut.url("/")})).await, "CONNECTION_BROKEN", true);
}

#[test]
fn payloads_are_checked() {
    let registry = registry();
    let kind = registry.get("http.request").unwrap();
    for bad in [
        json!({}),
        json!({"url": "ftp://x/"}),
        json!({"url": "http://x/", "method": "BREW"}),
        json!({"url": "http://x/", "timeout_ms": 0}),
        json!({"url": "http://x/", "response_bytes_max": 1_000_000}),
        json!({"url": "http://x/", "body": "a", "json": 1}),
        json!({"url": "http://x/", "unknown": 1}),
    ] {
        assert!(kind.check(&bad).is_err(), "{bad}");
    }
    kind.check(&json!({"url": "https://x/", "method": "PUT", "body": "a", "headers": {"a": "b"}})).unwrap();
}
