//! `flowork audit`, over a node that runs and over one that is stopped.

use anyhow::{Context, ensure};
use flowork_test_support::TestHome;
use reqwest::Method;
use serde_json::Value;

/// What `flowork audit verify` returns when the log is damaged.
const DAMAGED: i32 = 9;

async fn audit(home: &TestHome, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let output = home.run(&[&["audit"], arguments].concat()).await?;
    Ok((output.status.code(), String::from_utf8(output.stdout)?))
}

async fn report(home: &TestHome) -> anyhow::Result<(Option<i32>, Value)> {
    let (code, text) = audit(home, &["verify", "--json"]).await?;
    let line = text.lines().next().with_context(|| format!("no report: {text:?}"))?;
    Ok((code, serde_json::from_str(line)?))
}

async fn actions(home: &TestHome) -> anyhow::Result<Vec<String>> {
    let (_, text) = audit(home, &["list", "--json"]).await?;
    let list: Value = serde_json::from_str(&text)?;
    let items = list["items"].as_array().context("a list")?;
    Ok(items.iter().filter_map(|entry| entry["action"].as_str().map(str::to_owned)).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_listed_checked_and_exported_while_the_node_runs_and_while_it_is_stopped() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    let paused = node.request(Method::POST, "/v1/queues/mail/pause").send().await?;
    ensure!(paused.status().is_success(), "{}", paused.status());
    let seen = actions(node.home()).await?;
    // The first is the token with which this test calls: noted by the command, and written once somebody reads the log.
    ensure!(seen == ["token.create", "queue.pause", "session.link", "node.start"], "{seen:?}");
    let (code, found) = report(node.home()).await?;
    ensure!(code == Some(0) && found["ok"] == true && found["entries"] == 4, "{found}");

    let (_, home) = node.terminate().await?;
    let reset = home.run(&["auth", "reset"]).await?;
    ensure!(reset.status.success());
    let (code, found) = report(&home).await?;
    ensure!(code == Some(0) && found["ok"] == true, "{found}");
    let (code, events) = audit(&home, &["export", "--action", "queue"]).await?;
    let event: Value = serde_json::from_str(events.trim())?;
    ensure!(code == Some(0) && event["type"] == "dev.flowork.audit.queue.pause", "{event}");

    let node = home.start().await?;
    let seen: Vec<_> = actions(node.home()).await?.into_iter().filter(|action| action != "token.create").collect();
    let since = ["session.link", "keys.rotate", "session.reset", "node.start", "node.stop"];
    ensure!(seen[..since.len()] == since, "{seen:?}");
    let (_, home) = node.terminate().await?;

    // Whoever can write the file changes an entry; the node is told, and goes on.
    let path = home.data_dir().join("audit.db");
    let (from, to) = (b"queue.pause", b"queue.panic");
    let mut bytes = std::fs::read(&path)?;
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, from).collect();
    ensure!(!places.is_empty(), "the entry is in the file");
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    std::fs::write(&path, bytes)?;
    let (code, found) = report(&home).await?;
    ensure!(code == Some(DAMAGED) && found["problems"][0]["kind"] == "entry_changed", "{found}");
    let node = home.start().await?;
    let (code, found) = report(node.home()).await?;
    ensure!(code == Some(DAMAGED) && found["problems"][0]["kind"] == "entry_changed", "{found}");
    Ok(())
}
