//! Who did what: written before the answer leaves, listed, exported and checked.

use std::time::Duration;

use flowork_api_types::{admin::Scope, audit::AuditQuery, auth::Role};
use flowork_gateway::{AuditRule, route_table};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Gateway, read};

/// Methods that only read.
const SAFE: [Method; 1] = [Method::GET];

async fn entries(gateway: &Gateway, query: &str) -> Vec<Value> {
    let list = read(gateway.get(&format!("/v1/audit?limit=500&{query}"))).await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.text);
    list.json()["items"].as_array().unwrap().clone()
}

#[test]
fn every_call_that_changes_something_says_whether_it_is_audited_and_why_not() {
    let mut audited = 0;
    for route in route_table() {
        let name = format!("{} {}", route.method, route.path);
        match route.audit {
            Some(AuditRule::Action(action)) => {
                audited += 1;
                let plain = action.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'.' | b'_'));
                assert!(plain && action.contains('.'), "{name}: {action}");
            }
            Some(AuditRule::Exempt(reason)) => assert!(reason.len() > 20, "{name}: {reason:?} is no reason"),
            None => assert!(SAFE.contains(&route.method), "{name} does not say whether it is audited"),
        }
    }
    assert!(audited > 20, "{audited}");
}

#[tokio::test]
async fn a_change_is_in_the_log_before_its_answer_is_here() {
    let gateway = Gateway::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let pause = gateway.post("/v1/queues/mail/pause").header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let paused = read(pause).await;
    assert_eq!(paused.status, StatusCode::OK, "{}", paused.text);
    let found = gateway.state.audit.list(AuditQuery::default()).await.unwrap();
    assert_eq!(found.items.len(), 1, "without a wait");

    let entry = &entries(&gateway, "").await[0];
    assert_eq!(entry["actor"], json!({"kind": "person", "subject": "owner"}));
    assert_eq!((&entry["ip"], &entry["trace_id"]), (&json!("127.0.0.1"), &json!(trace)));
    assert_eq!((&entry["method"], &entry["route"]), (&json!("POST"), &json!("/v1/queues/{name}/pause")));
    assert_eq!((&entry["action"], &entry["object"]), (&json!("queue.pause"), &json!("mail")));
    assert_eq!((&entry["outcome"], &entry["status"], &entry["code"]), (&json!("done"), &json!(200), &Value::Null));
    assert_eq!(entry["intact"], json!(true));
}

#[tokio::test]
async fn no_caller_but_the_owner_fills_the_log_with_calls_that_succeed() {
    let gateway = Gateway::start().await;
    let omar = gateway.token("omar", Role::Operator);
    for token in [&omar, &gateway.owner] {
        for _ in 0..205 {
            let pause = gateway.plain(Method::POST, "/v1/queues/mail/pause").bearer_auth(token);
            assert_eq!(read(pause).await.status, StatusCode::OK);
        }
    }
    let log = entries(&gateway, "action=queue.pause").await;
    let of = |subject: &str| log.iter().filter(|entry| entry["actor"]["subject"] == subject).count();
    assert_eq!((of("omar"), of("owner")), (200, 205));
}

#[tokio::test]
async fn a_flood_of_strangers_does_not_hide_what_a_known_caller_tries() {
    let gateway = Gateway::start().await;
    let omar = gateway.token("omar", Role::Operator);
    for _ in 0..200 {
        let strange = read(gateway.plain(Method::POST, "/v1/queues/mail/pause")).await;
        assert_eq!(strange.status, StatusCode::UNAUTHORIZED);
    }
    // Whoever has the token of an operator looks what else it opens; and the owner's is tried, too.
    let forbidden = gateway.plain(Method::POST, "/v1/members").bearer_auth(&omar);
    assert_eq!(read(forbidden.json(&json!({"name": "mallory"}))).await.status, StatusCode::FORBIDDEN);
    let missing = gateway.plain(Method::DELETE, "/v1/schedules/sch_01930c5ea2f07a3c8000000000000000");
    let missing = read(missing.bearer_auth(&omar)).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND, "{}", missing.text);
    assert!(read(gateway.post("/v1/members").json(&json!({}))).await.status.is_client_error());

    let log = entries(&gateway, "outcome=refused").await;
    let of = |subject: &Value| log.iter().filter(|entry| entry["actor"]["subject"] == *subject).collect::<Vec<_>>();
    assert!(of(&Value::Null).len() < 200, "of strangers, too many are counted");
    let seen: Vec<_> = of(&json!("omar")).iter().map(|entry| json!([entry["action"], entry["status"]])).collect();
    assert_eq!(seen, [json!(["schedule.delete", 404]), json!(["member.create", 403])]);
    assert_eq!(of(&json!("owner")).len(), 1);
}

