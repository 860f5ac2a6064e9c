//! Links, sessions, refresh tokens.

use flowork_gateway::pairing_url;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Answer, Gateway, read};

async fn me(gateway: &Gateway, session: &Value) -> Answer {
    let token = session["access_token"].as_str().unwrap();
    read(gateway.plain(Method::GET, "/v1/auth/me").bearer_auth(token)).await
}

async fn refresh(gateway: &Gateway, session: &Value) -> Answer {
    let body = json!({"refresh_token": session["refresh_token"]});
    read(gateway.plain(Method::POST, "/v1/auth/refresh").json(&body)).await
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let gateway = Gateway::start().await;
    let link = read(gateway.post("/v1/auth/links")).await;
    assert_eq!(link.status, StatusCode::CREATED);
    let url = link.json()["url"].as_str().unwrap().to_owned();
    let (base, code) = url.split_once("/#pair=").unwrap();
    assert_eq!((base, pairing_url(&gateway.url, code)), (gateway.url.as_str(), url.clone()));
    assert!(code.len() >= 32, "128 bits or more");

    let pair = || gateway.plain(Method::POST, "/v1/auth/pair").json(&json!({"code": code, "device_name": "Firefox"}));
    let session = read(pair()).await;
    assert_eq!(session.status, StatusCode::OK, "{}", session.text);
    assert_eq!(session.header("cache-control"), "no-store");
    let session = session.json();
    let me = me(&gateway, &session).await.json();
    assert_eq!((&me["subject"], &me["role"]), (&json!("owner"), &json!("owner")));
    assert_eq!(me, session["me"]);
    let again = read(pair()).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::UNAUTHORIZED, "LINK_USED"));
    assert!(again.text.contains("flowork link"));
}

#[tokio::test]
async fn refreshing_gives_new_tokens_and_reuse_ends_the_session() {
    let gateway = Gateway::start().await;
    let first = gateway.sign_in().await;
    let second = refresh(&gateway, &first).await.json();
    assert_eq!(second["me"], first["me"], "the same session");
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(me(&gateway, &second).await.status, StatusCode::OK);
    let second = refresh(&gateway, &second).await.json();

    let reused = refresh(&gateway, &first).await;
    assert_eq!((reused.status, reused.code().as_str()), (StatusCode::UNAUTHORIZED, "REFRESH_REUSED"));
    assert_eq!(me(&gateway, &second).await.code(), "SESSION_ENDED", "at once, not when the token expires");
    assert_eq!(refresh(&gateway, &second).await.code(), "SESSION_ENDED");
}

#[tokio::test]
async fn signing_out_ends_one_session_and_no_other() {
    let gateway = Gateway::start().await;
    let (here, there) = (gateway.sign_in().await, gateway.sign_in().await);
    let token = here["access_token"].as_str().unwrap();
    let out = read(gateway.plain(Method::POST, "/v1/auth/logout").bearer_auth(token)).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!(me(&gateway, &here).await.code(), "SESSION_ENDED");
    assert_eq!(refresh(&gateway, &here).await.code(), "SESSION_ENDED");
    assert_eq!(me(&gateway, &there).await.status, StatusCode::OK);
    // A script's token has no session to end.
    assert_eq!(read(gateway.post("/v1/auth/logout")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(read(gateway.get("/v1/auth/me")).await.json()["session_id"], Value::Null);
}

#[tokio::test]
async fn the_key_set_has_the_public_half_only() {
    let gateway = Gateway::start().await;
    let keys = read(gateway.plain(Method::GET, "/.well-known/jwks.json")).await;
    assert_eq!(keys.header("cache-control"), "public, max-age=300");
    let keys = keys.json();
    let key = keys["keys"][0].as_object().unwrap();
    let mut names: Vec<_> = key.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
}
