//! Lines of the contract that are about everything at once.

use flowork_sync::machine::Command;
use flowork_test_support::sessions::{numbered, request, session_id};
use serde_json::json;

use super::world::{World, events, names, owner, started, state, switch};

#[tokio::test]
async fn a_state_has_every_field_under_its_name() {
    const SESSION: &str = "session_id, sync_mode, status, version, participants, active_participant_id, total_time_ms, \
        time_per_cycle_ms, cycle_started_at, session_started_at, session_completed_at, increment_ms, max_time_ms, \
        action_on_timeout, metadata, created_at, updated_at";
    const PARTICIPANT: &str = "participant_id, participant_index, total_time_ms, time_used_ms, time_remaining_ms, \
        cycle_count, is_active, has_expired, group_id";
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    let shown = serde_json::to_value(state(&sessions, id)).unwrap();
    for field in SESSION.split(", ") {
        assert!(shown.get(field).is_some(), "{field} of {shown}");
    }
    for field in PARTICIPANT.split(", ") {
        assert!(shown["participants"][1].get(field).is_some(), "{field} of {shown}");
    }
    let begun = shown["session_started_at"].as_str().unwrap();
    assert_eq!((begun, &shown["cycle_started_at"]), ("2023-11-14T22:13:20.000Z", &shown["session_started_at"]));
    sessions.shutdown().await;
}

#[tokio::test]
async fn every_kind_of_change_is_in_the_audit_under_its_name() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    world.pass(&sessions, 10_000).await;
    switch(&sessions, id).await.unwrap();
    for command in [Command::Pause, Command::Resume, Command::Complete] {
        sessions.change(&owner(), id, None, command).await.unwrap();
    }
    sessions.delete(&owner(), id, None).await.unwrap();
    let other = session_id(1);
    sessions.create(&owner(), numbered(1, &json!({}))).await.unwrap();
    sessions.change(&owner(), other, None, Command::Cancel).await.unwrap();
    let seen = [names(&events(&sessions, id).await), names(&events(&sessions, other).await)];
    let whole = [
        "session_created",
        "started",
        "participant_expired",
        "cycle_switched",
        "paused",
        "resumed",
        "completed",
        "deleted",
    ];
    assert_eq!(seen[0], whole);
    assert_eq!(seen[1], ["session_created", "cancelled"]);
    sessions.shutdown().await;
}

/// However busy the machine is: no timer but one that is set to the instant itself is in time.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_rings_at_the_instant_at_which_time_runs_out() {
    let world = World::with_clock(flowork_engine::Clock::System);
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    let due_ms = state(&sessions, id).session_started_at.unwrap().as_millis() + 10_000;
    let rings = async || {
        let (before_ms, left) = (due_ms - sessions.now_ms(), timers_left_ms());
        let after_ms = due_ms - sessions.now_ms();
        left.into_iter().any(|left_ms| (after_ms - 1..=before_ms + 1).contains(&left_ms))
    };
    super::world::eventually("a timer is set", rings).await;
    sessions.shutdown().await;
}

/// What timers of this process by the time since boot have left, in milliseconds. Source: proc_pid_fdinfo(5).
#[cfg(target_os = "linux")]
fn timers_left_ms() -> Vec<i64> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fdinfo").unwrap() {
        // One that was closed meanwhile has nothing to say.
        let text = entry.and_then(|entry| std::fs::read_to_string(entry.path())).unwrap_or_default();
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let (Some("7"), Some(left)) = (line("clockid: "), line("it_value: ")) else { continue };
        let (seconds, nanoseconds) = left.trim_matches(['(', ')']).split_once(", ").unwrap();
        all.push(seconds.parse::<i64>().unwrap() * 1_000 + nanoseconds.parse::<i64>().unwrap() / 1_000_000);
    }
    all
}
