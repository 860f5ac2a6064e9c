//! Drain, limits and queues from the command line, and over restarts of the node.

use serde_json::{Value, json};

use crate::world::{Served, World};

fn stop(mut node: Served, signal: &str) {
    node.signal(signal);
    node.wait();
}

fn state_of(world: &World, id: &str) -> Value {
    world.json(&["job", "get", id])["state"].clone()
}

#[test]
fn drain_outlives_the_node_however_it_ends_until_somebody_ends_it() {
    let world = World::new();
    let node = world.serve();
    let on = world.json(&["drain", "on", "--reason", "new disk"]);
    assert_eq!((&on["on"], &on["reason"], &on["running"]), (&json!(true), &json!("new disk"), &json!(0)));
    stop(node, "KILL");
    let node = world.serve();
    let status = world.json(&["status"]);
    assert_eq!((&status["draining"], &status["drain"]), (&json!(true), &on), "since, by and reason are the same");
    let text = world.run(&["status"]).stdout();
    assert!(text.contains("Draining since ") && text.contains("(new disk); no job runs."), "{text}");
    let refused = world.run(&["job", "enqueue", "noop"]);
    assert_eq!(refused.code(), 7, "{}", refused.stderr());
    stop(node, "TERM");

    let node = world.serve();
    assert_eq!(world.json(&["drain", "status"]), on, "a stop in order changes nothing about it");
    assert_eq!(world.json(&["drain", "off"])["on"], false);
    stop(node, "KILL");
    let _node = world.serve();
    assert_eq!(world.json(&["drain", "status"])["on"], false);
    assert_eq!(world.json(&["job", "enqueue", "noop", "--wait"])["state"], "completed");
}

#[test]
fn stop_in_order_is_no_drain_that_is_remembered() {
    let world = World::new();
    let node = world.serve();
    stop(node, "TERM");
    let _node = world.serve();
    assert_eq!(world.json(&["drain", "status"])["on"], false);
    assert_eq!(world.json(&["job", "enqueue", "noop", "--wait"])["state"], "completed");
}

#[test]
fn waiting_for_a_drain_ends_with_the_last_job() {
    let world = World::new();
    let node = world.serve();
    let payload = "{\"duration_ms\":600000}";
    let job = world.json(&["job", "enqueue", "sleep", "--payload", payload])["id"].as_str().unwrap().to_owned();
    while state_of(&world, &job) != "leased" {}
    let mut waits = world.command(&["drain", "on", "--wait", "--json"]).spawn().unwrap();
    while world.json(&["drain", "status"])["on"] != true {}
    assert!(waits.try_wait().unwrap().is_none(), "a job still runs");
    assert_eq!(world.run(&["job", "cancel", &job]).code(), 0);
    let output = waits.wait_with_output().unwrap();
    let drain: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &drain["running"]), (Some(0), &json!(0)));
    drop(node);
}

#[test]
fn limits_outlive_the_node() {
    let world = World::new();
    let node = world.serve();
    world.json(&["limit", "set", "kind:sleep", "--concurrency", "0"]);
    let limit = world.json(&["limit", "set", "key:a/b ü", "--rate", "5/30s"]);
    assert_eq!(limit["rate"], json!({"count": 5, "per_ms": 30_000}));
    world.json(&["limit", "set", "user:x", "--concurrency", "1"]);
    assert_eq!(world.run(&["limit", "remove", "user:x"]).code(), 0);
    assert_eq!(world.run(&["limit", "remove", "user:x"]).code(), 3);
    assert_eq!(world.run(&["limit", "set", "tenant:x", "--concurrency", "1"]).code(), 2);
    assert_eq!(world.run(&["limit", "set", "kind:noop"]).code(), 2);
    stop(node, "KILL");

    let _node = world.serve();
    let listed = world.json(&["limit", "list"]);
    let targets: Vec<_> = listed["items"].as_array().unwrap().iter().map(|limit| limit["target"].clone()).collect();
    assert_eq!(targets, ["kind:sleep", "key:a/b ü"]);
    let text = world.run(&["limit", "list"]).stdout();
    assert!(text.contains("5/30s"), "{text}");
}

#[test]
fn pause_outlives_the_node_and_its_jobs_wait() {
    let world = World::new();
    let node = world.serve();
    assert_eq!(world.json(&["queue", "pause", "mail"])["paused"], true);
    let held = world.json(&["job", "enqueue", "noop", "--queue", "mail"])["id"].as_str().unwrap().to_owned();
    stop(node, "KILL");

    let node = world.serve();
    let listed = world.json(&["queue", "list"]);
    let mail = listed["items"].as_array().unwrap().iter().find(|queue| queue["name"] == "mail").unwrap().clone();
    assert_eq!((&mail["paused"], &mail["queued"]), (&json!(true), &json!(1)));
    assert_eq!(world.json(&["job", "enqueue", "noop", "--wait"])["state"], "completed", "others go on");
    assert_eq!(state_of(&world, &held), "queued");
    let text = world.run(&["queue", "list"]).stdout();
    assert!(text.lines().any(|line| line.starts_with("mail") && line.contains("paused")), "{text}");
    assert_eq!(world.run(&["queue", "pause", "a b"]).code(), 2);
    stop(node, "TERM");

    let _node = world.serve();
    assert_eq!(world.json(&["queue", "resume", "mail"])["paused"], false);
    assert_eq!(world.json(&["job", "wait", &held])["state"], "completed");
}

#[test]
fn job_that_a_limit_holds_back_waits_over_a_restart() {
    let world = World::new();
    let node = world.serve();
    world.json(&["limit", "set", "kind:noop", "--concurrency", "0"]);
    let held = world.json(&["job", "enqueue", "noop"])["id"].as_str().unwrap().to_owned();
    stop(node, "KILL");
    let _node = world.serve();
    let other = ["job", "enqueue", "sleep", "--payload", "{\"duration_ms\":1}", "--wait"];
    assert_eq!(world.json(&other)["state"], "completed");
    assert_eq!(state_of(&world, &held), "queued");
    assert_eq!(world.run(&["limit", "remove", "kind:noop"]).code(), 0);
    assert_eq!(world.json(&["job", "wait", &held])["state"], "completed");
}