#[tokio::test]
async fn nobody_fills_the_log_with_calls_that_are_refused_not_even_the_owner() {
    let gateway = Gateway::start().await;
    for _ in 0..205 {
        let refused = read(gateway.post("/v1/members").json(&json!({}))).await;
        assert!(refused.status.is_client_error());
    }
    assert_eq!(entries(&gateway, "action=member.create").await.len(), 200);
}

#[tokio::test]
async fn refused_calls_and_sign_ins_that_fail_are_in_the_log_with_their_reason() {
    let gateway = Gateway::start().await;
    let viewer = gateway.token("vera", Role::Viewer);
    read(gateway.plain(Method::POST, "/v1/queues/mail/pause").bearer_auth(viewer)).await;
    read(gateway.plain(Method::POST, "/v1/queues/mail/pause")).await;
    read(gateway.plain(Method::POST, "/v1/auth/pair").json(&json!({"code": "wrong"}))).await;
    let refused = entries(&gateway, "outcome=refused").await;
    let brief: Vec<_> = refused
        .iter()
        .map(|entry| json!([entry["action"], entry["code"], entry["actor"]["kind"], entry["actor"]["subject"]]))
        .collect();
    assert_eq!(
        brief,
        [
            json!(["session.pair", "LINK_UNKNOWN", "nobody", null]),
            json!(["queue.pause", "UNAUTHENTICATED", "nobody", null]),
            json!(["queue.pause", "FORBIDDEN", "person", "vera"]),
        ]
    );
}

#[tokio::test]
async fn signing_in_and_every_rotation_of_tokens_is_in_the_log_and_no_token_is() {
    let gateway = Gateway::start().await;
    let signed_in = gateway.sign_in().await;
    let refresh = signed_in["refresh_token"].as_str().unwrap();
    let body = json!({"refresh_token": refresh});
    let rotated = read(gateway.plain(Method::POST, "/v1/auth/refresh").json(&body)).await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.text);
    let next = json!({"refresh_token": rotated.json()["refresh_token"]});
    let rotated = read(gateway.plain(Method::POST, "/v1/auth/refresh").json(&next)).await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.text);
    let again = read(gateway.plain(Method::POST, "/v1/auth/refresh").json(&body)).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    let found = entries(&gateway, "action=session").await;
    let brief: Vec<_> = found.iter().map(|entry| json!([entry["action"], entry["outcome"], entry["code"]])).collect();
    assert_eq!(
        brief,
        [
            json!(["session.refresh", "refused", "REFRESH_REUSED"]),
            json!(["session.refresh", "done", null]),
            json!(["session.refresh", "done", null]),
            json!(["session.pair", "done", null]),
            json!(["session.link", "done", null]),
        ]
    );
    assert_eq!((&found[3]["actor"]["subject"], &found[3]["object"]), (&json!("owner"), &signed_in["me"]["session_id"]));
    let text = Value::from(found).to_string();
    assert!(!text.contains(refresh) && !text.contains("flr_") && !text.contains("eyJ"), "{text}");
}

#[tokio::test]
async fn a_change_that_can_not_be_written_down_is_answered_so_though_it_was_made() {
    let gateway = Gateway::start().await;
    gateway.state.audit.clone().close().await;
    let answer = read(gateway.post("/v1/queues/mail/pause")).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "AUDIT_UNAVAILABLE"));
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("may have been done"), "{message}");
    assert!(!answer.header("retry-after").is_empty());
    let queues = read(gateway.get("/v1/queues")).await;
    assert_eq!(queues.status, StatusCode::OK, "what is not audited goes on");
    assert!(queues.text.contains("mail"), "it was done: {}", queues.text);
    let code = gateway.state.control.create_pairing_code(gateway.state.clock.now()).await.unwrap().code;
    let pair = json!({"code": code.expose()});
    let signed_in = read(gateway.plain(Method::POST, "/v1/auth/pair").json(&pair)).await;
    assert_eq!(signed_in.status, StatusCode::OK, "the code is used up, so its answer is not lost: {}", signed_in.text);
    let signed_in = read(gateway.plain(Method::POST, "/v1/auth/pair").json(&json!({"code": "wrong"}))).await;
    assert_eq!(signed_in.code(), "AUDIT_UNAVAILABLE", "nobody tries codes unseen");
}

