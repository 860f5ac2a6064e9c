//! Schedules over HTTP: what is answered, and to whom.

use flowork_api_types::auth::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Gateway, read};

async fn create(gateway: &Gateway, body: &Value) -> Value {
    let answer = read(gateway.post("/v1/schedules").json(body)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let schedule = answer.json();
    assert_eq!(answer.header("location"), format!("/v1/schedules/{}", schedule["id"].as_str().unwrap()));
    schedule
}

fn nightly() -> Value {
    json!({"name": "nightly", "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "job": {"kind": "noop"}})
}

#[tokio::test]
async fn a_schedule_is_made_shown_changed_run_and_removed() {
    let gateway = Gateway::start().await;
    let schedule = create(&gateway, &nightly()).await;
    let path = format!("/v1/schedules/{}", schedule["id"].as_str().unwrap());
    assert_eq!(schedule["next_runs"].as_array().unwrap().len(), 5);
    assert_eq!((&schedule["missed"], &schedule["overlap"]), (&json!("once"), &json!("allow")));
    assert_eq!(schedule["allowed_actions"], json!(["update", "pause", "run", "delete"]));
    assert_eq!(read(gateway.get(&path)).await.json(), schedule);

    let paused = read(gateway.request(Method::PATCH, &path).json(&json!({"enabled": false}))).await.json();
    assert_eq!((&paused["enabled"], &paused["next_runs"]), (&json!(false), &json!([])));
    let run = || gateway.post(&format!("{path}/run")).header("Idempotency-Key", "k");
    let job = read(run()).await;
    assert_eq!(job.status, StatusCode::ACCEPTED, "{}", job.text);
    assert_eq!(job.header("location"), format!("/v1/jobs/{}", job.json()["id"].as_str().unwrap()));
    assert_eq!(read(run()).await.json()["id"], job.json()["id"]);
    let answer = read(gateway.post(&format!("{path}/run"))).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "IDEMPOTENCY_KEY_REQUIRED"));

    let gone = read(gateway.request(Method::DELETE, &path)).await;
    assert_eq!((gone.status, gone.text.as_str()), (StatusCode::NO_CONTENT, ""));
    for request in [gateway.get(&path), gateway.request(Method::DELETE, &path), run()] {
        let answer = read(request).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "SCHEDULE_NOT_FOUND"));
    }
}

#[tokio::test]
async fn lists_go_by_pages_and_a_member_sees_their_own() {
    let gateway = Gateway::start().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let mut body = nightly();
        body["name"] = json!(name);
        ids.push(create(&gateway, &body).await["id"].clone());
    }
    let page = read(gateway.get("/v1/schedules?limit=2")).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(page["items"][0]["id"], ids[2], "newest first");
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = read(gateway.get(&format!("/v1/schedules?limit=2&cursor={cursor}"))).await.json();
    assert_eq!((&rest["items"][0]["id"], &rest["next_cursor"]), (&ids[0], &Value::Null));
    for limit in [0, 201] {
        let answer = read(gateway.get(&format!("/v1/schedules?limit={limit}"))).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"));
    }

    let as_role = |role, method, path: &str| gateway.plain(method, path).bearer_auth(gateway.token("somebody", role));
    let none = read(as_role(Role::Member, Method::GET, "/v1/schedules")).await.json();
    assert_eq!(none["items"], json!([]));
    let path = format!("/v1/schedules/{}", ids[0].as_str().unwrap());
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::POST, format!("{path}/run")),
    ] {
        let request = as_role(Role::Member, method, &path).header("Idempotency-Key", "k").json(&json!({}));
        assert_eq!(read(request).await.code(), "SCHEDULE_NOT_FOUND", "{path}");
    }
    let viewed = read(as_role(Role::Viewer, Method::GET, &path)).await.json();
    assert_eq!((&viewed["id"], &viewed["allowed_actions"]), (&ids[0], &json!([])));
    let own = read(as_role(Role::Member, Method::POST, "/v1/schedules").json(&nightly())).await;
    assert_eq!(own.json()["created_by"], "somebody");
}

#[tokio::test]
async fn a_preview_tells_runs_across_a_change_of_clocks() {
    let gateway = Gateway::start().await;
    let body = json!({
        "cron": "30 2 * * *", "time_zone": "America/New_York", "after": "2026-03-07T12:00:00Z", "count": 2
    });
    let preview = read(gateway.post("/v1/schedules/preview").json(&body)).await.json();
    let expected = json!({"runs": [
        {"at": "2026-03-08T07:00:00.000Z", "local": "Sun 2026-03-08 03:00:00 EDT"},
        {"at": "2026-03-09T06:30:00.000Z", "local": "Mon 2026-03-09 02:30:00 EDT"},
    ]});
    assert_eq!(preview, expected);
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_field_and_a_hint() {
    let gateway = Gateway::start().await;
    let check = async |path: &str, change: Value, code: &str, field: &str, hint: &str| {
        let mut body = if path.ends_with("preview") { json!({}) } else { nightly() };
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = read(gateway.post(path).json(&body)).await;
        assert_eq!(answer.code(), code, "{}", answer.text);
        let error = &answer.json()["error"];
        assert!(answer.status.is_client_error(), "{}", answer.text);
        assert!(field.is_empty() || error["details"][0]["field"] == field, "{}", answer.text);
        assert!(error["hint"].as_str().unwrap_or_default().contains(hint), "{}", answer.text);
    };
    for path in ["/v1/schedules", "/v1/schedules/preview"] {
        check(path, json!({"cron": "0 0 30 2 *"}), "VALIDATION_ERROR", "/cron", "30 February").await;
        check(path, json!({"cron": "0 24 * * *"}), "VALIDATION_ERROR", "/cron", "").await;
        let zone = json!({"cron": "@daily", "time_zone": "Europe/Berln"});
        check(path, zone, "VALIDATION_ERROR", "/time_zone", "Europe/Berlin").await;
        check(path, json!({"cron": null, "interval_ms": 999}), "VALIDATION_ERROR", "/interval_ms", "").await;
        check(path, json!({"crn": "@daily"}), "VALIDATION_ERROR", "/crn", "").await;
    }
    let path = "/v1/schedules";
    check(path, json!({"job": {"kind": "slep"}}), "UNKNOWN_KIND", "", "sleep").await;
    let job = json!({"job": {"kind": "sleep", "payload": {"duration_ms": "x"}}});
    check(path, job, "VALIDATION_ERROR", "/job/payload/duration_ms", "JSON Schema").await;
    check(path, json!({"job": {"kind": "noop", "priority": 2000}}), "VALIDATION_ERROR", "/job/priority", "").await;
    check(path, json!({"job": {"kind": "noop", "delay_ms": 1}}), "VALIDATION_ERROR", "/job/delay_ms", "").await;
    check(path, json!({"name": ""}), "VALIDATION_ERROR", "/name", "").await;
    let engine = json!({"job": {"kind": "noop", "engine_id": "eng_01930c5ea2f07a3c8000000000000000"}});
    check(path, engine, "ENGINE_NOT_FOUND", "", "").await;
}
