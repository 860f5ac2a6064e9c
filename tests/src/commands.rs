//! `command.run`: off until the owner turns it on, and then only what is listed.

use anyhow::ensure;
use flowork_test_support::{TestHome, TestNode};
use serde_json::json;

async fn node(config: &str) -> anyhow::Result<TestNode> {
    let home = TestHome::new()?;
    std::fs::create_dir_all(home.data_dir())?;
    std::fs::write(home.data_dir().join("config.toml"), config)?;
    home.start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_are_off_until_the_owner_turns_them_on() -> anyhow::Result<()> {
    for config in ["", "[commands]\nenabled = true\n", "[commands]\nprograms = [\"/bin/sh\"]\n"] {
        let node = node(config).await?;
        ensure!(!node.get("/v1/kinds").await?.to_string().contains("command.run"), "{config:?}");
        let (status, answer) =
            node.enqueue("key", &json!({"kind": "command.run", "payload": {"program": "/bin/sh"}})).await?;
        ensure!(status == 400 && answer["error"]["code"] == "UNKNOWN_KIND", "{status} {answer}");
        let hint = answer["error"]["hint"].as_str().unwrap_or_default();
        ensure!(hint.contains("commands.enabled"), "the hint says how to turn it on: {answer}");
    }
    Ok(())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_program_runs_and_another_is_refused() -> anyhow::Result<()> {
    let node = node("[commands]\nenabled = true\nprograms = [\"/bin/sh\", \"/no/such/program\"]\n").await?;
    let job = node
        .run_job("command.run", json!({"program": "/bin/sh", "args": ["-c", "cat; exit 0"], "stdin": "hi"}))
        .await?;
    ensure!(job["state"] == "completed" && job["result"]["stdout"] == "hi", "{job}");
    let failed =
        node.run_job("command.run", json!({"program": "/bin/sh", "args": ["-c", "echo why >&2; exit 4"]})).await?;
    ensure!(
        failed["error"]["code"] == "COMMAND_FAILED" && failed["error"]["details"]["stderr_tail"] == "why\n",
        "{failed}"
    );
    let (status, answer) =
        node.enqueue("other", &json!({"kind": "command.run", "payload": {"program": "/bin/cat"}})).await?;
    ensure!(status == 400 && answer["error"]["code"] == "VALIDATION_ERROR", "{status} {answer}");
    let notices = node.get("/v1/status").await?.to_string();
    ensure!(notices.contains("COMMAND_NOT_FOUND") && notices.contains("/no/such/program"), "{notices}");
    Ok(())
}
