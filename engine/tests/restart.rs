//! What survives the node, and what happens to what ran.

use std::time::Duration;

use flowork_api_types::{
    engine::{EngineLocation, FinishAnswer, RenewOutcome},
    job::{AttemptOutcome, JobState},
};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Home, claim, claim_one, completed, counts, ended, enqueue, finish, job, owner, pass, reached, renew, within,
};

const DAY_MS: u64 = 86_400_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_gives_running_jobs_back_without_counting_their_attempt() {
    let mut home = Home::local(2, 2);
    let engines = home.open().await;
    let body = json!({"kind": "sleep", "payload": {"duration_ms": DAY_MS}, "attempts_max": 1});
    let id = enqueue(&engines, "a", body).await.summary.id;
    reached(&engines, id, JobState::Leased).await;
    tokio::time::timeout(Duration::from_secs(4), engines.shutdown()).await.expect("the job stops when told to");

    home.spec.location = EngineLocation::External;
    let engines = home.open().await;
    let after = job(&engines, id).await.summary;
    assert_eq!((after.state, after.attempt, after.lease_expires_at), (JobState::Queued, 0, None));
    let attempts = engines.attempts(&owner(), id).await.unwrap();
    assert_eq!(attempts[0].outcome, Some(AttemptOutcome::Released));
    let again = claim_one(&engines, home.spec.id).await;
    assert_eq!((again.attempt, again.epoch), (1, 2), "its only attempt is still to come");
    within(engines.shutdown()).await;
}

/// The shutdown comes at different moments of a burst: some jobs run, some are on their way to a worker, some wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_in_the_middle_of_claims_leaves_no_lease_behind() {
    for round in 0..8 {
        let mut home = Home::local(4, 40);
        let engines = home.open().await;
        let ids = join_all((0..60).map(|n| {
            let engines = &engines;
            async move {
                let body = json!({"kind": "sleep", "payload": {"duration_ms": DAY_MS}});
                enqueue(engines, &format!("a{n}"), body).await.summary.id
            }
        }));
        let ids = ids.await;
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        tokio::time::timeout(Duration::from_secs(4), engines.shutdown()).await.expect("every job was told to stop");
        home.spec.location = EngineLocation::External;
        let engines = home.open().await;
        assert_eq!(counts(&engines, home.spec.id), (0, 60, 0), "round {round}");
        for id in ids {
            assert_eq!(job(&engines, id).await.summary.attempt, 0, "round {round}");
        }
        within(engines.shutdown()).await;
    }
}

/// A lease that an external engine holds stands for one that a killed node left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_of_a_local_worker_that_is_gone_is_taken_back_at_once() {
    let mut home = Home::external(2);
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "noop", "attempts_max": 2})).await.summary.id;
    let last = enqueue(&engines, "b", json!({"kind": "noop", "attempts_max": 1})).await.summary.id;
    while !claim(&engines, home.spec.id, 8).await.is_empty() {}
    engines.cancel(&owner(), enqueue(&engines, "c", json!({"kind": "noop"})).await.summary.id).await.unwrap();
    within(engines.shutdown()).await;

    home.spec.location = EngineLocation::Local;
    home.workers = 1;
    let engines = home.open().await;
    let after = ended(&engines, id).await.summary;
    assert_eq!((after.state, after.attempt), (JobState::Completed, 2), "the lost attempt counts");
    let attempts = engines.attempts(&owner(), id).await.unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.unwrap()).collect();
    assert_eq!(outcomes, [AttemptOutcome::LeaseExpired, AttemptOutcome::Completed]);
    let dead = job(&engines, last).await.summary;
    assert_eq!((dead.state, dead.attempt), (JobState::Failed, 1), "a job that kills its node does not do so for ever");
    assert_eq!(dead.error.map(|error| error.code), Some("LEASE_EXPIRED".to_owned()));
    assert_eq!(counts(&engines, home.spec.id), (0, 0, 0));
    within(engines.shutdown()).await;
}

/// While the node was away nobody could renew.
#[tokio::test]
async fn an_external_worker_keeps_its_lease_over_a_restart_of_the_node() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    within(engines.shutdown()).await;
    home.clock.advance(Duration::from_mins(10));

    let engines = home.open().await;
    pass(&home, &engines, Duration::from_secs(29)).await;
    assert_eq!(counts(&engines, engine), (0, 0, 1));
    assert_eq!(renew(&engines, engine, id, epoch).await, RenewOutcome::Renewed);
    assert_eq!(finish(&engines, engine, completed(id, epoch, json!(1))).await, FinishAnswer::Accepted);
    let lost = enqueue(&engines, "b", json!({"kind": "x"})).await.summary.id;
    claim_one(&engines, engine).await;
    within(engines.shutdown()).await;

    let engines = home.open().await;
    pass(&home, &engines, Duration::from_secs(30)).await;
    assert_eq!(claim_one(&engines, engine).await.id, lost, "one that does not come back loses it all the same");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn ids_go_on_rising_after_a_restart_whatever_the_clock_says() {
    let mut home = Home::external(1);
    let engines = home.open().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(enqueue(&engines, &format!("a{n}"), json!({"kind": "x"})).await.summary.id);
    }
    within(engines.shutdown()).await;
    home.clock = flowork_engine::Clock::manual(crate::support::START_MS - 3_600_000);
    let engines = home.open().await;
    for n in 0..5 {
        ids.push(enqueue(&engines, &format!("b{n}"), json!({"kind": "x"})).await.summary.id);
    }
    assert!(ids.is_sorted_by(|a, b| a.key() < b.key()));
    within(engines.shutdown()).await;
}
