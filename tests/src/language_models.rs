//! `llm.chat` and `llm.embed` against servers that speak the protocols, and against some that do not.

use std::{path::Path, process::Stdio};

use anyhow::{Context, ensure};
use flowork_test_support::{LlmBehavior, LlmStandIn, TestHome, TestNode, flowork};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_streams_its_text_and_tells_its_usage() -> anyhow::Result<()> {
    let pieces = ["The ", "answer ", "is ", "42."].map(str::to_owned).to_vec();
    let model = LlmStandIn::start(LlmBehavior::Stream(pieces)).await?;
    let node = node_with_provider(model.url()).await?;
    let job = ask(&node).await?;
    ensure!(job["state"] == "completed", "{job}");
    ensure!(job["result"]["content"] == "The answer is 42.", "{job}");
    ensure!(job["result"]["usage"]["total_tokens"] == 11, "{job}");
    ensure!(job["progress"]["output"] == "The answer is 42.", "the text came as progress: {job}");
    let requests = model.requests().await;
    ensure!(requests.len() == 1 && requests[0].1["stream"] == true, "{requests:?}");
    ensure!(requests[0].1["model"] == "test-model", "{requests:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_at_the_provider_is_said_clearly() -> anyhow::Result<()> {
    for behavior in [
        LlmBehavior::CutStream,
        LlmBehavior::Refuse(401, None),
        LlmBehavior::Refuse(404, None),
        LlmBehavior::Refuse(429, Some(1)),
        LlmBehavior::Refuse(500, None),
        LlmBehavior::Garbage,
    ] {
        let name = format!("{behavior:?}");
        let model = LlmStandIn::start(behavior).await?;
        let node = node_with_provider(model.url()).await?;
        let job = ask(&node).await?;
        ensure!(job["state"] == "failed", "{name}: {job}");
        ensure!(job["error"]["code"].is_string() && job["error"]["hint"].is_string(), "{name}: {job}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_down_is_an_error_with_a_hint() -> anyhow::Result<()> {
    let model = LlmStandIn::start(LlmBehavior::Garbage).await?;
    let url = model.url().to_owned();
    drop(model);
    let node = node_with_provider(&url).await?;
    let job = ask(&node).await?;
    ensure!(job["state"] == "failed", "{job}");
    ensure!(job["error"]["hint"].is_string(), "{job}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_of_another_protocol_answers_and_its_key_is_seen_by_nobody_else() -> anyhow::Result<()> {
    const KEY: &str = "sk-canary-of-the-fallback";
    let first = LlmStandIn::start(LlmBehavior::RefuseSaying(500, "out of order".to_owned())).await?;
    let second = LlmStandIn::start(LlmBehavior::Stream(vec!["I stand in.".to_owned()])).await?;
    let leaky = LlmStandIn::start(LlmBehavior::RefuseSaying(401, format!("the key {KEY} is not known"))).await?;
    let home = TestHome::new()?;
    let config = format!(
        "log = \"debug\"\ndefault_provider = \"first\"\n\
         [providers.first]\nbase_url = \"{}\"\nmodel = \"m\"\nmax_retries = 1\nfallback = [\"second\"]\n\
         [providers.second]\napi = \"anthropic\"\nbase_url = \"{}\"\nmodel = \"claude\"\n\
         [providers.leaky]\nbase_url = \"{}\"\n",
        first.url(),
        second.url(),
        leaky.url()
    );
    std::fs::create_dir_all(home.data_dir())?;
    std::fs::write(home.data_dir().join("config.toml"), config)?;
    // The vault is made by the first start.
    let (_, home) = home.start().await?.terminate().await?;
    for name in ["second", "leaky"] {
        set_key(&home, name, KEY).await?;
    }
    let listed = home.run(&["provider", "list", "--json"]).await?;
    let listed: Value = serde_json::from_slice(&listed.stdout)?;
    let second_listed = listed["providers"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "second"));
    ensure!(second_listed.is_some_and(|one| one["has_key"] == true && one["api"] == "anthropic"), "{listed}");

    let node = home.start().await?;
    let job = ask(&node).await?;
    ensure!(job["state"] == "completed" && job["result"]["content"] == "I stand in.", "{job}");
    ensure!(job["result"]["provider"] == "second" && job["result"]["model"] == "claude", "{job}");
    ensure!(job["result"]["tries"].as_array().is_some_and(|tries| tries.len() == 3), "{job}");
    ensure!(second.requests().await[0].0["x-api-key"] == KEY, "the key reached the one it is for");
    ensure!(first.requests().await.iter().all(|(headers, _)| !format!("{headers:?}").contains(KEY)), "and no other");

    let payload = json!({"provider": "leaky", "model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let failed = node.run_job("llm.chat", payload).await?;
    ensure!(failed["error"]["code"] == "PROVIDER_AUTH_FAILED", "{failed}");
    let logs = node.get(&format!("/v1/jobs/{}/logs", failed["id"].as_str().unwrap_or_default())).await?;
    ensure!(!format!("{listed} {job} {failed} {logs}").contains(KEY), "{failed} {logs}");
    let (_, home) = node.terminate().await?;
    check_no_file_holds(&home.data_dir(), KEY)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_are_embedded() -> anyhow::Result<()> {
    let model = LlmStandIn::start(LlmBehavior::Embed(4)).await?;
    let node = node_with_provider(model.url()).await?;
    let job = node.run_job("llm.embed", json!({"model": "e", "input": ["one", "three"]})).await?;
    ensure!(job["state"] == "completed", "{job}");
    ensure!(job["result"]["embeddings"] == json!([[3.0, 0.0, 0.0, 0.0], [5.0, 1.0, 0.0, 0.0]]), "{job}");
    ensure!(job["result"]["dimensions"] == 4 && job["result"]["provider"] == "test", "{job}");
    Ok(())
}

async fn set_key(home: &TestHome, name: &str, key: &str) -> anyhow::Result<()> {
    let mut command = home.command(&flowork());
    let mut child = command.args(["provider", "set-key", name]).stdin(Stdio::piped()).spawn()?;
    child.stdin.take().context("no stdin")?.write_all(format!("{key}\n").as_bytes()).await?;
    ensure!(child.wait().await?.success(), "set-key {name} failed");
    Ok(())
}

/// The node has ended: its database files may be read.
fn check_no_file_holds(folder: &Path, secret: &str) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            check_no_file_holds(&path, secret)?;
        } else if path.is_file() {
            let bytes = std::fs::read(&path)?;
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            ensure!(!found, "{} holds the key", path.display());
        }
    }
    Ok(())
}

async fn node_with_provider(base_url: &str) -> anyhow::Result<TestNode> {
    let home = TestHome::new()?;
    std::fs::create_dir_all(home.data_dir())?;
    let config = format!("default_provider = \"test\"\n\n[providers.test]\nbase_url = \"{base_url}\"\n");
    std::fs::write(home.data_dir().join("config.toml"), config)?;
    home.start().await
}

async fn ask(node: &TestNode) -> anyhow::Result<Value> {
    let payload = json!({"model": "test-model", "messages": [{"role": "user", "content": "What is the answer?"}]});
    node.run_job("llm.chat", payload).await
}
