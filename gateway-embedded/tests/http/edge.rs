//! What every request passes: `Host`, `Origin`, ids, headers.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::gateway::{Gateway, read};

#[tokio::test]
async fn foreign_hosts_are_refused_on_every_route() {
    let gateway = Gateway::start_with(|options| options.extra_hosts = vec!["Flowork.Lan:7717".to_owned()]).await;
    let port = gateway.handle.as_ref().unwrap().local_addr().port();
    let own = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
    ];
    for host in own.iter().map(String::as_str).chain(["flowork.lan:7717"]) {
        let answer = read(gateway.get("/v1/auth/me").header("host", host)).await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
    }
    let other_port = format!("127.0.0.1:{}", port ^ 1);
    let suffixed = format!("127.0.0.1:{port}.evil.example");
    let foreign = ["evil.example", "127.0.0.1", "localhost", "flowork.lan", &other_port, &suffixed, ""];
    for host in foreign {
        for path in ["/", "/health", "/v1/jobs", "/openapi.json", "/nothing"] {
            let answer = read(gateway.get(path).header("host", host)).await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host:?} {path}");
            assert_eq!(answer.code(), "HOST_NOT_ALLOWED", "{host:?} {path}");
        }
    }
}

#[tokio::test]
async fn foreign_origins_are_refused_and_none_is_reflected() {
    let gateway = Gateway::start_with(|options| options.extra_origins = vec!["https://gui.example".to_owned()]).await;
    let own = read(gateway.get("/v1/auth/me").header("origin", &gateway.url)).await;
    assert_eq!(own.status, StatusCode::OK);
    assert_eq!(own.header("access-control-allow-origin"), "", "its own pages need no CORS");

    let allowed = read(gateway.get("/v1/auth/me").header("origin", "https://gui.example")).await;
    assert_eq!(allowed.status, StatusCode::OK);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://gui.example");
    assert_eq!(allowed.header("access-control-allow-credentials"), "");

    for origin in ["https://evil.example", "null", "http://gui.example", "https://gui.example.evil.example", "file://"]
    {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let answer = read(gateway.request(method.clone(), "/v1/jobs").header("origin", origin)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin} {method}");
            assert_eq!(answer.code(), "ORIGIN_NOT_ALLOWED", "{origin} {method}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin} {method}");
        }
    }
}

#[tokio::test]
async fn options_lists_the_methods_and_answers_preflights_of_allowed_origins_only() {
    let gateway = Gateway::start_with(|options| options.extra_origins = vec!["https://gui.example".to_owned()]).await;
    let plain = read(gateway.plain(Method::OPTIONS, "/v1/jobs")).await;
    assert_eq!((plain.status, plain.header("allow")), (StatusCode::NO_CONTENT, "GET, HEAD, OPTIONS, POST"));
    assert_eq!(plain.header("access-control-allow-methods"), "");

    let preflight = gateway
        .plain(Method::OPTIONS, "/v1/jobs")
        .header("origin", "https://gui.example")
        .header("access-control-request-method", "POST");
    let preflight = read(preflight).await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert_eq!(preflight.header("access-control-allow-origin"), "https://gui.example");
    assert!(preflight.header("access-control-allow-headers").contains("idempotency-key"));
    assert!(preflight.header("access-control-allow-methods").contains("POST"));

    let nowhere = read(gateway.plain(Method::OPTIONS, "/v1/nothing")).await;
    assert_eq!(nowhere.code(), "ROUTE_NOT_FOUND");
}

#[tokio::test]
async fn a_sane_request_id_is_kept_and_another_replaced() {
    let gateway = Gateway::start().await;
    let sent = read(gateway.get("/v1/nothing").header("x-request-id", "abc_DEF-123")).await;
    assert_eq!(sent.header("x-request-id"), "abc_DEF-123");
    assert_eq!(sent.json()["error"]["request_id"], "abc_DEF-123");
    let long = "a".repeat(65);
    for bad in ["", "a b", "a\tb", "<script>", "ä", long.as_str()] {
        let answer = read(gateway.get("/v1/nothing").header("x-request-id", bad)).await;
        let id = answer.header("x-request-id");
        assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{bad:?} gave {id:?}");
    }
}

#[tokio::test]
async fn the_trace_of_the_request_goes_into_the_job() {
    let gateway = Gateway::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let enqueue = |key: &str, traceparent: String| {
        gateway
            .post("/v1/jobs")
            .header("Idempotency-Key", key)
            .header("traceparent", traceparent)
            .json(&json!({"kind": "noop"}))
    };
    let job = read(enqueue("a", format!("00-{trace}-00f067aa0ba902b7-01"))).await.json();
    assert_eq!(job["trace_id"], trace);
    for (n, bad) in [
        format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
        format!("00-{trace}-00f067aa0ba902b7"),
        format!("01-{trace}-00f067aa0ba902b7-01"),
        format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
        "junk".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let job = read(enqueue(&format!("bad-{n}"), bad)).await.json();
        let id = job["trace_id"].as_str().unwrap();
        assert!(id.len() == 32 && !id.eq_ignore_ascii_case(trace) && id != "0".repeat(32), "{id}");
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let gateway = Gateway::start().await;
    for (path, policy) in
        [("/", "script-src 'self'"), ("/v1/auth/me", "default-src 'none'"), ("/v1/nothing", "default-src 'none'")]
    {
        let answer = read(gateway.get(path)).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
        let csp = answer.header("content-security-policy");
        assert!(csp.contains(policy) && csp.contains("frame-ancestors 'none'"), "{path}: {csp}");
    }
    assert_eq!(read(gateway.get("/v1/auth/me")).await.header("cache-control"), "no-store");
}
