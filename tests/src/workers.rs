//! How many workers a node has, as a person decides at the command line.

use anyhow::ensure;
use flowork_test_support::{TestHome, TestNode};
use serde_json::Value;

async fn run(node: &TestNode, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let output = node.home().run(arguments).await?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), text))
}

async fn local(node: &TestNode) -> anyhow::Result<(Value, Value)> {
    let engine = node.get("/v1/engines").await?["items"][0].clone();
    Ok((engine["workers"].clone(), engine["workers_fixed"].clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_of_workers_holds_over_a_crash_until_it_is_taken_back() -> anyhow::Result<()> {
    let node = TestHome::new()?.with_setting("CORE_MAX_WORKERS", &4).start().await?;
    let (ok, said) = run(&node, &["engine", "workers", "local", "17"]).await?;
    ensure!(ok && said.contains("local is to have 17 workers"), "{said}");
    ensure!(local(&node).await? == (17.into(), 17.into()), "at once, and past what the load may bring");
    let node = node.kill().await?.start().await?;
    ensure!(local(&node).await? == (17.into(), 17.into()), "and after a crash");
    let scaler = node.get("/v1/autoscaler").await?;
    ensure!(scaler["enabled"] == false && scaler["fixed"]["workers"] == 17, "{scaler}");
    let (_, listed) = run(&node, &["engine", "list"]).await?;
    ensure!(listed.contains("0/17 (set)"), "{listed}");

    for wrong in [&["engine", "workers", "local"][..], &["engine", "workers", "local", "0"]] {
        ensure!(!run(&node, wrong).await?.0, "{wrong:?}");
    }
    let (ok, said) = run(&node, &["engine", "workers", "local", "300"]).await?;
    ensure!(!ok && said.contains("not between 1 and 256"), "{said}");
    let (ok, said) = run(&node, &["engine", "workers", "nobody", "3"]).await?;
    ensure!(!ok && said.contains("there is no engine \"nobody\""), "{said}");

    let (ok, said) = run(&node, &["engine", "workers", "local", "--by-load"]).await?;
    ensure!(ok && said.contains("as many workers as the load or the settings say"), "{said}");
    ensure!(local(&node).await? == (4.into(), Value::Null), "no more than the load may bring");
    Ok(())
}
