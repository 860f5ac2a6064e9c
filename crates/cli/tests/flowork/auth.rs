//! `flowork auth` and `flowork key`: the way back in, and the owner's own key.

use std::{fs, path::Path};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::world::{Served, World};

const PASSPHRASE: &str = "correct horse battery staple";

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn code_of(link: &Value) -> String {
    link.as_str().unwrap().split_once("/#pair=").expect("the code is in the fragment").1.to_owned()
}

fn pair(node: &Served, code: &str) -> (StatusCode, Value) {
    wait(async {
        let body = json!({"code": code, "device_name": "a browser"});
        let answer = client().post(format!("{}/v1/auth/pair", node.url())).json(&body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    })
}

fn is_signed_in(node: &Served, session: &Value) -> bool {
    let token = session["access_token"].as_str().unwrap();
    let me = format!("{}/v1/auth/me", node.url());
    wait(async { client().get(me).bearer_auth(token).send().await.unwrap().status().is_success() })
}

/// Runs a command on keystore files with the passphrase in a file.
fn with_passphrase(world: &World, arguments: &[&str], passphrase: &str) -> (i32, Value) {
    let file = world.data().with_file_name("passphrase.txt");
    fs::write(&file, format!("{passphrase}\n")).unwrap();
    let mut command = world.command(&[arguments, &["--json"]].concat());
    let output = command.env("FLOWORK_KEYSTORE_PASSPHRASE_FILE", &file).output().unwrap();
    let text = if output.status.success() { &output.stdout } else { &output.stderr };
    (output.status.code().unwrap(), serde_json::from_slice(text).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_reset_while_the_node_runs_signs_everybody_out_and_prints_a_new_link() {
    let world = World::new();
    let node = world.serve();
    let (_, session) = pair(&node, &code_of(&world.json(&["link"])["url"]));
    assert!(is_signed_in(&node, &session));
    let listed = world.json(&["auth", "sessions"]);
    assert_eq!(
        (listed["items"].as_array().unwrap().len(), &listed["items"][0]["device_name"]),
        (1, &json!("a browser"))
    );

    let unused = code_of(&world.json(&["link"])["url"]);
    let reset = world.json(&["auth", "reset"]);
    assert_eq!((&reset["ended_sessions"], &reset["removed_keys"]), (&json!(1), &json!(0)));
    assert!(!is_signed_in(&node, &session));
    assert_eq!(pair(&node, &unused).0, StatusCode::UNAUTHORIZED);
    let (status, session) = pair(&node, &code_of(&reset["link"]["url"]));
    assert_eq!((status, &session["me"]["subject"]), (StatusCode::OK, &json!("owner")));
}

#[test]
fn a_reset_while_the_node_is_stopped_holds_at_the_next_start() {
    let world = World::new();
    let refused = world.run(&["auth", "reset"]);
    assert_eq!(refused.code(), 3, "{}", refused.stderr());
    assert!(!world.data().exists(), "asking makes nothing");

    let node = world.serve();
    let (_, session) = pair(&node, &code_of(&world.json(&["link"])["url"]));
    drop(node);
    let mut command = world.command(&["auth", "reset", "--forget-devices", "--json"]);
    let output = command.env("FLOWORK_LISTEN", "127.0.0.1:7717").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reset: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reset["ended_sessions"], 1);

    let node = world.serve();
    assert!(!is_signed_in(&node, &session));
    assert_eq!(pair(&node, &code_of(&reset["link"]["url"])).0, StatusCode::OK);
}

#[test]
fn a_reset_can_take_the_owners_other_keys_and_ends_tokens_of_scripts() {
    let world = World::new();
    let node = world.serve();
    let stolen = "0x00000000000000000000000000000000000000aa";
    let take_in = || world.json(&["member", "key", "add", "owner", stolen, "--name", "a thief's"]);
    take_in();
    let zoe = world.json(&["member", "add", "Zoe", "--role", "viewer"]);
    let script = || world.run(&["token", "create", "--role", "owner", "--ttl", "15m"]).stdout().trim().to_owned();
    let admin = || world.run(&["token", "create", "--scope", "members:write"]).stdout().trim().to_owned();
    let counts = |node: &Served, token: &str| is_signed_in(node, &json!({"access_token": token}));
    let lists_members = |node: &Served, token: &str| {
        let members = format!("{}/v1/members", node.url());
        wait(async { client().get(members).bearer_auth(token).send().await.unwrap().status() })
    };
    let (token, admins) = (script(), admin());
    assert!(counts(&node, &token));
    assert_eq!(lists_members(&node, &admins), StatusCode::OK);
    let reset = world.json(&["auth", "reset"]);
    assert!(!counts(&node, &token), "no session stood behind it");
    assert_eq!(lists_members(&node, &admins), StatusCode::UNAUTHORIZED);
    assert_eq!(reset["owner_keys"].as_array().unwrap().len(), 2, "{reset}");
    assert_eq!(reset["members"][0]["subject"], zoe["subject"]);
    let reset = world.json(&["auth", "reset", "--forget-keys"]);
    assert_eq!((&reset["removed_keys"], reset["owner_keys"].as_array().unwrap().len()), (&json!(1), 1));

    take_in();
    let (token, admins) = (script(), admin());
    assert_eq!(lists_members(&node, &admins), StatusCode::OK);
    drop(node);
    let reset = world.json(&["auth", "reset", "--forget-keys"]);
    let own = world.json(&["key", "address"])["address"].as_str().unwrap().to_owned();
    let left = reset["owner_keys"].as_array().unwrap();
    assert!(left.len() == 1 && left[0]["address"].as_str().unwrap().eq_ignore_ascii_case(&own), "{reset}");
    let node = world.serve();
    assert!(!counts(&node, &token));
    assert_eq!(lists_members(&node, &admins), StatusCode::UNAUTHORIZED);
    assert!(counts(&node, &script()));
}

#[test]
fn a_link_is_for_the_member_and_the_public_host_that_are_asked_for() {
    let world = World::new();
    let node = world.serve();
    let zoe = world.json(&["member", "add", "Zoe", "--role", "viewer"]);
    let (status, session) = pair(&node, &code_of(&world.json(&["link", "--member", "zoe"])["url"]));
    assert_eq!((status, &session["me"]["subject"]), (StatusCode::OK, &zoe["subject"]));
    let mut command = world.command(&["link", "--json"]);
    command.env("FLOWORK_GATEWAY_TUNNEL_LISTEN", "127.0.0.1:0").env("FLOWORK_GATEWAY_PUBLIC_HOSTS", "node.example.com");
    let output = command.output().unwrap();
    let link: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = code_of(&link["url"]);
    assert_eq!(link["public_url"], format!("https://node.example.com/#pair={code}"));
    let elsewhere = world.run(&["link", "--host", "elsewhere.example.com"]);
    assert_eq!(elsewhere.code(), 2, "{}", elsewhere.stderr());
}

#[test]
fn the_owners_key_is_made_once_and_enrolled_for_the_owner() {
    let world = World::new();
    let none = world.run(&["key", "address"]);
    assert_eq!(none.code(), 3, "{}", none.stderr());
    let node = world.serve();
    let address = world.json(&["key", "address"])["address"].as_str().unwrap().to_owned();
    assert!(address.len() == 42 && address.starts_with("0x"), "{address}");
    let owner = world.json(&["member", "list"])["items"][0].clone();
    assert_eq!((&owner["subject"], owner["keys"].as_array().unwrap().len()), (&json!("owner"), 1));
    let enrolled = owner["keys"][0]["address"].as_str().unwrap();
    assert!(enrolled.eq_ignore_ascii_case(&address), "{enrolled}");
    drop(node);
    let _node = world.serve();
    assert_eq!(world.json(&["key", "address"])["address"], json!(address));
}

#[test]
fn the_owners_key_leaves_in_a_keystore_file_and_comes_into_another_node() {
    let (first, second) = (World::new(), World::new());
    drop((first.serve(), second.serve()));
    let address = first.json(&["key", "address"])["address"].clone();
    let replaced = second.json(&["key", "address"])["address"].clone();
    assert_ne!(address, replaced);
    let file = first.data().with_file_name("owner.json");
    let (code, answer) = with_passphrase(&first, &["key", "export", "--out", text(&file)], "short");
    assert_eq!((code, &answer["error"]["code"]), (2, &json!("KEYSTORE")));
    assert!(!file.exists());
    let (code, answer) = with_passphrase(&first, &["key", "export", "--out", text(&file)], PASSPHRASE);
    assert_eq!((code, &answer["address"]), (0, &address), "{answer}");
    let (code, _) = with_passphrase(&first, &["key", "export", "--out", text(&file)], PASSPHRASE);
    assert_eq!(code, 2, "a file that is there is left alone");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let import = ["key", "import", text(&file)];
    let (code, answer) = with_passphrase(&second, &import, "another passphrase");
    assert_eq!((code, &answer["error"]["code"]), (5, &json!("KEYSTORE")));
    let node = second.serve();
    let (code, answer) = with_passphrase(&second, &import, PASSPHRASE);
    assert_eq!((code, &answer["error"]["code"]), (8, &json!("NODE_RUNNING")));
    drop(node);
    let (code, answer) = with_passphrase(&second, &import, PASSPHRASE);
    assert_eq!((code, &answer), (0, &json!({"address": address, "replaced": replaced})));

    let _node = second.serve();
    assert_eq!(second.json(&["key", "address"])["address"], address);
    let keys = second.json(&["member", "list"])["items"][0]["keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 1, "the replaced one signs nobody in: {keys}");
    assert!(keys[0]["address"].as_str().unwrap().eq_ignore_ascii_case(address.as_str().unwrap()));
}
