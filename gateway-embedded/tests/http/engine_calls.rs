//! An engine elsewhere: made, heard of, working.

use flowork_engine::Clock;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{
    gateway::{Gateway, HANG, read},
    streams::Stream,
};

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
        assert_eq!(read(heartbeat).await.json()["drain"], false);
        engine
    }

    fn call(&self, call: &str, body: &Value) -> RequestBuilder {
        let path = format!("/v1/engine/{call}");
        self.gateway.plain(Method::POST, &path).header("X-Engine-Token", &self.token).json(body)
    }

    /// Listens to what is wanted of it; what holds at first has been heard.
    async fn directives(&self) -> Stream {
        let request = self.gateway.plain(Method::GET, "/v1/engine/directives").header("X-Engine-Token", &self.token);
        let mut stream = Stream::open(request).await;
        let first = stream.next().await.unwrap();
        assert_eq!((first.event.as_str(), first.data), ("drain", json!({"type": "drain", "on": false})));
        stream
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
    let release = json!({"jobs": [{"id": id, "epoch": epoch}]});
    assert_eq!(read(two.call("release", &release)).await.status, StatusCode::NO_CONTENT);
    let path = format!("/v1/jobs/{}", id.as_str().unwrap());
    assert_eq!(read(gateway.get(&path)).await.json()["state"], "leased", "its lease was not given back");
    let (mut ones, mut twos) = (one.directives().await, two.directives().await);
    read(gateway.post(&format!("{path}/cancel"))).await;
    assert_eq!(ones.until("cancel").await.data["job_id"], *id);
    gateway.state.engines.drain(true);
    assert_eq!(twos.next().await.unwrap().data, json!({"type": "drain", "on": true}), "and nothing of the cancel");
    assert_eq!(read(one.call("finish", &finish)).await.json()["items"][0]["outcome"], "accepted");
}

