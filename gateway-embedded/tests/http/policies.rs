//! Deciding about the work of all: the drain, limits, the autoscaler.

use flowork_api_types::{auth::Role, event::Event};
use flowork_gateway::{Permission, route_table};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Answer, Gateway, read};

async fn drain(gateway: &Gateway, body: Value) -> Answer {
    read(gateway.post("/drain").json(&body)).await
}

async fn put(gateway: &Gateway, target: &str, body: Value) -> Answer {
    read(gateway.request(Method::PUT, &format!("/v1/limits/{target}")).json(&body)).await
}

#[test]
fn routes_for_owner_and_operator_are_written_down_here_too() {
    let table = route_table();
    let operate = table.iter().filter(|route| matches!(route.permission, Permission::Operate | Permission::OpsDrain));
    let mut routes: Vec<_> = operate.map(|route| format!("{} {}", route.method, route.path)).collect();
    routes.sort_unstable();
    assert_eq!(
        routes,
        [
            "DELETE /v1/limits/{target}",
            "POST /drain",
            "POST /v1/queues/{name}/pause",
            "POST /v1/queues/{name}/resume",
            "PUT /v1/engines/{engine_id}/workers",
            "PUT /v1/limits/{target}",
        ]
    );
}

#[tokio::test]
async fn a_drain_lets_jobs_finish_refuses_new_ones_and_says_who_asked_for_it() {
    let gateway = Gateway::start().await;
    let before = read(gateway.get("/drain")).await.json();
    assert_eq!(
        before,
        json!({
            "on": false, "unstored": false, "stopping": false, "since": null, "by": null, "reason": null, "running": 0,
            "allowed_actions": ["start"]
        })
    );
    let job = gateway.enqueue("long", json!({"kind": "sleep", "payload": {"duration_ms": 600_000}})).await;
    let job = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    while read(gateway.get(&job)).await.json()["state"] != "leased" {}

    let on = drain(&gateway, json!({"on": true, "reason": " new disk "})).await.json();
    assert_eq!((&on["on"], &on["by"], &on["reason"]), (&json!(true), &json!("owner"), &json!("new disk")));
    assert_eq!((&on["running"], &on["allowed_actions"]), (&json!(1), &json!(["stop"])));
    let again = drain(&gateway, json!({"on": true, "reason": "another"})).await.json();
    assert_eq!(again, on, "the first one counts");
    let refused = read(gateway.post("/v1/jobs").header("Idempotency-Key", "k").json(&json!({"kind": "noop"}))).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "DRAINING"));
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
    let ready = read(gateway.plain(Method::GET, "/ready")).await;
    assert_eq!(ready.json(), json!({"ready": false, "reason": "draining"}));
    let status = read(gateway.get("/v1/status")).await.json();
    assert_eq!((&status["draining"], &status["drain"]), (&json!(true), &on));

    let waited = tokio::spawn(read(gateway.get("/drain?wait_ms=20000")));
    assert_eq!(read(gateway.post(&format!("{job}/cancel"))).await.status, StatusCode::OK);
    assert_eq!(waited.await.unwrap().json()["running"], 0, "it answers when the last job has ended");

    let off = drain(&gateway, json!({"on": false})).await.json();
    assert_eq!(off, before);
    gateway.enqueue("k", json!({"kind": "noop"})).await;
    assert!(read(gateway.plain(Method::GET, "/ready")).await.json()["ready"].as_bool().unwrap());
}

#[tokio::test]
async fn a_stop_drains_whatever_a_person_asks_for() {
    let gateway = Gateway::start().await;
    gateway.state.engines.drain_to_end();
    let seen = read(gateway.get("/drain")).await.json();
    assert_eq!((&seen["on"], &seen["stopping"], &seen["since"]), (&json!(true), &json!(true), &Value::Null));
    let off = drain(&gateway, json!({"on": false})).await.json();
    assert_eq!((&off["on"], &off["stopping"]), (&json!(true), &json!(true)), "it does not go back to work");
    assert!(gateway.state.engines.is_draining());
    assert!(gateway.state.control.policies().drain.is_none(), "a stop is not remembered");
    let on = drain(&gateway, json!({"on": true})).await.json();
    assert_eq!(on["allowed_actions"], json!(["stop"]), "but a drain that is asked for now holds after the restart");
}

