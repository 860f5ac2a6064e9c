//! Signing in with keys, from the message to the session, and what comes of sessions.

use std::collections::HashSet;

use flowork_api_types::{
    auth::Role,
    member::{GuestPolicy, KeyKind},
};
use flowork_control::MemberChange;
use flowork_identity::{OwnerKey, checksummed};
use futures_util::{StreamExt, stream};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Answer, Gateway, read};

const PAGE: &str = "https://gui.example";

fn new_key() -> OwnerKey {
    OwnerKey::from_secret(&OwnerKey::generate_secret()).unwrap()
}

/// A member with one key.
async fn member(gateway: &Gateway, name: &str, role: Role) -> (String, OwnerKey) {
    let (control, now) = (&gateway.state.control, gateway.state.clock.now());
    let subject = control.create_member(name, role, now).await.unwrap().subject;
    let key = new_key();
    control.add_member_key(&subject, key.address(), KeyKind::Wallet, "a wallet", now).await.unwrap();
    (subject, key)
}

fn challenge(gateway: &Gateway, key: &OwnerKey) -> RequestBuilder {
    gateway.plain(Method::POST, "/v1/auth/challenge").json(&json!({"address": checksummed(key.address())}))
}

fn verify(gateway: &Gateway, body: &Value) -> RequestBuilder {
    gateway.plain(Method::POST, "/v1/auth/verify").json(body)
}

