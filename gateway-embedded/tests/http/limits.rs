//! Bounds on what one client can take.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::gateway::{Gateway, HANG, read};

async fn connect(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(gateway.handle.as_ref().unwrap().local_addr()).await.unwrap()
}

/// Everything until the other side closes.
async fn drain(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset counts as closed.
    let _ = tokio::time::timeout(HANG, stream.read_to_end(&mut bytes)).await.expect("the gateway closes");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_headers_is_cut_and_others_are_served() {
    let gateway = Gateway::start_with(|options| options.limits.header_timeout = Duration::from_millis(300)).await;
    let mut silent = connect(&gateway).await;
    let mut slow = connect(&gateway).await;
    slow.write_all(b"GET /health HTTP/1.1\r\nHost: ").await.unwrap();
    let mut lazy = connect(&gateway).await;
    let host = gateway.url.strip_prefix("http://").unwrap();
    lazy.write_all(format!("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let started = Instant::now();
    assert_eq!(read(gateway.get("/v1/auth/me")).await.status, StatusCode::OK);
    assert!(!drain(&mut slow).await.contains("200 OK"));
    drain(&mut silent).await;
    assert!(drain(&mut lazy).await.contains("200 OK"), "answered, and closed when no second request came");
    assert!(started.elapsed() >= Duration::from_millis(200), "not before its time");
}

#[tokio::test]
async fn a_connection_on_which_nothing_moves_is_cut() {
    let gateway = Gateway::start_with(|options| {
        options.limits.idle_timeout = Duration::from_millis(300);
        options.limits.body_timeout = HANG;
        options.limits.body_idle_timeout = HANG;
    })
    .await;
    let host = gateway.url.strip_prefix("http://").unwrap();
    let mut stuck = connect(&gateway).await;
    let head = format!(
        "POST /v1/auth/pair HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    stuck.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(drain(&mut stuck).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let gateway = Gateway::start_with(|options| options.limits.body_timeout = Duration::from_millis(100)).await;
    let host = gateway.url.strip_prefix("http://").unwrap();
    let mut stuck = connect(&gateway).await;
    let head = format!(
        "POST /v1/auth/pair HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    stuck.write_all(head.as_bytes()).await.unwrap();
    let answer = drain(&mut stuck).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("BODY_TIMEOUT"), "{answer}");
}

#[tokio::test]
async fn large_bodies_at_the_same_time_are_refused_with_a_time_to_come_back() {
    let gateway = Gateway::start_with(|options| options.limits.body_bytes_in_flight_max = 64 << 10).await;
    let body = json!({"kind": "noop", "payload": "x".repeat(100 << 10)});
    let large = read(gateway.post("/v1/jobs").header("Idempotency-Key", "k").json(&body)).await;
    assert_eq!((large.status, large.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED"));
    assert_eq!(large.header("retry-after"), "1");
    gateway.enqueue("l", json!({"kind": "noop"})).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let gateway = Gateway::start().await;
    let large = gateway.get("/health").header("x-filler", "x".repeat(64 << 10)).send().await;
    assert!(large.is_err() || large.is_ok_and(|response| response.status() == 431));
    let mut many = gateway.get("/health");
    for n in 0..100 {
        many = many.header(format!("x-{n}"), "1");
    }
    assert_eq!(many.send().await.unwrap().status(), 431);
    assert_eq!(read(gateway.get("/health")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_connection_that_is_busy_at_the_deadline_is_cut() {
    let mut gateway = Gateway::start_with(|options| options.limits.header_timeout = HANG).await;
    let host = gateway.url.strip_prefix("http://").unwrap().to_owned();
    let mut stuck = connect(&gateway).await;
    let head = format!(
        "POST /v1/auth/pair HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    stuck.write_all(head.as_bytes()).await.unwrap();
    // The connection was accepted once a later one has been served.
    read(gateway.get("/health")).await;
    let handle = gateway.handle.take().unwrap();
    let started = Instant::now();
    assert_eq!(handle.shutdown(Duration::from_millis(200)).await.cut, 1);
    assert!(started.elapsed() < HANG);
    assert_eq!(drain(&mut stuck).await, "");
}

#[tokio::test]
async fn a_taken_port_says_so() {
    let gateway = Gateway::start().await;
    let taken = gateway.handle.as_ref().unwrap().local_addr();
    match flowork_gateway::bind(flowork_gateway::GatewayOptions::new(taken)).await {
        Err(flowork_gateway::BindError::AddressInUse { address, .. }) => assert_eq!(address, taken),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two listeners on one port"),
    }
}
