//! Enqueueing and following jobs.

use std::io::Write;
use std::process::Stdio;

use crate::world::{World, signal};

#[test]
fn job_is_enqueued_waited_for_and_shown() {
    let world = World::new();
    let _node = world.serve();
    let job = world.json(&["job", "enqueue", "sleep", "--payload", "{\"duration_ms\":20}", "--tag", "t", "--wait"]);
    assert_eq!(job["state"], "completed");
    assert!(job["result"]["slept_ms"].as_u64().unwrap() >= 20, "{job}");
    let id = job["id"].as_str().unwrap();
    assert_eq!(world.json(&["job", "get", id])["tags"][0], "t");
    assert_eq!(world.json(&["job", "wait", id])["id"], job["id"]);
    let listed = world.json(&["job", "list", "--state", "completed", "--tag", "t"]);
    assert_eq!(listed["items"][0]["id"], job["id"]);
    assert_eq!(world.run(&["job", "logs", id, "--follow"]).code(), 0);
    let requeued = world.run(&["job", "requeue", id]);
    assert_eq!(requeued.code(), 1, "a completed job cannot be requeued: {}", requeued.stderr());
}

#[test]
fn payload_comes_from_a_file_or_standard_input() {
    let world = World::new();
    let _node = world.serve();
    let file = world.data().join("payload.json");
    std::fs::write(&file, r#"{"a":1}"#).unwrap();
    let job = world.json(&["job", "enqueue", "noop", "--wait", "--payload", &format!("@{}", file.display())]);
    assert_eq!(job["result"]["echo"]["a"], 1);

    let mut command = world.command(&["job", "enqueue", "noop", "--wait", "--payload", "-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(br#"{"b":2}"#).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"b\": 2"));
}

#[test]
fn same_idempotency_key_gives_the_same_job() {
    let world = World::new();
    let _node = world.serve();
    let enqueue = || world.json(&["job", "enqueue", "noop", "--idempotency-key", "k"])["id"].clone();
    assert_eq!(enqueue(), enqueue());
}

#[test]
fn wrong_input_has_its_exit_code_and_a_hint() {
    let world = World::new();
    let _node = world.serve();
    let check = |arguments: &[&str], code: i32, text: &str| {
        let outcome = world.run(arguments);
        assert_eq!(outcome.code(), code, "{arguments:?}: {}", outcome.stderr());
        assert!(outcome.stderr().contains(text), "{arguments:?}: {}", outcome.stderr());
    };
    check(&["job", "enqueue", "slep"], 3, "did you mean sleep");
    check(&["job", "enqueue", "sleep", "--payload", "{\"duration_ms\":\"x\"}"], 2, "/payload/duration_ms");
    check(&["job", "enqueue", "noop", "--payload", "{oops"], 2, "is not JSON");
    check(&["job", "enqueue", "noop", "--payload", "@/nowhere"], 2, "cannot read /nowhere");
    check(&["job", "get", "job_01930c5ea2f07a3c8000000000000000"], 3, "error: ");
    check(&["job", "get", "x"], 2, "job_");
    check(&["job", "enqueue", "noop", "--delay", "5"], 2, "500ms");
}

#[test]
fn job_that_fails_gives_exit_code_6_and_its_reason() {
    let world = World::new();
    let _node = world.serve();
    let arguments = ["job", "enqueue", "sleep", "--payload", "{\"duration_ms\":60000}", "--timeout", "50ms"];
    let outcome = world.run(&[&arguments[..], &["--attempts", "1", "--wait"]].concat());
    assert_eq!(outcome.code(), 6, "{}", outcome.stderr());
    assert!(outcome.stderr().contains("TIMEOUT"), "{}", outcome.stderr());
}

#[test]
fn interrupt_while_waiting_leaves_the_job_alone() {
    let world = World::new();
    let _node = world.serve();
    let job = world.json(&["job", "enqueue", "sleep", "--payload", "{\"duration_ms\":600000}"]);
    let id = job["id"].as_str().unwrap();
    let follow = world.command(&["job", "enqueue", "sleep", "--payload", "{\"duration_ms\":600000}", "--wait"]);
    let mut follow = follow;
    let mut child = follow.spawn().unwrap();
    // Its first line comes once it is enqueued; only then does it wait.
    let mut first = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stderr.as_mut().unwrap()), &mut first).unwrap();
    assert!(first.contains("idempotency key"), "{first}");
    signal(child.id(), "INT");
    let ended = child.wait().unwrap();
    assert!(ended.code() == Some(130) || ended.code().is_none(), "interrupted, before or after it listened: {ended}");
    assert_eq!(world.json(&["job", "get", id])["finished_at"], serde_json::Value::Null);
    let waited = world.run(&["job", "wait", id, "--timeout", "10ms"]);
    assert_eq!(waited.code(), 1);
    assert!(waited.stderr().contains("it goes on"), "{}", waited.stderr());
}

#[test]
fn without_a_node_commands_say_so() {
    let outcome = World::new().run(&["job", "list", "--json"]);
    assert_eq!(outcome.code(), 4);
    let error: serde_json::Value = serde_json::from_str(&outcome.stderr()).unwrap();
    assert_eq!(error["error"]["code"], "NODE_NOT_RUNNING");
    assert!(error["error"]["hint"].as_str().unwrap().contains("flowork serve"));
}
