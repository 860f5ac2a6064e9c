//! What subscribers hear, and what the audit keeps.

use flowork_api_types::{
    event::Event,
    session::{ListSessionEventsQuery, SessionState},
};
use flowork_engine::Events;
use flowork_sync::{Published, machine::Command};
use flowork_test_support::sessions::{numbered, participant, request, session_id};
use serde_json::{Value, json};

use super::world::{BEGIN, PATIENCE, World, events, names, owner, started, state, switch};

#[tokio::test]
async fn the_audit_has_every_change_with_who_did_it_and_what_was_left() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({"increment_ms": 1_000}))).await;
    world.clock.advance(std::time::Duration::from_secs(4));
    switch(&sessions, id).await.unwrap();
    for command in [Command::Pause, Command::Resume, Command::Complete] {
        sessions.change(&owner(), id, None, command).await.unwrap();
    }
    let audit = events(&sessions, id).await;
    assert_eq!(names(&audit), ["session_created", "started", "cycle_switched", "paused", "resumed", "completed"]);
    let switched = &audit[2];
    assert_eq!((switched.version, switched.at.as_millis()), (3, BEGIN + 4_000));
    assert_eq!((switched.participant_id, switched.cycles), (Some(participant(1)), 1));
    let left: Vec<_> = switched.balances.iter().map(|one| (one.total_time_ms, one.time_used_ms)).collect();
    assert_eq!(left, [(7_000, 4_000), (10_000, 0)]);
    assert!(audit.iter().all(|event| event.actor.as_deref() == Some("owner")));
    assert!(audit.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    sessions.shutdown().await;
}

#[tokio::test]
async fn events_are_kept_for_ninety_days_and_then_removed_bit_by_bit() {
    const DAY: std::time::Duration = std::time::Duration::from_hours(24);
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    // More than one transaction removes.
    for _ in 0..598 {
        switch(&sessions, id).await.unwrap();
    }
    sessions.change(&owner(), id, None, Command::Pause).await.unwrap();
    assert_eq!(events(&sessions, id).await.len(), 601);
    world.clock.advance(DAY * 89);
    sessions.change(&owner(), id, None, Command::Resume).await.unwrap();
    assert_eq!(events(&sessions, id).await.len(), 602, "none is old enough");
    world.clock.advance(DAY * 2);
    sessions.change(&owner(), id, None, Command::Complete).await.unwrap();
    let left = events(&sessions, id).await;
    assert!((102..=104).contains(&left.len()), "five hundred are gone: {}", left.len());
    sessions.create(&owner(), numbered(1, &json!({}))).await.unwrap();
    let left = events(&sessions, id).await;
    assert_eq!(names(&left)[0], "resumed", "the rest went with the next change");
    assert!(left.len() >= 2);
    sessions.shutdown().await;
}

#[tokio::test]
async fn an_event_that_was_altered_is_not_shown_as_what_happened() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    sessions.shutdown().await;
    let file = rusqlite::Connection::open(world.path()).unwrap();
    file.execute("UPDATE event SET actor = 'somebody' WHERE event = 'started'", []).unwrap();
    drop(file);
    let sessions = world.open().await;
    let error = sessions.events(&owner(), id, ListSessionEventsQuery::default()).await.unwrap_err();
    assert!(matches!(error, flowork_sync::EventsError::Store(_)), "{error}");
    sessions.shutdown().await;
}

#[tokio::test]
async fn whoever_is_slow_gets_the_newest_state_and_nothing_piles_up() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    let (mut slow, mut other) = (sessions.subscribe(&owner(), id).unwrap(), sessions.subscribe(&owner(), id).unwrap());
    assert!(matches!(slow.current(), Published::Live(_)));
    other.current();
    for _ in 0..100 {
        switch(&sessions, id).await.unwrap();
    }
    let (Published::Live(one), Published::Live(two)) = (slow.changed().await, other.changed().await) else {
        panic!("deleted")
    };
    assert_eq!(one.session().version(), 102, "the newest, not the next");
    assert_eq!(one.update_message().as_ptr(), two.update_message().as_ptr(), "encoded once for all");
    let nothing = tokio::time::timeout(std::time::Duration::ZERO, slow.changed()).await;
    assert!(nothing.is_err(), "and no backlog behind it");
    sessions.shutdown().await;
}

