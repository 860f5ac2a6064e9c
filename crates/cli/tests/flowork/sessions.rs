//! Sync sessions from the command line.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_session_is_made_controlled_watched_and_deleted() {
    let world = World::new();
    let _node = world.serve();
    let made = world.json(&[
        "session",
        "create",
        "per_participant",
        "--time",
        "10m",
        "--increment",
        "2s",
        "--metadata",
        "{\"a\":1}",
    ]);
    assert_eq!((&made["status"], &made["metadata"]), (&json!("pending"), &json!({"a": 1})));
    assert_eq!((&made["participants"][1]["total_time_ms"], &made["increment_ms"]), (&json!(600_000), &json!(2_000)));
    let id = made["session_id"].as_str().unwrap();

    let mut watching = world.command(&["session", "watch", id, "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut seen = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(seen()["version"], 1, "it begins with how things are");

    assert_eq!(world.json(&["session", "start", id])["status"], "running");
    assert_eq!(seen()["status"], "running");
    let switched = world.json(&["session", "switch", id, "--expected-version", "2"]);
    assert_eq!(switched["active_participant_id"], made["participants"][1]["participant_id"]);
    assert_eq!(seen()["version"], 3);
    let stale = world.run(&["session", "switch", id, "--expected-version", "2"]);
    assert!(stale.code() != 0 && stale.stderr().contains("version 3"), "{}", stale.stderr());
    let first = made["participants"][0]["participant_id"].as_str().unwrap();
    assert_eq!(world.json(&["session", "switch", id, "--to", first])["active_participant_id"], first);
    for (verb, status) in [("pause", "paused"), ("resume", "running"), ("complete", "completed")] {
        assert_eq!(world.json(&["session", verb, id])["status"], status);
    }
    let shown = world.run(&["session", "get", id]).stdout();
    assert!(shown.contains("completed") && shown.contains("left 10:0"), "{shown}");
    let listed = world.run(&["session", "list"]).stdout();
    assert!(listed.contains(id) && listed.contains("per_participant"), "{listed}");
    assert_eq!(world.run(&["session", "cancel", id]).code(), 2);
    assert_eq!(world.run(&["session", "delete", id]).code(), 0);
    while let Some(line) = lines.next().transpose().unwrap() {
        assert!(line.contains("\"version\""), "{line}");
    }
    assert!(watching.wait().unwrap().success(), "it ends with the session");
    for arguments in [["session", "get", id], ["session", "watch", id]] {
        assert_eq!(world.run(&arguments).code(), 3, "{arguments:?}");
    }
}

#[test]
fn every_mode_can_be_made() {
    let world = World::new();
    let _node = world.serve();
    for more in [
        &["per_cycle", "--per-cycle", "1m", "--on-timeout", "auto_advance"][..],
        &["per_group", "--participants", "4", "--groups", "2"],
        &["global", "--total", "1h", "--on-timeout", "end_session"],
        &["count_up", "--participants", "1", "--max", "1h"],
    ] {
        let made = world.json(&[&["session", "create"], more].concat());
        assert_eq!(made["sync_mode"], more[0]);
    }
    let refused = world.run(&["session", "create", "per_cycle"]);
    assert_eq!(refused.code(), 2);
    assert!(refused.stderr().contains("/time_per_cycle_ms"), "{}", refused.stderr());
    assert_eq!(world.run(&["session", "create", "chess"]).code(), 2);
}