#[tokio::test]
async fn a_change_whose_caller_hangs_up_is_in_the_log_all_the_same() {
    let gateway = Gateway::start().await;
    // Whoever hangs up before the answer drops the request, at a moment that differs each time.
    for turn in 0..40_u64 {
        let pause = gateway.post(&format!("/v1/queues/q{turn}/pause")).timeout(Duration::from_micros(turn * 150));
        let _ = pause.send().await;
    }
    // Each that was done is written, before the gateway has stopped at the latest.
    let mut gateway = gateway;
    let handle = gateway.handle.take().unwrap();
    handle.shutdown(Duration::from_secs(10)).await;
    let paused: Vec<_> = gateway.state.control.policies().paused_queues.keys().map(ToString::to_string).collect();
    let query = AuditQuery { limit: Some(500), action: Some("queue.pause".to_owned()), ..AuditQuery::default() };
    let list = gateway.state.audit.list(query).await.unwrap();
    let written: Vec<_> = list.items.iter().filter_map(|entry| entry.object.clone()).collect();
    for queue in &paused {
        assert!(written.contains(queue), "{queue} was paused and is not in the log");
    }
}

#[tokio::test]
async fn the_log_is_for_the_owner_and_for_tokens_of_that_scope() {
    let gateway = Gateway::start().await;
    for path in ["/v1/audit", "/v1/audit/export", "/v1/audit/verify"] {
        for role in [Role::Operator, Role::Member, Role::Viewer] {
            let answer = read(gateway.plain(Method::GET, path).bearer_auth(gateway.token("m", role))).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {role:?}");
        }
    }
    let token = |scope| gateway.post("/v1/admin-tokens").json(&json!({"scopes": [scope]}));
    let fitting = read(token(Scope::AuditRead)).await.json()["token"].as_str().unwrap().to_owned();
    let other = read(token(Scope::MembersWrite)).await.json()["token"].as_str().unwrap().to_owned();
    let answer = read(gateway.plain(Method::GET, "/v1/audit").bearer_auth(fitting)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = read(gateway.plain(Method::GET, "/v1/audit").bearer_auth(other)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let made = entries(&gateway, "action=token.create").await;
    assert_eq!(made.len(), 2);
}

#[tokio::test]
async fn the_export_is_cloud_events_and_is_itself_in_the_log() {
    let gateway = Gateway::start().await;
    read(gateway.post("/v1/queues/mail/pause")).await;
    let export = read(gateway.get("/v1/audit/export")).await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    assert!(export.header("content-disposition").contains("attachment"));
    let events: Vec<Value> = export.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["type"], "dev.flowork.audit.queue.pause");
    assert_eq!((&events[0]["specversion"], &events[0]["data"]["object"]), (&json!("1.0"), &json!("mail")));
    assert_eq!(entries(&gateway, "action=audit.export").await.len(), 1);
    let paged = read(gateway.get("/v1/audit/export?limit=3")).await;
    assert_eq!((paged.status, paged.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"));
    for query in ["cursor=x", "limit=0", "limit=501", "outcome=maybe", "from=yesterday", "colour=red"] {
        let answer = read(gateway.get(&format!("/v1/audit?{query}"))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn a_check_streams_its_progress_and_ends_with_a_report() {
    let gateway = Gateway::start().await;
    read(gateway.post("/v1/queues/mail/pause")).await;
    let check = read(gateway.get("/v1/audit/verify")).await;
    assert_eq!(check.header("content-type"), "text/event-stream");
    let report = check.text.split("event: report\ndata: ").nth(1).expect("a report");
    let report: Value = serde_json::from_str(report.lines().next().unwrap()).unwrap();
    assert_eq!((&report["ok"], &report["entries"], &report["problems"]), (&json!(true), &json!(1), &json!([])));
}
