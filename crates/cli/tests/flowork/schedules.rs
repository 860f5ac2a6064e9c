//! Schedules from the command line.

use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_schedule_is_made_shown_paused_run_and_removed() {
    let world = World::new();
    let _node = world.serve();
    let times = ["--cron", "30 2 * * MON-FRI", "--time-zone", "europe/berlin", "--missed", "all", "--no-overlap"];
    let made =
        world.json(&[&["schedule", "create", "Nightly report", "noop", "--payload", "{\"a\":1}"], &times[..]].concat());
    assert_eq!((&made["time_zone"], &made["missed"]), (&json!("Europe/Berlin"), &json!("all")));
    assert_eq!((&made["overlap"], &made["job"]["payload"]), (&json!("skip"), &json!({"a": 1})));
    let id = made["id"].as_str().unwrap();
    assert_eq!(world.json(&["schedule", "get", id]), made);
    let shown = world.run(&["schedule", "get", id]).stdout();
    assert!(shown.contains("30 2 * * MON-FRI (Europe/Berlin)") && shown.contains("02:30:00 CE"), "{shown}");
    let listed = world.run(&["schedule", "list"]).stdout();
    assert!(listed.contains("Nightly report") && listed.contains("never"), "{listed}");

    assert_eq!(world.json(&["schedule", "pause", id])["enabled"], false);
    assert!(world.run(&["schedule", "list"]).stdout().contains("paused"));
    assert_eq!(world.json(&["schedule", "resume", id])["enabled"], true);
    let job = world.json(&["schedule", "run", id, "--idempotency-key", "k"]);
    assert_eq!(world.json(&["schedule", "run", id, "--idempotency-key", "k"])["id"], job["id"]);
    let ended = world.json(&["job", "wait", job["id"].as_str().unwrap()]);
    assert_eq!((&ended["state"], &ended["result"]["echo"]), (&json!("completed"), &json!({"a": 1})));

    assert_eq!(world.run(&["schedule", "delete", id]).code(), 0);
    let gone = world.run(&["schedule", "get", id]);
    assert_eq!(gone.code(), 3, "{}", gone.stderr());
}

#[test]
fn an_interval_fires_and_is_told() {
    let world = World::new();
    let _node = world.serve();
    let made = world.json(&["schedule", "create", "ticks", "noop", "--every", "1s"]);
    let id = made["id"].as_str().unwrap();
    let fired = std::iter::repeat_with(|| world.json(&["schedule", "get", id]))
        .find(|schedule| schedule["last_fired_at"] != Value::Null)
        .unwrap();
    let shown = world.run(&["schedule", "get", id]).stdout();
    assert!(shown.contains("every 1000 ms") && shown.contains("as job_"), "{shown}");
    assert_eq!(fired["created_by"], "owner");
}

#[test]
fn a_preview_tells_runs_and_mistakes_are_explained() {
    let world = World::new();
    let _node = world.serve();
    let preview = world.run(&[
        "schedule",
        "preview",
        "--cron",
        "30 2 * * *",
        "--time-zone",
        "America/New_York",
        "--count",
        "1",
        "--after",
        "2026-03-07T12:00:00Z",
    ]);
    assert_eq!(preview.stdout().trim(), "2026-03-08T07:00:00.000Z  Sun 2026-03-08 03:00:00 EDT");
    let check = |arguments: &[&str], code: i32, text: &str| {
        let outcome = world.run(arguments);
        assert_eq!(outcome.code(), code, "{arguments:?}: {}", outcome.stderr());
        assert!(outcome.stderr().contains(text), "{arguments:?}: {}", outcome.stderr());
    };
    check(&["schedule", "preview", "--cron", "0 0 30 2 *"], 2, "30 February");
    check(&["schedule", "preview", "--cron", "@daily", "--time-zone", "Europe/Berln"], 2, "Europe/Berlin");
    check(&["schedule", "preview"], 2, "--cron");
    check(&["schedule", "preview", "--cron", "@daily", "--every", "1m"], 2, "--every");
    check(&["schedule", "create", "x", "slep", "--every", "1m"], 3, "did you mean sleep");
    check(&["schedule", "create", "x", "noop", "--every", "1ms"], 2, "/interval_ms");
    check(&["schedule", "create", "x", "noop", "--every", "1m", "--missed", "none"], 2, "skip, once or all");
}