#[tokio::test]
async fn those_who_see_only_their_own_jobs_learn_no_names_of_others() {
    let gateway = Gateway::start().await;
    drain(&gateway, json!({"on": true, "reason": "r"})).await;
    for target in ["kind:noop", "queue:q", "provider:p", "user:ada", "user:alan", "key:tenant"] {
        assert_eq!(put(&gateway, target, json!({"concurrency": 1})).await.status, StatusCode::OK, "{target}");
    }
    let see = async |subject: &str, role: Role| {
        let token = gateway.token(subject, role);
        let drain = read(gateway.plain(Method::GET, "/drain").bearer_auth(&token)).await.json();
        let limits = read(gateway.plain(Method::GET, "/v1/limits").bearer_auth(&token)).await.json();
        let targets: Vec<_> = limits["items"].as_array().unwrap().iter().map(|item| item["target"].clone()).collect();
        (drain["by"].clone(), Value::from(targets), limits["allowed_actions"].clone(), drain["allowed_actions"].clone())
    };
    let all = json!(["key:tenant", "kind:noop", "provider:p", "queue:q", "user:ada", "user:alan"]);
    let sorted = |mut targets: Value| {
        targets.as_array_mut().unwrap().sort_by_key(ToString::to_string);
        targets
    };
    let (by, targets, may_set, may_drain) = see("op", Role::Operator).await;
    assert_eq!(
        (by, sorted(targets), may_set, may_drain),
        (json!("owner"), all.clone(), json!(["set"]), json!(["stop"]))
    );
    let (by, targets, may_set, may_drain) = see("v", Role::Viewer).await;
    assert_eq!((by, sorted(targets), may_set, may_drain), (json!("owner"), all, json!([]), json!([])));
    let (by, targets, may_set, may_drain) = see("ada", Role::Member).await;
    let own = json!(["kind:noop", "provider:p", "queue:q", "user:ada"]);
    assert_eq!((by, sorted(targets), may_set, may_drain), (Value::Null, own, json!([]), json!([])));
}

#[tokio::test]
async fn limits_are_set_shown_changed_and_removed() {
    let gateway = Gateway::start().await;
    let made = put(&gateway, "kind:llm.chat", json!({"concurrency": 4, "rate": {"count": 10, "per_ms": 1000}})).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let made = made.json();
    assert_eq!((&made["target"], &made["concurrency"]), (&json!("kind:llm.chat"), &json!(4)));
    assert_eq!(
        (&made["rate"], &made["allowed_actions"]),
        (&json!({"count": 10, "per_ms": 1000}), &json!(["set", "remove"]))
    );
    put(&gateway, "kind:llm.chat", json!({"concurrency": 0})).await;
    put(&gateway, "key:a%2Fb%20%C3%BC", json!({"concurrency": 1})).await;
    let items = read(gateway.get("/v1/limits")).await.json()["items"].clone();
    let shown: Vec<_> = items.as_array().unwrap().iter().map(|item| (&item["target"], &item["concurrency"])).collect();
    assert_eq!(shown, [(&json!("kind:llm.chat"), &json!(0)), (&json!("key:a/b ü"), &json!(1))]);
    assert_eq!(items[0]["rate"], Value::Null, "what is not given is no bound");

    let remove = |target: &str| read(gateway.request(Method::DELETE, &format!("/v1/limits/{target}")));
    assert_eq!(remove("key:a%2Fb%20%C3%BC").await.status, StatusCode::NO_CONTENT);
    let missing = remove("key:a%2Fb%20%C3%BC").await;
    assert_eq!((missing.status, missing.code().as_str()), (StatusCode::NOT_FOUND, "LIMIT_NOT_FOUND"));
    assert_eq!(read(gateway.get("/v1/limits")).await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn wrong_decisions_are_refused_with_the_field_and_change_nothing() {
    let gateway = Gateway::start().await;
    let field = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert_eq!(answer.code(), "VALIDATION_ERROR");
        answer.json()["error"]["details"][0]["field"].as_str().unwrap().to_owned()
    };
    for (body, expected) in [
        (json!({}), ""),
        (json!({"concurrency": -1}), "/concurrency"),
        (json!({"concurrency": 1_000_001}), "/concurrency"),
        (json!({"rate": {"count": 0, "per_ms": 1000}}), "/rate/count"),
        (json!({"rate": {"count": 1_000_001, "per_ms": 1000}}), "/rate/count"),
        (json!({"rate": {"count": 1, "per_ms": 0}}), "/rate/per_ms"),
        (json!({"rate": {"count": 1, "per_ms": 86_400_001}}), "/rate/per_ms"),
        (json!({"rate": {"count": 1}}), "/rate/per_ms"),
        (json!({"concurency": 1}), "/concurency"),
    ] {
        assert_eq!(field(&put(&gateway, "kind:noop", body.clone()).await), expected, "{body}");
    }
    for target in ["kind", "tenant:x", "kind:"] {
        let answer = put(&gateway, target, json!({"concurrency": 1})).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "INVALID_ID"), "{target}");
    }
    for (body, expected) in [
        (json!({}), "/on"),
        (json!({"on": "yes"}), "/on"),
        (json!({"on": true, "reason": "x".repeat(201)}), "/reason"),
        (json!({"on": true, "reason": "two\nlines"}), "/reason"),
    ] {
        assert_eq!(field(&drain(&gateway, body.clone()).await), expected, "{body}");
    }
    assert_eq!(field(&read(gateway.get("/drain?wait_ms=30001")).await), "?wait_ms");
    assert_eq!(gateway.state.control.policies(), flowork_control::Policies::default());
    assert!(!gateway.state.engines.is_draining());
}

