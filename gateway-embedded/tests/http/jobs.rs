//! Jobs, as people use them.

use flowork_api_types::auth::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Gateway, read};

#[tokio::test]
async fn a_job_is_enqueued_once_runs_and_gives_its_result() {
    let gateway = Gateway::start().await;
    let body = json!({"kind": "noop", "payload": {"x": 1}, "tags": ["t"]});
    let enqueue = |body: &Value| gateway.post("/v1/jobs").header("Idempotency-Key", "one").json(body);
    let first = read(enqueue(&body)).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    assert_eq!(first.header("idempotency-replayed"), "");
    let job = first.json();
    let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(first.header("location"), path);
    assert_eq!((&job["created_by"], &job["idempotency_key"]), (&json!("owner"), &json!("one")));

    let done = read(gateway.get(&format!("{path}?wait_ms=15000"))).await.json();
    assert_eq!((&done["state"], &done["result"]), (&json!("completed"), &json!({"echo": {"x": 1}})));

    let replay = read(enqueue(&body)).await;
    assert_eq!((replay.status, replay.header("idempotency-replayed")), (StatusCode::ACCEPTED, "true"));
    assert_eq!((&replay.json()["id"], replay.header("location")), (&job["id"], path.as_str()));
    let reused = read(enqueue(&json!({"kind": "noop", "payload": {"x": 2}}))).await;
    assert_eq!(reused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reused.code(), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(reused.json()["error"]["details"]["original_job_id"], job["id"]);

    let listed = read(gateway.get("/v1/jobs?state=completed&kind=noop&tag=t")).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(read(gateway.get("/v1/jobs?state=failed")).await.json()["items"], json!([]));
    let attempts = read(gateway.get(&format!("{path}/attempts"))).await.json();
    assert_eq!(attempts["items"][0]["outcome"], "completed");
    let logs = read(gateway.get(&format!("{path}/logs?after=0&limit=10"))).await;
    assert_eq!(logs.status, StatusCode::OK);
}

#[tokio::test]
async fn a_running_job_is_cancelled_and_put_back() {
    let gateway = Gateway::start().await;
    let job = gateway.enqueue("k", json!({"kind": "sleep", "payload": {"duration_ms": 3_600_000}})).await;
    let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    let cancelled = read(gateway.post(&format!("{path}/cancel"))).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.text);
    let ended = read(gateway.get(&format!("{path}?wait_ms=15000"))).await.json();
    assert_eq!(ended["state"], "cancelled");
    let again = read(gateway.post(&format!("{path}/cancel"))).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "INVALID_STATE"));
    let requeued = read(gateway.post(&format!("{path}/requeue"))).await;
    assert_eq!(requeued.status, StatusCode::OK, "{}", requeued.text);
    assert!(["queued", "leased"].contains(&requeued.json()["state"].as_str().unwrap()));
    read(gateway.post(&format!("{path}/cancel"))).await;
}

