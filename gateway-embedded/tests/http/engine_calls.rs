//! An engine elsewhere: made, heard of, working.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Gateway, read};

struct Elsewhere<'a> {
    gateway: &'a Gateway,
    id: String,
    token: String,
}

impl<'a> Elsewhere<'a> {
    async fn new(gateway: &'a Gateway, name: &str) -> Self {
        let made = read(gateway.post("/v1/engines").json(&json!({"name": name}))).await.json();
        let engine = Self {
            gateway,
            id: made["engine"]["id"].as_str().unwrap().to_owned(),
            token: made["token"].as_str().unwrap().to_owned(),
        };
        let kind = json!({
            "name": "demo", "title": "Demo", "description": "A kind of another host", "timeout_ms": 60_000,
            "payload_schema": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
        });
        let heartbeat = engine.call("heartbeat", &json!({"version": "1", "capacity": 2, "busy": 0, "kinds": [kind]}));
        assert_eq!(read(heartbeat).await.json(), json!({"drain": false}));
        engine
    }

    fn call(&self, call: &str, body: &Value) -> RequestBuilder {
        let path = format!("/v1/engine/{call}");
        self.gateway.plain(Method::POST, &path).header("X-Engine-Token", &self.token).json(body)
    }
}

#[tokio::test]
async fn an_engine_claims_renews_and_finishes_over_http() {
    let gateway = Gateway::start().await;
    let engine = Elsewhere::new(&gateway, "elsewhere").await;
    let kinds = read(gateway.get("/v1/kinds")).await.json();
    let demo = kinds["items"].as_array().unwrap().iter().find(|kind| kind["name"] == "demo").expect("its kind");
    assert_eq!(demo["engine_ids"], json!([engine.id]));

    let bad = gateway.post("/v1/jobs").header("Idempotency-Key", "bad").json(&json!({"kind": "demo", "payload": {}}));
    assert_eq!(read(bad).await.code(), "VALIDATION_ERROR", "payloads are checked by the engine's own schema");
    let job = gateway.enqueue("k", json!({"kind": "demo", "payload": {"n": 7}})).await;
    assert_eq!(job["engine_id"], json!(engine.id));

    let claimed = read(engine.call("claim", &json!({"max": 5, "wait_ms": 10_000}))).await.json();
    let claimed = &claimed["jobs"][0];
    assert_eq!((&claimed["id"], &claimed["payload"]), (&job["id"], &json!({"n": 7})));
    let (id, epoch) = (&claimed["id"], &claimed["epoch"]);
    let line = json!({"at": "2026-01-01T00:00:00.000Z", "level": "info", "message": "half way"});
    let renew = json!({"jobs": [{"id": id, "epoch": epoch, "progress": {"fraction": 0.5}, "logs": [line]}]});
    let renewed = read(engine.call("renew", &renew)).await;
    assert_eq!(renewed.json()["items"][0]["outcome"], "renewed", "{}", renewed.text);

    let finish = json!({"results": [{"id": id, "epoch": epoch, "outcome": "completed", "result": {"ok": true}}]});
    for _ in 0..2 {
        let finished = read(engine.call("finish", &finish)).await.json();
        assert_eq!(finished["items"][0]["outcome"], "accepted", "also when it is repeated");
    }
    let path = format!("/v1/jobs/{}", id.as_str().unwrap());
    let done = read(gateway.get(&path)).await.json();
    assert_eq!((&done["state"], &done["result"]), (&json!("completed"), &json!({"ok": true})));
    let logs = read(gateway.get(&format!("{path}/logs"))).await.json();
    assert_eq!(logs["items"][0]["message"], "half way");
}

#[tokio::test]
async fn an_engine_can_not_touch_the_jobs_of_another() {
    let gateway = Gateway::start().await;
    let (one, two) = (Elsewhere::new(&gateway, "one").await, Elsewhere::new(&gateway, "two").await);
    let body = json!({"kind": "demo", "payload": {"n": 1}, "engine_id": one.id});
    gateway.enqueue("k", body).await;
    let nothing = read(two.call("claim", &json!({"max": 5}))).await.json();
    assert_eq!(nothing["jobs"], json!([]), "it is not in its shards");
    let claimed = read(one.call("claim", &json!({"max": 5, "wait_ms": 10_000}))).await.json();
    let (id, epoch) = (&claimed["jobs"][0]["id"], &claimed["jobs"][0]["epoch"]);
    let finish = json!({"results": [{"id": id, "epoch": epoch, "outcome": "completed", "result": 1}]});
    let stolen = read(two.call("finish", &finish)).await;
    assert_eq!(stolen.status, StatusCode::OK, "{}", stolen.text);
    assert_eq!(stolen.json()["items"][0]["outcome"], "lease_lost");
    let renewal = json!({"jobs": [{"id": id, "epoch": epoch}]});
    assert_eq!(read(two.call("renew", &renewal)).await.json()["items"][0]["outcome"], "lease_lost");
    assert_eq!(read(one.call("finish", &finish)).await.json()["items"][0]["outcome"], "accepted");
}
