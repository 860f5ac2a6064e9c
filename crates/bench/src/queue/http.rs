//! `POST /v1/jobs` at a real node: the way a client outside the process takes.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::runtime::Runtime;

use super::plan::Plan;
use crate::{client::Client, node};

/// Connections that are kept open, each with one request at a time.
pub(super) const CONNECTIONS: u64 = 64;
const BODY: &str = r#"{"kind":"noop","payload":{"to":"someone@example.test","template":"welcome","n":1}}"#;

/// Jobs a second that a node of `program` answers.
pub(super) fn measure(program: &Path, dir: &Path, plan: Plan) -> anyhow::Result<f64> {
    let directory = tempfile::Builder::new().prefix("node").tempdir_in(dir)?;
    let node = node::start(program, directory.path(), &[("FLOWORK_QUEUE_HARD_CAP", "100000000")])?;
    let measured = enqueue(program, directory.path(), &node.address, plan);
    node::stop(node)?;
    measured
}

fn enqueue(program: &Path, directory: &Path, address: &str, plan: Plan) -> anyhow::Result<f64> {
    let token = node::token(program, directory)?;
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        // What is measured is the way in; the workers would take their part of the cores.
        let mut first = Client::connect(address, &token).await?;
        let status = first.post("/v1/queues/default/pause", "pause", "").await?;
        ensure!((200..300).contains(&status), "pausing the queue was answered with {status}");
        let next = Arc::new(AtomicU64::new(0));
        let limit = Duration::from_secs_f64(plan.seconds);
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(Client::connect(address, &token).await?);
        }
        let started = Instant::now();
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|client| tokio::spawn(keep_on(client, Arc::clone(&next), plan.jobs, started + limit)))
            .collect();
        let mut accepted = 0;
        for task in tasks {
            accepted += task.await??;
        }
        Ok(accepted as f64 / started.elapsed().as_secs_f64())
    })
}

/// Enqueues until all are or the time is up; answers how many it was.
async fn keep_on(mut client: Client, next: Arc<AtomicU64>, jobs: u64, deadline: Instant) -> anyhow::Result<u64> {
    let mut accepted = 0;
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= jobs || Instant::now() >= deadline {
            return Ok(accepted);
        }
        let status = client.post("/v1/jobs", &format!("key-{index}"), BODY).await?;
        ensure!(status == 202, "a job was answered with {status}: {}", String::from_utf8_lossy(&client.body));
        accepted += 1;
    }
}