#[tokio::test]
async fn a_lease_that_is_given_back_makes_the_job_ready_at_once_and_counts_as_no_attempt() {
    let gateway = Gateway::start().await;
    let engine = Elsewhere::new(&gateway, "elsewhere").await;
    let job = gateway.enqueue("k", json!({"kind": "demo", "payload": {"n": 7}, "attempts_max": 1})).await;
    let claim = json!({"max": 5, "wait_ms": 10_000});
    let first = read(engine.call("claim", &claim)).await.json()["jobs"][0].clone();
    let release = json!({"jobs": [{"id": first["id"], "epoch": first["epoch"]}]});
    assert_eq!(read(engine.call("release", &release)).await.status, StatusCode::NO_CONTENT);
    let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(read(gateway.get(&path)).await.json()["state"], "queued");
    let second = read(engine.call("claim", &claim)).await.json()["jobs"][0].clone();
    assert_eq!((&second["id"], &second["attempt"]), (&first["id"], &first["attempt"]));
    assert_eq!(read(engine.call("release", &release)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(read(gateway.get(&path)).await.json()["state"], "leased", "the old lease is not the one that holds");
    let wrong = read(engine.call("release", &json!({"jobs": [{"id": "job_x", "epoch": 1}]}))).await;
    assert_eq!(wrong.code(), "VALIDATION_ERROR");
}

#[tokio::test]
async fn what_an_engine_reports_is_cut_to_what_is_kept() {
    let gateway = Gateway::start().await;
    let engine = Elsewhere::new(&gateway, "elsewhere").await;
    gateway.enqueue("k", json!({"kind": "demo", "payload": {"n": 7}})).await;
    let job = read(engine.call("claim", &json!({"max": 1, "wait_ms": 10_000}))).await.json()["jobs"][0].clone();
    let (id, epoch) = (&job["id"], &job["epoch"]);
    let output = format!("{}end", "é".repeat(200_000));
    let progress = json!({"fraction": 7.0, "message": "m".repeat(100_000), "output": output});
    read(engine.call("renew", &json!({"jobs": [{"id": id, "epoch": epoch, "progress": progress}]}))).await;
    let path = format!("/v1/jobs/{}", id.as_str().unwrap());
    let kept = read(gateway.get(&path)).await.json()["progress"].clone();
    let (message, output) = (kept["message"].as_str().unwrap(), kept["output"].as_str().unwrap());
    assert_eq!((&kept["fraction"], message.len()), (&json!(1.0), 8 << 10));
    assert!(output.len() <= 64 << 10 && output.ends_with("éend"), "the end is kept: {} bytes", output.len());

    let line = json!({"at": "2026-01-01T00:00:00.000Z", "level": "info", "message": "x".repeat(100_000)});
    let finish = json!({"results": [{"id": id, "epoch": epoch, "outcome": "completed", "result": 1, "logs": [line],
        "progress": {"fraction": 1.0, "message": "all", "output": "done"}}]});
    assert_eq!(read(engine.call("finish", &finish)).await.json()["items"][0]["outcome"], "accepted");
    let logs = read(gateway.get(&format!("{path}/logs"))).await.json();
    assert_eq!(logs["items"][0]["message"].as_str().unwrap().len(), 8 << 10);
    assert_eq!(read(gateway.get(&path)).await.json()["progress"]["output"], "done");
}

#[tokio::test]
async fn an_engine_hears_what_is_wanted_of_it_as_soon_as_it_is() {
    let mut gateway = Gateway::start().await;
    let engine = Elsewhere::new(&gateway, "elsewhere").await;
    gateway.enqueue("k", json!({"kind": "demo", "payload": {"n": 7}})).await;
    let job = read(engine.call("claim", &json!({"max": 1, "wait_ms": 10_000}))).await.json()["jobs"][0].clone();
    let mut stream = engine.directives().await;
    let path = format!("/v1/jobs/{}/cancel", job["id"].as_str().unwrap());
    read(gateway.post(&path)).await;
    let cancel = stream.next().await.unwrap();
    assert_eq!(cancel.event, "cancel");
    assert_eq!(cancel.data, json!({"type": "cancel", "job_id": job["id"], "epoch": job["epoch"]}));

    let engines = gateway.state.engines.clone();
    engines.fix_workers(engine.id.parse().unwrap(), Some(5)).unwrap();
    assert_eq!(stream.next().await.unwrap().data, json!({"type": "desired_workers", "workers": 5}));
    let heartbeat = json!({"version": "1", "capacity": 2, "busy": 0, "kinds": []});
    let answer = read(engine.call("heartbeat", &heartbeat)).await.json();
    assert_eq!((&answer["drain"], &answer["desired_workers"]), (&json!(false), &json!(5)));
    engines.fix_workers(engine.id.parse().unwrap(), None).unwrap();
    assert_eq!(stream.next().await.unwrap().data, json!({"type": "desired_workers", "workers": null}));
    for on in [true, false] {
        engines.drain(on);
        assert_eq!(stream.next().await.unwrap().data, json!({"type": "drain", "on": on}));
    }

    let handle = gateway.handle.take().unwrap();
    let down = tokio::spawn(handle.shutdown(HANG));
    let bye = stream.next().await.unwrap();
    assert_eq!((bye.event.as_str(), &bye.data), ("bye", &json!({"reason": "stopping"})));
    assert!(stream.next().await.is_none(), "a close that the engine understands");
    assert_eq!(down.await.unwrap().cut, 0);
}

#[tokio::test]
async fn a_machine_that_slept_ends_the_stream_of_an_engine_whose_token_has_run_out_meanwhile() {
    let clock = Clock::manual(1_767_225_600_000);
    let gateway = Gateway::start_on(clock.clone(), |_| {}).await;
    let engine = Elsewhere::new(&gateway, "elsewhere").await;
    let rotate = format!("/v1/engines/{}/token/rotate", engine.id);
    assert_eq!(read(gateway.post(&rotate).json(&json!({"grace_seconds": 7_200}))).await.status, StatusCode::OK);
    let mut stream = engine.directives().await;
    let waker = gateway.handle.as_ref().unwrap().waker();
    clock.step(3_600_000);
    waker.resumed();
    gateway.state.engines.drain(true);
    assert_eq!(stream.next().await.unwrap().event, "drain", "it has an hour left");
    clock.step(3_601_000);
    waker.resumed();
    let bye = stream.next().await.unwrap();
    assert_eq!((bye.event.as_str(), &bye.data), ("bye", &json!({"reason": "too_old"})));
}
