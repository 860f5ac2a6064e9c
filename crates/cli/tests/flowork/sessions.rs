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

/// The events that a command prints as one document, by name.
fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn what_happened_is_followed_and_is_still_there_when_the_session_is_gone() {
    let world = World::new();
    let _node = world.serve();
    let made = world.json(&["session", "create", "per_participant", "--time", "10m"]);
    let id = made["session_id"].as_str().unwrap();
    world.json(&["session", "start", id]);
    world.json(&["session", "switch", id]);
    let shown = world.run(&["session", "events", id]).stdout();
    assert!(shown.starts_with("VERSION") && shown.contains("cycle_switched") && shown.contains("owner"), "{shown}");
    let first = world.json(&["session", "events", id, "--limit", "2"]);
    assert_eq!(names(&first), ["session_created", "started"]);
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let cut = world.run(&["session", "events", id, "--limit", "2"]).stdout();
    assert!(cut.ends_with(&format!("--cursor {cursor}.\n")), "{cut}");
    let rest = world.json(&["session", "events", id, "--cursor", cursor]);
    assert_eq!((names(&rest), &rest["next_cursor"]), (vec!["cycle_switched"], &Value::Null));

    let arguments = ["session", "events", id, "--follow", "--json"];
    let mut following = world.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    for event in ["session_created", "started", "cycle_switched"] {
        assert_eq!(next()["event"], event, "it begins with what was before");
    }
    world.json(&["session", "pause", id]);
    let paused = next();
    assert_eq!(
        (&paused["event"], &paused["version"], &paused["actor"]),
        (&json!("paused"), &json!(4), &json!("owner"))
    );
    assert_eq!(world.run(&["session", "delete", id]).code(), 0);
    assert_eq!(next()["event"], "deleted");
    assert!(lines.next().is_none());
    assert!(following.wait().unwrap().success(), "it ends with the session");

    assert_eq!(world.run(&["session", "get", id]).code(), 3);
    let all = ["session_created", "started", "cycle_switched", "paused", "deleted"];
    assert_eq!(names(&world.json(&["session", "events", id])), all);
    let followed = world.run(&["session", "events", id, "--follow"]);
    let columns: Vec<_> = followed.stdout().lines().map(|line| line.find("owner")).collect();
    assert!(columns.iter().all(|column| *column == columns[0]), "lines are below one another: {}", followed.stdout());
    assert_eq!((followed.code(), followed.stdout().lines().count()), (0, all.len()), "{}", followed.stderr());
    let never = "00000000-0000-4000-8000-000000000009";
    for more in [&[][..], &["--follow"]] {
        assert_eq!(world.run(&[&["session", "events", never], more].concat()).code(), 3, "{more:?}");
    }
}

#[test]
fn a_history_of_many_pages_is_shown_whole_and_in_order() {
    const ROUNDS: u64 = 101;
    let world = World::new();
    let node = world.serve();
    let made = world.json(&["session", "create", "global", "--total", "1h"]);
    let id = made["session_id"].as_str().unwrap();
    world.json(&["session", "start", id]);
    let token = world.run(&["token", "create"]).stdout();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for _ in 0..ROUNDS {
            for verb in ["pause", "resume"] {
                let request = client.post(format!("{}/v1/sessions/{id}/{verb}", node.url()));
                let answer = request.bearer_auth(token.trim()).json(&json!({})).send().await.unwrap();
                assert!(answer.status().is_success(), "{verb}: {}", answer.status());
            }
        }
    });
    let all = world.json(&["session", "events", id]);
    let versions = |list: &Value| -> Vec<_> {
        list["items"].as_array().unwrap().iter().map(|event| event["version"].as_u64().unwrap()).collect()
    };
    let expected: Vec<_> = (1..=2 + 2 * ROUNDS).collect();
    assert!(expected.len() > 200, "more than the node gives at once");
    assert_eq!((versions(&all), &all["next_cursor"]), (expected, &Value::Null));
    assert_eq!(versions(&world.json(&["session", "events", id, "--limit", "203"])).len(), 203);
}

#[test]
fn sessions_are_listed_by_how_they_stand() {
    let world = World::new();
    let _node = world.serve();
    let create = || world.json(&["session", "create", "global"])["session_id"].as_str().unwrap().to_owned();
    let (running, paused, pending) = (create(), create(), create());
    world.json(&["session", "start", &running]);
    world.json(&["session", "start", &paused]);
    world.json(&["session", "pause", &paused]);
    let listed = |status: &str| -> Vec<String> {
        let list = world.json(&["session", "list", "--status", status]);
        let items = list["items"].as_array().unwrap().iter();
        items.map(|session| session["session_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((listed("running"), listed("paused"), listed("pending")), (vec![running], vec![paused], vec![pending]));
    assert_eq!(listed("expired"), [""; 0]);
    let refused = world.run(&["session", "list", "--status", "asleep"]);
    assert!(refused.code() == 2 && refused.stderr().contains("cancelled"), "{}", refused.stderr());
    // Shells complete both, and what can be asked for.
    let completions = world.run(&["completions", "bash"]).stdout();
    assert!(completions.contains("session__subcmd__events"));
    assert!(completions.contains("pending running paused completed cancelled expired"));
}