/// The answer to a fresh challenge, as a wallet gives it.
async fn signed(gateway: &Gateway, key: &OwnerKey) -> Value {
    let answer = read(challenge(gateway, key)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    json!({"message": message, "signature": key.sign_message(message.as_bytes()).to_string()})
}

async fn sign_in(gateway: &Gateway, key: &OwnerKey) -> Value {
    let answer = read(verify(gateway, &signed(gateway, key).await)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn with(gateway: &Gateway, session: &Value, method: Method, path: &str) -> RequestBuilder {
    gateway.plain(method, path).bearer_auth(session["access_token"].as_str().unwrap())
}

async fn me(gateway: &Gateway, session: &Value) -> Answer {
    read(with(gateway, session, Method::GET, "/v1/auth/me")).await
}

async fn code_for(gateway: &Gateway, subject: &str) -> String {
    let link = read(gateway.post("/v1/auth/links").json(&json!({"subject": subject}))).await;
    assert_eq!(link.status, StatusCode::CREATED, "{}", link.text);
    link.json()["url"].as_str().unwrap().split_once("/#pair=").unwrap().1.to_owned()
}

#[tokio::test]
async fn a_member_signs_in_with_a_wallet_and_has_their_role() {
    let gateway = Gateway::start().await;
    let (subject, key) = member(&gateway, "Zoe", Role::Operator).await;
    let host = gateway.url.strip_prefix("http://").unwrap();
    let answer = read(challenge(&gateway, &key)).await.json();
    let message = answer["message"].as_str().unwrap();
    let first =
        format!("http://{host} wants you to sign in with your Ethereum account:\n{}\n", checksummed(key.address()));
    assert!(message.starts_with(&first), "{message}");
    assert!(message.contains(&format!("\nURI: http://{host}\nVersion: 1\nChain ID: 1\nNonce: ")), "{message}");
    assert!(message.contains(&format!("\nNonce: {}\n", answer["challenge_id"].as_str().unwrap())), "{message}");
    assert!(message.ends_with(&format!("\nExpiration Time: {}", answer["expires_at"].as_str().unwrap())), "{message}");

    let signature = key.sign_message(message.as_bytes()).to_string();
    let body = json!({"message": message, "signature": signature, "device_name": "Firefox"});
    let session = read(verify(&gateway, &body)).await;
    assert_eq!((session.status, session.header("cache-control")), (StatusCode::OK, "no-store"), "{}", session.text);
    let session = session.json();
    assert_eq!((&session["me"]["subject"], &session["me"]["role"]), (&json!(subject), &json!("operator")));
    assert_eq!(me(&gateway, &session).await.json(), session["me"]);
    let listed = read(with(&gateway, &session, Method::GET, "/v1/auth/sessions")).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let item = &listed["items"][0];
    assert_eq!((&item["device_name"], &item["current"]), (&json!("Firefox"), &json!(true)));
    assert_eq!((&item["address"], &item["subject"]), (&json!(checksummed(key.address())), &json!(subject)));
}

#[tokio::test]
async fn a_thousand_replays_of_one_signed_message_open_one_session() {
    let gateway = Gateway::start().await;
    let (subject, key) = member(&gateway, "Zoe", Role::Member).await;
    let body = signed(&gateway, &key).await;
    let replays = (0..1_000).map(|_| read(verify(&gateway, &body)));
    let answers: Vec<Answer> = stream::iter(replays).buffer_unordered(200).collect().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);
    let refused = answers.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED);
    assert_eq!(refused.filter(|answer| answer.code() == "SIGN_IN_REFUSED").count(), 999);
    assert_eq!(gateway.state.control.sessions(Some(&subject)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn every_refusal_is_the_same_and_says_nothing_about_members() {
    let gateway = Gateway::start().await;
    let (_, key) = member(&gateway, "Zoe", Role::Member).await;
    let (kept_out, kept_out_key) = member(&gateway, "Adam", Role::Member).await;
    let disabled = MemberChange { disabled: Some(true), ..MemberChange::default() };
    gateway.state.control.update_member(&kept_out, disabled, gateway.state.clock.now()).await.unwrap();
    let stranger = new_key();

    let (asked, strangers) = (read(challenge(&gateway, &key)).await, read(challenge(&gateway, &stranger)).await);
    let shape = |answer: &Answer| answer.json().as_object().unwrap().keys().cloned().collect::<HashSet<_>>();
    assert_eq!((asked.status, shape(&asked)), (strangers.status, shape(&strangers)));

    let changed = |mut body: Value, from: &str, to: &str| {
        let text = body["message"].as_str().unwrap().replacen(from, to, 1);
        assert_ne!(body["message"], json!(text));
        body["message"] = json!(text);
        body
    };
    let with_signature = |mut body: Value, signature: &str| {
        body["signature"] = json!(signature);
        body
    };
    let used = signed(&gateway, &key).await;
    assert_eq!(read(verify(&gateway, &used)).await.status, StatusCode::OK);
    let resigned = {
        let body = changed(signed(&gateway, &key).await, "Chain ID: 1", "Chain ID: 2");
        let signature = key.sign_message(body["message"].as_str().unwrap().as_bytes()).to_string();
        with_signature(body, &signature)
    };
    let of_stranger = {
        let body = signed(&gateway, &key).await;
        let signature = stranger.sign_message(body["message"].as_str().unwrap().as_bytes()).to_string();
        with_signature(body, &signature)
    };
    let attempts = [
        signed(&gateway, &stranger).await,
        signed(&gateway, &kept_out_key).await,
        of_stranger,
        resigned,
        changed(signed(&gateway, &key).await, "Nonce: ", "Nonce: 0"),
        changed(signed(&gateway, &key).await, "\nVersion: 1", "\nVersion: 2"),
        with_signature(signed(&gateway, &key).await, "0x00"),
        with_signature(signed(&gateway, &key).await, &format!("0x{}", "0".repeat(130))),
        used,
        json!({"message": "let me in", "signature": "please"}),
    ];
    let mut answers = HashSet::new();
    for attempt in attempts {
        let answer = read(verify(&gateway, &attempt)).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "SIGN_IN_REFUSED"), "{attempt}");
        let mut error = answer.json()["error"].clone();
        error["request_id"] = Value::Null;
        answers.insert((error.to_string(), answer.header("www-authenticate").to_owned()));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|(text, _)| text.contains("\"hint\":\"")));
    assert_eq!(gateway.state.control.sessions(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_counts_only_from_the_page_that_asked_for_it() {
    let gateway = Gateway::start_with(|options| options.extra_origins = vec![PAGE.to_owned()]).await;
    let (_, key) = member(&gateway, "Zoe", Role::Member).await;
    let ask = async |origin: Option<&str>| {
        let request = challenge(&gateway, &key);
        let request = if let Some(origin) = origin { request.header("origin", origin) } else { request };
        let message = read(request).await.json()["message"].as_str().unwrap().to_owned();
        let signature = key.sign_message(message.as_bytes()).to_string();
        (message.clone(), json!({"message": message, "signature": signature}))
    };
    let (message, body) = ask(Some(PAGE)).await;
    assert!(message.starts_with("gui.example wants you"), "https is what wallets take it for: {message}");
    assert!(message.contains(&format!("\nURI: {}\n", gateway.url)));
    assert_eq!(read(verify(&gateway, &body)).await.code(), "SIGN_IN_REFUSED", "from the node's own page");
    let (_, body) = ask(None).await;
    let foreign = verify(&gateway, &body).header("origin", PAGE);
    assert_eq!(read(foreign).await.code(), "SIGN_IN_REFUSED", "of the node's own page");
    let (_, body) = ask(Some(PAGE)).await;
    assert_eq!(read(verify(&gateway, &body).header("origin", PAGE)).await.status, StatusCode::OK);
    let evil = challenge(&gateway, &key).header("origin", "https://evil.example");
    assert_eq!(read(evil).await.code(), "ORIGIN_NOT_ALLOWED");
}

#[tokio::test]
async fn only_allowed_chains_and_written_addresses_get_a_message() {
    let gateway = Gateway::start_with(|options| options.chain_ids = vec![10, 137]).await;
    let (_, key) = member(&gateway, "Zoe", Role::Member).await;
    let address = checksummed(key.address());
    let ask = async |body: Value| read(gateway.plain(Method::POST, "/v1/auth/challenge").json(&body)).await;
    for (chain, taken) in [(None, "10"), (Some(10), "10"), (Some(137), "137")] {
        let answer = ask(json!({"address": address, "chain_id": chain})).await.json();
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(&format!("\nChain ID: {taken}\n")), "{message}");
        let body = json!({"message": message, "signature": key.sign_message(message.as_bytes()).to_string()});
        assert_eq!(read(verify(&gateway, &body)).await.status, StatusCode::OK);
    }
    let refused = ask(json!({"address": address, "chain_id": 1})).await;
    assert_eq!(refused.code(), "VALIDATION_ERROR");
    assert!(refused.text.contains("10, 137"), "{}", refused.text);
    let mistyped = address.replacen(|digit: char| digit.is_ascii_lowercase() && digit != 'x', "A", 1);
    for address in ["", "0x12", &address[2..], &mistyped, "flowork.eth"] {
        assert_eq!(ask(json!({"address": address})).await.code(), "VALIDATION_ERROR", "{address}");
    }
}

#[tokio::test]
async fn a_link_enrolls_the_browsers_own_key_once_it_is_proved() {
    let gateway = Gateway::start().await;
    let (subject, wallet) = member(&gateway, "Zoe", Role::Viewer).await;
    let (key, other) = (new_key(), new_key());
    let code = code_for(&gateway, &subject).await;
    let pair = async |proof: &Value, address: &OwnerKey| {
        let mut device_key = proof.clone();
        device_key["address"] = json!(checksummed(address.address()));
        let body = json!({"code": code, "device_name": "A phone", "device_key": device_key});
        read(gateway.plain(Method::POST, "/v1/auth/pair").json(&body)).await
    };
    let of_other = signed(&gateway, &other).await;
    assert_eq!(pair(&of_other, &key).await.code(), "SIGN_IN_REFUSED", "a proof of another key");
    let unsigned = json!({"message": signed(&gateway, &key).await["message"], "signature": of_other["signature"]});
    assert_eq!(pair(&unsigned, &key).await.code(), "SIGN_IN_REFUSED");
    let owners = new_key();
    let now = gateway.state.clock.now();
    gateway.state.control.add_member_key("owner", owners.address(), KeyKind::Device, "his", now).await.unwrap();
    let taken = pair(&signed(&gateway, &owners).await, &owners).await;
    assert_eq!((taken.status, taken.code().as_str()), (StatusCode::CONFLICT, "DEVICE_KEY_REFUSED"));

    let session = pair(&signed(&gateway, &key).await, &key).await;
    assert_eq!(session.status, StatusCode::OK, "what was refused left the link as it was: {}", session.text);
    assert_eq!(session.json()["me"]["subject"], json!(subject));
    let again = signed(&gateway, &key).await;
    assert_eq!(pair(&again, &key).await.code(), "LINK_USED");
    assert_eq!(sign_in(&gateway, &key).await["me"]["subject"], json!(subject), "it comes back without a link");
    assert_eq!(sign_in(&gateway, &wallet).await["me"]["subject"], json!(subject));
    gateway.state.control.remove_member_key(key.address(), now).await.unwrap();
    assert_eq!(
        me(&gateway, &session.json()).await.code(),
        "SESSION_ENDED",
        "a key that is taken away ends its sessions"
    );
    assert_eq!(read(verify(&gateway, &signed(&gateway, &key).await)).await.code(), "SIGN_IN_REFUSED");
}

#[tokio::test]
async fn guests_see_that_the_node_is_there_and_no_more_while_they_are_let_in() {
    let gateway = Gateway::start().await;
    let guest = || read(gateway.plain(Method::POST, "/v1/auth/guest"));
    let answer = guest().await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    assert_eq!((&answer["me"]["role"], &answer["me"]["session_id"]), (&json!("guest"), &Value::Null));
    assert!(answer.get("refresh_token").is_none());
    let get = |path: &'static str| read(with(&gateway, &answer, Method::GET, path));
    let (told, whole) = (get("/v1/status").await.json(), read(gateway.get("/v1/status")).await.json());
    for field in ["version", "started_at", "draining"] {
        assert_eq!(told[field], whole[field], "{field}");
    }
    for field in ["url", "data_dir", "vault"] {
        assert_eq!(told[field], "", "{field} is nothing for strangers");
        assert_ne!(whole[field], "", "{field}");
    }
    assert_eq!((&told["engines"], &told["notices"]), (&json!([]), &json!([])));
    assert_eq!((&told["pid"], &told["memory_bytes"]), (&json!(0), &json!(0)));
    assert_eq!(whole["engines"].as_array().unwrap().len(), 1);
    assert_eq!(get("/v1/jobs").await.code(), "FORBIDDEN");
    assert_eq!(get("/v1/auth/sessions?all=true").await.code(), "FORBIDDEN");
    let job = with(&gateway, &answer, Method::POST, "/v1/jobs").header("Idempotency-Key", "1");
    assert_eq!(read(job.json(&json!({"kind": "demo.sleep", "payload": {}}))).await.code(), "FORBIDDEN");
    let nobody = GuestPolicy { enabled: false, open: Vec::new() };
    gateway.state.control.set_guest_policy(nobody).await.unwrap();
    assert_eq!(get("/v1/status").await.code(), "GUESTS_NOT_ADMITTED");
    let refused = guest().await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "GUESTS_NOT_ADMITTED"));
}

#[tokio::test]
async fn a_ticket_opens_its_stream_once_and_nothing_else() {
    let gateway = Gateway::start().await;
    let (_, key) = member(&gateway, "Zoe", Role::Member).await;
    let session = sign_in(&gateway, &key).await;
    let ticket = async |path: &str| {
        let request = with(&gateway, &session, Method::POST, "/v1/auth/ticket").json(&json!({"path": path}));
        read(request).await
    };
    let open = async |path: &str, ticket: &Answer| {
        let ticket = ticket.json()["ticket"].as_str().unwrap().to_owned();
        gateway.plain(Method::GET, &format!("{path}?ticket={ticket}")).send().await.unwrap().status()
    };
    let first = ticket("/v1/events").await;
    assert_eq!((first.status, first.header("cache-control")), (StatusCode::CREATED, "no-store"), "{}", first.text);
    assert_eq!(open("/v1/events", &first).await, StatusCode::OK);
    assert_eq!(open("/v1/events", &first).await, StatusCode::UNAUTHORIZED, "it works once");
    let second = ticket("/v1/events").await;
    assert_eq!(open("/v1/jobs", &second).await, StatusCode::UNAUTHORIZED, "only streams look at tickets");
    assert_eq!(open("/v1/auth/me", &second).await, StatusCode::UNAUTHORIZED);
    assert_eq!(open("/v1/events", &second).await, StatusCode::OK, "and those did not use it up");
    let job = "/v1/jobs/job_01930c5ea2f07a3c8000000000000000/events";
    let third = ticket(job).await;
    assert_eq!(open("/v1/events", &third).await, StatusCode::UNAUTHORIZED, "it is for another path");
    assert_eq!(open(job, &third).await, StatusCode::UNAUTHORIZED, "which used it up");
    for path in ["/v1/jobs", "/v1/events?cursor=1", "/v1/events/", "https://evil.example/ws", ""] {
        assert_eq!(ticket(path).await.code(), "VALIDATION_ERROR", "{path}");
    }
    let late = ticket("/v1/events").await;
    read(with(&gateway, &session, Method::POST, "/v1/auth/logout")).await;
    assert_eq!(open("/v1/events", &late).await, StatusCode::UNAUTHORIZED, "whose session has ended has no tickets");
    let nobody = gateway.plain(Method::POST, "/v1/auth/ticket").json(&json!({"path": "/v1/events"}));
    assert_eq!(read(nobody).await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn people_end_their_own_sessions_and_the_owner_everybodys() {
    let gateway = Gateway::start().await;
    let (zoe, key) = member(&gateway, "Zoe", Role::Member).await;
    let owner = gateway.sign_in().await;
    let (here, there, third) =
        (sign_in(&gateway, &key).await, sign_in(&gateway, &key).await, sign_in(&gateway, &key).await);
    let path = |session: &Value| format!("/v1/auth/sessions/{}", session["me"]["session_id"].as_str().unwrap());
    let end = async |by: &Value, which: &Value| read(with(&gateway, by, Method::DELETE, &path(which))).await;
    let list = async |by: &Value, query: &str| {
        read(with(&gateway, by, Method::GET, &format!("/v1/auth/sessions{query}"))).await
    };
    assert_eq!(list(&here, "").await.json()["items"].as_array().unwrap().len(), 3);
    assert_eq!(list(&here, "?all=true").await.code(), "FORBIDDEN");
    assert_eq!(list(&owner, "?all=true").await.json()["items"].as_array().unwrap().len(), 4);
    assert_eq!(list(&owner, "").await.json()["items"].as_array().unwrap().len(), 1);

    assert_eq!(end(&here, &owner).await.code(), "SESSION_NOT_FOUND", "somebody else's is as good as none");
    assert_eq!(me(&gateway, &owner).await.status, StatusCode::OK);
    assert_eq!(end(&here, &there).await.status, StatusCode::NO_CONTENT);
    assert_eq!(me(&gateway, &there).await.code(), "SESSION_ENDED");
    assert_eq!(end(&here, &there).await.code(), "SESSION_NOT_FOUND");
    assert_eq!(end(&owner, &third).await.status, StatusCode::NO_CONTENT);
    assert_eq!(me(&gateway, &third).await.code(), "SESSION_ENDED");

    let out = async |by: &Value, body: Option<Value>| {
        let request = with(&gateway, by, Method::POST, "/v1/auth/sign-out-everywhere");
        read(if let Some(body) = body { request.json(&body) } else { request }).await
    };
    assert_eq!(out(&here, Some(json!({"subject": "owner"}))).await.code(), "FORBIDDEN");
    assert_eq!(out(&owner, Some(json!({"subject": zoe}))).await.json(), json!({"ended_sessions": 1}));
    assert_eq!(me(&gateway, &here).await.code(), "SESSION_ENDED");
    assert_eq!(out(&owner, None).await.json(), json!({"ended_sessions": 1}));
    assert_eq!(me(&gateway, &owner).await.code(), "SESSION_ENDED");
}

#[tokio::test]
async fn a_reset_signs_everybody_out_and_gives_the_owner_a_link() {
    let gateway = Gateway::start().await;
    let (_, key) = member(&gateway, "Zoe", Role::Operator).await;
    let (owner, zoe) = (gateway.sign_in().await, sign_in(&gateway, &key).await);
    let refused = read(with(&gateway, &zoe, Method::POST, "/v1/auth/reset")).await;
    assert_eq!(refused.code(), "FORBIDDEN");
    let unused = code_for(&gateway, "owner").await;
    let reset = read(gateway.post("/v1/auth/reset").json(&json!({"forget_devices": true}))).await;
    assert_eq!(reset.status, StatusCode::OK, "{}", reset.text);
    let reset = reset.json();
    assert_eq!((&reset["ended_sessions"], &reset["removed_keys"]), (&json!(2), &json!(0)));
    for session in [&owner, &zoe] {
        assert_eq!(me(&gateway, session).await.code(), "TOKEN_INVALID");
        let refresh = json!({"refresh_token": session["refresh_token"]});
        let refresh = read(gateway.plain(Method::POST, "/v1/auth/refresh").json(&refresh)).await;
        assert_eq!(refresh.status, StatusCode::UNAUTHORIZED, "{}", refresh.text);
    }
    assert_eq!(reset["members"].as_array().unwrap().len(), 2, "who can still sign in: {reset}");
    let pair = async |code: &str| read(gateway.plain(Method::POST, "/v1/auth/pair").json(&json!({"code": code}))).await;
    assert_eq!(pair(&unused).await.code(), "LINK_UNKNOWN");
    let (_, code) = reset["link"]["url"].as_str().unwrap().split_once("/#pair=").unwrap();
    assert_eq!(pair(code).await.json()["me"]["subject"], json!("owner"));
    sign_in(&gateway, &key).await;
}
