//! Members, signing keys, engine tokens and admin tokens from the command line.

use crate::world::World;

const ADDRESS: &str = "0x52908400098527886e0f7030069857d2e4169ee7";

#[test]
fn members_are_added_changed_and_removed() {
    let world = World::new();
    let node = world.serve();
    let ada = world.json(&["member", "add", "Ada", "--role", "viewer"]);
    let subject = ada["subject"].as_str().unwrap();
    assert_eq!(world.json(&["member", "update", "ada", "--role", "operator"])["role"], "operator");
    let with_key = world.json(&["member", "key", "add", subject, ADDRESS, "--name", "hers"]);
    assert_eq!(with_key["keys"][0]["address"], ADDRESS);
    let list = world.run(&["member", "list"]).stdout();
    for part in ["owner", subject, "operator", ADDRESS] {
        assert!(list.contains(part), "{part} in {list}");
    }
    world.json(&["member", "key", "remove", subject, ADDRESS]);
    assert!(world.json(&["member", "update", subject, "--disable"])["disabled_at"].is_string());
    assert!(world.json(&["member", "update", subject, "--enable"])["disabled_at"].is_null());
    world.json(&["member", "remove", "Ada"]);
    assert_eq!(world.run(&["member", "remove", "Ada"]).code(), 3, "there is none any more");
    assert_eq!(world.run(&["member", "add", "x", "--role", "owner"]).code(), 2, "there is one owner");
    drop(node);
}

#[test]
fn keys_are_rotated_and_the_next_command_signs_with_the_new_one() {
    let world = World::new();
    let node = world.serve();
    let before = world.json(&["keys", "list"]);
    let rotated = world.json(&["keys", "rotate", "--end-old"]);
    let kids =
        |keys: &serde_json::Value| keys["items"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    let (before, after): (Vec<_>, Vec<_>) = (kids(&before), kids(&rotated));
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|kid| !before.contains(kid)), "{before:?} {after:?}");
    assert_eq!(kids(&world.json(&["keys", "list"])) as Vec<_>, after);
    drop(node);
    let node = world.serve();
    assert_eq!(kids(&world.json(&["keys", "list"])) as Vec<_>, after, "they are in the vault");
    drop(node);
}

#[test]
fn engine_tokens_are_replaced_and_revoked_by_the_engines_name() {
    let world = World::new();
    let node = world.serve();
    let made = world.json(&["engine", "create", "attic"]);
    let rotated = world.json(&["engine", "token", "rotate", "attic", "--grace", "1h"]);
    assert_ne!(rotated["token"], made["token"]);
    assert!(rotated["old_token_ends_at"].is_string());
    let id = made["engine"]["id"].as_str().unwrap();
    assert!(world.json(&["engine", "token", "rotate", id, "--grace", "0s"])["old_token_ends_at"].is_null());
    assert_eq!(world.json(&["engine", "token", "revoke", "attic"])["revoked"], id);
    assert_eq!(world.run(&["engine", "token", "revoke", "cellar"]).code(), 3);
    drop(node);
}

#[test]
fn an_admin_token_is_for_the_scopes_it_was_made_for() {
    let world = World::new();
    let node = world.serve();
    let token =
        world.run(&["token", "create", "--scope", "audit:read", "--scope", "ops:drain", "--ttl", "1m"]).stdout();
    assert!(token.starts_with("fla_"), "{token}");
    for wrong in [
        &["token", "create", "--scope", "everything"][..],
        &["token", "create", "--scope", "ops:drain", "--role", "viewer"][..],
    ] {
        assert_eq!(world.run(wrong).code(), 2, "{wrong:?}");
    }
    assert_ne!(world.run(&["token", "create", "--scope", "ops:drain", "--ttl", "1h"]).code(), 0, "15 minutes at most");
    drop(node);
}
