//! Shard files from the command line, from damage to repair.

use std::{
    fs::OpenOptions,
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
};

use serde_json::Value;

use crate::world::{Served, World};

fn stop(mut node: Served) {
    node.signal("TERM");
    assert!(node.wait().success());
}

fn error_of(stderr: &str) -> Value {
    serde_json::from_str::<Value>(stderr.lines().last().unwrap()).unwrap()["error"].clone()
}

#[test]
fn damaged_shard_is_named_everywhere_repaired_and_serves_again() {
    let world = World::new();
    let node = world.serve();
    let job = world.json(&["job", "enqueue", "noop", "--payload", r#"{"a":1}"#, "--wait"]);
    let id = job["id"].as_str().unwrap();

    let refused = world.run(&["shard", "check", "--json"]);
    assert_eq!(refused.code(), 8, "a node has the files open: {}", refused.stderr());
    assert_eq!(error_of(&refused.stderr())["code"], "NODE_RUNNING");
    let scrub = world.json(&["job", "enqueue", "shard.scrub", "--wait"]);
    assert_eq!(scrub["result"]["ok"], true, "{scrub}");
    stop(node);

    let report = world.json(&["shard", "check"]);
    assert_eq!(report["ok"], true, "{report}");
    let before = world.run(&["shard", "export"]);
    assert!(before.code() == 0 && before.stdout().contains(id), "{before:?}");

    // Each shard loses its first page.
    for shard in report["shards"].as_array().unwrap() {
        let path = PathBuf::from(shard["file"].as_str().unwrap());
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&[0xab; 4_096]).unwrap();
    }
    let checked = world.run(&["shard", "check", "--json"]);
    assert_eq!(checked.code(), 9, "{}", checked.stderr());

    let node = world.serve();
    let status = world.json(&["status"]);
    assert_eq!(
        status["notices"].to_string().matches("SHARD_QUARANTINED").count(),
        report["shards"].as_array().unwrap().len()
    );
    assert_eq!(status["engines"][0]["shard_problems"][0]["state"], "quarantined", "{status}");
    let away = world.run(&["job", "get", id, "--json"]);
    assert_eq!(away.code(), 7, "{}", away.stderr());
    let error = error_of(&away.stderr());
    assert!(error["code"] == "SHARD_QUARANTINED" && error["hint"].to_string().contains("shard repair"), "{error}");
    let list = world.json(&["job", "list"]);
    assert_eq!((&list["partial"], list["items"].as_array().unwrap().len()), (&true.into(), 0));
    stop(node);

    let repaired = world.json(&["shard", "repair"]);
    assert_eq!(repaired["lost"], false, "{repaired}");
    assert!(PathBuf::from(repaired["shards"][0]["damaged_copy"].as_str().unwrap()).exists());
    let after = world.run(&["shard", "export"]);
    assert_eq!(after.stdout(), before.stdout(), "not a letter is lost");
    let sound = world.json(&["shard", "repair"]);
    assert_eq!(sound["shards"][0]["outcome"], "sound", "what is sound is left alone");

    let _node = world.serve();
    assert_eq!(world.json(&["job", "get", id])["state"], "completed");
    assert_eq!(world.json(&["job", "list"])["partial"], false);
}

#[test]
fn shards_that_are_not_there_are_not_found() {
    let world = World::new();
    let outcome = world.run(&["shard", "check", "--json"]);
    assert_eq!((outcome.code(), error_of(&outcome.stderr())["code"].as_str()), (3, Some("DATA_DIR")));
    stop(world.serve());
    let outcome = world.run(&["shard", "check", "--shard", "63", "--json"]);
    assert_eq!((outcome.code(), error_of(&outcome.stderr())["code"].as_str()), (3, Some("SHARD_NOT_FOUND")));
}
