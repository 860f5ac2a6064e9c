//! `llm.chat` against a server that speaks the protocol, and against one that does not.

use anyhow::ensure;
use flowork_test_support::{LlmBehavior, LlmStandIn, TestHome, TestNode};
use serde_json::{Value, json};

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
