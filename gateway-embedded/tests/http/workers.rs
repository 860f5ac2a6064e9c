//! How many workers engines have, as people decide.

use flowork_api_types::{auth::Role, engine::EngineLocation};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    gateway::{Answer, Gateway, read},
    streams::Stream,
};

async fn local(gateway: &Gateway) -> Value {
    read(gateway.get("/v1/engines")).await.json()["items"][0].clone()
}

async fn put(gateway: &Gateway, engine: &Value, body: &Value) -> Answer {
    let path = format!("/v1/engines/{}/workers", engine["id"].as_str().unwrap());
    read(gateway.request(Method::PUT, &path).json(body)).await
}

#[tokio::test]
async fn a_decision_is_in_force_shown_and_explained_until_it_is_taken_back() {
    let gateway = Gateway::start().await;
    let mut events = Stream::open(gateway.get("/v1/events")).await;
    let engine = local(&gateway).await;
    assert_eq!((&engine["workers"], &engine["workers_fixed"]), (&json!(2), &Value::Null));
    assert_eq!(engine["allowed_actions"], json!(["set_workers"]));

    let answer = put(&gateway, &engine, &json!({"workers": 5})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!((&answer.json()["workers"], &answer.json()["workers_fixed"]), (&json!(5), &json!(5)));
    assert_eq!(gateway.state.engines.workers(), 5);
    let told = events.until("autoscaled").await.data;
    assert_eq!((&told["from"], &told["to"], &told["reason"]), (&json!(2), &json!(5), &json!("fixed")));
    assert_eq!(told["explanation"], "A person decided on 5 workers; before there were 2.");

    let shown = read(gateway.get("/v1/autoscaler")).await.json();
    assert_eq!((&shown["fixed"]["workers"], &shown["fixed"]["by"]), (&json!(5), &json!("owner")));
    assert!(shown["fixed"]["since"].is_string());
    assert_eq!(shown["decisions"].as_array().unwrap().len(), 1);
    let status = read(gateway.get("/v1/status")).await.json()["engines"][0].clone();
    assert_eq!((&status["workers_fixed"], &status["allowed_actions"]), (&json!(5), &json!(["set_workers"])));

    let again = put(&gateway, &engine, &json!({"workers": 5})).await;
    assert_eq!(again.status, StatusCode::OK);
    let back = put(&gateway, &engine, &json!({"workers": null})).await.json();
    assert_eq!((&back["workers"], &back["workers_fixed"]), (&json!(2), &Value::Null));
    let shown = read(gateway.get("/v1/autoscaler")).await.json();
    assert_eq!((&shown["fixed"], shown["decisions"].as_array().unwrap().len()), (&Value::Null, 2));
    assert!(gateway.state.control.policies().workers.is_empty());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_bounds_and_changes_nothing() {
    let gateway = Gateway::start().await;
    let engine = local(&gateway).await;
    for (workers, hinted) in [(json!(0), true), (json!(257), false)] {
        let answer = put(&gateway, &engine, &json!({"workers": workers})).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"));
        assert!(answer.text.contains("not between 1 and 256") && answer.text.contains("/workers"), "{}", answer.text);
        assert_eq!(answer.json()["error"]["hint"].to_string().contains("drain"), hinted, "{}", answer.text);
    }
    for body in [json!({}), json!({"workers": -1}), json!({"workers": 1.5}), json!({"workers": "3"}), json!({"w": 1})] {
        assert_eq!(put(&gateway, &engine, &body).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let nobody = json!({"id": "eng_01930c5ea2f07a3c8000000000000099"});
    let answer = put(&gateway, &nobody, &json!({"workers": 3})).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "ENGINE_NOT_FOUND"));
    assert!(gateway.state.control.policies().workers.is_empty());
    assert_eq!(gateway.state.engines.workers(), 2);
}

#[tokio::test]
async fn who_may_not_decide_is_not_offered_it_and_learns_no_names() {
    let gateway = Gateway::start().await;
    let engine = local(&gateway).await;
    put(&gateway, &engine, &json!({"workers": 3})).await;
    let operator = gateway.token("op", Role::Operator);
    let see = async |token: &str| {
        let engines = read(gateway.plain(Method::GET, "/v1/engines").bearer_auth(token)).await.json();
        let scaler = read(gateway.plain(Method::GET, "/v1/autoscaler").bearer_auth(token)).await.json();
        (engines["items"][0]["allowed_actions"].clone(), scaler["fixed"]["by"].clone())
    };
    assert_eq!(see(&operator).await.0, json!(["set_workers"]), "an operator may");
    assert_eq!(see(&gateway.token("script", Role::Member)).await, (json!([]), Value::Null));
}

#[tokio::test]
async fn an_engine_elsewhere_hears_of_it() {
    let gateway = Gateway::start().await;
    let made = read(gateway.post("/v1/engines").json(&json!({"name": "elsewhere"}))).await.json();
    let directives = gateway.plain(Method::GET, "/v1/engine/directives");
    let mut stream = Stream::open(directives.header("x-engine-token", made["token"].as_str().unwrap())).await;
    assert_eq!(stream.next().await.unwrap().event, "drain");
    let answer = put(&gateway, &made["engine"], &json!({"workers": 7})).await.json();
    assert_eq!((&answer["workers"], &answer["workers_fixed"]), (&json!(0), &json!(7)), "it was never heard");
    assert_eq!(stream.next().await.unwrap().data, json!({"type": "desired_workers", "workers": 7}));
    let actions = answer["allowed_actions"].clone();
    assert_eq!(actions, json!(["set_workers", "rotate_token", "revoke_token"]));
}

#[tokio::test]
async fn the_kinds_of_an_engine_elsewhere_are_kept_for_the_next_start() {
    let gateway = Gateway::start().await;
    let made = read(gateway.post("/v1/engines").json(&json!({"name": "elsewhere"}))).await.json();
    let kind = json!({"name": "demo", "title": "Demo", "description": "", "payload_schema": {"type": "object"},
        "timeout_ms": 1_000, "reaches_machine": true});
    let beat = json!({"version": "1", "capacity": 2, "busy": 0, "kinds": [kind]});
    let heartbeat = gateway.plain(Method::POST, "/v1/engine/heartbeat");
    let heartbeat = heartbeat.header("x-engine-token", made["token"].as_str().unwrap()).json(&beat);
    assert_eq!(read(heartbeat).await.status, StatusCode::OK);
    let kept = gateway.state.control.engine_kinds(gateway.state.clock.now()).await.unwrap();
    let [(engine, kinds)] = kept.as_slice() else { panic!("one engine: {kept:?}") };
    assert_eq!(engine.to_string(), made["engine"]["id"].as_str().unwrap());
    assert_eq!((kinds.len(), kinds[0].name.as_str(), kinds[0].reaches_machine), (1, "demo", true));
    let external = |location| gateway.state.engines.list().iter().any(|engine| engine.location == location);
    assert!(external(EngineLocation::External) && external(EngineLocation::Local));
}
