//! Which job comes next, and when.

use std::time::Duration;

use flowork_api_types::{
    Timestamp,
    job::{Job, JobState},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::support::{
    Home, START_MS, claim, claim_one, counts, enqueue, failed, finish, job, pass, seed, settle, state, within,
};

#[tokio::test]
async fn jobs_come_by_priority_then_time_then_id() {
    let mut chance = StdRng::seed_from_u64(seed());
    let home = Home::external(1);
    let engines = home.open().await;
    let mut jobs = Vec::new();
    for n in 0..100 {
        let run_at = Timestamp(START_MS - chance.random_range(0..3));
        let body = json!({"kind": "x", "priority": chance.random_range(0..3), "run_at": run_at});
        jobs.push(enqueue(&engines, &format!("a{n}"), body).await.summary);
    }
    jobs.sort_by_key(|job| (job.priority, job.run_at, job.id));
    let wanted: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let mut claimed = Vec::new();
    while claimed.len() < wanted.len() {
        let batch = claim(&engines, home.spec.id, chance.random_range(1..=7)).await;
        assert!(!batch.is_empty());
        claimed.extend(batch.into_iter().map(|job| job.id));
    }
    assert_eq!(claimed, wanted);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_scheduled_job_is_ready_at_its_time_and_not_before() {
    let home = Home::external(2);
    let engine = home.spec.id;
    let engines = home.open().await;
    let delayed = enqueue(&engines, "a", json!({"kind": "x", "delay_ms": 10_000})).await.summary;
    let dated = enqueue(&engines, "b", json!({"kind": "x", "run_at": "2026-01-01T00:00:10Z"})).await.summary;
    assert_eq!((delayed.state, delayed.run_at), (JobState::Scheduled, dated.run_at));
    assert_eq!(counts(&engines, engine), (2, 0, 0));
    pass(&home, &engines, Duration::from_millis(9_999)).await;
    assert!(claim(&engines, engine, 8).await.is_empty());
    pass(&home, &engines, Duration::from_millis(1)).await;
    assert_eq!(counts(&engines, engine), (0, 2, 0));
    assert_eq!(claim(&engines, engine, 8).await.len(), 2);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_job_expires_unless_it_was_started_in_time() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let body = |priority, delay_ms| {
        let expires_at = "2026-01-01T00:00:10Z";
        json!({"kind": "x", "priority": priority, "delay_ms": delay_ms, "expires_at": expires_at})
    };
    let started = enqueue(&engines, "started", body(0, 0)).await.summary.id;
    let waits = enqueue(&engines, "waits", body(1, 0)).await.summary.id;
    let scheduled = enqueue(&engines, "scheduled", body(1, 60_000)).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    pass(&home, &engines, Duration::from_millis(9_999)).await;
    assert_eq!(state(&engines, waits).await, JobState::Queued);
    pass(&home, &engines, Duration::from_millis(1)).await;
    assert_eq!(state(&engines, waits).await, JobState::Expired);
    assert_eq!(state(&engines, scheduled).await, JobState::Expired);
    assert_eq!(counts(&engines, engine), (0, 0, 1));
    finish(&engines, engine, failed(started, epoch, true)).await;
    pass(&home, &engines, Duration::from_mins(1)).await;
    assert_eq!(claim_one(&engines, engine).await.attempt, 2, "what was started in time may be tried again later");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_failed_attempt_waits_longer_each_time_until_none_is_left() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let backoff = json!({"initial_ms": 1_000, "factor": 3.0, "max_ms": 2_500, "jitter": false});
    let body = json!({"kind": "x", "attempts_max": 4, "backoff": backoff});
    let id = enqueue(&engines, "a", body).await.summary.id;
    for (attempt, wait_ms) in [(1, 1_000), (2, 2_500), (3, 2_500)] {
        let claimed = claim_one(&engines, engine).await;
        assert_eq!(claimed.attempt, attempt);
        finish(&engines, engine, failed(id, claimed.epoch, true)).await;
        let Job { summary, .. } = job(&engines, id).await;
        assert_eq!((summary.state, summary.attempt), (JobState::Scheduled, attempt));
        assert_eq!(summary.error.map(|error| error.code), Some("BOOM".to_owned()));
        assert_eq!(summary.run_at.as_millis() - home.clock.now().as_millis(), wait_ms);
        pass(&home, &engines, Duration::from_millis(wait_ms as u64 - 1)).await;
        assert!(claim(&engines, engine, 1).await.is_empty());
        pass(&home, &engines, Duration::from_millis(1)).await;
    }
    let epoch = claim_one(&engines, engine).await.epoch;
    finish(&engines, engine, failed(id, epoch, true)).await;
    assert_eq!(state(&engines, id).await, JobState::Failed);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn jitter_spreads_waits_between_nothing_and_the_full_wait() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let mut waits = Vec::new();
    for n in 0..50 {
        let backoff = json!({"initial_ms": 10_000, "factor": 1.0, "max_ms": 10_000, "jitter": true});
        let id = enqueue(&engines, &format!("a{n}"), json!({"kind": "x", "backoff": backoff})).await.summary.id;
        let epoch = claim_one(&engines, engine).await.epoch;
        finish(&engines, engine, failed(id, epoch, true)).await;
        waits.push(job(&engines, id).await.summary.run_at.as_millis() - START_MS);
    }
    assert!(waits.iter().all(|wait| (0..=10_000).contains(wait)), "{waits:?}");
    // By chance one run in 10^14 fails here.
    assert!(waits.iter().any(|wait| *wait < 5_000) && waits.iter().any(|wait| *wait > 5_000), "{waits:?}");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_failure_that_would_only_repeat_itself_ends_the_job() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x", "attempts_max": 5})).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    finish(&engines, engine, failed(id, epoch, false)).await;
    let job = job(&engines, id).await.summary;
    assert_eq!((job.state, job.attempt), (JobState::Failed, 1));
    settle(&engines, engine).await;
    assert_eq!(counts(&engines, engine), (0, 0, 0));
    within(engines.shutdown()).await;
}
