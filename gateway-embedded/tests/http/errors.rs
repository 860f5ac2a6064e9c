//! Every kind of bad input: its status, its code, and words that help.

use flowork_api_types::engine::EngineLocation;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Gateway, read};

struct Case {
    name: &'static str,
    request: RequestBuilder,
    status: u16,
    code: &'static str,
    /// Somewhere in the envelope.
    says: &'static [&'static str],
}

const JOB: &str = "job_01930c5ea2f07a3c8000000000000000";

#[tokio::test]
async fn bad_input_gets_the_right_status_code_and_words() {
    let gateway = Gateway::start().await;
    let enqueue = || gateway.post("/v1/jobs").header("Idempotency-Key", "k");
    let text = |body: &'static str| enqueue().header("content-type", "application/json").body(body);
    let json = |body: Value| enqueue().json(&body);
    let get = |path: &str| gateway.get(path);
    let case = |name, request, status, code, says| Case { name, request, status, code, says };
    let cases = vec![
        case("cut JSON", text("{\"kind\": "), 400, "MALFORMED_JSON", &["line 1, column 9", "\"line\":1"][..]),
        case("a comma too many", text("{\n\"kind\":\"noop\",\n}"), 400, "MALFORMED_JSON", &["line 3"]),
        case("two values", text("{\"kind\":\"noop\"} {}"), 400, "MALFORMED_JSON", &["trailing characters"]),
        case("empty", text(""), 400, "MALFORMED_JSON", &["EOF"]),
        case("a list", text(" [\"noop\", 5]"), 400, "VALIDATION_ERROR", &["an object"]),
        case(
            "not UTF-8",
            enqueue().header("content-type", "application/json").body(&b"{\"kind\":\"\xff\"}"[..]),
            400,
            "MALFORMED_JSON",
            &[],
        ),
        case(
            "deep",
            enqueue()
                .header("content-type", "application/json")
                .body(format!("{{\"kind\":\"noop\",\"payload\":{}", "[".repeat(10_000))),
            400,
            "MALFORMED_JSON",
            &["recursion"],
        ),
        case(
            "a form",
            enqueue().header("content-type", "application/x-www-form-urlencoded").body("kind=noop"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            &["application/json"],
        ),
        case("no type", enqueue().body("{\"kind\":\"noop\"}"), 415, "UNSUPPORTED_MEDIA_TYPE", &["Content-Type"]),
        case("a missing field", json(json!({"payload": {}})), 400, "VALIDATION_ERROR", &["\"/kind\"", "is required"]),
        case(
            "an unknown field",
            json(json!({"kind": "noop", "prioritty": 1})),
            400,
            "VALIDATION_ERROR",
            &["\"/prioritty\"", "did you mean priority?"],
        ),
        case(
            "an unknown field inside",
            json(json!({"kind": "noop", "backoff": {"initial": 1}})),
            400,
            "VALIDATION_ERROR",
            &["\"/backoff/initial\"", "initial_ms"],
        ),
        case(
            "a wrong type",
            json(json!({"kind": "noop", "priority": "high"})),
            400,
            "VALIDATION_ERROR",
            &["\"/priority\""],
        ),
        case(
            "a wrong item",
            json(json!({"kind": "noop", "tags": ["a", 7]})),
            400,
            "VALIDATION_ERROR",
            &["\"/tags/1\""],
        ),
        case(
            "a bad time",
            json(json!({"kind": "noop", "run_at": "soon"})),
            400,
            "VALIDATION_ERROR",
            &["\"/run_at\"", "RFC 3339"],
        ),
        case(
            "a bad engine id",
            json(json!({"kind": "noop", "engine_id": "local"})),
            400,
            "VALIDATION_ERROR",
            &["\"/engine_id\"", "eng_"],
        ),
        case(
            "out of range",
            json(json!({"kind": "noop", "attempts_max": 0})),
            400,
            "VALIDATION_ERROR",
            &["\"/attempts_max\""],
        ),
        case("not an object", text("[]"), 400, "VALIDATION_ERROR", &[]),
        case("an unknown kind", json(json!({"kind": "slep"})), 400, "UNKNOWN_KIND", &["did you mean sleep"]),
        case(
            "a wrong payload",
            json(json!({"kind": "sleep", "payload": {"duration_ms": "long"}})),
            400,
            "VALIDATION_ERROR",
            &["\"/payload/duration_ms\"", "/v1/kinds"],
        ),
        case(
            "an unknown engine",
            json(json!({"kind": "noop", "engine_id": "eng_01930c5ea2f07a3c8000000000000000"})),
            404,
            "ENGINE_NOT_FOUND",
            &["/v1/engines"],
        ),
        case(
            "no key",
            gateway.post("/v1/jobs").json(&json!({"kind": "noop"})),
            400,
            "IDEMPOTENCY_KEY_REQUIRED",
            &["random key"],
        ),
        case(
            "a long key",
            gateway.post("/v1/jobs").header("Idempotency-Key", "k".repeat(256)).json(&json!({"kind": "noop"})),
            400,
            "INVALID_IDEMPOTENCY_KEY",
            &["255"],
        ),
        case(
            "two keys",
            enqueue().header("Idempotency-Key", "l").json(&json!({"kind": "noop"})),
            400,
            "INVALID_IDEMPOTENCY_KEY",
            &["once"],
        ),
        case(
            "a large payload",
            json(json!({"kind": "noop", "payload": "x".repeat((1 << 20) + 1)})),
            413,
            "PAYLOAD_TOO_LARGE",
            &["1048576"],
        ),
        case(
            "a large body",
            json(json!({"kind": "noop", "payload": "x".repeat(2 << 20)})),
            413,
            "BODY_TOO_LARGE",
            &["max_bytes"],
        ),
        case(
            "a large code",
            gateway.plain(Method::POST, "/v1/auth/pair").json(&json!({"code": "x".repeat(20_000)})),
            413,
            "BODY_TOO_LARGE",
            &[],
        ),
        case(
            "too many entries",
            gateway.post("/v1/jobs/batch").json(&json!({"jobs": vec![json!({"idempotency_key": "k"}); 1_001]})),
            400,
            "VALIDATION_ERROR",
            &["\"/jobs\"", "1000"],
        ),
        case("a bad id", get("/v1/jobs/7"), 400, "INVALID_ID", &["job_"]),
        case("an engine's id", get("/v1/jobs/eng_01930c5ea2f07a3c8000000000000000"), 400, "INVALID_ID", &["job_"]),
        case("a job that is not there", get(&format!("/v1/jobs/{JOB}")), 404, "JOB_NOT_FOUND", &[JOB]),
        case("its logs", get(&format!("/v1/jobs/{JOB}/logs")), 404, "JOB_NOT_FOUND", &[]),
        case("its attempts", get(&format!("/v1/jobs/{JOB}/attempts")), 404, "JOB_NOT_FOUND", &[]),
        case("its events", get(&format!("/v1/jobs/{JOB}/events")), 404, "JOB_NOT_FOUND", &[]),
        case("cancelling it", gateway.post(&format!("/v1/jobs/{JOB}/cancel")), 404, "JOB_NOT_FOUND", &[]),
        case("a long wait", get(&format!("/v1/jobs/{JOB}?wait_ms=30001")), 400, "VALIDATION_ERROR", &["\"?wait_ms\""]),
        case("an unknown parameter", get("/v1/jobs?status=queued"), 400, "VALIDATION_ERROR", &["\"?status\"", "state"]),
        case("an unknown state", get("/v1/jobs?state=running"), 400, "VALIDATION_ERROR", &["?state", "leased"]),
        case("a bad limit", get("/v1/jobs?limit=many"), 400, "VALIDATION_ERROR", &["?limit"]),
        case("a large limit", get("/v1/jobs?limit=201"), 400, "VALIDATION_ERROR", &["?limit"]),
        case("a bad cursor", get("/v1/jobs?cursor=%00"), 400, "INVALID_CURSOR", &["next_cursor"]),
        case("an unknown route", get("/v1/job"), 404, "ROUTE_NOT_FOUND", &["did you mean /v1/jobs"]),
        case("a mistyped root", gateway.plain(Method::GET, "/heath"), 404, "ROUTE_NOT_FOUND", &["/health"]),
        case(
            "a wrong method",
            gateway.request(Method::DELETE, "/v1/jobs"),
            405,
            "METHOD_NOT_ALLOWED",
            &["GET, HEAD, OPTIONS, POST"],
        ),
        case(
            "an unknown link",
            gateway.plain(Method::POST, "/v1/auth/pair").json(&json!({"code": "x"})),
            401,
            "LINK_UNKNOWN",
            &["flowork link"],
        ),
        case(
            "an unknown refresh token",
            gateway.plain(Method::POST, "/v1/auth/refresh").json(&json!({"refresh_token": "x"})),
            401,
            "REFRESH_UNKNOWN",
            &["flowork link"],
        ),
        case(
            "an engine without a name",
            gateway.post("/v1/engines").json(&json!({"name": " "})),
            400,
            "VALIDATION_ERROR",
            &["\"/name\""],
        ),
        case(
            "an engine's name twice",
            gateway.post("/v1/engines").json(&json!({"name": "local"})),
            409,
            "ENGINE_NAME_TAKEN",
            &[],
        ),
    ];
    for Case { name, request, status, code, says } in cases {
        let answer = read(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{name}: {}", answer.text);
        for words in says {
            assert!(answer.text.contains(words), "{name} does not say {words}: {}", answer.text);
        }
        if status == 405 {
            assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS, POST");
        }
    }
    let jobs = read(gateway.get("/v1/jobs")).await.json();
    assert_eq!(jobs["items"], json!([]), "nothing was enqueued");
}

#[tokio::test]
async fn a_claim_past_its_bounds_names_the_field() {
    let gateway = Gateway::start().await;
    let made = read(gateway.post("/v1/engines").json(&json!({"name": "elsewhere"}))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json()["engine"]["location"], serde_json::to_value(EngineLocation::External).unwrap());
    let token = made.json()["token"].as_str().unwrap().to_owned();
    for (body, field) in [
        (json!({"max": 0}), "/max"),
        (json!({"max": 65}), "/max"),
        (json!({"max": 1, "wait_ms": 30_001}), "/wait_ms"),
        (json!({"max": 1, "kind": []}), "/kind"),
        (json!({}), "/max"),
    ] {
        let claim = gateway.plain(Method::POST, "/v1/engine/claim").header("x-engine-token", &token).json(&body);
        let answer = read(claim).await;
        assert_eq!(answer.code(), "VALIDATION_ERROR", "{body}");
        assert_eq!(answer.json()["error"]["details"][0]["field"], field, "{body}");
    }
}

#[tokio::test]
async fn a_node_that_drains_says_so_and_still_answers_questions() {
    let gateway = Gateway::start().await;
    gateway.state.engines.drain(true);
    let refused = read(gateway.post("/v1/jobs").header("Idempotency-Key", "k").json(&json!({"kind": "noop"}))).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "DRAINING"));
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
    let ready = read(gateway.plain(Method::GET, "/ready")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json(), json!({"ready": false, "reason": "draining"}));
    assert_eq!(read(gateway.get("/v1/jobs")).await.status, StatusCode::OK);
    gateway.state.engines.drain(false);
    assert_eq!(read(gateway.plain(Method::GET, "/ready")).await.json(), json!({"ready": true, "reason": null}));
}
