//! Leases: renewed, lost, and what a lost one still may do: nothing.

use std::time::Duration;

use flowork_api_types::{
    JobId,
    engine::{FinishAnswer, FinishRequest, NewLogLine, RenewItem, RenewOutcome, RenewRequest},
    job::{AttemptOutcome, JobState, LogLevel, Progress},
};
use serde_json::json;

use crate::support::{
    Home, claim, claim_one, completed, counts, enqueue, failed, finish, job, owner, pass, renew, settle, within,
};

const LEASE: Duration = Duration::from_secs(30);
const ALMOST_LEASE: Duration = Duration::from_millis(29_999);

#[tokio::test]
async fn expired_lease_is_claimed_again() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let first = claim_one(&engines, engine).await;
    pass(&home, &engines, ALMOST_LEASE).await;
    assert!(claim(&engines, engine, 1).await.is_empty(), "the lease still holds");
    pass(&home, &engines, Duration::from_millis(1)).await;
    assert_eq!(counts(&engines, engine), (0, 1, 0));
    let second = claim_one(&engines, engine).await;
    assert_eq!((second.id, second.attempt, second.epoch), (id, 2, first.epoch + 1));

    let before = job(&engines, id).await;
    assert_eq!(renew(&engines, engine, id, first.epoch).await, RenewOutcome::LeaseLost);
    for late in [completed(id, first.epoch, json!("late")), failed(id, first.epoch, false)] {
        assert_eq!(finish(&engines, engine, late).await, FinishAnswer::LeaseLost);
    }
    assert_eq!(job(&engines, id).await, before, "nothing changed");
    let attempts = engines.attempts(&owner(), id).await.unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| (attempt.attempt, attempt.epoch, attempt.outcome)).collect();
    assert_eq!(outcomes, [(1, first.epoch, Some(AttemptOutcome::LeaseExpired)), (2, second.epoch, None)]);
    assert_eq!(attempts[0].error.as_ref().map(|error| error.code.as_str()), Some("LEASE_EXPIRED"));

    assert_eq!(finish(&engines, engine, completed(id, second.epoch, json!("ok"))).await, FinishAnswer::Accepted);
    assert_eq!(job(&engines, id).await.result, Some(json!("ok")));
    assert_eq!(finish(&engines, engine, completed(id, first.epoch, json!("late"))).await, FinishAnswer::LeaseLost);
    assert_eq!(job(&engines, id).await.result, Some(json!("ok")));
    within(engines.shutdown()).await;
}

/// The shard wakes by itself: nothing here tells it that time has passed.
#[tokio::test]
async fn a_shard_notices_by_itself_that_a_scheduled_job_is_due() {
    let mut home = Home::external(1);
    home.clock = flowork_engine::Clock::System;
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x", "delay_ms": 300})).await.summary.id;
    let jobs = within(engines.claim(engine, crate::support::ask(1, 20_000))).await.unwrap().jobs;
    assert_eq!(jobs[0].id, id);
    let summary = job(&engines, id).await.summary;
    let late = summary.claimed_at.unwrap().as_millis() - summary.run_at.as_millis();
    assert!((0..1_000).contains(&late), "claimed {late} ms after its time");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_job_whose_attempts_all_lose_their_lease_fails() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x", "attempts_max": 2})).await.summary.id;
    for attempt in 1..=2 {
        assert_eq!(claim_one(&engines, engine).await.attempt, attempt);
        pass(&home, &engines, LEASE).await;
    }
    let job = job(&engines, id).await;
    assert_eq!((job.summary.state, job.summary.attempt), (JobState::Failed, 2));
    assert_eq!(job.summary.error.map(|error| error.code), Some("LEASE_EXPIRED".to_owned()));
    assert_eq!(counts(&engines, engine), (0, 0, 0));
    assert!(claim(&engines, engine, 1).await.is_empty());
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_renewed_lease_holds_for_its_full_length_again() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let first = claim_one(&engines, engine).await;
    for round in 1..=5 {
        pass(&home, &engines, ALMOST_LEASE).await;
        assert_eq!(renew(&engines, engine, id, first.epoch).await, RenewOutcome::Renewed, "round {round}");
        settle(&engines, engine).await;
    }
    assert!(claim(&engines, engine, 1).await.is_empty());
    pass(&home, &engines, LEASE).await;
    assert_eq!(claim_one(&engines, engine).await.epoch, first.epoch + 1, "and not for longer");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_renewal_stores_progress_and_log_lines() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    let progress = Progress { fraction: Some(0.25), message: Some("a quarter".to_owned()), output: None };
    let line = |message: &str| NewLogLine { at: job_time(&home), level: LogLevel::Info, message: message.to_owned() };
    let report = |epoch, message: &str| RenewRequest {
        jobs: vec![RenewItem { id, epoch, progress: Some(progress.clone()), logs: vec![line(message)] }],
    };
    assert_eq!(engines.renew(engine, report(epoch, "kept")).await.unwrap().items[0].outcome, RenewOutcome::Renewed);
    engines.renew(engine, report(epoch + 1, "of nobody")).await.unwrap();
    assert_eq!(job(&engines, id).await.summary.progress, Some(progress));
    let lines = engines.logs(&owner(), id, 0, 10).await.unwrap().items;
    assert_eq!(lines.iter().map(|line| (line.attempt, line.message.as_str())).collect::<Vec<_>>(), [(1, "kept")]);
    within(engines.shutdown()).await;
}

