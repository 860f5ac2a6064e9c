//! What became of every acknowledged job, as a client can see it.

use std::sync::Arc;

use anyhow::{Context, ensure};
use flowork_test_support::TestNode;
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use super::load::Ledger;

/// Jobs that are looked at once.
const AT_ONCE: usize = 8;

/// What is wrong with acknowledged jobs; all empty is what a test wants.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Acknowledged and not there, or not as it was acknowledged.
    pub(super) lost: Vec<String>,
    /// More than one attempt was accepted as the one that completed it.
    pub(super) doubled: Vec<String>,
    /// It ended some other way than completed.
    pub(super) unfinished: Vec<String>,
}

impl Verdict {
    pub(super) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.unfinished.is_empty()
    }

    /// An error that names some of what is wrong.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let some = |list: &[String]| list.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        ensure!(self.lost.is_empty(), "{} acknowledged jobs were lost: {}", self.lost.len(), some(&self.lost));
        ensure!(self.doubled.is_empty(), "{} jobs finished twice: {}", self.doubled.len(), some(&self.doubled));
        ensure!(self.unfinished.is_empty(), "{} did not complete: {}", self.unfinished.len(), some(&self.unfinished));
        Ok(())
    }
}

enum Found {
    Fine,
    Lost(String),
    Doubled(String),
    Unfinished(String),
}

/// Waits for the end of every acknowledged job and judges it.
pub(super) async fn judge(node: &Arc<TestNode>, ledger: &Ledger) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut looking = JoinSet::new();
    for (key, id) in ledger.clone() {
        if looking.len() == AT_ONCE {
            note(&mut verdict, looking.join_next().await.context("eight are looking")??);
        }
        let node = Arc::clone(node);
        looking.spawn(async move { look(&node, &key, &id).await });
    }
    while let Some(found) = looking.join_next().await {
        note(&mut verdict, found?);
    }
    Ok(verdict)
}

fn note(verdict: &mut Verdict, found: Found) {
    match found {
        Found::Fine => {}
        Found::Lost(what) => verdict.lost.push(what),
        Found::Doubled(what) => verdict.doubled.push(what),
        Found::Unfinished(what) => verdict.unfinished.push(what),
    }
}

async fn look(node: &TestNode, key: &str, id: &str) -> Found {
    let job = match node.get(&format!("/v1/jobs/{id}")).await {
        Ok(job) => job,
        Err(error) => return Found::Lost(format!("{id} for {key}: {error:#}")),
    };
    if job["idempotency_key"] != key || !holds_key(&job, key) {
        return Found::Lost(format!("{id} was acknowledged for {key} and is {job}"));
    }
    let job = match node.wait_for(id).await {
        Ok(job) => job,
        Err(error) => return Found::Unfinished(format!("{id}: {error:#}")),
    };
    if job["state"] != "completed" {
        return Found::Unfinished(format!("{id} is {}: {}", job["state"], job["error"]));
    }
    match attempts(node, id).await {
        Ok(attempts) => {
            let completed = attempts.iter().filter(|attempt| attempt["outcome"] == "completed").count();
            if completed == 1 { Found::Fine } else { Found::Doubled(format!("{id}: {attempts:?}")) }
        }
        Err(error) => Found::Lost(format!("the attempts of {id}: {error:#}")),
    }
}

/// Whether a job has the payload it was asked for with; `sleep` takes no key in its own.
fn holds_key(job: &Value, key: &str) -> bool {
    job["kind"] == "sleep" || job["payload"]["key"] == key
}

/// Every attempt of a job.
async fn attempts(node: &TestNode, id: &str) -> anyhow::Result<Vec<Value>> {
    let answer = node.request(Method::GET, &format!("/v1/jobs/{id}/attempts")).send().await?;
    let body: Value = answer.error_for_status()?.json().await?;
    Ok(body["items"].as_array().context("no list")?.clone())
}
