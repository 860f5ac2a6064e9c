//! Budgets: who is counted where, and what is answered to who asks too often.

use flowork_api_types::{
    auth::Role,
    member::{GuestArea, GuestPolicy},
};
use flowork_gateway::{GatewayOptions, Rate};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use super::{
    gateway::{Answer, Gateway, read},
    tunnel::{from, with_tunnel},
};

const CLIENT: &str = "203.0.113.9";
const NEIGHBOR: &str = "203.0.113.10";

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

async fn start(change: impl FnOnce(&mut GatewayOptions)) -> Gateway {
    Gateway::start_with(|options| {
        with_tunnel(options);
        change(options);
    })
    .await
}

fn pair(gateway: &Gateway, client: &str) -> RequestBuilder {
    from(gateway, client, Method::POST, "/v1/auth/pair").json(&json!({"code": "flp_wrong"}))
}

async fn statuses(count: usize, request: impl Fn() -> RequestBuilder) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(read(request()).await.status.as_u16());
    }
    statuses
}

fn assert_limited(answer: &Answer, budget: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    let error = &answer.json()["error"];
    assert_eq!(error["details"]["budget"], budget);
    assert!(error["hint"].as_str().unwrap().contains(&format!("gateway.rates.{budget}")), "{error}");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(answer.header("ratelimit").starts_with(&format!("\"{budget}\";r=0;t=")), "{}", answer.header("ratelimit"));
    assert!(answer.header("ratelimit-policy").starts_with(&format!("\"{budget}\";q=")));
}

#[tokio::test]
async fn strangers_are_counted_by_address() {
    let gateway = start(|options| options.rates.address = Some(rate("5/h"))).await;
    let health = |client: &'static str| from(&gateway, client, Method::GET, "/health");
    assert_eq!(statuses(5, || health(CLIENT)).await, [200; 5]);
    let refused = read(health(CLIENT)).await;
    assert_limited(&refused, "address");
    assert_eq!(refused.header("ratelimit-policy"), "\"address\";q=5;w=3600");
    assert_limited(&read(from(&gateway, CLIENT, Method::GET, "/nothing")).await, "address");
    assert_limited(&read(from(&gateway, CLIENT, Method::GET, "/")).await, "address");
    assert_eq!(statuses(5, || health(NEIGHBOR)).await, [200; 5], "a neighbor has a budget of their own");
}

