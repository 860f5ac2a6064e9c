//! One key, one job.

use std::time::Duration;

use flowork_api_types::{engine::EngineLocation, job::JobState};
use flowork_engine::{
    Engines,
    jobs::{
        Caller,
        enqueue::{EnqueueError, Enqueued},
    },
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Home, claim, claim_one, completed, counts, finish, member, owner, pass, request, spec, trace, within,
};

async fn ask(engines: &Engines, caller: &Caller, key: &str, body: Value) -> Result<Enqueued, EnqueueError> {
    engines.enqueue(caller, key, request(body), trace()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_duplicates_at_once_are_one_job() {
    let home = Home::external(4);
    let engines = home.open().await;
    let body = json!({"kind": "x", "payload": {"n": 1}, "tags": ["a"]});
    let answers = join_all((0..100).map(|_| {
        let (engines, body) = (engines.clone(), body.clone());
        tokio::spawn(async move { ask(&engines, &owner(), "same", body).await.unwrap() })
    }))
    .await;
    let answers: Vec<Enqueued> = answers.into_iter().map(Result::unwrap).collect();
    let first = answers[0].job.summary.id;
    assert!(answers.iter().all(|answer| answer.job.summary.id == first));
    assert_eq!(answers.iter().filter(|answer| answer.replayed).count(), 99);
    assert_eq!(counts(&engines, home.spec.id), (0, 1, 0));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_key_with_another_body_names_the_job_it_was_used_for() {
    let home = Home::external(2);
    let engines = home.open().await;
    let original = ask(&engines, &owner(), "k", json!({"kind": "x", "payload": 1})).await.unwrap().job.summary.id;
    for other in [
        json!({"kind": "x", "payload": 2}),
        json!({"kind": "y", "payload": 1}),
        json!({"kind": "x", "payload": 1, "priority": 100}),
    ] {
        match ask(&engines, &owner(), "k", other).await {
            Err(EnqueueError::IdempotencyKeyReused { original: named }) => assert_eq!(named, original),
            answer => panic!("{answer:?}"),
        }
    }
    assert_eq!(counts(&engines, home.spec.id), (0, 1, 0));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn keys_belong_to_their_caller() {
    let home = Home::external(1);
    let engines = home.open().await;
    let ann = ask(&engines, &member("ann"), "k", json!({"kind": "x"})).await.unwrap();
    let bob = ask(&engines, &member("bob"), "k", json!({"kind": "x", "payload": 2})).await.unwrap();
    assert!(!bob.replayed && ann.job.summary.id != bob.job.summary.id);
    assert!(ask(&engines, &member("ann"), "k", json!({"kind": "x"})).await.unwrap().replayed);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_replay_after_a_restart_shows_the_original_as_it_is_now() {
    let home = Home::external(4);
    let engine = home.spec.id;
    let body = json!({"kind": "x", "payload": {"n": 1}});
    let engines = home.open().await;
    let id = ask(&engines, &owner(), "k", body.clone()).await.unwrap().job.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    finish(&engines, engine, completed(id, epoch, json!("r"))).await;
    within(engines.shutdown()).await;

    let engines = home.open().await;
    let answer = ask(&engines, &owner(), "k", body).await.unwrap();
    assert!(answer.replayed);
    assert_eq!((answer.job.summary.id, answer.job.summary.state), (id, JobState::Completed));
    assert_eq!(answer.job.result, Some(json!("r")));
    let reused = ask(&engines, &owner(), "k", json!({"kind": "x"})).await;
    assert!(matches!(reused, Err(EnqueueError::IdempotencyKeyReused { .. })), "{reused:?}");
    assert!(claim(&engines, engine, 8).await.is_empty(), "nothing was enqueued again");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_replay_is_found_even_when_the_request_would_not_be_valid_any_more() {
    let home = Home::external(2);
    let engines = home.open().await;
    let body = json!({"kind": "x", "expires_at": "2026-01-01T00:00:10Z"});
    let id = ask(&engines, &owner(), "k", body.clone()).await.unwrap().job.summary.id;
    pass(&home, &engines, Duration::from_secs(20)).await;
    let answer = ask(&engines, &owner(), "k", body.clone()).await.unwrap();
    assert_eq!((answer.replayed, answer.job.summary.id), (true, id));
    assert_eq!(answer.job.summary.state, JobState::Expired);
    let fresh = ask(&engines, &owner(), "other", body).await;
    assert!(matches!(fresh, Err(EnqueueError::InvalidFields { .. })), "{fresh:?}");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_replay_is_found_when_nothing_runs_its_kind_any_more() {
    let home = Home::external(1);
    let engines = home.open().await;
    let body = json!({"kind": "x"});
    let id = ask(&engines, &owner(), "k", body.clone()).await.unwrap().job.summary.id;
    let report = flowork_api_types::engine::HeartbeatRequest {
        version: "1".to_owned(),
        capacity: 1,
        busy: 0,
        kinds: Vec::new(),
        members_version: None,
    };
    engines.heartbeat(home.spec.id, report).unwrap();
    assert_eq!(ask(&engines, &owner(), "k", body.clone()).await.unwrap().job.summary.id, id);
    let fresh = ask(&engines, &owner(), "other", body).await;
    assert!(matches!(fresh, Err(EnqueueError::UnknownKind { .. })), "{fresh:?}");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_replay_finds_its_engine_after_another_one_came() {
    let mut home = Home::external(2);
    let engines = home.open().await;
    let mut originals = Vec::new();
    for n in 0..20 {
        let key = format!("k{n}");
        originals.push((ask(&engines, &owner(), &key, json!({"kind": "x"})).await.unwrap().job.summary.id, key));
    }
    within(engines.shutdown()).await;
    home.more.push(spec(2, EngineLocation::External, 3));
    let engines = home.open().await;
    for (id, key) in originals {
        let answer = ask(&engines, &owner(), &key, json!({"kind": "x"})).await.unwrap();
        assert_eq!((answer.replayed, answer.job.summary.id), (true, id));
    }
    let mut chosen = std::collections::HashSet::new();
    for n in 0..40 {
        chosen.insert(
            ask(&engines, &owner(), &format!("n{n}"), json!({"kind": "x"})).await.unwrap().job.summary.engine_id,
        );
    }
    assert_eq!(chosen.len(), 2, "new jobs go to both");
    within(engines.shutdown()).await;
}
