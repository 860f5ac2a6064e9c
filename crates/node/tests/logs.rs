//! The log of a process that has one node after the other. Alone in its file: the log belongs to the whole process.

use std::collections::BTreeMap;

use flowork_node::{Config, Flags, Node};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_started_again_in_the_same_process_writes_its_log_again() {
    let directory = tempfile::tempdir().unwrap();
    let text = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let environment = BTreeMap::from([
        ("FLOWORK_VAULT".to_owned(), "file".to_owned()),
        ("FLOWORK_VAULT_KEY_DIR".to_owned(), text("keys")),
    ]);
    for _ in 0..2 {
        let (data_dir, listen) = (Some(text("data")), Some("127.0.0.1:0".to_owned()));
        let flags = Flags { data_dir, listen, ..Flags::default() };
        Node::start(Config::load_with(&flags, &environment).unwrap()).await.unwrap().stop().await;
    }
    let logs = std::fs::read_dir(directory.path().join("data/logs")).unwrap();
    let text: String = logs.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert_eq!(text.matches("the node serves").count(), 2, "{text}");
}
