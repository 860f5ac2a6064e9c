//! When nothing new is taken: a full queue, a drain.

use std::time::Duration;

use flowork_api_types::{engine::EngineState, job::JobState};
use flowork_engine::jobs::{act::ActionError, enqueue::EnqueueError};
use serde_json::json;

use crate::support::{
    Home, ask, claim, claim_one, completed, counts, ended, enqueue, failed, finish, owner, reached, request, state,
    trace, within,
};

#[tokio::test]
async fn a_full_queue_refuses_what_is_new_and_says_when_to_come_back() {
    let mut home = Home::external(4);
    home.cap = 5;
    let engine = home.spec.id;
    let engines = home.open().await;
    let cancelled = enqueue(&engines, "cancelled", json!({"kind": "x"})).await.summary.id;
    engines.cancel(&owner(), cancelled).await.unwrap();
    for n in 0..5 {
        let delay_ms = n % 2 * 60_000;
        enqueue(&engines, &format!("a{n}"), json!({"kind": "x", "delay_ms": delay_ms})).await;
    }
    let try_one = async |key, body| engines.enqueue(&owner(), key, request(body), trace()).await;
    match try_one("b", json!({"kind": "x"})).await {
        Err(EnqueueError::QueueFull { engine_id, depth, hard_cap, retry_after }) => {
            assert_eq!((engine_id, depth, hard_cap), (engine, 5, 5));
            assert!(retry_after >= Duration::from_secs(1), "{retry_after:?}");
        }
        answer => panic!("{answer:?}"),
    }
    assert!(try_one("a0", json!({"kind": "x", "delay_ms": 0})).await.unwrap().replayed, "a replay adds nothing");
    match engines.requeue(&owner(), cancelled).await {
        Err(ActionError::QueueFull { retry_after, .. }) => assert!(retry_after >= Duration::from_secs(1)),
        answer => panic!("{answer:?}"),
    }
    assert_eq!(state(&engines, cancelled).await, JobState::Cancelled);
    assert_eq!(claim(&engines, engine, 1).await.len(), 1);
    assert!(!try_one("b", json!({"kind": "x"})).await.unwrap().replayed, "there is room, and the key was not used");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_full_queue_names_the_time_in_which_a_tenth_of_it_ends() {
    let mut home = Home::external(1);
    home.cap = 100;
    let engine = home.spec.id;
    let engines = home.open().await;
    let wait = async || match engines.enqueue(&owner(), "one-more", request(json!({"kind": "x"})), trace()).await {
        Err(EnqueueError::QueueFull { retry_after, .. }) => retry_after,
        answer => panic!("{answer:?}"),
    };
    let hour = json!({"initial_ms": 3_600_000, "factor": 1.0, "max_ms": 3_600_000, "jitter": false});
    for window in 0..2 {
        for n in 0..5 {
            enqueue(&engines, &format!("ends-{window}-{n}"), json!({"kind": "x"})).await;
            let job = claim_one(&engines, engine).await;
            finish(&engines, engine, completed(job.id, job.epoch, json!(null))).await;
            // This one goes on waiting.
            enqueue(&engines, &format!("fails-{window}-{n}"), json!({"kind": "x", "backoff": hour})).await;
            let job = claim_one(&engines, engine).await;
            finish(&engines, engine, failed(job.id, job.epoch, true)).await;
        }
        home.clock.advance(Duration::from_secs(10));
    }
    for n in 0..90 {
        enqueue(&engines, &format!("waits-{n}"), json!({"kind": "x"})).await;
    }
    let seconds = Duration::from_secs;
    let first = wait().await;
    assert!((seconds(20)..=seconds(30)).contains(&first), "ten of them, at one in two seconds: {first:?}");
    home.clock.advance(seconds(60));
    let later = wait().await;
    assert!((seconds(5)..=Duration::from_millis(7_500)).contains(&later), "nobody knows any more: {later:?}");
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_node_takes_and_claims_nothing_until_it_resumes() {
    let home = Home::external(4);
    let engine = home.spec.id;
    let engines = home.open().await;
    let running = enqueue(&engines, "running", json!({"kind": "x"})).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    let waits = enqueue(&engines, "waits", json!({"kind": "x"})).await.summary.id;
    engines.drain(true);
    assert!(engines.is_draining());
    assert_eq!(engines.get(engine).unwrap().state, EngineState::Draining);
    match engines.enqueue(&owner(), "new", request(json!({"kind": "x"})), trace()).await {
        Err(EnqueueError::Draining { retry_after }) => assert!(retry_after > Duration::ZERO),
        answer => panic!("{answer:?}"),
    }
    let replay = engines.enqueue(&owner(), "waits", request(json!({"kind": "x"})), trace()).await.unwrap();
    assert_eq!((replay.replayed, replay.job.summary.id), (true, waits));
    assert!(claim(&engines, engine, 8).await.is_empty());
    let waiting = tokio::spawn({
        let engines = engines.clone();
        async move { engines.claim(engine, ask(8, 30_000)).await.unwrap().jobs }
    });
    finish(&engines, engine, completed(running, epoch, json!(1))).await;
    assert_eq!(state(&engines, running).await, JobState::Completed, "what runs ends as always");
    assert_eq!(counts(&engines, engine), (0, 1, 0));
    engines.drain(false);
    assert_eq!(within(waiting).await.unwrap()[0].id, waits);
    enqueue(&engines, "new", json!({"kind": "x"})).await;
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_workers_finish_what_runs_during_a_drain_and_go_on_after_it() {
    let home = Home::local(2, 1);
    let (go, gate) = tokio::sync::watch::channel(false);
    home.register("gated", move |_| {
        let mut gate = gate.clone();
        Box::pin(async move {
            // The sender lives as long as the test.
            let _ = gate.wait_for(|open| *open).await;
            Ok(json!(null))
        })
    });
    let engines = home.open().await;
    let runs = enqueue(&engines, "a", json!({"kind": "gated"})).await.summary.id;
    reached(&engines, runs, JobState::Leased).await;
    let waits = enqueue(&engines, "b", json!({"kind": "gated"})).await.summary.id;
    engines.drain(true);
    go.send_replace(true);
    assert_eq!(ended(&engines, runs).await.summary.state, JobState::Completed);
    within(engines.drained()).await;
    assert_eq!(state(&engines, waits).await, JobState::Queued);
    engines.drain(false);
    assert_eq!(ended(&engines, waits).await.summary.state, JobState::Completed);
    within(engines.shutdown()).await;
}
