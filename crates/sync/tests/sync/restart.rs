//! What a restart finds.

use std::time::Duration;

use flowork_api_types::session::{SessionState, SessionStatus};
use flowork_engine::Clock;
use flowork_sync::machine::Command;
use flowork_test_support::sessions::{group, numbered, participant, request, session_id};
use serde_json::{Value, json};

use super::world::{BEGIN, World, events, eventually, names, owner, started, state, switch, until};

fn every_mode() -> Vec<Value> {
    let player = |number: u32, of: u32| json!({"participant_id": participant(number), "participant_index": number, "total_time_ms": 60_000, "group_id": group(of)});
    let modes = ["per_participant", "per_cycle", "per_group", "global", "count_up"];
    let with = |mode: &str| {
        json!({
            "sync_mode": mode, "participants": [player(0, 0), player(1, 1), player(2, 0)], "total_time_ms": 60_000,
            "time_per_cycle_ms": 30_000, "increment_ms": 700, "max_time_ms": 90_000, "metadata": {"mode": mode},
            "action_on_timeout": "auto_advance",
        })
    };
    modes.into_iter().map(with).collect()
}

#[tokio::test]
async fn every_session_comes_back_as_it_was() {
    let world = World::new();
    let sessions = world.open().await;
    let mut before: Vec<SessionState> = Vec::new();
    for (number, more) in (0_u32..).zip(every_mode()) {
        let id = started(&sessions, numbered(number, &more)).await;
        world.clock.advance(Duration::from_millis(1_500));
        switch(&sessions, id).await.unwrap();
        world.clock.advance(Duration::from_millis(800));
        switch(&sessions, id).await.unwrap();
        if number % 2 == 1 {
            sessions.change(&owner(), id, None, Command::Pause).await.unwrap();
        }
        before.push(state(&sessions, id));
    }
    sessions.create(&owner(), numbered(9, &json!({}))).await.unwrap();
    before.push(state(&sessions, session_id(9)));
    sessions.shutdown().await;
    let sessions = world.open().await;
    let after: Vec<_> = before.iter().map(|one| state(&sessions, one.session_id)).collect();
    assert_eq!(after, before);
    // The groups' balance is one balance still.
    world.clock.advance(Duration::from_secs(1));
    switch(&sessions, session_id(2)).await.unwrap();
    let shared: Vec<_> = state(&sessions, session_id(2)).participants.iter().map(|one| one.total_time_ms).collect();
    assert_eq!(shared[0], shared[2]);
    sessions.shutdown().await;
}

#[tokio::test]
async fn time_that_ran_out_while_the_node_was_down_ran_out_at_its_instant() {
    let world = World::new();
    let sessions = world.open().await;
    let marked = started(&sessions, request(&json!({}))).await;
    let ended = started(&sessions, numbered(1, &json!({"action_on_timeout": "end_session"}))).await;
    let advanced = started(&sessions, numbered(2, &json!({"action_on_timeout": "auto_advance"}))).await;
    sessions.shutdown().await;
    // The steady clock of another process begins anywhere.
    let world = World { clock: Clock::manual(BEGIN + 14_000), ..world };
    let sessions = world.open().await;
    let marked = until(&sessions, marked, |state| state.participants[0].has_expired).await;
    assert_eq!(marked.updated_at.as_millis(), BEGIN + 10_000);
    let ended = until(&sessions, ended, |state| state.status == SessionStatus::Expired).await;
    assert_eq!(ended.session_completed_at.unwrap().as_millis(), BEGIN + 10_000);
    let advanced = until(&sessions, advanced, |state| state.version == 4).await;
    assert_eq!(advanced.active_participant_id, Some(participant(1)));
    assert_eq!(advanced.cycle_started_at.unwrap().as_millis(), BEGIN + 10_000, "no drift");
    let audit = events(&sessions, advanced.session_id).await;
    assert_eq!(names(&audit), ["session_created", "started", "participant_expired", "cycle_switched"]);
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_wall_clock_that_was_set_back_meanwhile_gives_nobody_time() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    world.clock.advance(Duration::from_secs(3));
    switch(&sessions, id).await.unwrap();
    sessions.shutdown().await;
    let world = World { clock: Clock::manual(BEGIN - 3_600_000), ..world };
    let sessions = world.open().await;
    assert_eq!(sessions.now_ms(), BEGIN + 3_000, "time goes on from the last change");
    world.clock.advance(Duration::from_secs(1));
    switch(&sessions, id).await.unwrap();
    let used: Vec<_> = state(&sessions, id).participants.iter().map(|one| one.time_used_ms).collect();
    assert_eq!(used, [3_000, 1_000]);
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_wall_clock_that_is_set_expires_nothing_and_freezes_nothing() {
    const DAY_MS: i64 = 86_400_000;
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({"action_on_timeout": "auto_advance"}))).await;
    for step in [DAY_MS, -DAY_MS, -DAY_MS] {
        world.clock.step(step);
        world.pass(&sessions, 1_000).await;
        switch(&sessions, id).await.unwrap();
    }
    let used: Vec<_> = state(&sessions, id).participants.iter().map(|one| one.time_used_ms).collect();
    assert_eq!((used, state(&sessions, id).version), (vec![2_000, 1_000], 5), "what passed, and nothing else");
    assert_eq!(sessions.now_ms(), BEGIN + 3_000);
    sessions.shutdown().await;
    // The wall clock is a day behind sessions' time, and so it is after the start.
    let world = World { clock: Clock::manual(BEGIN - DAY_MS + 5_000), ..world };
    let sessions = world.open().await;
    assert_eq!(sessions.now_ms(), BEGIN + 5_000);
    switch(&sessions, id).await.unwrap();
    let used: Vec<_> = state(&sessions, id).participants.iter().map(|one| one.time_used_ms).collect();
    assert_eq!(used, [2_000, 3_000], "two seconds passed while the node was down");
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_wall_clock_that_is_set_before_a_restart_costs_nobody_though_nothing_changed_in_between() {
    const DAY_MS: i64 = 86_400_000;
    for (step, number) in [(DAY_MS, 0), (-DAY_MS, 1), (-200, 2)] {
        let world = World::new();
        let sessions = world.open().await;
        let clock = started(&sessions, numbered(number, &json!({}))).await;
        let watch = started(&sessions, numbered(10 + number, &json!({"sync_mode": "count_up"}))).await;
        world.clock.advance(Duration::from_secs(1));
        world.clock.step(step);
        sessions.shutdown().await;
        let world = World { clock: Clock::manual(BEGIN + step + 3_000), ..world };
        let sessions = world.open().await;
        assert_eq!(sessions.now_ms(), BEGIN + 3_000, "a step of {step}");
        for id in [clock, watch] {
            switch(&sessions, id).await.unwrap();
            let used: Vec<_> = state(&sessions, id).participants.iter().map(|one| one.time_used_ms).collect();
            assert_eq!(used, [3_000, 0], "a step of {step}");
        }
        sessions.shutdown().await;
    }
}

