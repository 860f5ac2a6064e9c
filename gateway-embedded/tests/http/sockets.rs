//! Bare sockets: what is no request, and who has to go when there is no room.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    gateway::{Gateway, HANG, read},
    tunnel::with_tunnel,
};

async fn connect(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(gateway.handle.as_ref().unwrap().local_addr()).await.unwrap()
}

/// Everything until the other side closes.
async fn drain(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset counts as closed.
    let _ = timeout(HANG, stream.read_to_end(&mut bytes)).await.expect("the gateway closes");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends bytes and reads what comes back.
async fn say(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = connect(gateway).await;
    // The gateway may have heard enough before the end.
    let _ = stream.write_all(bytes).await;
    drain(&mut stream).await
}

/// Checks that an answer to nonsense is like every other error.
fn assert_refusal(answer: &str, status: u16, code: &str, what: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{what}: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {head}");
    let header = |name: &str| {
        let mut found = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.next().unwrap_or_default().to_owned()
    };
    assert_eq!(header("content-type"), "application/json", "{what}");
    assert_eq!(header("connection"), "close", "{what}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert!(header("content-security-policy").contains("default-src 'none'"), "{what}");
    assert_eq!(header("content-length"), body.len().to_string(), "{what}");
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{what}: {body:?}"));
    assert_eq!(body["error"]["code"], code, "{what}");
    assert_eq!(body["error"]["request_id"], header("x-request-id"), "{what}");
    assert!(!body["error"]["message"].as_str().unwrap().is_empty(), "{what}");
}

#[tokio::test]
async fn what_is_no_request_is_answered_like_every_other_error() {
    let gateway = Gateway::start().await;
    for (what, bytes) in [
        ("garbage", b"garbage\r\n\r\n".to_vec()),
        ("a head without a version", b"GET /\r\n\r\n".to_vec()),
        ("another version", b"GET / HTTP/9.9\r\n\r\n".to_vec()),
        ("a header without a name", b"GET / HTTP/1.1\r\n: x\r\n\r\n".to_vec()),
        ("a space before the colon", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n".to_vec()),
        ("two lengths", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec()),
        ("a length that is no number", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_vec()),
        ("a greeting of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
    ] {
        assert_refusal(&say(&gateway, &bytes).await, 400, "BAD_REQUEST", what);
    }
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Filler: {}\r\n\r\n", "x".repeat(64 << 10));
    assert_refusal(&say(&gateway, long.as_bytes()).await, 431, "HEADERS_TOO_LARGE", "a long header");
    let many = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect::<Vec<_>>().concat();
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    assert_refusal(&say(&gateway, many.as_bytes()).await, 431, "HEADERS_TOO_LARGE", "many headers");
    assert_eq!(read(gateway.get("/health")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nonsense_after_a_request_is_refused_and_the_answer_before_it_arrives_whole() {
    let gateway = Gateway::start().await;
    let host = gateway.url.strip_prefix("http://").unwrap();
    let mut stream = connect(&gateway).await;
    let request = format!("GET /openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(b"garbage\r\n\r\n").await.unwrap();
    let answers = drain(&mut stream).await;
    let (document, refusal) = answers.split_at(answers.rfind("HTTP/1.1 400").expect("a refusal"));
    let (_, document) = document.split_once("\r\n\r\n").unwrap();
    assert!(serde_json::from_str::<Value>(document).is_ok(), "the answer is whole");
    assert_refusal(refusal, 400, "BAD_REQUEST", "after a request");
}

#[tokio::test]
async fn the_tunnel_answers_nonsense_the_same_way_and_says_https() {
    let gateway = Gateway::start_with(with_tunnel).await;
    let address = gateway.handle.as_ref().unwrap().tunnel_addr().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"garbage\r\n\r\n").await.unwrap();
    let answer = drain(&mut stream).await;
    assert_refusal(&answer, 400, "BAD_REQUEST", "garbage");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_told_so_and_a_silent_connection_is_not() {
    let gateway = Gateway::start_with(|options| options.limits.header_timeout = Duration::from_millis(300)).await;
    let mut silent = connect(&gateway).await;
    let answer = say(&gateway, b"GET /health HTTP/1.1\r\nHost: ").await;
    assert_refusal(&answer, 408, "HEADER_TIMEOUT", "half a head");
    assert_eq!(drain(&mut silent).await, "", "nobody asked anything there");
}

#[tokio::test]
async fn a_target_that_is_too_long_is_refused() {
    let gateway = Gateway::start().await;
    let fine = read(gateway.get(&format!("/v1/jobs?tag={}", "x".repeat(4 << 10)))).await;
    assert_ne!(fine.status, StatusCode::URI_TOO_LONG);
    let long = read(gateway.get(&format!("/v1/jobs?tag={}", "x".repeat(9 << 10)))).await;
    assert_eq!((long.status, long.code().as_str()), (StatusCode::URI_TOO_LONG, "URI_TOO_LONG"));
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up_long_before_a_slow_one() {
    let gateway = Gateway::start_with(|options| {
        options.limits.body_idle_timeout = Duration::from_millis(200);
        options.limits.body_timeout = HANG;
    })
    .await;
    let host = gateway.url.strip_prefix("http://").unwrap();
    let head = format!(
        "POST /v1/auth/pair HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    assert_refusal_code(&say(&gateway, head.as_bytes()).await, 408, "BODY_TIMEOUT");
}

fn assert_refusal_code(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(code), "{answer}");
}

#[tokio::test]
async fn connections_that_keep_us_waiting_make_room_for_those_that_ask() {
    let gateway = Gateway::start_with(|options| {
        options.limits.connections_max = 8;
        options.limits.header_timeout = HANG;
        options.limits.body_idle_timeout = HANG;
    })
    .await;
    let host = gateway.url.strip_prefix("http://").unwrap();
    let half_a_head = "GET /health HTTP/1.1\r\nHost: ".to_owned();
    let half_a_body = format!(
        "POST /v1/auth/pair HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    for what in ["", &half_a_head, &half_a_body] {
        let mut waiting = Vec::new();
        for _ in 0..50 {
            let mut stream = connect(&gateway).await;
            // The gateway may have cut it already.
            let _ = stream.write_all(what.as_bytes()).await;
            waiting.push(stream);
        }
        for _ in 0..5 {
            let fresh = reqwest::Client::builder().no_proxy().timeout(HANG).build().unwrap();
            let answer = fresh.get(format!("{}/health", gateway.url)).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "with {what:?}");
        }
    }
}

#[tokio::test]
async fn connections_that_wait_for_us_keep_their_place() {
    let gateway = Gateway::start_with(|options| options.limits.connections_max = 2).await;
    let job = gateway.enqueue("later", json!({"kind": "noop", "delay_ms": 3_600_000})).await;
    let host = gateway.url.strip_prefix("http://").unwrap();
    let poll = format!(
        "GET /v1/jobs/{}?wait_ms=30000 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\r\n",
        job["id"].as_str().unwrap(),
        gateway.owner
    );
    let mut polls = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&gateway).await;
        stream.write_all(poll.as_bytes()).await.unwrap();
        polls.push(stream);
    }
    let mut third = connect(&gateway).await;
    let health = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    third.write_all(health.as_bytes()).await.unwrap();
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(300), third.peek(&mut byte)).await.is_err(), "both have their place");
    polls.pop();
    assert!(drain(&mut third).await.contains("200 OK"), "a place that came free is taken");
    assert!(timeout(Duration::from_millis(10), polls[0].peek(&mut byte)).await.is_err(), "the other one still waits");
}