#[tokio::test]
async fn one_bad_entry_of_a_batch_fails_alone() {
    let gateway = Gateway::start().await;
    let entries = json!({"jobs": [
        {"idempotency_key": "a", "kind": "noop", "payload": 1},
        {"idempotency_key": "b", "kind": "nop"},
        {"idempotency_key": "c", "kind": "noop", "prio": 1},
        {"idempotency_key": "a", "kind": "noop", "payload": 1},
        {"idempotency_key": "", "kind": "noop"},
        {"idempotency_key": "d", "kind": "sleep", "payload": {"duration_ms": 0}},
    ]});
    let answer = read(gateway.post("/v1/jobs/batch").json(&entries)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    let codes: Vec<_> = answer["items"].as_array().unwrap().iter().map(|item| item["error"]["code"].as_str()).collect();
    let expected = [None, Some("UNKNOWN_KIND"), Some("VALIDATION_ERROR"), None, Some("INVALID_IDEMPOTENCY_KEY"), None];
    assert_eq!(codes, expected, "{answer}");
    assert_eq!(answer["items"][2]["error"]["details"][0]["field"], "/prio");
    assert_eq!(answer["items"][0]["job"]["id"], answer["items"][3]["job"]["id"]);
    assert_eq!((&answer["items"][0]["replayed"], &answer["items"][3]["replayed"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn the_key_of_a_batch_is_refused_for_other_jobs_and_for_another_callback() {
    let gateway = Gateway::start().await;
    let batch = |job: &str, payload: u32, callback: u32| {
        json!({
            "jobs": [
                {"idempotency_key": job, "kind": "noop", "payload": payload},
                {"idempotency_key": "never", "kind": "noop", "prio": 1},
            ],
            "callback": {"kind": "noop", "payload": callback, "delay_ms": 3_600_000},
        })
    };
    let send = async |body: serde_json::Value| {
        read(gateway.post("/v1/jobs/batch").header("Idempotency-Key", "nightly").json(&body)).await
    };
    let first = send(batch("a", 1, 1)).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let first = first.json();
    for other in [batch("b", 1, 1), batch("a", 2, 1), batch("a", 1, 2), json!({"jobs": []})] {
        let refused = send(other).await;
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED".into())
        );
        assert_eq!(refused.json()["error"]["details"]["original_batch_id"], first["batch_id"], "{}", refused.text);
    }
    let again = send(batch("a", 1, 1)).await.json();
    assert_eq!((&again["batch_id"], &again["items"][0]["replayed"]), (&first["batch_id"], &json!(true)));
    assert_eq!(again["items"][1]["error"]["code"], "VALIDATION_ERROR", "an entry that is wrong is part of it too");
}

#[tokio::test]
async fn a_member_sees_and_touches_their_own_jobs_only() {
    let gateway = Gateway::start().await;
    let (ann, bob) = (gateway.token("ann", Role::Member), gateway.token("bob", Role::Member));
    let viewer = gateway.token("eve", Role::Viewer);
    let body = json!({"kind": "noop", "delay_ms": 3_600_000});
    let enqueue = gateway.plain(Method::POST, "/v1/jobs").bearer_auth(&ann).header("Idempotency-Key", "k").json(&body);
    let job = read(enqueue).await.json();
    let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    let as_who = |method: Method, path: &str, token: &str| gateway.plain(method, path).bearer_auth(token);

    for below in ["", "/logs", "/attempts", "/events"] {
        let path = format!("{path}{below}");
        assert_eq!(read(as_who(Method::GET, &path, &bob)).await.code(), "JOB_NOT_FOUND", "{path}");
    }
    for action in ["cancel", "requeue"] {
        let path = format!("{path}/{action}");
        assert_eq!(read(as_who(Method::POST, &path, &bob)).await.code(), "JOB_NOT_FOUND", "{path}");
    }
    assert_eq!(read(as_who(Method::GET, "/v1/jobs", &bob)).await.json()["items"], json!([]));
    assert_eq!(read(as_who(Method::GET, "/v1/jobs", &viewer)).await.json()["items"][0]["id"], job["id"]);
    let seen = read(as_who(Method::GET, &path, &viewer)).await.json();
    assert_eq!(seen["allowed_actions"], json!([]), "a viewer may not act");
    assert_eq!(read(as_who(Method::GET, &path, &ann)).await.json()["allowed_actions"], json!(["cancel"]));
    // Keys are per user.
    let same_key = gateway.plain(Method::POST, "/v1/jobs").bearer_auth(&bob).header("Idempotency-Key", "k").json(&body);
    let other = read(same_key).await;
    assert_eq!((other.status, other.header("idempotency-replayed")), (StatusCode::ACCEPTED, ""));
    assert_ne!(other.json()["id"], job["id"]);
}

#[tokio::test]
async fn status_and_kinds_describe_the_node() {
    let gateway = Gateway::start().await;
    let status = read(gateway.get("/v1/status")).await.json();
    assert_eq!((&status["version"], &status["url"]), (&json!("1.2.3"), &json!(gateway.url)));
    assert_eq!(status["pid"], std::process::id());
    assert_eq!(status["engines"][0]["name"], "local");
    assert!(status["memory_bytes"].as_u64().unwrap() > 1 << 20, "{status}");
    let kinds = read(gateway.get("/v1/kinds")).await.json();
    let names: Vec<_> = kinds["items"].as_array().unwrap().iter().map(|kind| kind["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["noop", "sleep"]);
    assert_eq!(read(gateway.plain(Method::GET, "/health")).await.json(), json!({"status": "ok", "version": "1.2.3"}));
}
