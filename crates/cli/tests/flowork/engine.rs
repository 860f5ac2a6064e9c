//! An engine in a process of its own.

use crate::world::{Served, World};

/// Starts `engine run` for a new engine of the node; the second value is the engine's id.
fn start_engine(node_world: &World, engine_world: &World, node: &Served) -> (Served, String) {
    let created = node_world.json(&["engine", "create", "elsewhere"]);
    let mut command = engine_world.command(&["engine", "run", "--json", "--gateway", node.url(), "--workers", "3"]);
    command.env("FLOWORK_ENGINE_TOKEN", created["token"].as_str().unwrap());
    (Served::start(command), created["engine"]["id"].as_str().unwrap().to_owned())
}

#[test]
fn engine_elsewhere_runs_the_jobs_that_are_for_it() {
    let (world, elsewhere) = (World::new(), World::new());
    let node = world.serve();
    let (mut engine, id) = start_engine(&world, &elsewhere, &node);
    for _ in 0..5 {
        let payload = "{\"duration_ms\":10}";
        let job = world.json(&["job", "enqueue", "sleep", "--engine", &id, "--payload", payload, "--wait"]);
        assert_eq!((&job["state"], &job["engine_id"]), (&"completed".into(), &id.as_str().into()), "{job}");
    }
    let listed = world.json(&["engine", "list"]);
    let external = listed["items"].as_array().unwrap().iter().find(|engine| engine["id"] == id.as_str()).unwrap();
    assert_eq!((&external["state"], &external["workers"]), (&"up".into(), &3.into()));

    engine.signal("TERM");
    assert_eq!(engine.next_line().unwrap()["event"], "draining");
    assert_eq!(engine.next_line().unwrap()["unfinished"], 0);
    assert_eq!(engine.wait().code(), Some(0));
}

#[test]
fn cancelled_job_of_an_engine_elsewhere_ends() {
    let (world, elsewhere) = (World::new(), World::new());
    let node = world.serve();
    let (_engine, id) = start_engine(&world, &elsewhere, &node);
    let job = world.json(&["job", "enqueue", "sleep", "--engine", &id, "--payload", "{\"duration_ms\":600000}"]);
    let job = job["id"].as_str().unwrap();
    while world.json(&["job", "get", job])["state"] != "leased" {}
    assert_eq!(world.run(&["job", "cancel", job]).code(), 0);
    let ended = world.run(&["job", "wait", job, "--timeout", "25s"]);
    assert_eq!(ended.code(), 6, "{}", ended.stderr());
    assert!(ended.stderr().contains("cancelled"), "{}", ended.stderr());
}

#[test]
fn engine_goes_on_after_its_node_was_restarted() {
    let (world, elsewhere) = (World::new(), World::new());
    let mut node = world.serve();
    let (_engine, id) = start_engine(&world, &elsewhere, &node);
    let address = node.url().trim_start_matches("http://").to_owned();
    node.signal("KILL");
    node.wait();
    let _again = Served::start(world.command(&["serve", "--json", "--listen", &address]));
    let state = || {
        let listed = world.json(&["engine", "list"]);
        let engines = listed["items"].as_array().unwrap().clone();
        engines.into_iter().find(|engine| engine["id"] == id.as_str()).unwrap()["state"].clone()
    };
    while state() != "up" {}
    let job = world.json(&["job", "enqueue", "noop", "--engine", &id, "--wait"]);
    assert_eq!(job["state"], "completed", "{job}");
}

#[test]
fn wrong_token_ends_it_with_exit_code_5() {
    let world = World::new();
    let node = world.serve();
    let run = |token: Option<&str>| {
        let mut command = world.command(&["engine", "run", "--gateway", node.url()]);
        if let Some(token) = token {
            command.env("FLOWORK_ENGINE_TOKEN", token);
        }
        command.output().unwrap().status.code()
    };
    assert_eq!(run(Some("fle_01930c5ea2f07a3c8000000000000000_0123456789abcdef")), Some(5));
    assert_eq!(run(Some("nonsense")), Some(2));
    assert_eq!(run(None), Some(2));
}
