//! How many event streams there are, and whose.

use std::time::Instant;

use flowork_api_types::{
    auth::Role,
    member::{GuestArea, GuestPolicy},
};
use reqwest::{Method, StatusCode};

use super::{
    gateway::{Gateway, HANG, read},
    streams::Stream,
    tunnel,
};

/// As many streams of `token`.
async fn open(gateway: &Gateway, token: &str, count: usize) -> Vec<Stream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(Stream::open(gateway.plain(Method::GET, "/v1/events").bearer_auth(token)).await);
    }
    streams
}

async fn assert_full(gateway: &Gateway, token: &str) {
    let answer = read(gateway.plain(Method::GET, "/v1/events").bearer_auth(token)).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "STREAMS_FULL"));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(answer.json()["error"]["hint"].is_string(), "{}", answer.text);
}

#[tokio::test]
async fn a_member_has_only_so_many_streams_and_the_owner_and_others_keep_theirs() {
    let gateway = Gateway::start().await;
    let (ann, ben) = (gateway.token("ann", Role::Member), gateway.token("ben", Role::Viewer));
    let mut hers = open(&gateway, &ann, 16).await;
    assert_full(&gateway, &ann).await;
    let job = gateway.enqueue("k", serde_json::json!({"kind": "noop", "delay_ms": 3_600_000})).await;
    let path = format!("/v1/jobs/{}/events", job["id"].as_str().unwrap());
    let of_job = read(gateway.plain(Method::GET, &path).bearer_auth(&ann)).await;
    assert_eq!(of_job.code(), "STREAMS_FULL", "streams of jobs are streams too");
    open(&gateway, &ben, 1).await;
    open(&gateway, &gateway.owner, 20).await;

    hers.pop();
    let since = Instant::now();
    loop {
        let response = gateway.plain(Method::GET, "/v1/events").bearer_auth(&ann).send().await.unwrap();
        if response.status() == StatusCode::OK {
            break;
        }
        assert!(since.elapsed() < HANG, "a place that was left is free again");
    }
}

#[tokio::test]
async fn guests_together_have_an_eighth_and_all_who_do_not_keep_the_node_leave_room_for_the_owner() {
    let gateway = Gateway::start_with(|options| options.limits.tunnel_connections_max = 16).await;
    let policy = GuestPolicy { enabled: true, open: vec![GuestArea::Jobs] };
    gateway.state.control.set_guest_policy(policy).await.unwrap();
    let guest = read(gateway.plain(Method::POST, "/v1/auth/guest")).await.json();
    let guest = guest["access_token"].as_str().unwrap();
    let guests = open(&gateway, guest, 2).await;
    assert_full(&gateway, guest).await;

    let (ann, ben) = (gateway.token("ann", Role::Member), gateway.token("ben", Role::Member));
    let members = open(&gateway, &ann, 10).await;
    assert_full(&gateway, &ben).await;
    open(&gateway, &gateway.owner, 4).await;
    drop((guests, members));
}

#[tokio::test]
async fn an_engine_has_only_so_many_streams() {
    let gateway = Gateway::start().await;
    let made = read(gateway.post("/v1/engines").json(&serde_json::json!({"name": "elsewhere"}))).await.json();
    let directives = || {
        gateway.plain(Method::GET, "/v1/engine/directives").header("x-engine-token", made["token"].as_str().unwrap())
    };
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(Stream::open(directives()).await);
    }
    assert_eq!(read(directives()).await.code(), "STREAMS_FULL");
}

#[tokio::test]
async fn an_engine_has_only_so_many_claims_that_wait_on_the_tunnel_and_they_leave_room_for_others() {
    let gateway = Gateway::start_with(|options| {
        tunnel::with_tunnel(options);
        options.limits.tunnel_connections_max = 64;
    })
    .await;
    let made = read(gateway.post("/v1/engines").json(&serde_json::json!({"name": "elsewhere"}))).await.json();
    let token = made["token"].as_str().unwrap();
    let claim = |wait_ms: u64| {
        let call = tunnel::from(&gateway, "203.0.113.9", Method::POST, "/v1/engine/claim");
        call.header("x-engine-token", token).json(&serde_json::json!({"max": 1, "wait_ms": wait_ms, "kinds": ["none"]}))
    };
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..40 {
        claims.spawn(read(claim(30_000)));
    }
    // Sixteen wait; all others are answered.
    for _ in 16..40 {
        let answer = tokio::time::timeout(HANG, claims.join_next()).await.expect("there is a bound").unwrap().unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "STREAMS_FULL"));
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    assert_eq!(read(claim(0)).await.status, StatusCode::OK, "what does not wait takes no place");
    let health = tunnel::from(&gateway, "203.0.113.10", Method::GET, "/health");
    assert_eq!(read(health).await.status, StatusCode::OK);
    let here = gateway.plain(Method::POST, "/v1/engine/claim").header("x-engine-token", token);
    let here = here.json(&serde_json::json!({"max": 1, "wait_ms": 1, "kinds": ["none"]}));
    assert_eq!(read(here).await.status, StatusCode::OK, "the local listener has connections of its own");
    claims.shutdown().await;
}