fn job_time(home: &Home) -> flowork_api_types::Timestamp {
    home.clock.now()
}

#[tokio::test]
async fn repeating_an_accepted_finish_is_accepted_and_changes_nothing() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let mut jobs = Vec::new();
    for key in ["completes", "fails", "is-retried"] {
        jobs.push(enqueue(&engines, key, json!({"kind": "x"})).await.summary.id);
        assert_eq!(claim_one(&engines, engine).await.epoch, 1);
    }
    let items = [completed(jobs[0], 1, json!(1)), failed(jobs[1], 1, false), failed(jobs[2], 1, true)];
    for item in &items {
        assert_eq!(finish(&engines, engine, item.clone()).await, FinishAnswer::Accepted);
    }
    let mut before = Vec::new();
    for &id in &jobs {
        before.push(job(&engines, id).await);
    }
    home.clock.advance(Duration::from_millis(1));
    for item in items {
        assert_eq!(finish(&engines, engine, item).await, FinishAnswer::Accepted);
    }
    assert_eq!(finish(&engines, engine, failed(jobs[0], 1, true)).await, FinishAnswer::LeaseLost, "it did not fail");
    assert_eq!(finish(&engines, engine, completed(jobs[1], 1, json!(1))).await, FinishAnswer::LeaseLost);
    for (id, before) in std::iter::zip(jobs, before) {
        assert_eq!(job(&engines, id).await, before);
    }
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn items_of_one_call_are_answered_each_for_itself() {
    let home = Home::external(4);
    let engine = home.spec.id;
    let engines = home.open().await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(enqueue(&engines, &format!("a{n}"), json!({"kind": "x"})).await.summary.id);
    }
    while !claim(&engines, engine, 64).await.is_empty() {}
    let stranger: JobId = "job_01930c5ea2f07a3c8000000000000000".parse().unwrap();
    let wanted = [
        (ids[0], 1, RenewOutcome::Renewed),
        (ids[0], 2, RenewOutcome::LeaseLost),
        (stranger, 1, RenewOutcome::LeaseLost),
        (ids[5], 1, RenewOutcome::Renewed),
        (ids[3], 0, RenewOutcome::LeaseLost),
        (ids[0], 1, RenewOutcome::Renewed),
    ];
    let item = |id, epoch| RenewItem { id, epoch, progress: None, logs: Vec::new() };
    let request = RenewRequest { jobs: wanted.iter().map(|&(id, epoch, _)| item(id, epoch)).collect() };
    let answer = engines.renew(engine, request).await.unwrap().items;
    assert_eq!(
        answer.iter().map(|item| (item.id, item.outcome)).collect::<Vec<_>>(),
        wanted.iter().map(|&(id, _, outcome)| (id, outcome)).collect::<Vec<_>>()
    );

    let results = vec![
        completed(ids[1], 1, json!(1)),
        completed(ids[1], 2, json!(1)),
        completed(stranger, 1, json!(1)),
        completed(ids[4], 1, json!(1)),
        failed(ids[4], 1, true),
    ];
    let answer = engines.finish(engine, FinishRequest { results }).await.unwrap().items;
    let (yes, no) = (FinishAnswer::Accepted, FinishAnswer::LeaseLost);
    assert_eq!(answer.iter().map(|item| item.outcome).collect::<Vec<_>>(), [yes, no, no, yes, no]);
    within(engines.shutdown()).await;
}
