//! One key, one job.

use std::time::Duration;

use flowork_api_types::{
    EngineId,
    engine::{EngineLocation, HeartbeatRequest},
    job::JobState,
};
use flowork_engine::{
    Engines,
    jobs::{
        Caller,
        enqueue::{EnqueueError, Enqueued},
    },
};
use futures_util::{FutureExt, future::join_all};
use serde_json::{Value, json};

use crate::{
    batches::send,
    support::{
        Home, claim, claim_one, completed, counts, descriptor, finish, member, owner, pass, request, spec, trace,
        within,
    },
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
        vitals: None,
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

/// Two engines, either of which may get a key.
fn two_engines() -> (Home, [EngineId; 2]) {
    let mut home = Home::external(2);
    home.more.push(spec(2, EngineLocation::External, 3));
    let ids = [home.spec.id, home.more[0].id];
    (home, ids)
}

/// Jobs that wait on both.
fn waiting(engines: &Engines, ids: [EngineId; 2]) -> u64 {
    ids.iter().map(|id| counts(engines, *id).1).sum()
}

/// The one that got in, and the one that was told so.
fn check_one_of(answers: [Result<Enqueued, EnqueueError>; 2]) {
    match answers {
        [Ok(job), Err(EnqueueError::IdempotencyKeyReused { original })]
        | [Err(EnqueueError::IdempotencyKeyReused { original }), Ok(job)] => {
            assert_eq!(original, job.job.summary.id);
            assert!(!job.replayed);
        }
        answers => panic!("{answers:?}"),
    }
}

#[tokio::test]
async fn a_key_asked_for_on_two_engines_at_once_is_one_job() {
    let (home, [one, other]) = two_engines();
    let engines = home.open().await;
    let caller = owner();
    for round in 0..200 {
        let key = format!("k{round}");
        let at = |engine| ask(&engines, &caller, &key, json!({"kind": "x", "engine_id": engine}));
        let (first, second) = tokio::join!(at(one), at(other));
        check_one_of([first, second]);
        assert_eq!(waiting(&engines, [one, other]), round + 1);
    }
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_key_asked_for_twice_while_an_engine_comes_and_goes_is_one_job() {
    let (home, [one, other]) = two_engines();
    let engines = home.open().await;
    let caller = owner();
    let say = |runs: bool| {
        let (version, members_version) = ("1".to_owned(), None);
        let kinds = if runs { vec![descriptor("x")] } else { Vec::new() };
        let report = HeartbeatRequest { version, capacity: 1, busy: 0, kinds, vitals: None, members_version };
        engines.heartbeat(other, report).unwrap();
    };
    for round in 0..200 {
        let key = format!("k{round}");
        let once = || ask(&engines, &caller, &key, json!({"kind": "x"}));
        let come_and_go = async {
            for turn in 0..20 {
                say(turn % 2 == round % 2);
                tokio::task::yield_now().await;
            }
        };
        let (first, (), second) = tokio::join!(once(), come_and_go, once());
        assert_eq!(first.unwrap().job.summary.id, second.unwrap().job.summary.id);
        assert_eq!(waiting(&engines, [one, other]), round + 1);
    }
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn batches_with_the_same_keys_in_another_order_hold_each_other_up_for_a_moment_only() {
    let (home, [one, other]) = two_engines();
    let engines = home.open().await;
    let body = |engine: EngineId, keys: &mut dyn Iterator<Item = u32>| {
        let entry = |n| json!({"idempotency_key": format!("k{n}"), "kind": "x", "engine_id": engine});
        json!({"jobs": keys.map(entry).collect::<Vec<_>>()})
    };
    let caller = owner();
    let forth = send(&engines, &caller, "forth", body(one, &mut (0..300)));
    let back = send(&engines, &caller, "back", body(other, &mut (0..300).rev()));
    let (forth, back) = within(Box::pin(async { tokio::join!(forth, back) })).await;
    let (forth, mut back) = (forth.unwrap().1, back.unwrap().1);
    back.reverse();
    for (first, second) in std::iter::zip(forth, back) {
        check_one_of([first, second]);
    }
    assert_eq!(waiting(&engines, [one, other]), 300);
    within(engines.shutdown()).await;
}

/// Whoever gives up may have been heard: the same key on another engine must wait for what became of it.
#[tokio::test]
async fn a_request_that_is_given_up_at_any_moment_has_its_key_or_never_had_it() {
    let (home, [one, other]) = two_engines();
    let engines = home.open().await;
    let caller = owner();
    for round in 0..300 {
        let key = format!("k{round}");
        let mut given_up = Box::pin(ask(&engines, &caller, &key, json!({"kind": "x", "engine_id": one})));
        for _ in 0..round {
            if (&mut given_up).now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(given_up);
        let answer = ask(&engines, &caller, &key, json!({"kind": "x", "engine_id": other})).await;
        assert!(matches!(answer, Ok(_) | Err(EnqueueError::IdempotencyKeyReused { .. })), "{answer:?}");
        assert_eq!(waiting(&engines, [one, other]), round + 1);
    }
    within(engines.shutdown()).await;
}
