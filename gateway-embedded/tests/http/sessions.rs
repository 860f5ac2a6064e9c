//! Sync sessions over HTTP, line by line of what is promised.

use std::time::Duration;

use flowork_api_types::auth::Role;
use flowork_engine::Clock;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Answer, Gateway, read};

pub(crate) const ID: &str = "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90";
pub(crate) const ANN: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const BOB: &str = "22222222-2222-4222-8222-222222222222";

/// A chess clock with other fields.
pub(crate) fn chess(more: Value) -> Value {
    let player =
        |id: &str, index: u32| json!({"participant_id": id, "participant_index": index, "total_time_ms": 60_000});
    let mut body = json!({
        "session_id": ID, "sync_mode": "per_participant", "participants": [player(ANN, 0), player(BOB, 1)],
        "total_time_ms": 120_000,
    });
    let Value::Object(more) = more else { panic!("fields are an object") };
    body.as_object_mut().unwrap().extend(more);
    body
}

pub(crate) async fn create(gateway: &Gateway, more: Value) -> Value {
    let answer = read(gateway.post("/v1/sessions").json(&chess(more))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.json()["data"].clone()
}

fn act(gateway: &Gateway, verb: &str) -> RequestBuilder {
    gateway.post(&format!("/v1/sessions/{ID}/{verb}"))
}

pub(crate) async fn done(gateway: &Gateway, verb: &str) -> Value {
    let answer = read(act(gateway, verb)).await;
    assert_eq!(answer.status, StatusCode::OK, "{verb}: {}", answer.text);
    answer.json()["data"].clone()
}

fn refused(answer: &Answer, status: StatusCode, code: &str) -> Value {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text);
    answer.json()["error"]["details"].clone()
}

#[tokio::test]
async fn a_session_runs_from_create_to_delete() {
    let gateway = Gateway::start().await;
    let made = read(gateway.post("/v1/sessions").json(&chess(json!({"increment_ms": 500})))).await;
    assert_eq!((made.status, made.header("location")), (StatusCode::CREATED, format!("/v1/sessions/{ID}").as_str()));
    assert_eq!(made.header("etag"), "\"1\"");
    let state = &made.json()["data"];
    assert_eq!(
        (&state["status"], &state["version"], &state["created_by"]),
        (&json!("pending"), &json!(1), &json!("owner"))
    );
    assert_eq!(state["action_on_timeout"], "none");
    assert_eq!(state.get("computed"), None, "only GET has it");

    let started = done(&gateway, "start").await;
    assert_eq!((&started["status"], &started["active_participant_id"]), (&json!("running"), &json!(ANN)));
    assert!(started["cycle_started_at"].as_str().unwrap().ends_with('Z'));

    let switched = read(act(&gateway, "switch")).await;
    assert_eq!((switched.status, switched.header("etag")), (StatusCode::OK, "\"3\""));
    let mut fields: Vec<_> = switched.json()["data"].as_object().unwrap().keys().cloned().collect();
    fields.sort_unstable();
    let expected = ["active_participant_id", "cycle_started_at", "participants", "session_id", "status", "version"];
    assert_eq!(fields, expected, "nobody's time ran out");
    let back = read(act(&gateway, "switch").json(&json!({"next_participant_id": ANN}))).await.json();
    assert_eq!(back["data"]["active_participant_id"], ANN);

    assert_eq!(done(&gateway, "pause").await["cycle_started_at"], Value::Null);
    let shown = read(gateway.get(&format!("/v1/sessions/{ID}"))).await;
    assert_eq!((shown.status, shown.header("etag")), (StatusCode::OK, "\"5\""));
    let shown = &shown.json()["data"];
    assert_eq!(
        (&shown["status"], &shown["allowed_actions"]),
        (&json!("paused"), &json!(["resume", "complete", "cancel"]))
    );
    let remaining = shown["computed"]["active_remaining_ms"].as_u64().unwrap();
    assert_eq!(json!(remaining), shown["participants"][0]["total_time_ms"], "it stands still");
    assert!(shown["computed"]["now_ms"].as_i64().unwrap() > 1_700_000_000_000);

    assert_eq!(done(&gateway, "resume").await["status"], "running");
    let ended = done(&gateway, "complete").await;
    assert_eq!((&ended["status"], &ended["active_participant_id"]), (&json!("completed"), &Value::Null));

    let events = read(gateway.get(&format!("/v1/sessions/{ID}/events?limit=3"))).await.json()["data"].clone();
    let names: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["session_created", "started", "cycle_switched"]);
    let cursor = events["next_cursor"].as_str().unwrap();
    let rest = read(gateway.get(&format!("/v1/sessions/{ID}/events?cursor={cursor}"))).await.json();
    assert_eq!(rest["data"]["items"].as_array().unwrap().len(), 4);

    for _ in 0..2 {
        let gone = read(gateway.request(Method::DELETE, &format!("/v1/sessions/{ID}"))).await;
        assert_eq!((gone.status, gone.text.as_str()), (StatusCode::NO_CONTENT, ""), "also what is not there");
    }
    for request in [gateway.get(&format!("/v1/sessions/{ID}")), act(&gateway, "start"), act(&gateway, "switch")] {
        refused(&read(request).await, StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
    }
}

