//! A node in this process, as the desktop app has one.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{collections::BTreeMap, path::Path, time::Duration};

use flowork_api_types::{engine::EngineState, node::Notice};
use flowork_node::{Config, Flags, Node, NodeHandle};

fn config(directory: &Path, recovery: bool) -> Config {
    let text = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let environment = BTreeMap::from([
        ("FLOWORK_VAULT".to_owned(), "file".to_owned()),
        ("FLOWORK_VAULT_KEY_DIR".to_owned(), text("keys")),
    ]);
    let (data_dir, listen) = (Some(text("data")), Some("127.0.0.1:0".to_owned()));
    Config::load_with(&Flags { data_dir, listen, recovery, ..Flags::default() }, &environment).unwrap()
}

fn codes(node: &NodeHandle) -> Vec<String> {
    node.notices().into_iter().map(|notice| notice.code).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_can_be_taken_back_and_notices_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(config(directory.path(), false)).await.unwrap();
    assert_eq!(node.drain(Duration::ZERO).await, 0);
    assert_eq!(node.engines()[0].state, EngineState::Draining);
    node.undrain();
    assert_eq!(node.engines()[0].state, EngineState::Up);
    // Whatever it finds, it goes on.
    node.resumed().await;

    let before = codes(&node);
    let notice = |message: &str| Notice { code: "TRAY_MISSING".to_owned(), message: message.to_owned(), hint: None };
    node.set_notice(notice("first"));
    node.set_notice(notice("second"));
    let told: Vec<_> = node.notices().into_iter().filter(|notice| notice.code == "TRAY_MISSING").collect();
    assert_eq!(told, [notice("second")], "one of each code");
    node.clear_notice("TRAY_MISSING");
    assert_eq!(codes(&node), before);
    assert_eq!(node.shutdown(Duration::from_secs(5)).await.released, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_start_runs_nothing_even_where_a_usual_start_fails() {
    let directory = tempfile::tempdir().unwrap();
    let broken =
        |recovery| Config { egress_allow_hosts: vec!["not a host!".to_owned()], ..config(directory.path(), recovery) };
    assert!(Node::start(broken(false)).await.is_err(), "kinds that can't be registered stop a usual start");
    let node = Node::start(broken(true)).await.unwrap();
    let told = codes(&node);
    assert!(told.contains(&"RECOVERY_MODE".to_owned()) && told.contains(&"KINDS".to_owned()), "{told:?}");
    assert_eq!((node.engines()[0].workers, node.running()), (0, 0));
    node.stop().await;
}