#[tokio::test]
async fn all_addresses_of_one_ipv6_network_share_a_budget() {
    let gateway = start(|options| options.rates.address = Some(rate("3/h"))).await;
    for n in 1..=3 {
        let answer = read(from(&gateway, &format!("2001:db8:1:2::{n}"), Method::GET, "/health")).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_limited(&read(from(&gateway, "2001:db8:1:2:ffff::1", Method::GET, "/health")).await, "address");
    assert_eq!(read(from(&gateway, "2001:db8:1:3::1", Method::GET, "/health")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn sign_ins_are_tried_only_so_often() {
    let gateway = start(|options| options.rates.auth = Some(rate("4/h"))).await;
    assert!(statuses(4, || pair(&gateway, CLIENT)).await.iter().all(|status| *status != 429));
    assert_limited(&read(pair(&gateway, CLIENT)).await, "auth");
    assert_ne!(read(pair(&gateway, NEIGHBOR)).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(read(from(&gateway, CLIENT, Method::GET, "/health")).await.status, StatusCode::OK, "only sign-ins");
}

#[tokio::test]
async fn sign_ins_that_fail_use_up_a_budget_which_holds_up_nobody_who_is_in() {
    let gateway = start(|options| options.rates.failures = Some(rate("3/h"))).await;
    let session = gateway.sign_in().await;
    assert_eq!(statuses(3, || pair(&gateway, CLIENT)).await, [401; 3]);
    assert_limited(&read(pair(&gateway, CLIENT)).await, "failures");
    let nothing = from(&gateway, CLIENT, Method::GET, "/v1/status");
    assert_eq!(read(nothing).await.status, StatusCode::UNAUTHORIZED, "no credentials are no wrong ones");
    let right = from(&gateway, CLIENT, Method::GET, "/v1/status").bearer_auth(&gateway.owner);
    assert_eq!(read(right).await.status, StatusCode::OK, "whoever is signed in is not locked out by a neighbor");
    let body = json!({"refresh_token": session["refresh_token"]});
    let refresh = from(&gateway, CLIENT, Method::POST, "/v1/auth/refresh").json(&body);
    assert_eq!(read(refresh).await.status, StatusCode::OK, "and stays signed in");
    assert_eq!(read(pair(&gateway, NEIGHBOR)).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn tokens_that_are_not_good_any_more_are_no_guesses() {
    let gateway = start(|options| options.rates.failures = Some(rate("1/h"))).await;
    let wrong = || from(&gateway, CLIENT, Method::GET, "/v1/status").bearer_auth("wrong");
    let engine = || from(&gateway, CLIENT, Method::POST, "/v1/engine/heartbeat").header("x-engine-token", "fle_wrong");
    let refresh =
        || from(&gateway, CLIENT, Method::POST, "/v1/auth/refresh").json(&json!({"refresh_token": "flr_wrong"}));
    assert_eq!(statuses(5, wrong).await, [401; 5]);
    assert_eq!(statuses(5, engine).await, [401; 5]);
    assert_eq!(statuses(5, refresh).await, [401; 5]);
    let first = read(pair(&gateway, CLIENT)).await;
    assert_eq!(first.status, StatusCode::UNAUTHORIZED, "a neighbor's old program shuts nobody out: {}", first.text);
    assert_limited(&read(pair(&gateway, CLIENT)).await, "failures");
}

#[tokio::test]
async fn refreshing_has_a_budget_of_its_own() {
    let gateway = start(|options| {
        options.rates.refresh = Some(rate("2/h"));
        options.rates.auth = Some(rate("1/h"));
    })
    .await;
    let refresh =
        || from(&gateway, CLIENT, Method::POST, "/v1/auth/refresh").json(&json!({"refresh_token": "flr_wrong"}));
    assert_eq!(statuses(2, refresh).await, [401; 2]);
    assert_limited(&read(refresh()).await, "refresh");
    assert_eq!(read(pair(&gateway, CLIENT)).await.status, StatusCode::UNAUTHORIZED, "it costs no sign-in");
}

#[tokio::test]
async fn whoever_comes_by_a_proxy_on_this_machine_is_not_this_machine() {
    let gateway = start(|options| {
        options.extra_hosts = vec!["flowork.example".to_owned()];
        options.rates.address = Some(rate("2/h"));
        options.rates.read = Some(rate("1/h"));
    })
    .await;
    let by_proxy = || gateway.plain(Method::GET, "/health").header("host", "flowork.example");
    assert_eq!(statuses(2, by_proxy).await, [200; 2]);
    assert_limited(&read(by_proxy()).await, "address");
    assert_eq!(statuses(3, || gateway.plain(Method::GET, "/health")).await, [200; 3]);
    let owner = || gateway.get("/v1/jobs").header("host", "flowork.example");
    assert_eq!(statuses(2, owner).await, [200, 429]);
    assert_eq!(statuses(3, || gateway.get("/v1/jobs")).await, [200; 3]);
}

#[tokio::test]
async fn people_are_counted_by_name_wherever_they_come_from() {
    let gateway = start(|options| {
        options.rates.read = Some(rate("4/h"));
        options.rates.write = Some(rate("2/h"));
    })
    .await;
    let (one, other) = (gateway.token("one", Role::Member), gateway.token("other", Role::Member));
    let read_as = |token: &str, client: &str| from(&gateway, client, Method::GET, "/v1/jobs").bearer_auth(token);
    let first = read(read_as(&one, CLIENT)).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.header("ratelimit-policy"), "\"read\";q=4;w=3600");
    assert!(first.header("ratelimit").starts_with("\"read\";r=3;t="), "{}", first.header("ratelimit"));
    assert_eq!(read(read_as(&one, NEIGHBOR)).await.status, StatusCode::OK);
    assert_eq!(read(gateway.plain(Method::GET, "/v1/jobs").bearer_auth(&one)).await.status, StatusCode::OK);
    assert_eq!(read(read_as(&one, CLIENT)).await.status, StatusCode::OK);
    assert_limited(&read(read_as(&one, "198.51.100.1")).await, "read");
    assert_eq!(read(read_as(&other, CLIENT)).await.status, StatusCode::OK, "others are not held up");

    let write = |key: &str| {
        let request = from(&gateway, CLIENT, Method::POST, "/v1/jobs").bearer_auth(&one);
        request.header("Idempotency-Key", key).json(&json!({"kind": "noop"}))
    };
    assert_eq!(statuses(2, || write("a")).await.iter().filter(|status| **status == 429).count(), 0);
    assert_limited(&read(write("b")).await, "write");
}

/// All guests have one name, and anybody can be one.
#[tokio::test]
async fn guests_are_counted_by_where_they_call_from() {
    let gateway = start(|options| options.rates.sessions = Some(rate("2/h"))).await;
    let policy = GuestPolicy { enabled: true, open: vec![GuestArea::Jobs, GuestArea::Sessions] };
    gateway.state.control.set_guest_policy(policy).await.unwrap();
    let guest = read(gateway.plain(Method::POST, "/v1/auth/guest")).await.json();
    let guest = guest["access_token"].as_str().unwrap();
    let list = |client: &str| from(&gateway, client, Method::GET, "/v1/sessions").bearer_auth(guest);
    assert_eq!(statuses(3, || list(CLIENT)).await, [200, 200, 429]);
    assert_eq!(statuses(3, || list(NEIGHBOR)).await, [200, 200, 429], "one guest holds up no other");

    let ticket = |client: &str| {
        let request = from(&gateway, client, Method::POST, "/v1/auth/ticket").bearer_auth(guest);
        request.json(&json!({"path": "/v1/events"}))
    };
    let kept = read(ticket(NEIGHBOR)).await.json();
    assert_eq!(statuses(80, || ticket(CLIENT)).await, [201; 80], "more than one account may have at a time");
    let path = format!("/v1/events?ticket={}", kept["ticket"].as_str().unwrap());
    let stream = from(&gateway, NEIGHBOR, Method::GET, &path).send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK, "and takes the place of nobody else's");
}

#[tokio::test]
async fn whoever_is_signed_in_is_not_counted_by_address() {
    let gateway = start(|options| options.rates.address = Some(rate("1/h"))).await;
    let owner = || from(&gateway, CLIENT, Method::GET, "/v1/jobs").bearer_auth(&gateway.owner);
    assert_eq!(statuses(5, owner).await, [200; 5]);
}

/// The head of a sound token, and with it the id of the key, is nothing secret.
fn forged(sound: &str, number: usize) -> String {
    let (head, rest) = sound.split_once('.').unwrap();
    let (claims, _) = rest.split_once('.').unwrap();
    format!("{head}.{claims}.{}", format!("{number:04}").repeat(85) + "AA")
}

#[tokio::test]
async fn tokens_that_are_made_up_are_not_checked_any_more_once_there_were_too_many() {
    let gateway = start(|options| options.rates.address = Some(rate("4/h"))).await;
    let member = gateway.token("mia", Role::Member);
    let pause = |token: &str| from(&gateway, CLIENT, Method::POST, "/v1/queues/mail/pause").bearer_auth(token);
    for number in 0..4 {
        let answer = read(pause(&forged(&gateway.owner, number))).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "TOKEN_INVALID"));
    }
    for number in 4..40 {
        assert_limited(&read(pause(&forged(&gateway.owner, number))).await, "address");
    }
    let log = gateway.state.audit.list(flowork_api_types::audit::AuditQuery::default()).await.unwrap();
    assert_eq!(log.items.len(), 4, "the others did not come as far as the sign-in");
    // Not even a good one is looked at that this node has not seen: nothing tells it from the made-up ones.
    let elsewhere = flowork_gateway::TokenKeys::from_pkcs8(&gateway.key).unwrap();
    let unseen = elsewhere.sign_access("mia", Role::Member, None, std::time::Duration::from_mins(5));
    let jobs = |client: &str, token: &str| from(&gateway, client, Method::GET, "/v1/jobs").bearer_auth(token);
    assert_limited(&read(jobs(CLIENT, &unseen)).await, "address");

    assert_eq!(read(jobs(CLIENT, &member)).await.status, StatusCode::OK, "a member behind the same address");
    assert_eq!(read(jobs(NEIGHBOR, &unseen)).await.status, StatusCode::OK, "it was good all along");
    assert_eq!(read(jobs(CLIENT, &unseen)).await.status, StatusCode::OK, "and has been seen now");
}

#[tokio::test]
async fn the_owner_at_the_machine_has_a_budget_of_its_own() {
    let gateway = start(|options| {
        options.rates.read = Some(rate("2/h"));
        options.rates.local = Some(rate("6/h"));
        options.rates.address = Some(rate("1/h"));
    })
    .await;
    let local = || gateway.get("/v1/jobs");
    let first = read(local()).await;
    assert_eq!((first.status, first.header("ratelimit")), (StatusCode::OK, ""), "and is not bothered with it");
    assert_eq!(statuses(5, local).await, [200; 5]);
    assert_limited(&read(local()).await, "local");
    let remote = || from(&gateway, CLIENT, Method::GET, "/v1/jobs").bearer_auth(&gateway.owner);
    assert_eq!(statuses(3, remote).await, [200, 200, 429], "through the tunnel the owner is counted like anybody");
}

#[tokio::test]
async fn a_program_of_this_machine_cannot_lock_its_owner_out() {
    let gateway = start(|options| {
        options.rates.address = Some(rate("1/h"));
        options.rates.auth = Some(rate("1/h"));
        options.rates.failures = Some(rate("1/h"));
    })
    .await;
    for _ in 0..20 {
        let wrong = gateway.plain(Method::POST, "/v1/auth/pair").json(&json!({"code": "flp_wrong"}));
        assert_eq!(read(wrong).await.status, StatusCode::UNAUTHORIZED);
        let wrong = gateway.plain(Method::GET, "/v1/status").bearer_auth("wrong");
        assert_eq!(read(wrong).await.status, StatusCode::UNAUTHORIZED);
    }
    gateway.sign_in().await;
}

#[tokio::test]
async fn defaults_let_a_busy_owner_and_a_busy_browser_pass() {
    let gateway = start(|_| {}).await;
    let viewer = gateway.token("viewer", Role::Viewer);
    for n in 0..300 {
        let local = gateway.get("/v1/jobs");
        assert_eq!(read(local).await.status, StatusCode::OK, "local {n}");
        let remote = from(&gateway, CLIENT, Method::GET, "/v1/jobs").bearer_auth(&viewer);
        assert_eq!(read(remote).await.status, StatusCode::OK, "remote {n}");
    }
}
