//! Signing keys, admin tokens and engine tokens over HTTP.

use std::time::Duration;

use flowork_api_types::{Timestamp, admin::TokenSet, auth::Role, engine::EngineLocation, event::Event};
use flowork_engine::Clock;
use flowork_gateway::TokenKeys;
use flowork_tokens::{KEY_LIFE, KeyStore, KeyStoreError};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    gateway::{Gateway, HANG, read},
    streams::Stream,
};

/// An engine elsewhere: its id and its token.
async fn engine(gateway: &Gateway) -> (String, String) {
    let answer = read(gateway.post("/v1/engines").json(&json!({"name": "elsewhere"}))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let made = answer.json();
    assert_eq!(made["engine"]["allowed_actions"], json!(["set_workers", "rotate_token", "revoke_token"]));
    (made["engine"]["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

fn heartbeat(gateway: &Gateway) -> RequestBuilder {
    let body = json!({"version": "1", "capacity": 1, "busy": 0, "kinds": []});
    gateway.plain(Method::POST, "/v1/engine/heartbeat").json(&body)
}

async fn status_of(request: RequestBuilder) -> StatusCode {
    read(request).await.status
}

async fn exchanged(gateway: &Gateway, token: &str) -> String {
    let answer = read(gateway.plain(Method::POST, "/v1/engine/token").header("x-engine-token", token)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rotated_engine_token_works_until_its_grace_is_over_and_a_revoked_one_stops_at_once() {
    let gateway = Gateway::start().await;
    let (id, first) = engine(&gateway).await;
    let rotate =
        |grace: u64| gateway.post(&format!("/v1/engines/{id}/token/rotate")).json(&json!({"grace_seconds": grace}));
    let with = |token: &str| heartbeat(&gateway).header("x-engine-token", token);
    let short = exchanged(&gateway, &first).await;
    let rotated = read(rotate(3600)).await.json();
    let second = rotated["token"].as_str().unwrap().to_owned();
    assert!(rotated["old_token_ends_at"].is_string());
    for token in [&first, &second] {
        assert_eq!(status_of(with(token)).await, StatusCode::OK, "both work");
    }
    assert_eq!(status_of(heartbeat(&gateway).bearer_auth(&short)).await, StatusCode::OK);

    let third = read(rotate(0)).await.json();
    assert_eq!(third["old_token_ends_at"], Value::Null);
    let third = third["token"].as_str().unwrap().to_owned();
    for token in [&first, &second] {
        let refused = read(with(token)).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "ENGINE_TOKEN_INVALID"));
        assert!(refused.json()["error"]["hint"].is_string());
    }
    assert_eq!(status_of(heartbeat(&gateway).bearer_auth(&short)).await, StatusCode::UNAUTHORIZED);

    let short = exchanged(&gateway, &third).await;
    let directives = gateway.plain(Method::GET, "/v1/engine/directives").bearer_auth(&short).send().await.unwrap();
    assert_eq!(directives.status(), StatusCode::OK);
    let claim = gateway.plain(Method::POST, "/v1/engine/claim").header("x-engine-token", &third);
    let claim = tokio::spawn(read(claim.json(&json!({"max": 1, "wait_ms": 30_000}))));
    // Whether or not the claim waits already, it is answered.
    assert_eq!(status_of(gateway.post(&format!("/v1/engines/{id}/token/revoke"))).await, StatusCode::NO_CONTENT);
    assert!(directives.text().await.unwrap().contains("token_revoked"), "its stream ends at once");
    let claim = claim.await.unwrap();
    assert!(claim.status == StatusCode::UNAUTHORIZED || claim.json()["jobs"] == json!([]), "{}", claim.text);
    for request in [with(&third), heartbeat(&gateway).bearer_auth(&short)] {
        assert_eq!(read(request).await.code(), "ENGINE_TOKEN_INVALID");
    }
    let engines = read(gateway.get("/v1/engines")).await.json();
    let listed = engines["items"].as_array().unwrap().iter().find(|engine| engine["id"] == *id).unwrap();
    assert_eq!(
        (&listed["token"]["usable"], &listed["allowed_actions"]),
        (&json!(false), &json!(["set_workers", "rotate_token"]))
    );
}

#[tokio::test]
async fn what_an_engine_exchanged_is_for_engine_calls_and_is_not_exchanged_again() {
    let gateway = Gateway::start().await;
    let (_, token) = engine(&gateway).await;
    let short = exchanged(&gateway, &token).await;
    let with = |method, path: &str| gateway.plain(method, path).bearer_auth(&short);
    assert_eq!(status_of(heartbeat(&gateway).bearer_auth(&short)).await, StatusCode::OK);
    assert_eq!(read(with(Method::POST, "/v1/engine/token")).await.code(), "ENGINE_TOKEN_REQUIRED");
    assert_eq!(read(with(Method::GET, "/v1/jobs")).await.code(), "FORBIDDEN");
    let as_engine_token = heartbeat(&gateway).header("x-engine-token", &short);
    assert_eq!(read(as_engine_token).await.code(), "ENGINE_TOKEN_INVALID", "it has its own place");
}

#[tokio::test]
async fn only_engines_elsewhere_have_tokens_to_replace() {
    let gateway = Gateway::start().await;
    let engines = gateway.state.control.engines();
    let local = engines.iter().find(|engine| engine.location == EngineLocation::Local).unwrap().id;
    for action in ["rotate", "revoke"] {
        let path = format!("/v1/engines/{local}/token/{action}");
        assert_eq!(read(gateway.post(&path).json(&json!({}))).await.code(), "ENGINE_LOCAL");
        let nobody = format!("/v1/engines/eng_01930c5ea2f07a3c8000000000000000/token/{action}");
        assert_eq!(read(gateway.post(&nobody).json(&json!({}))).await.code(), "ENGINE_NOT_FOUND");
    }
    let (id, _) = engine(&gateway).await;
    let long = gateway.post(&format!("/v1/engines/{id}/token/rotate")).json(&json!({"grace_seconds": 604_801}));
    assert_eq!(read(long).await.code(), "VALIDATION_ERROR");
}

#[tokio::test]
async fn an_admin_token_does_what_it_was_made_for_and_ends_with_the_session_that_made_it() {
    let gateway = Gateway::start().await;
    let session = gateway.sign_in().await;
    let owner = session["access_token"].as_str().unwrap();
    let body = json!({"scopes": ["members:write", "ops:drain"], "ttl_seconds": 60});
    let made = read(gateway.plain(Method::POST, "/v1/admin-tokens").bearer_auth(owner).json(&body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("fla_"));
    assert_eq!(made["scopes"], json!(["members:write", "ops:drain"]));
    let with = |method, path: &str| gateway.plain(method, path).bearer_auth(token);
    let drained = read(with(Method::POST, "/drain").json(&json!({"on": true}))).await;
    assert_eq!((drained.status, &drained.json()["on"]), (StatusCode::OK, &json!(true)));
    let members = read(with(Method::GET, "/v1/members")).await;
    assert_eq!(members.status, StatusCode::OK);
    assert_eq!(members.json()["items"][0]["allowed_actions"], json!([]), "nothing about the owner");
    for (method, path) in [
        (Method::GET, "/v1/jobs"),
        (Method::GET, "/v1/status"),
        (Method::GET, "/v1/keys"),
        (Method::GET, "/v1/auth/me"),
        (Method::POST, "/v1/admin-tokens"),
        (Method::POST, "/v1/auth/links"),
    ] {
        let refused = read(with(method, path)).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "FORBIDDEN"), "{path}");
        assert!(refused.json()["error"]["hint"].is_string());
    }
    read(gateway.plain(Method::POST, "/v1/auth/logout").bearer_auth(owner)).await;
    assert_eq!(read(with(Method::GET, "/v1/members")).await.code(), "SESSION_ENDED");
}

#[tokio::test]
async fn rotating_keys_keeps_tokens_and_ending_the_old_ones_ends_them_at_once() {
    let gateway = Gateway::start().await;
    let session = gateway.sign_in().await;
    let owner = session["access_token"].as_str().unwrap();
    let me = |token: &str| gateway.plain(Method::GET, "/v1/auth/me").bearer_auth(token);
    let public = async || read(gateway.plain(Method::GET, "/.well-known/jwks.json")).await.json()["keys"].clone();
    let keys = read(gateway.get("/v1/keys")).await.json();
    assert_eq!((&keys["rotates_after_days"], keys["items"].as_array().unwrap().len()), (&json!(30), 1));
    let first = keys["items"][0]["kid"].clone();

    let rotated = read(gateway.post("/v1/keys/rotate").json(&json!({}))).await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.text);
    let items = rotated.json()["items"].clone();
    assert_eq!((&items[1]["kid"], &items[0]["retired_at"]), (&first, &Value::Null));
    assert_eq!(status_of(me(owner)).await, StatusCode::OK, "the old key checks until its last token has expired");
    assert_eq!(public().await.as_array().unwrap().len(), 2);

    let ended = read(gateway.post("/v1/keys/rotate").json(&json!({"set": "user", "end_old": true}))).await;
    assert_eq!(ended.json()["items"].as_array().unwrap().len(), 1);
    let refused = read(me(owner)).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "TOKEN_INVALID"));
    let refresh = json!({"refresh_token": session["refresh_token"]});
    let renewed = read(gateway.plain(Method::POST, "/v1/auth/refresh").json(&refresh)).await.json();
    let renewed = renewed["access_token"].as_str().unwrap();
    assert_eq!(status_of(me(renewed)).await, StatusCode::OK, "a browser goes on by itself");
    assert_eq!(public().await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn ending_the_old_keys_ends_streams_and_tickets_of_their_tokens() {
    let gateway = Gateway::start().await;
    let job = gateway.enqueue("k", json!({"kind": "noop", "delay_ms": 3_600_000})).await;
    let job = format!("/v1/jobs/{}/events", job["id"].as_str().unwrap());
    let mut streams = vec![Stream::open(gateway.get("/v1/events")).await, Stream::open(gateway.get(&job)).await];
    assert_eq!(streams[1].next().await.unwrap().event, "job.changed");
    let ticket = async || {
        let made = read(gateway.post("/v1/auth/ticket").json(&json!({"path": "/v1/events"}))).await.json();
        format!("/v1/events?ticket={}", made["ticket"].as_str().unwrap())
    };
    let (used, late) = (ticket().await, ticket().await);
    streams.push(Stream::open(gateway.plain(Method::GET, &used)).await);
    gateway.state.tokens.rotate(TokenSet::User, false, gateway.state.clock.now()).unwrap();
    gateway.state.engines.events().publish(None, Event::KindsChanged);
    assert_eq!(streams[0].next().await.unwrap().event, "kinds.changed", "the old key still counts");

    let owner = gateway.token("owner", Role::Owner);
    let end = gateway.plain(Method::POST, "/v1/keys/rotate").bearer_auth(owner).json(&json!({"end_old": true}));
    assert_eq!(status_of(end).await, StatusCode::OK);
    for stream in &mut streams {
        let bye = stream.until("bye").await;
        assert_eq!(bye.data, json!({"reason": "token_expired"}));
        assert!(stream.next().await.is_none());
    }
    let refused = read(gateway.plain(Method::GET, &late)).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "TICKET_INVALID"));
}

