//! Bounds, and what happens at them.

use std::time::Duration;

use flowork_sync::{
    ChangeError, CreateError, OwnerBound, PARTICIPANTS_PER_OWNER_MAX, Pace, RUNNING_PER_OWNER_MAX,
    SESSIONS_PER_OWNER_MAX, machine::Command,
};
use flowork_test_support::sessions::{numbered, participant, request, session_id};
use serde_json::json;

use super::world::{World, member, owner, started, state, switch};

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

#[tokio::test]
async fn what_is_refused_costs_no_switch_and_is_bounded_for_itself() {
    let world = World { switches: Pace { per_second: 10 }, ..World::new() };
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    let stale = async || sessions.change(&owner(), id, Some(1), Command::Switch { next: None }).await.unwrap_err();
    for _ in 0..50 {
        let refused = stale().await;
        assert!(matches!(refused, ChangeError::Conflict { .. }), "{refused}");
    }
    let stranger = Command::Switch { next: Some(participant(9)) };
    let refused = sessions.change(&owner(), id, None, stranger).await.unwrap_err();
    assert!(matches!(refused, ChangeError::Refused(_)), "{refused}");
    for _ in 0..10 {
        switch(&sessions, id).await.expect("all ten are there still");
    }
    let refused = switch(&sessions, id).await.unwrap_err();
    assert!(matches!(refused, ChangeError::TooFast { .. }), "{refused}");
    world.clock.advance(Duration::from_secs(10));
    // Whoever asks again and again is told to wait.
    let refused = loop {
        match stale().await {
            ChangeError::Conflict { .. } => {}
            other => break other,
        }
    };
    let ChangeError::TooManyRefused { per_second: 100, retry_after } = refused else { panic!("{refused}") };
    world.clock.advance(retry_after);
    switch(&sessions, id).await.unwrap();
    sessions.shutdown().await;
}

#[tokio::test]
async fn one_person_has_so_many_sessions_and_whoever_runs_the_node_has_more() {
    let world = World::new();
    let sessions = world.open().await;
    let (ann, bob) = (member("ann"), member("bob"));
    let max = u32::try_from(SESSIONS_PER_OWNER_MAX).unwrap();
    for number in 0..max {
        sessions.create(&ann, numbered(number, &json!({}))).await.unwrap();
    }
    let refused = sessions.create(&ann, numbered(max, &json!({}))).await.unwrap_err();
    assert!(matches!(refused, CreateError::OwnerFull { bound: OwnerBound::Sessions }), "{refused}");
    sessions.create(&bob, numbered(max, &json!({}))).await.expect("bob has none");
    for number in max + 1..max * 2 + 2 {
        sessions.create(&owner(), numbered(number, &json!({}))).await.expect("the node's own");
    }
    sessions.delete(&ann, session_id(0), None).await.unwrap();
    sessions.create(&ann, numbered(0, &json!({}))).await.expect("room comes back");
    sessions.shutdown().await;
    let sessions = world.open().await;
    let refused = sessions.create(&ann, numbered(max * 3, &json!({}))).await.unwrap_err();
    assert!(matches!(refused, CreateError::OwnerFull { .. }), "also after a restart: {refused}");
    sessions.shutdown().await;
}

#[tokio::test]
async fn one_person_has_so_many_participants() {
    let world = World::new();
    let sessions = world.open().await;
    let ann = member("ann");
    let player =
        |number| json!({"participant_id": participant(number), "participant_index": number, "total_time_ms": 5_000});
    let large = json!({"participants": (0..1_000).map(player).collect::<Vec<_>>()});
    let max = u32::try_from(PARTICIPANTS_PER_OWNER_MAX / 1_000).unwrap();
    for number in 0..max {
        sessions.create(&ann, numbered(number, &large)).await.unwrap();
    }
    let refused = sessions.create(&ann, numbered(max, &json!({}))).await.unwrap_err();
    assert!(matches!(refused, CreateError::OwnerFull { bound: OwnerBound::Participants }), "{refused}");
    sessions.shutdown().await;
}

#[tokio::test]
async fn one_person_has_so_many_sessions_that_run() {
    let world = World::new();
    let sessions = world.open().await;
    let ann = member("ann");
    let max = u32::try_from(RUNNING_PER_OWNER_MAX).unwrap();
    for number in 0..=max {
        sessions.create(&ann, numbered(number, &json!({}))).await.unwrap();
    }
    let change = async |number, command| sessions.change(&ann, session_id(number), None, command).await;
    for number in 0..max {
        change(number, Command::Start).await.unwrap();
    }
    let full = |outcome: Result<_, ChangeError>| {
        assert!(matches!(outcome, Err(ChangeError::OwnerFull { bound: OwnerBound::Running })));
    };
    full(change(max, Command::Start).await);
    assert_eq!(state(&sessions, session_id(max)).version, 1, "nothing of it happened");
    change(0, Command::Pause).await.unwrap();
    change(max, Command::Start).await.expect("one that is paused makes room");
    full(change(0, Command::Resume).await);
    change(1, Command::Complete).await.unwrap();
    change(0, Command::Resume).await.expect("and one that has ended");
    // A session that pauses and goes on has its place back as often as it likes.
    for _ in 0..3 {
        change(0, Command::Pause).await.unwrap();
        change(0, Command::Resume).await.unwrap();
    }
    sessions.shutdown().await;
    let sessions = world.open().await;
    sessions.create(&ann, numbered(max + 1, &json!({}))).await.unwrap();
    full(sessions.change(&ann, session_id(max + 1), None, Command::Start).await);
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_session_that_is_over_before_it_is_stored_leaves_no_place_taken() {
    let world = World::new();
    let sessions = world.open().await;
    let ann = member("ann");
    for number in 0..u32::try_from(RUNNING_PER_OWNER_MAX).unwrap() {
        let id = session_id(number);
        // All three wait when the shard has its turn.
        let (made, begun, over) = tokio::join!(
            sessions.create(&ann, numbered(number, &json!({}))),
            sessions.change(&ann, id, None, Command::Start),
            sessions.change(&ann, id, None, Command::Complete),
        );
        assert!(made.is_ok() && begun.is_ok() && over.is_ok(), "{number}");
    }
    let last = session_id(1_000);
    sessions.create(&ann, numbered(1_000, &json!({}))).await.unwrap();
    sessions.change(&ann, last, None, Command::Start).await.expect("none of them runs");
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
    sessions.delete(&owner(), session_id(77), None).await.unwrap();
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
