//! What the node does by itself: expiry at its instant, and removal.

use std::time::Duration;

use flowork_api_types::session::SessionStatus;
use flowork_engine::Clock;
use flowork_sync::{Published, machine::Command};
use flowork_test_support::sessions::{numbered, request, session_id};
use serde_json::json;

use super::world::{BEGIN, PATIENCE, World, events, eventually, names, owner, started, state, switch, until};

#[tokio::test]
async fn expiry_is_applied_at_the_instant_it_was_due() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    // The timer comes late.
    world.pass(&sessions, 10_007).await;
    let expired = until(&sessions, id, |state| state.participants[0].has_expired).await;
    assert_eq!(expired.updated_at.as_millis(), BEGIN + 10_000);
    assert_eq!((expired.status, expired.version), (SessionStatus::Running, 3));
    let answer = switch(&sessions, id).await.unwrap();
    assert_eq!(answer.expired, Some(expired.participants[0].participant_id));
    let audit = events(&sessions, id).await;
    assert_eq!(names(&audit), ["session_created", "started", "participant_expired", "cycle_switched"]);
    assert_eq!((audit[2].actor.as_deref(), audit[2].at.as_millis()), (None, BEGIN + 10_000), "the node itself did it");
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_command_that_comes_before_the_late_timer_sees_what_was_due() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({"action_on_timeout": "end_session"}))).await;
    world.clock.advance(Duration::from_secs(11));
    // No timer has looked at the clock since.
    let refused = switch(&sessions, id).await.unwrap_err();
    assert!(refused.to_string().contains("expired"), "{refused}");
    assert_eq!(state(&sessions, id).status, SessionStatus::Expired, "and it was stored");
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_version_from_before_an_expiry_loses() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({"action_on_timeout": "auto_advance"}))).await;
    world.clock.advance(Duration::from_secs(11));
    let lost = sessions.change(&owner(), id, Some(2), Command::Switch { next: None }).await.unwrap_err();
    assert!(matches!(lost, flowork_sync::ChangeError::Conflict { expected: 2, actual: 4 }), "{lost}");
    sessions.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_clock_drives_expiry_without_a_call() {
    let world = World::with_clock(Clock::System);
    let sessions = world.open().await;
    let player = json!({"participant_id": flowork_test_support::sessions::participant(0), "participant_index": 0, "total_time_ms": 1_000});
    let ending = json!({"participants": [player], "action_on_timeout": "end_session"});
    let id = started(&sessions, request(&ending)).await;
    let mut subscription = sessions.subscribe(&owner(), id).unwrap();
    let begun = subscription.current();
    let Published::Live(begun) = begun else { panic!("deleted") };
    let ended = tokio::time::timeout(PATIENCE, subscription.changed()).await.unwrap();
    let Published::Live(ended) = ended else { panic!("deleted") };
    let (begun, ended) = (begun.session().state(), ended.session().state());
    assert_eq!(ended.status, SessionStatus::Expired);
    let began = begun.session_started_at.unwrap().as_millis();
    assert_eq!(ended.session_completed_at.unwrap().as_millis(), began + 1_000, "to the millisecond");
    sessions.shutdown().await;
}

#[tokio::test]
async fn sessions_that_ended_or_were_never_started_are_removed_after_an_hour() {
    let world = World::new();
    let sessions = world.open().await;
    let ended = started(&sessions, request(&json!({}))).await;
    sessions.change(&owner(), ended, None, Command::Complete).await.unwrap();
    sessions.create(&owner(), numbered(1, &json!({}))).await.unwrap();
    let paused = started(&sessions, numbered(2, &json!({}))).await;
    sessions.change(&owner(), paused, None, Command::Pause).await.unwrap();
    let mut subscription = sessions.subscribe(&owner(), ended).unwrap();
    subscription.current();
    world.pass(&sessions, 3_599_999).await;
    // A call after the look of every shard at the clock.
    sessions.change(&owner(), paused, None, Command::Resume).await.unwrap();
    sessions.change(&owner(), paused, None, Command::Pause).await.unwrap();
    assert!(sessions.get(&owner(), ended).is_ok() && sessions.get(&owner(), session_id(1)).is_ok());
    world.pass(&sessions, 1).await;
    assert!(matches!(subscription.changed().await, Published::Deleted), "subscribers are told");
    eventually("the pending one is removed", async || sessions.get(&owner(), session_id(1)).is_err()).await;
    assert!(sessions.get(&owner(), paused).is_ok(), "a paused one is nobody's to remove");
    assert_eq!(names(&events(&sessions, ended).await), ["session_created", "started", "completed", "deleted"]);
    sessions.shutdown().await;
    let sessions = world.open().await;
    assert!(sessions.get(&owner(), ended).is_err(), "also from the file");
    assert!(sessions.get(&owner(), paused).is_ok());
    sessions.shutdown().await;
}
