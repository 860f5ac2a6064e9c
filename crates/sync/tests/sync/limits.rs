//! Bounds, and what happens at them.

use std::time::Duration;

use flowork_sync::{ChangeError, CreateError, Pace};
use serde_json::json;

use super::world::{World, numbered, owner, participant, request, started, state, switch};

#[tokio::test]
async fn a_session_is_switched_ten_times_a_second_and_no_more() {
    let world = World { switches: Pace { per_second: 10 }, ..World::new() };
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    let other = started(&sessions, numbered(1, &json!({}))).await;
    for _ in 0..10 {
        switch(&sessions, id).await.unwrap();
    }
    let refused = switch(&sessions, id).await.unwrap_err();
    let ChangeError::TooFast { per_second: 10, retry_after } = refused else { panic!("{refused}") };
    assert_eq!(retry_after, Duration::from_millis(100));
    switch(&sessions, other).await.expect("each session has its own limit");
    world.clock.advance(retry_after);
    switch(&sessions, id).await.unwrap();
    assert_eq!(state(&sessions, id).version, 13);
    sessions.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ten_thousandth_session_is_the_last_and_room_comes_back() {
    let world = World::new();
    let sessions = world.open().await;
    let mut creates = Vec::new();
    for number in 0..10_000 {
        let sessions = sessions.clone();
        creates
            .push(tokio::spawn(async move { sessions.create(&owner(), numbered(number, &json!({}))).await.is_ok() }));
    }
    for create in creates {
        assert!(create.await.unwrap());
    }
    let refused = sessions.create(&owner(), numbered(10_000, &json!({}))).await.unwrap_err();
    assert!(matches!(refused, CreateError::Full), "{refused}");
    sessions.delete(&owner(), super::world::session_id(77), None).await.unwrap();
    sessions.create(&owner(), numbered(10_000, &json!({}))).await.unwrap();
    sessions.shutdown().await;
    let sessions = world.open().await;
    let refused = sessions.create(&owner(), numbered(10_001, &json!({}))).await.unwrap_err();
    assert!(matches!(refused, CreateError::Full), "also after a restart: {refused}");
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_thousand_participants_take_their_turns() {
    let world = World::new();
    let sessions = world.open().await;
    let player =
        |number| json!({"participant_id": participant(number), "participant_index": number, "total_time_ms": 5_000});
    let players: Vec<_> = (0..1_000).map(player).collect();
    let id = started(&sessions, request(&json!({"participants": players}))).await;
    for _ in 0..1_000 {
        world.clock.advance(Duration::from_millis(1));
        switch(&sessions, id).await.unwrap();
    }
    let state = state(&sessions, id);
    assert_eq!(state.active_participant_id, Some(participant(0)), "once round");
    assert!(state.participants.iter().all(|one| (one.time_used_ms, one.cycle_count) == (1, 1)));
    sessions.shutdown().await;
}