#[tokio::test]
async fn changes_are_for_the_version_they_name() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    done(&gateway, "start").await;
    let stale = json!({"expected_version": 1, "actual_version": 2});
    for request in [
        act(&gateway, "switch").header("If-Match", "\"1\""),
        act(&gateway, "switch").json(&json!({"expected_version": 1})),
        act(&gateway, "pause").header("If-Match", "\"1\""),
        act(&gateway, "complete").json(&json!({"expected_version": 1})),
        gateway.request(Method::DELETE, &format!("/v1/sessions/{ID}")).header("If-Match", "\"1\""),
    ] {
        assert_eq!(refused(&read(request).await, StatusCode::CONFLICT, "CONFLICT"), stale);
    }
    let won = read(act(&gateway, "switch").header("If-Match", "\"2\"")).await;
    assert_eq!((won.status, &won.json()["data"]["version"]), (StatusCode::OK, &json!(3)));
    let won = read(act(&gateway, "pause").json(&json!({"expected_version": 3}))).await;
    assert_eq!((won.status, &won.json()["data"]["version"]), (StatusCode::OK, &json!(4)));
    let both = act(&gateway, "resume").header("If-Match", "\"4\"").json(&json!({"expected_version": 5}));
    let details = refused(&read(both).await, StatusCode::BAD_REQUEST, "VALIDATION_ERROR");
    assert_eq!(details[0]["code"], "contradicts");
    let details = refused(
        &read(act(&gateway, "resume").header("If-Match", "four")).await,
        StatusCode::BAD_REQUEST,
        "VALIDATION_ERROR",
    );
    assert_eq!((&details[0]["field"], &details[0]["code"]), (&json!("If-Match"), &json!("invalid")));
    // A weak tag matches nothing, also with the right version.
    for request in [
        act(&gateway, "resume").header("If-Match", "W/\"4\""),
        gateway.request(Method::DELETE, &format!("/v1/sessions/{ID}")).header("If-Match", "W/\"4\""),
    ] {
        let answer = read(request).await;
        refused(&answer, StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED");
        assert!(answer.json()["error"]["hint"].as_str().unwrap().contains("\"7\""), "it says what to send");
    }
    assert_eq!(read(gateway.get(&format!("/v1/sessions/{ID}"))).await.json()["data"]["version"], 4);
}

#[tokio::test]
async fn moves_that_are_not_possible_name_the_status() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    for (before, verb, status) in [
        (None, "switch", "pending"),
        (None, "pause", "pending"),
        (Some("start"), "start", "running"),
        (None, "resume", "running"),
        (Some("cancel"), "complete", "cancelled"),
    ] {
        if let Some(before) = before {
            done(&gateway, before).await;
        }
        let answer = read(act(&gateway, verb)).await;
        let details = refused(&answer, StatusCode::BAD_REQUEST, "INVALID_STATE_TRANSITION");
        assert_eq!((&details["status"], &details["action"]), (&json!(status), &json!(verb)));
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(status));
    }
}

