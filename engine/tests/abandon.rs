//! Claims whose asker goes away. The clock stands still here, so a lease that was left behind would hold for ever.

use std::time::Duration;

use flowork_api_types::job::{AttemptOutcome, JobState};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::support::{Home, ask, completed, counts, enqueue, finish, job, owner, seed, settle, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_dropped_before_a_job_comes_takes_none() {
    let home = Home::external(4);
    let engine = home.spec.id;
    let engines = home.open().await;
    for _ in 0..20 {
        let waiting = tokio::spawn({
            let engines = engines.clone();
            async move { engines.claim(engine, ask(1, 30_000)).await }
        });
        tokio::task::yield_now().await;
        waiting.abort();
        // It may or may not have begun; either way it is over.
        let _ = waiting.await;
    }
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let jobs = within(engines.claim(engine, ask(1, 30_000))).await.unwrap().jobs;
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [id]);
    within(engines.shutdown()).await;
}

/// Drops claims at moments around the arrival of a job: before, while and after it is granted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_granted_to_a_claim_that_was_dropped_is_ready_again_at_once() {
    let seed = seed();
    let mut chance = StdRng::seed_from_u64(seed);
    let home = Home::external(4);
    let engine = home.spec.id;
    let engines = home.open().await;
    let mut released = 0;
    for round in 0..300 {
        let waiting = tokio::spawn({
            let engines = engines.clone();
            async move { engines.claim(engine, ask(1, 30_000)).await.unwrap().jobs }
        });
        let enqueued = tokio::spawn({
            let engines = engines.clone();
            async move { enqueue(&engines, &format!("a{round}"), json!({"kind": "x"})).await.summary.id }
        });
        for _ in 0..chance.random_range(0..60) {
            tokio::task::yield_now().await;
        }
        if chance.random() {
            tokio::time::sleep(Duration::from_micros(chance.random_range(0..3_000))).await;
        }
        waiting.abort();
        let answered = waiting.await.unwrap_or_default();
        let id = within(enqueued).await.unwrap();
        let claimed = match answered.into_iter().next() {
            Some(claimed) => claimed,
            None => {
                let jobs = within(engines.claim(engine, ask(1, 20_000))).await.unwrap().jobs;
                jobs.into_iter().next().unwrap_or_else(|| panic!("round {round}: {id} is stuck (seed {seed})"))
            }
        };
        assert_eq!((claimed.id, claimed.attempt), (id, 1), "a release does not count as an attempt");
        released += usize::from(claimed.epoch > 1);
        let attempts = engines.attempts(&owner(), id).await.unwrap();
        assert!(attempts.iter().rev().skip(1).all(|attempt| attempt.outcome == Some(AttemptOutcome::Released)));
        finish(&engines, engine, completed(id, claimed.epoch, json!(null))).await;
        assert_eq!(job(&engines, id).await.summary.state, JobState::Completed);
    }
    println!("{released} of 300 jobs were granted to a claim that had been dropped");
    assert_eq!(counts(&engines, engine), (0, 0, 0));
    within(engines.shutdown()).await;
}

/// On one thread, so that the claim waits by the time something that was asked later is answered.
#[tokio::test]
async fn a_claim_that_waits_does_not_hold_up_the_shutdown() {
    let home = Home::external(2);
    let engine = home.spec.id;
    let engines = home.open().await;
    let waiting = tokio::spawn({
        let engines = engines.clone();
        async move { engines.claim(engine, ask(1, 30_000)).await }
    });
    settle(&engines, engine).await;
    tokio::time::timeout(Duration::from_secs(5), engines.shutdown()).await.expect("it must not wait for the claim");
    if let Ok(answer) = within(waiting).await.unwrap() {
        assert!(answer.jobs.is_empty());
    }
}