#[tokio::test]
async fn ending_the_keys_of_engines_ends_what_came_with_their_short_tokens() {
    let gateway = Gateway::start().await;
    let (_, token) = engine(&gateway).await;
    let short = exchanged(&gateway, &token).await;
    let directives = || gateway.plain(Method::GET, "/v1/engine/directives");
    let mut by_short = Stream::open(directives().bearer_auth(&short)).await;
    let mut by_token = Stream::open(directives().header("x-engine-token", &token)).await;
    let end = gateway.post("/v1/keys/rotate").json(&json!({"set": "engine", "end_old": true}));
    assert_eq!(status_of(end).await, StatusCode::OK);
    assert_eq!(by_short.until("bye").await.data, json!({"reason": "token_revoked"}));
    gateway.state.engines.drain(true);
    assert_eq!(by_token.next().await.unwrap().event, "drain", "its own token is not signed");
}

#[tokio::test]
async fn what_was_exchanged_for_a_token_and_what_it_opened_end_with_its_grace() {
    let clock = Clock::manual(1_767_225_600_000);
    let gateway = Gateway::start_on(clock.clone(), |_| {}).await;
    let (id, first) = engine(&gateway).await;
    let rotate = async || {
        let rotate = gateway.post(&format!("/v1/engines/{id}/token/rotate")).json(&json!({"grace_seconds": 60}));
        let rotated = read(rotate).await;
        assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.text);
        rotated.json()["token"].as_str().unwrap().to_owned()
    };
    let beat = |short: &str| status_of(heartbeat(&gateway).bearer_auth(short));
    let directives = || gateway.plain(Method::GET, "/v1/engine/directives");
    // Made and opened when nobody thought of another token.
    let short = exchanged(&gateway, &first).await;
    let mut streams = vec![
        Stream::open(directives().bearer_auth(&short)).await,
        Stream::open(directives().header("x-engine-token", &first)).await,
    ];
    let second = rotate().await;
    clock.step(59_000);
    assert_eq!(beat(&short).await, StatusCode::OK, "it has a second left");
    clock.step(1_000);
    gateway.handle.as_ref().unwrap().waker().resumed();
    assert_eq!(beat(&short).await, StatusCode::UNAUTHORIZED);
    for stream in &mut streams {
        assert_eq!(stream.until("bye").await.data, json!({"reason": "too_old"}));
    }

    let short = exchanged(&gateway, &second).await;
    let mut stream = Stream::open(directives().bearer_auth(&short)).await;
    let third = rotate().await;
    assert_eq!(beat(&short).await, StatusCode::OK, "its grace has begun");
    let of_third = exchanged(&gateway, &third).await;
    rotate().await;
    assert_eq!(beat(&short).await, StatusCode::UNAUTHORIZED, "one token before the newest counts, not two");
    assert_eq!(stream.until("bye").await.data, json!({"reason": "token_revoked"}));
    assert_eq!(beat(&of_third).await, StatusCode::OK);
}

