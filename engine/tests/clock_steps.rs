//! The wall clock is set, or the machine sleeps: no lease is lost for that.

use std::time::Duration;

use flowork_api_types::{
    engine::{FinishAnswer, RenewOutcome},
    job::JobState,
};
use serde_json::json;

use crate::support::{Home, claim, claim_one, completed, enqueue, finish, pass, renew, settle, state, within};

#[tokio::test]
async fn a_jump_forward_gives_every_lease_its_full_length_again() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    home.clock.step(3_600_000);
    settle(&engines, engine).await;
    assert!(claim(&engines, engine, 1).await.is_empty(), "its worker could not renew meanwhile");
    pass(&home, &engines, Duration::from_secs(29)).await;
    assert_eq!(renew(&engines, engine, id, epoch).await, RenewOutcome::Renewed);
    pass(&home, &engines, Duration::from_secs(31)).await;
    assert_ne!(claim_one(&engines, engine).await.epoch, epoch, "time that passes still ends leases");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_jump_back_does_not_make_leases_longer() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let first = claim_one(&engines, engine).await.epoch;
    home.clock.step(-3_600_000);
    settle(&engines, engine).await;
    pass(&home, &engines, Duration::from_secs(31)).await;
    assert_eq!(state(&engines, id).await, JobState::Queued);
    let again = claim_one(&engines, engine).await.epoch;
    assert_eq!(finish(&engines, engine, completed(id, first, json!(1))).await, FinishAnswer::LeaseLost);
    assert_eq!(finish(&engines, engine, completed(id, again, json!(2))).await, FinishAnswer::Accepted);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_jump_forward_brings_what_became_due_meanwhile() {
    let home = Home::external(1);
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x", "delay_ms": 600_000})).await.summary.id;
    home.clock.step(600_000);
    settle(&engines, home.spec.id).await;
    assert_eq!(claim_one(&engines, home.spec.id).await.id, id);
    within(engines.shutdown()).await;
}
