//! What commands do with the secrets of a node is in its audit log, whether it ran or not.

use std::{fs, path::Path, process::Stdio};

use serde_json::{Value, json};

use crate::world::{Outcome, World};

const PASSPHRASE: &str = "correct horse battery staple";

fn beside(world: &World, name: &str, text: &str) -> std::path::PathBuf {
    let path = world.data().with_file_name(name);
    fs::write(&path, text).unwrap();
    path
}

fn export(world: &World, out: &Path) -> Outcome {
    let mut command = world.command(&["key", "export", "--json", "--out", out.to_str().unwrap()]);
    Outcome::of(command.env("FLOWORK_KEYSTORE_PASSPHRASE_FILE", beside(world, "passphrase.txt", PASSPHRASE)))
}

/// Everything that leaves a note, once.
fn use_secrets(world: &World, out: &Path) {
    assert_eq!(export(world, out).code(), 0);
    assert_eq!(world.run(&["token", "create", "--role", "viewer", "--ttl", "1m"]).code(), 0);
    let key = fs::File::open(beside(world, "provider-key", "sk-canary-of-the-notes")).unwrap();
    let set = Outcome::of(world.command(&["provider", "set-key", "ollama"]).stdin(Stdio::from(key)));
    assert_eq!(set.code(), 0, "{}", set.stderr());
    assert_eq!(world.run(&["provider", "delete-key", "ollama"]).code(), 0);
}

/// What somebody at the machine did, oldest first: the action, and more about it.
fn noted(world: &World) -> Vec<(String, Value)> {
    let log = world.json(&["audit", "list"]);
    assert!(!log.to_string().contains("canary"), "{log}");
    let entries = log["items"].as_array().unwrap().iter().rev();
    // The link that a start prints is made by the node itself.
    let noted = entries.filter(|entry| entry["detail"]["done_at"].is_string()).map(|entry| {
        assert!(entry["actor"]["kind"] == "machine" && entry["intact"] == true, "{entry}");
        (entry["action"].as_str().unwrap().to_owned(), entry["detail"]["detail"].clone())
    });
    noted.collect()
}

#[test]
fn what_was_done_with_the_secrets_is_in_the_log_while_the_node_runs_and_after_it_was_stopped() {
    let world = World::new();
    let node = world.serve();
    let address = world.json(&["key", "address"])["address"].clone();
    let expected = [
        ("key.export".to_owned(), json!({"address": address})),
        ("token.create".to_owned(), json!({"role": "viewer", "ttl_ms": 60_000})),
        ("provider.set_key".to_owned(), json!({"provider": "ollama"})),
        ("provider.delete_key".to_owned(), json!({"provider": "ollama"})),
    ];
    use_secrets(&world, &world.data().with_file_name("first.json"));
    assert_eq!(noted(&world), expected, "the node runs");
    drop(node);
    use_secrets(&world, &world.data().with_file_name("second.json"));
    assert_eq!(noted(&world).len(), 4, "nobody writes the log of a node that is stopped");
    let _node = world.serve();
    let log = noted(&world);
    assert_eq!((&log[..4], &log[4..]), (&expected[..], &expected[..]), "it has started again");
    assert_eq!(world.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn what_cannot_be_noted_is_not_given_out() {
    let world = World::new();
    drop(world.serve());
    fs::remove_dir_all(world.data().join("audit.owed")).unwrap();
    fs::write(world.data().join("audit.owed"), "no directory").unwrap();
    let token = world.run(&["token", "create", "--json"]);
    assert_eq!((token.code(), token.stdout().as_str()), (1, ""), "{}", token.stderr());
    let error: Value = serde_json::from_str(&token.stderr()).unwrap();
    assert_eq!(error["error"]["code"], "AUDIT", "{error}");
    let out = world.data().with_file_name("owner.json");
    assert_eq!(export(&world, &out).code(), 1);
    assert!(!out.exists());
}