#[tokio::test]
async fn messages_have_the_envelope_of_the_interface() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({"metadata": {"title": "a \"game\""}}))).await;
    let snapshot = sessions.get(&owner(), id).unwrap();
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let update = read(snapshot.update_message());
    assert_eq!(update["type"], "STATE_UPDATE");
    assert_eq!((&update["sessionId"], &update["timestamp"]), (&json!(id), &json!(BEGIN)));
    let sent: SessionState = serde_json::from_value(update["state"].clone()).unwrap();
    assert_eq!(sent, state(&sessions, id));
    let (message, part) = (snapshot.update_message().as_ptr_range(), snapshot.state_json().as_ptr_range());
    assert!(message.start < part.start && part.end < message.end, "the state is kept once");
    assert_eq!(read(&snapshot.state_json()), update["state"]);
    let sync = read(&snapshot.sync_message(BEGIN + 5));
    assert_eq!((&sync["type"], &sync["timestamp"]), (&json!("STATE_SYNC"), &json!(BEGIN + 5)));
    let computed = read(&snapshot.computed_json(BEGIN + 2_500));
    let expected = json!({"now_ms": BEGIN + 2_500, "active_remaining_ms": 7_500, "active_elapsed_ms": 2_500});
    assert_eq!((&computed["computed"], &computed["version"]), (&expected, &json!(2)));
    sessions.shutdown().await;
}

/// Waits for the next time that the node tells of sessions, and gives whose they are.
async fn told(feed: &mut flowork_engine::EventFeed) -> Option<std::sync::Arc<str>> {
    let next = tokio::time::timeout(PATIENCE, feed.next()).await.expect("it is told");
    let (owner, envelope) = next.expect("the node goes on");
    assert_eq!(envelope.event, Event::SessionsChanged);
    owner
}

#[tokio::test]
async fn the_node_tells_of_every_change_and_a_flood_of_them_once_a_second() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({"action_on_timeout": "auto_advance"}))).await;
    sessions.shutdown().await;
    // Each of these is the first change of a node that has just begun.
    for change in ["switch", "expiry", "create", "delete"] {
        let node = Events::default();
        let mut feed = node.subscribe(None);
        let sessions = world.open_with(node.clone()).await;
        match change {
            "switch" => drop(switch(&sessions, id).await.unwrap()),
            "expiry" => world.pass(&sessions, 10_000).await,
            "create" => drop(sessions.create(&owner(), numbered(1, &json!({}))).await.unwrap()),
            _ => sessions.delete(&owner(), session_id(1), None).await.unwrap(),
        }
        assert_eq!(told(&mut feed).await.as_deref(), Some("owner"), "{change}");
        sessions.shutdown().await;
    }
    let node = Events::default();
    let mut feed = node.subscribe(None);
    let sessions = world.open_with(node.clone()).await;
    let begin = std::time::Instant::now();
    for _ in 0..300 {
        switch(&sessions, id).await.unwrap();
    }
    node.publish(None, Event::KindsChanged);
    let mut times = 0;
    while feed.next().await.unwrap().1.event == Event::SessionsChanged {
        times += 1;
    }
    assert!(times <= begin.elapsed().as_secs() + 1, "{times} times in {:?}", begin.elapsed());
    sessions.shutdown().await;
}

#[tokio::test]
async fn windows_ask_for_the_time_anew_where_the_first_session_finds_the_clock_set() {
    let (world, told) = (World::new(), Events::default());
    let sessions = world.open_with(told.clone()).await;
    let mut feed = told.subscribe(None);
    sessions.create(&owner(), request(&json!({}))).await.unwrap();
    world.clock.step(60_000);
    sessions.create(&owner(), numbered(1, &json!({}))).await.unwrap();
    for number in [0, 1] {
        sessions.delete(&owner(), session_id(number), None).await.unwrap();
    }
    sessions.create(&owner(), numbered(2, &json!({}))).await.unwrap();
    assert_eq!(sessions.now_ms(), BEGIN + 60_000, "it is that of the clock again");
    let mut resyncs = 0;
    while let Ok(Some((_, envelope))) = tokio::time::timeout(std::time::Duration::from_secs(2), feed.next()).await {
        resyncs += u32::from(envelope.event == Event::Resync);
    }
    assert_eq!(resyncs, 1, "only for the step");
}
