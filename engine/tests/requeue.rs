//! A person asks again.

use std::time::Duration;

use flowork_api_types::{
    engine::FinishAnswer,
    job::{AttemptOutcome, JobState},
};
use flowork_engine::jobs::act::ActionError;
use serde_json::json;

use crate::support::{
    Home, claim, claim_one, completed, counts, enqueue, failed, finish, job, owner, pass, state, within,
};

#[tokio::test]
async fn a_dead_job_gets_all_its_attempts_again() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let large = "p".repeat(100_000);
    let body = json!({"kind": "x", "payload": large, "attempts_max": 2, "backoff": {"initial_ms": 0}});
    let id = enqueue(&engines, "a", body).await.summary.id;
    let mut epochs = Vec::new();
    let die = async |epochs: &mut Vec<u32>| {
        for attempt in 1..=2 {
            let claimed = claim_one(&engines, engine).await;
            assert_eq!((claimed.attempt, &claimed.payload), (attempt, &json!(large)));
            epochs.push(claimed.epoch);
            finish(&engines, engine, failed(id, claimed.epoch, true)).await;
            pass(&home, &engines, Duration::from_millis(1)).await;
        }
        assert_eq!(state(&engines, id).await, JobState::Failed);
    };
    die(&mut epochs).await;
    let job_again = engines.requeue(&owner(), id).await.unwrap();
    assert_eq!((job_again.summary.state, job_again.summary.attempt), (JobState::Queued, 0));
    assert_eq!((job_again.summary.finished_at, job_again.result), (None, None));
    assert_eq!(counts(&engines, engine), (0, 1, 0));
    die(&mut epochs).await;
    engines.requeue(&owner(), id).await.unwrap();
    let last = claim_one(&engines, engine).await;
    epochs.push(last.epoch);
    assert!(epochs.is_sorted_by(|a, b| a < b), "an old worker must never look like a new one: {epochs:?}");
    assert_eq!(finish(&engines, engine, completed(id, epochs[1], json!(0))).await, FinishAnswer::LeaseLost);
    assert_eq!(finish(&engines, engine, completed(id, last.epoch, json!(1))).await, FinishAnswer::Accepted);
    let job = job(&engines, id).await;
    assert_eq!((job.summary.state, job.result, job.summary.error), (JobState::Completed, Some(json!(1)), None));
    let attempts = engines.attempts(&owner(), id).await.unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.unwrap()).collect();
    let (died, lived) = (AttemptOutcome::Failed, AttemptOutcome::Completed);
    assert_eq!(outcomes, [died, died, died, died, lived]);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn only_jobs_that_ended_without_a_result_come_back() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let refused = async |id, wanted| match engines.requeue(&owner(), id).await {
        Err(ActionError::InvalidState { state, .. }) => assert_eq!(state, wanted),
        answer => panic!("{answer:?}"),
    };
    let id = enqueue(&engines, "a", json!({"kind": "x", "delay_ms": 5})).await.summary.id;
    refused(id, JobState::Scheduled).await;
    pass(&home, &engines, Duration::from_millis(5)).await;
    refused(id, JobState::Queued).await;
    let epoch = claim_one(&engines, engine).await.epoch;
    refused(id, JobState::Leased).await;
    finish(&engines, engine, completed(id, epoch, json!(1))).await;
    refused(id, JobState::Completed).await;
    assert_eq!(job(&engines, id).await.result, Some(json!(1)));

    let cancelled = enqueue(&engines, "b", json!({"kind": "x"})).await.summary.id;
    engines.cancel(&owner(), cancelled).await.unwrap();
    let expires_at = "2026-01-01T00:00:01Z";
    let expired = enqueue(&engines, "c", json!({"kind": "x", "expires_at": expires_at})).await.summary.id;
    pass(&home, &engines, Duration::from_secs(1)).await;
    assert_eq!(state(&engines, expired).await, JobState::Expired);
    for id in [cancelled, expired] {
        assert_eq!(engines.requeue(&owner(), id).await.unwrap().summary.state, JobState::Queued);
    }
    pass(&home, &engines, Duration::from_secs(1)).await;
    assert_eq!(claim(&engines, engine, 8).await.len(), 2, "the old deadline to start is gone");
    within(engines.shutdown()).await;
}
