//! Event streams: what they tell, how they resume, how they end.

use std::time::Duration;

use flowork_api_types::{auth::Role, event::Event};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Gateway, HANG, read};

/// Reads server-sent events as a browser does.
pub(crate) struct Stream {
    response: Response,
    buffer: String,
}

#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Stream {
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, buffer: String::new() }
    }

    /// The next event; `None` once the stream has ended as it should.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                if let Some(received) = parse(&block) {
                    return Some(received);
                }
                continue;
            }
            let chunk = tokio::time::timeout(HANG, self.response.chunk()).await.expect("something comes").unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    pub(crate) async fn until(&mut self, event: &str) -> Received {
        loop {
            let received = self.next().await.unwrap_or_else(|| panic!("the stream ended before {event}"));
            if received.event == event {
                return received;
            }
        }
    }
}

fn parse(block: &str) -> Option<Received> {
    let mut received = Received::default();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut received.event),
            "id" => value.clone_into(&mut received.id),
            "data" => received.data = serde_json::from_str(value).unwrap(),
            _ => {}
        }
    }
    (!received.event.is_empty()).then_some(received)
}

#[tokio::test]
async fn the_stream_goes_on_after_the_last_event_that_was_seen() {
    let gateway = Gateway::start().await;
    let events = gateway.state.engines.events();
    let mut stream = Stream::open(gateway.get("/v1/events")).await;
    events.publish(None, Event::KindsChanged);
    let seen = stream.next().await.unwrap();
    assert_eq!((seen.event.as_str(), &seen.data["type"]), ("kinds.changed", &json!("kinds.changed")));
    assert_eq!(seen.data["cursor"], json!(seen.id));
    drop(stream);

    events.publish_all([(None, Event::EnginesChanged), (None, Event::KindsChanged)]);
    let by_header = gateway.get("/v1/events").header("Last-Event-ID", &seen.id);
    let by_query = gateway.get(&format!("/v1/events?cursor={}", seen.id));
    for request in [by_header, by_query] {
        let mut stream = Stream::open(request).await;
        assert_eq!(stream.next().await.unwrap().event, "engines.changed", "nothing was missed");
        assert_eq!(stream.next().await.unwrap().event, "kinds.changed");
    }
    let mut stream = Stream::open(gateway.get("/v1/events").header("Last-Event-ID", "of-another-run")).await;
    assert_eq!(stream.next().await.unwrap().event, "resync");
}

#[tokio::test]
async fn a_member_is_told_of_their_own_jobs_only() {
    let gateway = Gateway::start().await;
    let ann = gateway.token("ann", Role::Member);
    let mut hers = Stream::open(gateway.plain(Method::GET, "/v1/events").bearer_auth(&ann)).await;
    let mut all = Stream::open(gateway.get("/v1/events")).await;
    let body = json!({"kind": "noop", "delay_ms": 3_600_000});
    let of_owner = gateway.enqueue("k", body.clone()).await;
    let request = gateway.plain(Method::POST, "/v1/jobs").bearer_auth(&ann).header("Idempotency-Key", "k").json(&body);
    let of_ann = read(request).await.json();
    assert_eq!(hers.until("job.changed").await.data["job_id"], of_ann["id"]);
    assert_eq!(all.until("job.changed").await.data["job_id"], of_owner["id"]);
    assert_eq!(all.until("job.changed").await.data["job_id"], of_ann["id"]);
}