#[tokio::test]
async fn the_autoscaler_says_when_the_number_of_workers_is_fixed() {
    let gateway = Gateway::start().await;
    let shown = read(gateway.get("/v1/autoscaler")).await.json();
    assert_eq!((&shown["enabled"], &shown["workers"], &shown["workers_max"]), (&json!(false), &json!(2), &json!(2)));
    assert!(shown["explanation"].as_str().unwrap().contains("`workers`"), "{shown}");
}

async fn queue(gateway: &Gateway, name: &str) -> Option<Value> {
    let list = read(gateway.get("/v1/queues")).await.json();
    list["items"].as_array().unwrap().iter().find(|queue| queue["name"] == name).cloned()
}

#[tokio::test]
async fn a_paused_queue_holds_its_jobs_until_it_goes_on() {
    let gateway = Gateway::start().await;
    assert!(queue(&gateway, "mail").await.is_none());
    let paused = read(gateway.post("/v1/queues/mail/pause")).await;
    assert_eq!(paused.status, StatusCode::OK, "{}", paused.text);
    let paused = paused.json();
    assert_eq!((&paused["name"], &paused["paused"], &paused["queued"]), (&json!("mail"), &json!(true), &json!(0)));
    assert_eq!((&paused["paused_by"], &paused["allowed_actions"]), (&json!("owner"), &json!(["resume"])));
    assert_eq!(read(gateway.post("/v1/queues/mail/pause")).await.json()["paused_at"], paused["paused_at"]);

    let held = gateway.enqueue("held", json!({"kind": "noop", "queue": "mail"})).await;
    let later = json!({"kind": "noop", "queue": "mail", "delay_ms": 3_600_000});
    gateway.enqueue("later", later).await;
    // A job of another queue, enqueued later, comes and goes.
    let free = gateway.enqueue("free", json!({"kind": "noop"})).await;
    let wait = async |job: &Value, wait_ms: u64| {
        read(gateway.get(&format!("/v1/jobs/{}?wait_ms={wait_ms}", job["id"].as_str().unwrap()))).await.json()["state"]
            .clone()
    };
    assert_eq!(wait(&free, 20_000).await, "completed");
    assert_eq!(wait(&held, 0).await, "queued");
    let shown = queue(&gateway, "mail").await.unwrap();
    assert_eq!((&shown["queued"], &shown["scheduled"], &shown["leased"]), (&json!(1), &json!(1), &json!(0)));
    assert!(shown["oldest_queued_age_ms"].is_u64() && shown["claim_delay_p95_ms"].is_null(), "{shown}");
    assert!(shown["enqueued_per_s"].as_f64().unwrap() > 0.0, "{shown}");
    let default = queue(&gateway, "default").await.expect("it had a job in the last minute");
    assert!(default["claim_delay_p50_ms"].is_u64() && default["finished_per_s"].as_f64().unwrap() > 0.0, "{default}");
    assert_eq!((&default["paused"], &default["allowed_actions"]), (&json!(false), &json!(["pause"])));

    let member = gateway.token("ada", Role::Member);
    let seen = read(gateway.plain(Method::GET, "/v1/queues").bearer_auth(&member)).await.json();
    let seen = seen["items"].as_array().unwrap().iter().find(|queue| queue["name"] == "mail").unwrap().clone();
    assert_eq!(
        (&seen["paused"], &seen["paused_by"], &seen["allowed_actions"]),
        (&json!(true), &Value::Null, &json!([]))
    );

    let resumed = read(gateway.post("/v1/queues/mail/resume")).await.json();
    assert_eq!((&resumed["paused"], &resumed["paused_at"]), (&json!(false), &Value::Null));
    assert_eq!(wait(&held, 20_000).await, "completed");
    assert_eq!(read(gateway.post("/v1/queues/mail/resume")).await.status, StatusCode::OK, "again is no error");
    let bad = read(gateway.post("/v1/queues/a%20b/pause")).await;
    assert_eq!((bad.status, bad.code().as_str()), (StatusCode::BAD_REQUEST, "INVALID_ID"));
}

