//! Lists of sync sessions: pages, and how those who look at one hear that it is old. And the bounds that hold if nobody
//! sets others.

use std::time::Duration;

use flowork_api_types::auth::Role;
use flowork_gateway::GatewayOptions;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{
    gateway::{Gateway, read},
    sessions::{chess, create, done},
    streams::Stream,
};

fn id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

#[tokio::test]
async fn a_list_goes_on_where_its_page_ended() {
    let gateway = Gateway::start().await;
    for number in 0..3 {
        create(&gateway, json!({"session_id": id(number)})).await;
    }
    let page = read(gateway.get("/v1/sessions?limit=2")).await.json()["data"].clone();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = read(gateway.get(&format!("/v1/sessions?limit=2&cursor={cursor}"))).await.json()["data"].clone();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert!(rest["next_cursor"].is_null());
    assert!(!page["items"].as_array().unwrap().contains(&rest["items"][0]));
}

#[tokio::test]
async fn a_switch_is_told_to_those_who_may_see_the_session_and_to_nobody_else() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    done(&gateway, "start").await;
    let (ann, viewer) = (gateway.token("ann", Role::Member), gateway.token("vic", Role::Viewer));
    let stream = async |token: &str| Stream::open(gateway.plain(Method::GET, "/v1/events").bearer_auth(token)).await;
    let (mut hers, mut all) = (stream(&ann).await, stream(&viewer).await);
    done(&gateway, "switch").await;
    let foreign = all.until("sessions.changed").await;
    let body = chess(json!({"session_id": id(1)}));
    let made = read(gateway.plain(Method::POST, "/v1/sessions").bearer_auth(&ann).json(&body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let own = hers.until("sessions.changed").await;
    // What was told before was about somebody else's, so it is not what she heard first.
    let place = |cursor: &str| cursor.rsplit_once('-').unwrap().1.parse::<u64>().unwrap();
    assert!(place(&own.id) > place(&foreign.id), "{} is not after {}", own.id, foreign.id);
}

#[tokio::test]
async fn bounds_are_those_that_are_promised_if_nobody_sets_others() {
    let options = GatewayOptions::new("127.0.0.1:0".parse().unwrap());
    assert_eq!(options.rates.sessions, Some("100/m".parse().unwrap()));
    assert_eq!(options.limits.ping_interval, Duration::from_secs(5));
    let gateway = Gateway::start_with(|options| options.extra_hosts = vec!["flowork.lan".to_owned()]).await;
    for call in 0..100 {
        let answer = read(gateway.plain(Method::GET, "/v1/time").header("Host", "flowork.lan")).await;
        assert_eq!(answer.status, StatusCode::OK, "the clock was read {call} times within a second");
    }
}