#[tokio::test]
async fn a_jobs_stream_tells_its_progress_and_its_end() {
    let gateway = Gateway::start().await;
    let job = gateway.enqueue("k", json!({"kind": "sleep", "payload": {"duration_ms": 700}})).await;
    let path = format!("/v1/jobs/{}/events", job["id"].as_str().unwrap());
    let mut stream = Stream::open(gateway.get(&path)).await;
    let progress = stream.until("job.progress").await;
    assert_eq!(progress.data["job_id"], job["id"]);
    let mut state = Value::Null;
    let end = loop {
        let received = stream.next().await.expect("an end");
        match received.event.as_str() {
            "job.changed" => state = received.data["state"].clone(),
            "end" => break received,
            _ => {}
        }
    };
    assert_eq!((state, &end.data), (json!("completed"), &json!({"state": "completed"})));
    assert!(stream.next().await.is_none(), "the end is the last");

    // Of a job that has ended, the same again from the store.
    let mut stored = Stream::open(gateway.get(&path)).await;
    assert_eq!(stored.until("job.changed").await.data["state"], "completed");
    stored.until("end").await;
    assert!(stored.next().await.is_none());
}

#[tokio::test]
async fn signing_out_ends_the_streams_of_that_session() {
    let gateway = Gateway::start().await;
    let (session, other) = (gateway.sign_in().await, gateway.sign_in().await);
    let token = session["access_token"].as_str().unwrap();
    let mut stream = Stream::open(gateway.plain(Method::GET, "/v1/events").bearer_auth(token)).await;
    let other_token = other["access_token"].as_str().unwrap();
    read(gateway.plain(Method::POST, "/v1/auth/logout").bearer_auth(other_token)).await;
    gateway.state.engines.events().publish(None, Event::KindsChanged);
    assert_eq!(stream.next().await.unwrap().event, "kinds.changed", "another session's end is not this one's");
    read(gateway.plain(Method::POST, "/v1/auth/logout").bearer_auth(token)).await;
    let bye = stream.next().await.unwrap();
    assert_eq!((bye.event.as_str(), &bye.data), ("bye", &json!({"reason": "signed_out"})));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let gateway = Gateway::start().await;
    let token = gateway.state.tokens.sign_access("owner", Role::Owner, None, Duration::from_secs(1));
    let mut stream = Stream::open(gateway.plain(Method::GET, "/v1/events").bearer_auth(token)).await;
    let bye = stream.next().await.unwrap();
    assert_eq!((bye.event.as_str(), &bye.data), ("bye", &json!({"reason": "token_expired"})));
}

#[tokio::test]
async fn a_shutdown_says_goodbye_and_answers_what_waits() {
    let mut gateway = Gateway::start().await;
    let job = gateway.enqueue("k", json!({"kind": "noop", "delay_ms": 3_600_000})).await;
    let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    let mut streams =
        vec![Stream::open(gateway.get("/v1/events")).await, Stream::open(gateway.get(&format!("{path}/events"))).await];
    // The stream of the job has come to where it waits.
    assert_eq!(streams[1].next().await.unwrap().event, "job.changed");
    let poll = tokio::spawn(gateway.get(&format!("{path}?wait_ms=30000")).send());
    let made = read(gateway.post("/v1/engines").json(&json!({"name": "elsewhere"}))).await.json();
    let claim = gateway
        .plain(Method::POST, "/v1/engine/claim")
        .header("x-engine-token", made["token"].as_str().unwrap())
        .json(&json!({"max": 1, "wait_ms": 30_000}));
    let claim = tokio::spawn(claim.send());
    // Both are on their way once this, which was sent later, has been answered.
    read(gateway.get("/v1/status")).await;

    let handle = gateway.handle.take().unwrap();
    let down = tokio::spawn(handle.shutdown(HANG));
    for stream in &mut streams {
        let bye = stream.until("bye").await;
        assert_eq!(bye.data, json!({"reason": "stopping"}));
        assert!(stream.next().await.is_none(), "the stream is closed, not cut");
    }
    // A request that was not accepted before the stop is refused by the system; one that was, is answered.
    for waiting in [poll, claim] {
        if let Ok(response) = waiting.await.unwrap() {
            assert_eq!(response.status(), StatusCode::OK);
        }
    }
    assert_eq!(down.await.unwrap().cut, 0);
    assert!(gateway.get("/health").send().await.is_err(), "nobody listens any more");
}
