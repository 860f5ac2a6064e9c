//! A schedule of a real node fires each of its due times once, whatever happens to the node.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, ensure};
use flowork_api_types::Timestamp;
use flowork_test_support::{TestHome, TestNode};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

/// How long a schedule of one second may take to fire some times, on the busiest machine.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interval_of_a_second_fires_once_each_across_kills() -> anyhow::Result<()> {
    let mut node = TestHome::new()?.start().await?;
    let body =
        json!({"name": "ticks", "interval_ms": 1_000, "missed": "all", "job": {"kind": "noop", "tags": ["tick"]}});
    let schedule = send(&node, Method::POST, "/v1/schedules", &body).await?;
    let id = schedule["id"].as_str().context("no id")?.to_owned();
    let path = format!("/v1/schedules/{id}");
    let anchor: Timestamp = schedule["anchor"].as_str().context("no anchor")?.parse()?;
    for round in 1..=3 {
        wait_for_runs(&node, &path, 2).await?;
        // At some moment of its work, another one in each round.
        node = node.kill().await?.start().await.with_context(|| format!("round {round}"))?;
    }
    wait_for_runs(&node, &path, 1).await?;
    send(&node, Method::PATCH, &path, &json!({"enabled": false})).await?;

    // Counted from the anchor, the due times have no gap, and none has two jobs.
    let due = fired(&node, &id).await?;
    let distinct: BTreeSet<_> = due.iter().copied().collect();
    ensure!(distinct.len() == due.len(), "a due time fired twice: {due:?}");
    let (first, last) = (distinct.first().context("none")?, distinct.last().context("none")?);
    ensure!(*first == anchor.as_millis() + 1_000, "the first is a second after the anchor {anchor}: {due:?}");
    ensure!(((last - first) / 1_000 + 1) as usize == distinct.len(), "a due time was lost: {due:?}");
    Ok(())
}

/// The due times that have a job, newest first.
async fn fired(node: &TestNode, id: &str) -> anyhow::Result<Vec<i64>> {
    let mut due = Vec::new();
    let mut path = "/v1/jobs?tag=tick&limit=200".to_owned();
    loop {
        let list = node.get(&path).await?;
        for item in list["items"].as_array().context("no items")? {
            let job = node.get(&format!("/v1/jobs/{}", item["id"].as_str().context("no id")?)).await?;
            let key = job["idempotency_key"].as_str().context("no key")?;
            let at = key.strip_prefix(&format!("schedule:{id}:")).with_context(|| format!("the key {key}"))?;
            due.push(at.parse()?);
        }
        match list["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/jobs?tag=tick&limit=200&cursor={cursor}"),
            None => return Ok(due),
        }
    }
}

/// Waits until the schedule has fired another `count` times.
async fn wait_for_runs(node: &TestNode, path: &str, count: usize) -> anyhow::Result<()> {
    let reached = async {
        let mut seen = BTreeSet::new();
        while seen.len() <= count {
            // A read each time: the wait is for the timer, not for the clock.
            seen.insert(node.get(path).await?["last_due_at"].to_string());
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, reached).await.context("the schedule does not fire")?
}

async fn send(node: &TestNode, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
    let answer = node.request(method, path).json(body).send().await?;
    let status = answer.status();
    let body: Value = answer.json().await?;
    ensure!(status.is_success(), "{path}: {status} {body}");
    Ok(body)
}
