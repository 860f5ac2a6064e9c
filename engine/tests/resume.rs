//! A machine that slept: its wall clock went on, its steady one and its timers stood still.

use std::time::Duration;

use flowork_api_types::{
    engine::{EngineLocation, EngineState, RenewOutcome},
    event::Event,
    job::JobState,
};
use flowork_engine::jobs::enqueue::EnqueueError;
use serde_json::json;

use crate::support::{
    Home, ask, claim_one, descriptor, enqueue, finish, owner, renew, request, spec, state, trace, within,
};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn what_came_due_in_a_sleep_is_ready_at_once() {
    let home = Home::external(1);
    let engines = home.open().await;
    let job = enqueue(&engines, "k", json!({"kind": "x", "delay_ms": HOUR_MS / 2})).await;
    assert_eq!(state(&engines, job.summary.id).await, JobState::Scheduled);
    home.clock.step(HOUR_MS);
    engines.resumed();
    // Without the call it is noticed once a timer runs out that stood still, in half a minute.
    let claimed = within(engines.claim(home.spec.id, ask(1, 10_000))).await.unwrap().jobs;
    assert_eq!(claimed.first().map(|claimed| claimed.id), Some(job.summary.id));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn leases_outlive_a_sleep_and_clients_fetch_anew() {
    let home = Home::external(1);
    let engines = home.open().await;
    let id = enqueue(&engines, "k", json!({"kind": "x"})).await.summary.id;
    let claimed = claim_one(&engines, home.spec.id).await;
    let mut events = engines.events().subscribe(None);
    home.clock.step(HOUR_MS);
    engines.resumed();
    assert_eq!(within(events.next()).await.unwrap().1.event, Event::Resync);
    assert_eq!(renew(&engines, home.spec.id, id, claimed.epoch).await, RenewOutcome::Renewed);
    assert_eq!(state(&engines, id).await, JobState::Leased, "its attempt goes on");
    let end = crate::support::completed(id, claimed.epoch, json!(null));
    finish(&engines, home.spec.id, end).await;
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn engines_elsewhere_are_not_stale_because_this_machine_slept() {
    let mut home = Home::external(1);
    home.more = vec![spec(2, EngineLocation::External, 1)];
    let engines = home.open().await;
    home.clock.advance(Duration::from_secs(59));
    home.clock.step(HOUR_MS);
    assert_eq!(engines.list()[0].state, EngineState::Stale);
    engines.resumed();
    assert_eq!(engines.list()[0].state, EngineState::Up, "59 s of silence, as before");
    home.clock.advance(Duration::from_secs(2));
    assert_eq!(engines.list()[0].state, EngineState::Stale, "and two more are too many");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn the_kinds_of_an_engine_elsewhere_are_known_after_a_start_until_it_is_silent_for_a_minute() {
    let home = Home::external(1);
    let engines = home.open().await;
    let elsewhere = spec(2, EngineLocation::External, 1);
    engines.add(elsewhere.clone()).await.unwrap();
    let put = async |key: &str| engines.enqueue(&owner(), key, request(json!({"kind": "z"})), trace()).await;
    assert!(matches!(put("k1").await, Err(EnqueueError::UnknownKind { .. })));
    engines.recall_kinds(elsewhere.id, vec![descriptor("z")]);
    assert_eq!(put("k2").await.unwrap().job.summary.engine_id, elsewhere.id);
    assert!(engines.list_kinds().items.iter().any(|kind| kind.engine_ids == [elsewhere.id]));
    assert_eq!(engines.get(elsewhere.id).unwrap().state, EngineState::Stale, "it was not heard");
    home.clock.advance(Duration::from_secs(61));
    assert!(matches!(put("k3").await, Err(EnqueueError::KindUnavailable { .. })));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn what_an_engine_says_itself_counts_more_than_what_is_remembered() {
    let home = Home::external(1);
    let engines = home.open().await;
    engines.recall_kinds(home.spec.id, vec![descriptor("z")]);
    let refused = engines.enqueue(&owner(), "k", request(json!({"kind": "z"})), trace()).await;
    assert!(matches!(refused, Err(EnqueueError::UnknownKind { .. })));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_drain_at_the_end_can_be_taken_back_and_one_that_a_person_asked_for_stays() {
    let home = Home::local(1, 1);
    let engines = home.open().await;
    engines.drain_to_end();
    engines.drain(false);
    assert!(engines.is_draining() && engines.is_ending(), "the node is about to stop");
    engines.undrain();
    assert!(!engines.is_draining() && !engines.is_ending());
    let job = enqueue(&engines, "k", json!({"kind": "noop"})).await;
    crate::support::ended(&engines, job.summary.id).await;
    engines.drain_to_end();
    engines.drain(true);
    engines.undrain();
    assert!(engines.is_draining() && engines.drain_is_asked());
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_clock_that_goes_back_keeps_no_engine_that_is_gone() {
    let home = Home::external(1);
    let engines = home.open().await;
    let elsewhere = spec(2, EngineLocation::External, 1);
    engines.add(elsewhere.clone()).await.unwrap();
    engines.recall_kinds(elsewhere.id, vec![descriptor("z")]);
    home.clock.step(-HOUR_MS);
    let heard = engines.get(home.spec.id).unwrap();
    assert_eq!((heard.state, heard.last_seen_at), (EngineState::Up, Some(home.clock.now())), "no time has passed");
    let is_known = || engines.list_kinds().items.iter().any(|kind| kind.engine_ids == [elsewhere.id]);
    assert!(is_known());
    home.clock.advance(Duration::from_secs(61));
    assert_eq!(engines.get(home.spec.id).unwrap().state, EngineState::Stale);
    assert!(!is_known());
    within(engines.shutdown()).await;
}
