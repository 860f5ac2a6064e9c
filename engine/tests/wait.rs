//! Waiting for a job's end.

use std::time::{Duration, Instant};

use flowork_api_types::job::JobState;
use flowork_engine::jobs::query::JobLookupError;
use serde_json::json;

use crate::support::{Home, claim_one, completed, enqueue, finish, member, owner, within};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_ended_job_is_answered_at_once() {
    let home = Home::external(1);
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    engines.cancel(&owner(), id).await.unwrap();
    let asked = Instant::now();
    assert_eq!(engines.wait(&owner(), id, LONG).await.unwrap().summary.state, JobState::Cancelled);
    assert!(asked.elapsed() < LONG / 4);
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_job_wakes_who_waits_for_it() {
    let home = Home::external(2);
    let engine = home.spec.id;
    let engines = home.open().await;
    for round in 0..50 {
        let id = enqueue(&engines, &format!("a{round}"), json!({"kind": "x"})).await.summary.id;
        let epoch = claim_one(&engines, engine).await.epoch;
        let waiting = tokio::spawn({
            let engines = engines.clone();
            async move { engines.wait(&owner(), id, LONG).await.unwrap() }
        });
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        finish(&engines, engine, completed(id, epoch, json!(round))).await;
        let job = tokio::time::timeout(LONG / 4, waiting).await.expect("long before its wait is over").unwrap();
        assert_eq!(job.result, Some(json!(round)));
    }
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_wait_that_is_over_shows_the_job_as_it_is_by_then() {
    let home = Home::external(1);
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let (caller, wait) = (owner(), Duration::from_millis(400));
    let (answer, claimed) = tokio::join!(engines.wait(&caller, id, wait), claim_one(&engines, home.spec.id));
    assert_eq!(claimed.id, id);
    assert_eq!(answer.unwrap().summary.state, JobState::Leased);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn nobody_waits_for_a_job_they_cannot_see() {
    let home = Home::external(1);
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let refused = within(engines.wait(&member("bob"), id, LONG)).await;
    assert!(matches!(refused, Err(JobLookupError::NotFound { .. })), "{refused:?}");
    within(engines.shutdown()).await;
}