/// Tells of every document that it was given to keep.
struct Told(tokio::sync::mpsc::UnboundedSender<TokenSet>);

impl KeyStore for Told {
    fn load(&self, _: TokenSet) -> Result<Option<Zeroizing<Vec<u8>>>, KeyStoreError> {
        Ok(None)
    }

    fn save(&self, set: TokenSet, _: &[u8]) -> Result<(), KeyStoreError> {
        Ok(self.0.send(set)?)
    }
}

#[tokio::test]
async fn a_key_that_is_due_is_replaced_without_anybody_asking() {
    let gateway = Gateway::start().await;
    let (told, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let a_month_ago = gateway.state.clock.now().as_millis() - KEY_LIFE.as_millis() as i64;
    let tokens = TokenKeys::open(Told(told), Timestamp(a_month_ago)).unwrap();
    assert_eq!(kept.recv().await, Some(TokenSet::User), "the first key");
    let old = tokens.list()[0].kid.clone();
    let options = flowork_gateway::GatewayOptions::new("127.0.0.1:0".parse().unwrap());
    let state = flowork_gateway::GatewayState { tokens: tokens.clone(), ..gateway.state.clone() };
    let second = flowork_gateway::bind(options).await.unwrap().serve(state);
    let replaced = tokio::time::timeout(HANG, kept.recv()).await.expect("the timer finds that it is due");
    assert_eq!(replaced, Some(TokenSet::User));
    second.shutdown(HANG).await;
    let keys = tokens.list();
    assert_eq!((keys.len(), &keys[1].kid), (2, &old), "the old one still checks");
    assert!(tokens.next_due().unwrap() > gateway.state.clock.now());
}

#[tokio::test]
async fn an_engine_gets_the_members_once_for_each_version() {
    let gateway = Gateway::start().await;
    let (_, token) = engine(&gateway).await;
    let ada = read(gateway.post("/v1/members").json(&json!({"name": "Ada", "role": "member"}))).await.json();
    let beat = async |version: Value| {
        let body = json!({"version": "1", "capacity": 1, "busy": 0, "kinds": [], "members_version": version});
        let request = gateway.plain(Method::POST, "/v1/engine/heartbeat").header("x-engine-token", &token);
        read(request.json(&body)).await.json()
    };
    // The engines hear of a change just after it is stored.
    let list = loop {
        let list = beat(Value::Null).await["members"].clone();
        if list["subjects"].as_array().is_some_and(|subjects| subjects.len() == 2) {
            break list;
        }
    };
    assert_eq!(list["subjects"], json!([ada["subject"], "owner"]));
    assert!(beat(list["version"].clone()).await.get("members").is_none(), "it has that one");
    assert_eq!(beat(json!(list["version"].as_u64().unwrap() - 1)).await["members"], list);
}

#[tokio::test]
async fn a_token_of_the_time_before_the_clock_was_set_back_is_refused_with_the_reason() {
    let gateway = Gateway::start().await;
    let ahead = Timestamp(gateway.state.clock.now().as_millis() + 3_600_000);
    let (token, _) = gateway.state.tokens.sign_access_at("owner", Role::Owner, None, Duration::from_mins(15), ahead);
    let refused = read(gateway.plain(Method::GET, "/v1/jobs").bearer_auth(token)).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "TOKEN_NOT_YET"));
    assert!(refused.json()["error"]["hint"].as_str().unwrap().contains("clock"));
}
