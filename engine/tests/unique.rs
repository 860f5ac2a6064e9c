//! Of jobs with one unique key, one is open at a time.

use flowork_api_types::job::JobState;
use flowork_engine::jobs::{act::ActionError, enqueue::EnqueueError};
use serde_json::json;

use crate::support::{
    Home, claim, claim_one, completed, enqueue, enqueue_as, failed, finish, owner, request, state, trace, within,
};

#[tokio::test]
async fn a_second_job_with_the_key_is_refused_until_the_first_has_ended() {
    for shards in [1, 4] {
        let home = Home::external(shards);
        let engine = home.spec.id;
        let engines = home.open().await;
        let body = json!({"kind": "x", "unique_key": "report"});
        let first = enqueue(&engines, "a", body.clone()).await.summary;
        assert_eq!(first.unique_key.as_deref(), Some("report"));
        for n in 0..8 {
            // Their idempotency keys lead to different shards.
            let refused = engines.enqueue(&owner(), &format!("b{n}"), request(body.clone()), trace()).await;
            assert!(
                matches!(refused, Err(EnqueueError::UniqueKeyHeld { holder }) if holder == first.id),
                "{refused:?}"
            );
        }
        let again = engines.enqueue(&owner(), "a", request(body.clone()), trace()).await.unwrap();
        assert!(again.replayed, "the same request is still the same request");
        enqueue_as(&engines, "somebody else", "b", body.clone()).await;
        for claimed in claim(&engines, engine, 8).await {
            finish(&engines, engine, completed(claimed.id, claimed.epoch, json!(1))).await;
        }
        enqueue(&engines, "b0", body).await;
        within(engines.shutdown()).await;
    }
}

#[tokio::test]
async fn the_key_is_held_across_a_restart_and_freed_by_every_end() {
    let home = Home::external(2);
    let engine = home.spec.id;
    let body = || json!({"kind": "x", "unique_key": "k", "attempts_max": 1});
    let engines = home.open().await;
    let first = enqueue(&engines, "a", body()).await.summary.id;
    within(engines.shutdown()).await;
    let engines = home.open().await;
    let refused = engines.enqueue(&owner(), "b", request(body()), trace()).await;
    assert!(matches!(refused, Err(EnqueueError::UniqueKeyHeld { .. })));
    engines.cancel(&owner(), first).await.unwrap();
    let second = enqueue(&engines, "b", body()).await.summary.id;
    let again = engines.requeue(&owner(), first).await;
    assert!(matches!(again, Err(ActionError::UniqueKeyHeld { holder, .. }) if holder == second));
    let claimed = claim_one(&engines, engine).await;
    finish(&engines, engine, failed(claimed.id, claimed.epoch, true)).await;
    assert_eq!(state(&engines, second).await, JobState::Failed);
    engines.requeue(&owner(), first).await.unwrap();
    let again = engines.requeue(&owner(), second).await;
    assert!(matches!(again, Err(ActionError::UniqueKeyHeld { holder, .. }) if holder == first));
    within(engines.shutdown()).await;
}