#[tokio::test]
async fn a_limit_holds_jobs_back_as_soon_as_it_is_set_and_until_it_is_gone() {
    let gateway = Gateway::start().await;
    put(&gateway, "kind:noop", json!({"concurrency": 0})).await;
    let held = gateway.enqueue("held", json!({"kind": "noop"})).await;
    let sleep = json!({"kind": "sleep", "payload": {"duration_ms": 600_000}, "queue": "q"});
    put(&gateway, "queue:q", json!({"concurrency": 1})).await;
    let (first, second) = (gateway.enqueue("1", sleep.clone()).await, gateway.enqueue("2", sleep).await);
    let state = async |job: &Value| {
        read(gateway.get(&format!("/v1/jobs/{}", job["id"].as_str().unwrap()))).await.json()["state"].clone()
    };
    while state(&first).await != "leased" {}
    assert_eq!(state(&second).await, "queued");
    assert_eq!(state(&held).await, "queued");
    let limits = read(gateway.get("/v1/limits")).await.json()["items"].clone();
    let running =
        limits.as_array().unwrap().iter().find(|limit| limit["target"] == "queue:q").unwrap()["running"].clone();
    assert_eq!(running, 1, "{limits}");
    read(gateway.request(Method::DELETE, "/v1/limits/kind:noop")).await;
    put(&gateway, "queue:q", json!({"concurrency": 2})).await;
    while state(&second).await != "leased" {}
    for job in [&first, &second] {
        read(gateway.post(&format!("/v1/jobs/{}/cancel", job["id"].as_str().unwrap()))).await;
    }
    let waited = read(gateway.get(&format!("/v1/jobs/{}?wait_ms=20000", held["id"].as_str().unwrap()))).await.json();
    assert_eq!(waited["state"], "completed");
}

#[tokio::test]
async fn decisions_are_told_to_those_who_listen() {
    let gateway = Gateway::start().await;
    let mut events = gateway.state.engines.events().subscribe(None);
    let mut next = async |expected: Event| while events.next().await.unwrap().1.event != expected {};
    put(&gateway, "kind:noop", json!({"concurrency": 1})).await;
    next(Event::QueuesChanged).await;
    read(gateway.post("/v1/queues/q/pause")).await;
    next(Event::QueuesChanged).await;
    drain(&gateway, json!({"on": true})).await;
    next(Event::EnginesChanged).await;
}