#[tokio::test]
async fn what_is_wrong_has_field_message_and_code() {
    let gateway = Gateway::start().await;
    let check = async |body: String, expected: &[(&str, &str)]| {
        let request = gateway.post("/v1/sessions").header("Content-Type", "application/json").body(body.clone());
        let details = refused(&read(request).await, StatusCode::BAD_REQUEST, "VALIDATION_ERROR");
        let details = details.as_array().unwrap().clone();
        let found: Vec<_> =
            details.iter().map(|one| (one["field"].as_str().unwrap(), one["code"].as_str().unwrap())).collect();
        assert_eq!(found, expected, "{body}");
        assert!(details.iter().all(|one| !one["message"].as_str().unwrap().is_empty()));
    };
    let with = |more: Value| chess(more).to_string();
    check("{\"session_id\": ".to_owned(), &[("", "malformed_json")]).await;
    check("[]".to_owned(), &[("", "invalid_type")]).await;
    check("{}".to_owned(), &[("/session_id", "required")]).await;
    check(with(json!({"session_id": "7"})), &[("/session_id", "invalid_uuid")]).await;
    check(with(json!({"sync_mode": "chess"})), &[("/sync_mode", "unknown_value")]).await;
    check(with(json!({"participants": 7})), &[("/participants", "invalid_type")]).await;
    check(with(json!({"colour": "red"})), &[("/colour", "unknown_field")]).await;
    check(with(json!({"total_time_ms": -1})), &[("/total_time_ms", "invalid")]).await;
    let below = json!([{"participant_id": ANN, "participant_index": -1, "total_time_ms": 60_000}]);
    check(with(json!({"participants": below})), &[("/participants/0/participant_index", "invalid")]).await;
    check(
        with(json!({"total_time_ms": 999, "increment_ms": 60_001, "sync_mode": "per_cycle"})),
        &[("/total_time_ms", "out_of_range"), ("/increment_ms", "out_of_range"), ("/time_per_cycle_ms", "required")],
    )
    .await;
    for path in ["/v1/sessions/7", "/v1/sessions/0f9b2c1e5d534a6e9d0c3b1f6a7e8d90"] {
        let details = refused(&read(gateway.get(path)).await, StatusCode::BAD_REQUEST, "VALIDATION_ERROR");
        assert_eq!((&details[0]["field"], &details[0]["code"]), (&json!("session_id"), &json!("invalid_uuid")));
    }
    create(&gateway, json!({})).await;
    let again = read(gateway.post("/v1/sessions").json(&chess(json!({})))).await;
    refused(&again, StatusCode::CONFLICT, "SESSION_EXISTS");
    done(&gateway, "start").await;
    let stranger = act(&gateway, "switch").json(&json!({"next_participant_id": ID}));
    let details = refused(&read(stranger).await, StatusCode::BAD_REQUEST, "VALIDATION_ERROR");
    assert_eq!(details[0]["code"], "unknown_participant");
    let form = act(&gateway, "switch").header("Content-Type", "text/plain").body("{}");
    refused(&read(form).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test]
async fn nobody_is_switched_to_who_has_no_time_left_where_the_node_advances() {
    let clock = Clock::manual(1_800_000_000_000);
    let gateway = Gateway::start_on(clock.clone(), |_| {}).await;
    let to_ann = || act(&gateway, "switch").json(&json!({"next_participant_id": ANN}));
    create(&gateway, json!({"action_on_timeout": "auto_advance"})).await;
    done(&gateway, "start").await;
    clock.advance(Duration::from_mins(1));
    let answer = read(to_ann()).await;
    let details = refused(&answer, StatusCode::BAD_REQUEST, "VALIDATION_ERROR");
    assert_eq!(
        (&details[0]["field"], &details[0]["code"]),
        (&json!("/next_participant_id"), &json!("no_time_left")),
        "{details}"
    );
    assert!(details[0]["message"].as_str().unwrap().contains(ANN));
    assert!(answer.json()["error"]["hint"].as_str().unwrap().contains("leave next_participant_id out"));
    let state = read(gateway.get(&format!("/v1/sessions/{ID}"))).await.json()["data"].clone();
    assert_eq!((&state["version"], &state["active_participant_id"]), (&json!(4), &json!(BOB)), "nothing else changed");
    read(gateway.request(Method::DELETE, &format!("/v1/sessions/{ID}"))).await;
    // Where the node does nothing, whoever is named gets the turn.
    create(&gateway, json!({"action_on_timeout": "none"})).await;
    done(&gateway, "start").await;
    clock.advance(Duration::from_mins(1));
    assert_eq!(done(&gateway, "switch").await["expired_participant_id"], ANN);
    let switched = read(to_ann()).await.json();
    assert_eq!(switched["data"]["active_participant_id"], ANN, "{switched}");
    assert_eq!(switched["data"]["participants"][0]["has_expired"], true);
}

#[tokio::test]
async fn lists_show_what_the_caller_may_see() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({"metadata": {"title": "finals"}})).await;
    done(&gateway, "start").await;
    let list = read(gateway.get("/v1/sessions")).await.json()["data"].clone();
    let item = &list["items"][0];
    assert_eq!((&item["status"], &item["participant_count"]), (&json!("running"), &json!(2)));
    assert_eq!(
        (&item["active_participant"]["participant_id"], &item["metadata"]["title"]),
        (&json!(ANN), &json!("finals"))
    );
    assert!(item["computed"]["active_remaining_ms"].as_u64().unwrap() <= 60_000);
    assert_eq!(list["next_cursor"], Value::Null);

    let path = format!("/v1/sessions/{ID}");
    let as_role = |role, method, path: &str| gateway.plain(method, path).bearer_auth(gateway.token("somebody", role));
    let none = read(as_role(Role::Member, Method::GET, "/v1/sessions")).await.json();
    assert_eq!(none["data"]["items"], json!([]));
    refused(&read(as_role(Role::Member, Method::GET, &path)).await, StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
    let foreign = as_role(Role::Member, Method::POST, &format!("{path}/pause"));
    refused(&read(foreign).await, StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
    assert_eq!(read(as_role(Role::Member, Method::DELETE, &path)).await.status, StatusCode::NO_CONTENT);
    let viewed = read(as_role(Role::Viewer, Method::GET, &path)).await;
    assert_eq!(viewed.json()["data"]["status"], "running", "nobody deleted it");
    let watched = as_role(Role::Viewer, Method::POST, &format!("{path}/pause"));
    refused(&read(watched).await, StatusCode::FORBIDDEN, "FORBIDDEN");
    for limit in ["0", "201", "x"] {
        let answer = read(gateway.get(&format!("/v1/sessions?limit={limit}"))).await;
        refused(&answer, StatusCode::BAD_REQUEST, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn switches_of_a_session_have_a_limit_and_say_when_the_next_is_possible() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    done(&gateway, "start").await;
    // Ten are possible at once; however slow this machine is, twenty a second are too many at some point.
    let mut answer = read(act(&gateway, "switch")).await;
    let mut switches = 1;
    while answer.status == StatusCode::OK {
        let mut burst: Vec<_> = (0..40).map(|_| tokio::spawn(read(act(&gateway, "switch")))).collect();
        switches += burst.len();
        for one in burst.drain(..) {
            let one = one.await.unwrap();
            if one.status != StatusCode::OK {
                answer = one;
            }
        }
        assert!(switches < 4_000, "there is no limit");
    }
    let details = refused(&answer, StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED");
    assert_eq!(details["retry_after_seconds"], 1);
    assert_eq!(answer.header("retry-after"), "1");
    assert!(answer.header("ratelimit").starts_with("\"switches\";r=0"), "{}", answer.header("ratelimit"));
    assert_eq!(answer.header("ratelimit-policy"), "\"switches\";q=10;w=1");
}

#[tokio::test]
async fn one_person_has_so_many_sessions_and_is_told_what_to_do() {
    let gateway = Gateway::start_with(|options| options.rates.sessions = None).await;
    let member = gateway.token("somebody", Role::Member);
    let make = |number: usize| {
        let body = chess(json!({"session_id": format!("{number:08x}-0000-4000-8000-000000000000")}));
        read(gateway.plain(Method::POST, "/v1/sessions").bearer_auth(&member).json(&body))
    };
    for number in 0..flowork_sync::SESSIONS_PER_OWNER_MAX {
        let answer = make(number).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    }
    let answer = make(flowork_sync::SESSIONS_PER_OWNER_MAX).await;
    let details = refused(&answer, StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED");
    assert_eq!((&details["budget"], &details["max"]), (&json!("sessions_held"), &json!(500)));
    assert_eq!((&details["retry_after_seconds"], answer.header("retry-after")), (&json!(60), "60"));
    assert!(answer.header("ratelimit").starts_with("\"sessions_held\";r=0"), "{}", answer.header("ratelimit"));
    assert!(answer.json()["error"]["hint"].as_str().unwrap().contains("delete"));
    create(&gateway, json!({})).await;
}

#[tokio::test]
async fn whichever_budget_is_used_up_clients_of_sessions_know_the_code() {
    // Guests count by their address too, and a name that is no loopback one makes a caller remote.
    let once = || Some("1/h".parse().unwrap());
    let gateway = Gateway::start_with(|options| {
        options.rates = flowork_gateway::Rates { address: once(), read: once(), time: once(), ..options.rates.clone() };
        options.extra_hosts = vec!["flowork.lan".to_owned()];
    })
    .await;
    let code = async |method: Method, path: &str, token: Option<&str>| {
        let request = gateway.plain(method, path).header("Host", "flowork.lan");
        let answer = read(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await;
        (answer.status == StatusCode::TOO_MANY_REQUESTS).then(|| {
            assert!(answer.json()["error"]["details"]["retry_after_seconds"].as_u64().unwrap() >= 1);
            assert!(!answer.header("retry-after").is_empty() && !answer.header("ratelimit").is_empty());
            answer.code()
        })
    };
    let exceeded = Some("RATE_LIMIT_EXCEEDED".to_owned());
    code(Method::GET, "/v1/time", None).await;
    assert_eq!(code(Method::GET, "/v1/time", None).await, exceeded);
    // Without credentials, when the address has used up what it may.
    code(Method::GET, "/v1/sessions", None).await;
    assert_eq!(code(Method::GET, "/v1/sessions", None).await, exceeded);
    assert_eq!(code(Method::POST, &format!("/v1/sessions/{ID}/switch"), None).await, exceeded);
    assert_eq!(code(Method::GET, "/v1/jobs", None).await.as_deref(), Some("RATE_LIMITED"), "the others keep theirs");
    let member = gateway.token("somebody", Role::Member);
    code(Method::GET, "/ws", Some(&member)).await;
    assert_eq!(code(Method::GET, "/ws", Some(&member)).await, exceeded);
}

#[tokio::test]
async fn a_caller_has_a_budget_for_sessions() {
    let gateway = Gateway::start_with(|options| options.rates.sessions = Some("3/h".parse().unwrap())).await;
    let member = gateway.token("somebody", Role::Member);
    let list = || gateway.plain(Method::GET, "/v1/sessions").bearer_auth(&member);
    for _ in 0..3 {
        let answer = read(list()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.header("ratelimit").starts_with("\"sessions\";r="), "{}", answer.header("ratelimit"));
    }
    let answer = read(list()).await;
    let details = refused(&answer, StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED");
    assert!(details["retry_after_seconds"].as_u64().unwrap() >= 1 && !answer.header("retry-after").is_empty());
    assert_eq!(
        read(gateway.get("/v1/sessions")).await.status,
        StatusCode::OK,
        "the owner's own node is not limited so"
    );
}

#[tokio::test]
async fn the_time_is_for_everybody_and_the_one_that_sessions_go_by() {
    let gateway = Gateway::start().await;
    let answer = read(gateway.plain(Method::GET, "/v1/time")).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"));
    let time = answer.json();
    assert_eq!((&time["server_version"], &time["drift_tolerance_ms"]), (&json!("1.2.3"), &json!(50)));
    assert_eq!(time.as_object().unwrap().len(), 3, "no envelope");
    let before = time["timestamp_ms"].as_i64().unwrap();
    let made = create(&gateway, json!({})).await;
    let after = read(gateway.plain(Method::GET, "/v1/time")).await.json()["timestamp_ms"].as_i64().unwrap();
    let made: flowork_api_types::Timestamp = made["created_at"].as_str().unwrap().parse().unwrap();
    assert!((before..=after).contains(&made.as_millis()));
    assert!(Duration::from_millis((after - before).unsigned_abs()) < super::gateway::HANG);
}
