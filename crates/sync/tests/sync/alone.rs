//! Sessions that go on by themselves, and what they cost while nothing happens.

use std::time::Duration;

use flowork_api_types::session::SessionStatus;
use flowork_sync::{
    Sessions,
    machine::{Command, Session},
};
use flowork_test_support::sessions::request;
use serde_json::{Value, json};

use super::world::{World, eventually, owner, started, state};

const HOUR_MS: i64 = 3_600_000;

fn hourly() -> Value {
    json!({"sync_mode": "per_cycle", "time_per_cycle_ms": HOUR_MS, "action_on_timeout": "auto_advance"})
}

#[test]
fn cycles_go_on_for_as_long_as_somebody_does_something_with_the_session() {
    let mut session = Session::new(request(&hourly()), "owner".into(), 0).unwrap();
    assert_eq!(session.apply(Command::Start, 0).refused, None);
    let mut at_ms = 0;
    for day in 0..5 {
        at_ms += 23 * HOUR_MS;
        let command = match day % 2 {
            0 => Command::Switch { next: None },
            _ => Command::Pause,
        };
        assert_eq!(session.apply(command, at_ms).refused, None, "day {day}");
        if command == Command::Pause {
            assert_eq!(session.apply(Command::Resume, at_ms).refused, None);
        }
    }
    // A refusal is nothing that was done.
    assert!(session.apply(Command::Start, at_ms + 12 * HOUR_MS).refused.is_some());
    session.catch_up(at_ms + 24 * HOUR_MS - 1);
    assert_eq!(session.status(), SessionStatus::Running);
    session.catch_up(at_ms + 50 * HOUR_MS);
    assert_eq!((session.status(), session.ended_at_ms()), (SessionStatus::Expired, Some(at_ms + 24 * HOUR_MS)));
}

/// Lets an hour pass, and waits until the session has been looked at.
async fn hour(world: &World, sessions: &Sessions, id: flowork_api_types::SyncSessionId) {
    let before = state(sessions, id).version;
    world.pass(sessions, HOUR_MS.unsigned_abs()).await;
    eventually("the cycle is over", async || state(sessions, id).version > before).await;
}

#[tokio::test]
async fn a_session_that_is_watched_goes_on_and_one_that_is_not_ends_also_across_restarts() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&hourly())).await;
    let watching = sessions.subscribe(&owner(), id).unwrap();
    for _ in 0..50 {
        hour(&world, &sessions, id).await;
    }
    assert_eq!(state(&sessions, id).status, SessionStatus::Running, "somebody watches it");
    drop(watching);
    for _ in 0..20 {
        hour(&world, &sessions, id).await;
    }
    sessions.shutdown().await;
    let world = World { clock: flowork_engine::Clock::manual(world.clock.now().as_millis()), ..world };
    let sessions = world.open().await;
    for left in (0..4).rev() {
        let status = state(&sessions, id).status;
        assert_eq!(status, SessionStatus::Running, "{} hours are left", left + 1);
        hour(&world, &sessions, id).await;
    }
    assert_eq!(state(&sessions, id).status, SessionStatus::Expired);
    sessions.shutdown().await;
}

/// By the runtime's own count of the times that it had nothing to do. Its clock stands still and jumps to whatever
/// timer is next, so that an hour takes no time and no timer is missed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_node_whose_sessions_wait_for_something_far_away_wakes_up_never() {
    let world = World::with_clock(flowork_engine::Clock::System);
    let sessions = world.open().await;
    let player = |number: u32| json!({"participant_id": flowork_test_support::sessions::participant(number), "participant_index": number, "total_time_ms": 86_400_000});
    for number in 0..64 {
        let mode = if number % 2 == 0 { "per_participant" } else { "count_up" };
        let more = json!({"sync_mode": mode, "participants": [player(0), player(1)]});
        started(&sessions, flowork_test_support::sessions::numbered(number, &more)).await;
    }
    tokio::time::pause();
    // What was changed is told to lists first.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let runtime = tokio::runtime::Handle::current().metrics();
    let before = runtime.worker_park_count(0);
    tokio::time::sleep(Duration::from_hours(12)).await;
    let woken = runtime.worker_park_count(0) - before;
    assert!(woken < 20, "woken {woken} times in twelve hours");
    tokio::time::resume();
    sessions.shutdown().await;
}
