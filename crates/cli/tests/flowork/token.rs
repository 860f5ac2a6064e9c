//! Tokens for scripts, and keys of providers.

use std::{io::Write, process::Stdio};

use crate::world::World;

#[test]
fn token_is_a_bearer_token_of_the_running_node() {
    let world = World::new();
    let node = world.serve();
    let token = world.run(&["token", "create", "--role", "viewer", "--ttl", "1m"]).stdout().trim().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (me, nobody, refused) = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/v1/auth/me", node.url());
        let me = client.get(&url).bearer_auth(&token).send().await.unwrap();
        let me: serde_json::Value = me.json().await.unwrap();
        let nobody = client.get(&url).send().await.unwrap().status();
        let links = format!("{}/v1/auth/links", node.url());
        let refused = client.post(&links).bearer_auth(&token).send().await.unwrap().status();
        (me, nobody, refused)
    });
    assert_eq!(me["role"], "viewer");
    assert_eq!(nobody, 401, "being on the same machine gives no rights");
    assert_eq!(refused, 403, "a viewer makes no links");
}

#[test]
fn token_needs_a_vault_but_no_running_node() {
    let world = World::new();
    let outcome = world.run(&["token", "create"]);
    assert_eq!(outcome.code(), 3, "{}", outcome.stderr());
    assert!(!world.data().exists(), "asking makes nothing");
    drop(world.serve());
    assert_eq!(world.run(&["token", "create"]).code(), 0);
    for ttl in ["25h", "0s", "999ms"] {
        assert_eq!(world.run(&["token", "create", "--ttl", ttl]).code(), 2, "{ttl}");
    }
}

#[test]
fn provider_key_goes_from_standard_input_to_the_vault() {
    let world = World::new();
    world.config("[providers.groq]\nbase_url = 'https://api.groq.com/openai/v1'\n");
    drop(world.serve());
    let set = |name: &str| {
        let mut child = world.command(&["provider", "set-key", name]).stdin(Stdio::piped()).spawn().unwrap();
        // A refusal closes the pipe before it is read.
        let _ = child.stdin.take().unwrap().write_all(b"gsk-canary-123\n");
        child.wait_with_output().unwrap()
    };
    let stored = set("groq");
    assert!(stored.status.success(), "{}", String::from_utf8_lossy(&stored.stderr));
    assert!(!String::from_utf8_lossy(&stored.stdout).contains("canary"));
    let unknown = set("gorq");
    assert_eq!(unknown.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("configured are: groq, ollama"));
    drop(world.serve());
}
