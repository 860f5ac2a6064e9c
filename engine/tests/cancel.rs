//! Cancel: at once where nothing runs, within a second where something does.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use flowork_api_types::{
    engine::{FinishAnswer, RenewOutcome},
    event::Event,
    job::{AttemptOutcome, JobAction, JobState},
};
use flowork_engine::jobs::act::ActionError;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Home, claim, claim_one, completed, counts, ended, enqueue, failed, finish, job, member, owner, reached, renew,
    request, state, trace, within,
};
const DAY_MS: u64 = 86_400_000;

#[tokio::test]
async fn a_job_that_waits_is_cancelled_at_once() {
    let home = Home::external(1);
    let engines = home.open().await;
    for (key, delay_ms) in [("queued", 0), ("scheduled", 5_000)] {
        let id = enqueue(&engines, key, json!({"kind": "x", "delay_ms": delay_ms})).await.summary.id;
        let job = engines.cancel(&owner(), id).await.unwrap();
        assert_eq!(job.summary.state, JobState::Cancelled, "{key}");
        assert_eq!(job.summary.allowed_actions, [JobAction::Requeue]);
    }
    assert!(claim(&engines, home.spec.id, 8).await.is_empty());
    assert_eq!(counts(&engines, home.spec.id), (0, 0, 0));
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_job_is_cancelled_within_a_second() {
    let home = Home::local(1, 1);
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "sleep", "payload": {"duration_ms": DAY_MS}})).await.summary.id;
    reached(&engines, id, JobState::Leased).await;
    let asked = Instant::now();
    engines.cancel(&owner(), id).await.unwrap();
    let job = ended(&engines, id).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "it took {:?}", asked.elapsed());
    assert_eq!(job.summary.state, JobState::Cancelled);
    let attempts = engines.attempts(&owner(), id).await.unwrap();
    assert_eq!(attempts[0].outcome, Some(AttemptOutcome::Cancelled));
    within(engines.drained()).await;
    within(engines.shutdown()).await;
}

/// A cancel may come in between the claim's commit and the start of its task.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_reaches_a_job_that_is_only_just_claimed() {
    let home = Home::local(4, 200);
    let engines = home.open().await;
    let mut feed = engines.events().subscribe(None);
    let canceller = tokio::spawn({
        let engines = engines.clone();
        async move {
            let (mut seen, mut cancels) = (HashSet::new(), Vec::new());
            while seen.len() < 200 {
                let (_, envelope) = feed.next().await.expect("the node is not stopping");
                let Event::JobChanged { job_id, state: JobState::Leased, .. } = envelope.event else { continue };
                // Its cancel changes the job once more, with the same state.
                if seen.insert(job_id) {
                    let engines = engines.clone();
                    cancels.push(tokio::spawn(async move { engines.cancel(&owner(), job_id).await.map(|_| ()) }));
                }
            }
            join_all(cancels).await
        }
    });
    let ids = join_all((0..200).map(|n| {
        let engines = &engines;
        async move {
            let body = json!({"kind": "sleep", "payload": {"duration_ms": DAY_MS}});
            enqueue(engines, &format!("a{n}"), body).await.summary.id
        }
    }))
    .await;
    within(canceller).await.unwrap();
    let asked = Instant::now();
    for id in ids {
        assert_eq!(ended(&engines, id).await.summary.state, JobState::Cancelled);
    }
    let renewal = Duration::from_secs(10);
    assert!(asked.elapsed() < renewal / 2, "a renewal would tell them after {renewal:?}: {:?}", asked.elapsed());
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn an_external_worker_hears_of_a_cancel_at_its_next_renewal() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    let asked = engines.cancel(&owner(), id).await.unwrap();
    assert_eq!((asked.summary.state, asked.summary.cancel_requested), (JobState::Leased, true));
    assert!(asked.summary.allowed_actions.is_empty(), "it was asked already");
    assert_eq!(renew(&engines, engine, id, epoch).await, RenewOutcome::CancelRequested);
    assert_eq!(finish(&engines, engine, failed(id, epoch, true)).await, FinishAnswer::Accepted);
    assert_eq!(state(&engines, id).await, JobState::Cancelled, "it is not retried");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_cancel_that_came_too_late_lets_the_result_stand() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    engines.cancel(&owner(), id).await.unwrap();
    assert_eq!(finish(&engines, engine, completed(id, epoch, json!(1))).await, FinishAnswer::Accepted);
    assert_eq!(job(&engines, id).await.result, Some(json!(1)));
    let refused = engines.cancel(&owner(), id).await.unwrap_err();
    assert!(
        matches!(refused, ActionError::InvalidState { state: JobState::Completed, action: JobAction::Cancel, .. }),
        "{refused:?}"
    );
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn nobody_cancels_jobs_they_cannot_see() {
    let home = Home::external(1);
    let engines = home.open().await;
    let id = engines.enqueue(&member("ann"), "a", request(json!({"kind": "x"})), trace()).await.unwrap().job.summary.id;
    let refused = engines.cancel(&member("bob"), id).await.unwrap_err();
    assert!(matches!(refused, ActionError::NotFound { .. }), "{refused:?}");
    let refused = engines.requeue(&member("bob"), id).await.unwrap_err();
    assert!(matches!(refused, ActionError::NotFound { .. }), "{refused:?}");
    assert_eq!(state(&engines, id).await, JobState::Queued);
    within(engines.shutdown()).await;
}
