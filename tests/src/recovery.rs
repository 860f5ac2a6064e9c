//! A node that is started to be looked at.

use anyhow::{Context, ensure};
use flowork_test_support::TestHome;
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_start_keeps_what_there_is_and_runs_none_of_it() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    let kinds = node.get("/v1/kinds").await?.to_string();
    ensure!(kinds.contains("module.csv-profile"), "the samples are there: {kinds}");
    let body =
        json!({"name": "ticks", "interval_ms": 1_000, "missed": "all", "job": {"kind": "noop", "tags": ["tick"]}});
    let made = node.request(Method::POST, "/v1/schedules").json(&body).send().await?;
    ensure!(made.status().is_success(), "{}", made.text().await?);
    let home = node.kill().await?;

    let node = home.start_under(&[], &["--recovery"]).await?;
    let status = node.get("/v1/status").await?;
    let notices = status["notices"].as_array().context("no notices")?;
    let notice = notices.iter().find(|notice| notice["code"] == "RECOVERY_MODE").context("it does not say so")?;
    ensure!(notice["hint"].is_string() && status["engines"][0]["workers"] == 0, "{status}");
    let kinds = node.get("/v1/kinds").await?.to_string();
    ensure!(kinds.contains("\"noop\"") && !kinds.contains("module."), "modules are off: {kinds}");
    let before = node.get("/v1/schedules").await?["items"][0]["last_due_at"].clone();
    let (code, job) = node.enqueue("k", &json!({"kind": "noop"})).await?;
    ensure!(code == 202, "it takes jobs: {job}");
    let id = job["id"].as_str().context("no id")?.to_owned();
    // Longer than the schedule's interval, and than any worker would take.
    let job = node.get(&format!("/v1/jobs/{id}?wait_ms=2500")).await?;
    ensure!(job["state"] == "queued", "nobody runs it: {job}");
    ensure!(node.get("/v1/schedules").await?["items"][0]["last_due_at"] == before, "no schedule fires");

    let node = node.kill().await?.start().await?;
    let job = node.wait_for(&id).await?;
    ensure!(job["state"] == "completed", "the next start goes on: {job}");
    Ok(())
}
