//! What a reset of all sign-ins ends, also of those who are in the middle of something, and where it fails.

use std::time::Duration;

use flowork_api_types::{
    admin::Scope,
    auth::Role,
    member::{KeyAddress, KeyKind},
};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::gateway::{Answer, Gateway, HANG, read};

const STOLEN: &str = "0x00000000000000000000000000000000000000aa";

async fn status(gateway: &Gateway, token: &str, path: &str) -> StatusCode {
    read(gateway.plain(Method::GET, path).bearer_auth(token)).await.status
}

async fn reset(gateway: &Gateway, token: &str) -> Answer {
    let request = gateway.plain(Method::POST, "/v1/auth/reset").bearer_auth(token);
    read(request.json(&json!({"forget_owner_keys": true}))).await
}

/// The node's own key, and one of somebody who should have none.
async fn enroll_keys(gateway: &Gateway) -> KeyAddress {
    let (control, now) = (&gateway.state.control, gateway.state.clock.now());
    let own = KeyAddress([1; 20]);
    for (address, name) in [(own, "own"), (STOLEN.parse().unwrap(), "a thief's")] {
        control.add_member_key("owner", address, KeyKind::Wallet, name, now).await.unwrap();
    }
    control.note_own_key(own).await.unwrap();
    own
}

#[tokio::test]
async fn a_reset_ends_every_token_and_every_key_that_is_to_go_in_one_call() {
    let gateway = Gateway::start().await;
    let own = enroll_keys(&gateway).await;
    let scopes = [Scope::MembersWrite].into_iter().collect();
    let now = gateway.state.clock.now();
    let (admin, _) = gateway.state.tokens.sign_admin("owner", scopes, None, Duration::from_mins(10), now).unwrap();
    let (script, guest) = (gateway.token("owner", Role::Owner), gateway.token("guest", Role::Guest));
    let open = [(&script, "/v1/auth/me"), (&admin, "/v1/members"), (&guest, "/v1/status")];
    for (token, path) in open {
        assert_eq!(status(&gateway, token, path).await, StatusCode::OK, "{path}");
    }
    let answer = reset(&gateway, &gateway.owner).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    assert_eq!((&answer["removed_keys"], &answer["members"][0]["subject"]), (&json!(1), &json!("owner")));
    let left = answer["members"][0]["keys"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["address"]), (1, &json!(own)), "{answer}");
    for (token, path) in open {
        assert_eq!(status(&gateway, token, path).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(status(&gateway, &gateway.owner, "/v1/auth/me").await, StatusCode::UNAUTHORIZED, "the caller's, too");
    assert_eq!(status(&gateway, &gateway.token("owner", Role::Owner), "/v1/auth/me").await, StatusCode::OK);
}

#[tokio::test]
async fn a_reset_that_fails_halfway_has_ended_the_tokens_all_the_same() {
    let gateway = Gateway::start().await;
    enroll_keys(&gateway).await;
    let script = gateway.token("owner", Role::Owner);
    gateway.state.control.clone().close().await;
    let failed = reset(&gateway, &gateway.owner).await;
    assert!(failed.status.is_server_error(), "no key can be forgotten: {} {}", failed.status, failed.text);
    for token in [&script, &gateway.owner] {
        let refused = read(gateway.plain(Method::GET, "/v1/auth/me").bearer_auth(token)).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "TOKEN_INVALID"));
    }
}

/// A call of which only the head is here, and the gateway has asked for the rest.
struct Begun(TcpStream, String);

impl Begun {
    async fn new(gateway: &Gateway, path: &str, body: &Value) -> Self {
        let mut stream = TcpStream::connect(gateway.handle.as_ref().unwrap().local_addr()).await.unwrap();
        let (host, body) = (gateway.url.strip_prefix("http://").unwrap(), body.to_string());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
            gateway.owner,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut told = [0; 25];
        timeout(HANG, stream.read_exact(&mut told)).await.expect("the body is asked for").unwrap();
        assert!(told.starts_with(b"HTTP/1.1 100 Continue"), "{}", String::from_utf8_lossy(&told));
        Self(stream, body)
    }

    async fn finish(mut self) -> String {
        self.0.write_all(self.1.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(HANG, self.0.read_to_string(&mut answer)).await.expect("an answer").unwrap();
        answer
    }
}

#[tokio::test]
async fn what_began_before_a_reset_makes_no_way_in_after_it() {
    let gateway = Gateway::start().await;
    let mut begun = Vec::new();
    for (path, body) in [
        ("/v1/auth/links", json!({})),
        ("/v1/auth/reset", json!({})),
        ("/v1/admin-tokens", json!({"scopes": ["members:write"]})),
        ("/v1/members", json!({"name": "Mallory", "role": "operator"})),
        ("/v1/members/owner/keys", json!({"address": STOLEN, "kind": "wallet", "name": "a thief's"})),
        ("/v1/engines", json!({"name": "elsewhere"})),
    ] {
        begun.push((path, Begun::new(&gateway, path, &body).await));
    }
    assert_eq!(reset(&gateway, &gateway.owner).await.status, StatusCode::OK);
    for (path, call) in begun {
        let answer = call.finish().await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
    }
    let owner = gateway.token("owner", Role::Owner);
    let members = read(gateway.plain(Method::GET, "/v1/members").bearer_auth(&owner)).await.json();
    assert_eq!(members["items"].as_array().unwrap().len(), 1, "{members}");
    assert_eq!(members["items"][0]["keys"], json!([]));
}

#[tokio::test]
async fn links_that_are_asked_for_while_a_reset_is_on_its_way_open_nothing() {
    let gateway = Gateway::start().await;
    let links = join_all((0..20).map(|_| read(gateway.post("/v1/auth/links"))));
    let (links, answer) = tokio::join!(links, reset(&gateway, &gateway.owner));
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    for link in links {
        if link.status == StatusCode::UNAUTHORIZED {
            continue;
        }
        assert_eq!(link.status, StatusCode::CREATED, "{}", link.text);
        let link = link.json();
        let (_, code) = link["url"].as_str().unwrap().split_once("/#pair=").unwrap();
        let pair = read(gateway.plain(Method::POST, "/v1/auth/pair").json(&json!({"code": code}))).await;
        assert_eq!(pair.code(), "LINK_UNKNOWN");
    }
}