#[tokio::test]
async fn a_wall_clock_that_is_set_is_stored_soon_also_where_nothing_is_ever_due() {
    let world = World::new();
    let sessions = world.open().await;
    started(&sessions, request(&json!({"sync_mode": "count_up"}))).await;
    world.clock.step(7_200_000);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    let file = flowork_sqlite::open_reader(&world.path()).unwrap();
    let stored = || -> i64 { file.query_row("SELECT ahead_ms FROM session_time", [], |row| row.get(0)).unwrap() };
    eventually("the step is stored", async || stored() == -7_200_000).await;
    tokio::time::resume();
    drop(file);
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_node_without_sessions_goes_back_to_the_wall_clock() {
    let world = World::new();
    let sessions = world.open().await;
    for (number, step) in [(0, 7_200_000), (1, -86_400_000)] {
        world.clock.step(step);
        let made = sessions.create(&owner(), numbered(number, &json!({}))).await.unwrap();
        assert_eq!(made.session().state().created_at, world.clock.now());
        // With a session there it stays where it is.
        let before = sessions.now_ms();
        world.clock.step(1_000_000);
        let second = sessions.create(&owner(), numbered(10 + number, &json!({}))).await.unwrap();
        assert_eq!(second.session().state().created_at.as_millis(), before);
        for id in [number, 10 + number] {
            sessions.delete(&owner(), session_id(id), None).await.unwrap();
        }
    }
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_clock_that_is_set_while_the_node_is_down_gives_nobody_time_and_takes_none() {
    const DAY_MS: i64 = 86_400_000;
    for step in [DAY_MS, -DAY_MS] {
        let world = World { boot: Some("one".into()), ..World::new() };
        let sessions = world.open().await;
        let id = started(&sessions, request(&json!({}))).await;
        world.clock.advance(Duration::from_secs(1));
        sessions.shutdown().await;
        world.clock.step(step);
        world.clock.advance(Duration::from_secs(2));
        let sessions = world.open().await;
        assert_eq!(sessions.now_ms(), BEGIN + 3_000, "a step of {step}");
        switch(&sessions, id).await.unwrap();
        assert_eq!(state(&sessions, id).participants[0].time_used_ms, 3_000, "what passed, and nothing else");
        sessions.shutdown().await;
        // The machine is booted anew: its steady clock begins somewhere else, and the wall clock is all there is.
        let clock = Clock::manual(BEGIN + step + 5_000);
        clock.advance(Duration::from_millis(250));
        let world = World { boot: Some("two".into()), clock, ..world };
        let sessions = world.open().await;
        assert_eq!(sessions.now_ms(), BEGIN + 5_250, "it was {step} off before, and so it is now");
        sessions.shutdown().await;
    }
}

#[tokio::test]
async fn a_node_that_is_killed_before_it_could_store_a_step_goes_on_where_it_was() {
    let world = World { boot: Some("one".into()), ..World::new() };
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({"sync_mode": "count_up"}))).await;
    world.clock.advance(Duration::from_secs(1));
    world.clock.step(7_200_000);
    // What a kill leaves behind: the file and its log as they are.
    let killed = World { boot: world.boot.clone(), clock: world.clock.clone(), ..World::new() };
    for name in ["sync.db", "sync.db-wal"] {
        std::fs::copy(world.directory.path().join(name), killed.directory.path().join(name)).unwrap();
    }
    sessions.shutdown().await;
    let sessions = killed.open().await;
    assert_eq!(sessions.now_ms(), BEGIN + 1_000);
    switch(&sessions, id).await.unwrap();
    assert_eq!(state(&sessions, id).participants[0].time_used_ms, 1_000);
    sessions.shutdown().await;
}

#[tokio::test]
async fn where_time_stands_is_stored_at_a_start_though_nothing_else_happens() {
    let world = World { boot: Some("one".into()), ..World::new() };
    let sessions = world.open().await;
    started(&sessions, request(&json!({"sync_mode": "count_up"}))).await;
    sessions.shutdown().await;
    let world = World { boot: Some("two".into()), clock: Clock::manual(BEGIN + 1_000), ..world };
    let sessions = world.open().await;
    let file = flowork_sqlite::open_reader(&world.path()).unwrap();
    let boot = || -> String { file.query_row("SELECT boot FROM session_time", [], |row| row.get(0)).unwrap() };
    eventually("the new boot is stored", async || boot() == "two").await;
    drop(file);
    sessions.shutdown().await;
}
