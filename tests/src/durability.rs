//! What was acknowledged survives. The ledger of what was acknowledged is kept outside the node.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::Notify,
    task::JoinSet,
    time::timeout,
};

use crate::modules;

/// Clients that enqueue at once.
const CLIENTS: u32 = 16;
/// Jobs that are enqueued around each kill.
const JOBS: u32 = 500;

/// Idempotency key to job id, for every enqueue that was answered with 202.
type Ledger = HashMap<String, String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_during_500_enqueues_loses_no_acknowledged_job() -> anyhow::Result<()> {
    let mut home = TestHome::new()?;
    let mut ledger = Ledger::new();
    for round in 0..3 {
        let node = home.start().await?;
        let (acknowledged, stopped) = enqueue_and_kill(node, round, 120 + 90 * round).await?;
        home = stopped;
        ensure!(!acknowledged.is_empty(), "round {round} acknowledged nothing, so it would prove nothing");
        ensure!(acknowledged.len() < JOBS as usize, "round {round} ended before the kill, so it would prove nothing");
        ledger.extend(acknowledged);
    }
    let node = home.start().await?;
    for (key, id) in &ledger {
        let job = node.get(&format!("/v1/jobs/{id}")).await.with_context(|| format!("acknowledged as {key}"))?;
        ensure!(job["idempotency_key"] == key.as_str(), "{id} was acknowledged for {key}: {job}");
        // Asking again gives the same job, not a second one.
        let (status, again) = node.enqueue(key, &job_for(key)).await?;
        ensure!(status == 202 && again["id"] == id.as_str(), "{key} again: {status} {again}");
    }
    for id in ledger.values() {
        let job = node.wait_for(id).await?;
        ensure!(job["state"] == "completed", "every acknowledged job runs to its end: {job}");
    }
    Ok(())
}

fn job_for(key: &str) -> Value {
    json!({"kind": "noop", "payload": {"key": key}})
}

/// Enqueues from many clients, and kills the node as soon as `after` jobs are acknowledged, in the midst of the rest.
async fn enqueue_and_kill(node: TestNode, round: u32, after: u32) -> anyhow::Result<(Ledger, TestHome)> {
    let node = Arc::new(node);
    let next = Arc::new(AtomicU32::new(0));
    let acknowledged = Arc::new(AtomicU32::new(0));
    let enough = Arc::new(Notify::new());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (url, token) = (node.url().to_owned(), node.token().to_owned());
        let (next, acknowledged, enough) = (Arc::clone(&next), Arc::clone(&acknowledged), Arc::clone(&enough));
        clients.spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
            let mut ledger = Ledger::new();
            loop {
                let index = next.fetch_add(1, Ordering::SeqCst);
                if index >= JOBS {
                    return ledger;
                }
                let key = format!("round-{round}-{index}");
                let request = client
                    .post(format!("{url}/v1/jobs"))
                    .bearer_auth(&token)
                    .header("Idempotency-Key", &key)
                    .json(&job_for(&key));
                // After the kill every call fails; a call that was cut may or may not have been stored.
                let Ok(answer) = request.send().await else { return ledger };
                assert_eq!(answer.status(), 202, "{key}");
                let Ok(job) = answer.json::<Value>().await else { return ledger };
                ledger.insert(key, job["id"].as_str().expect("a job has an id").to_owned());
                if acknowledged.fetch_add(1, Ordering::SeqCst) + 1 == after {
                    enough.notify_one();
                }
            }
        });
    }
    enough.notified().await;
    let home = Arc::into_inner(node).context("nobody else holds the node")?.kill().await?;
    let mut ledger = Ledger::new();
    while let Some(client) = clients.join_next().await {
        ledger.extend(client?);
    }
    Ok((ledger, home))
}

/// `kill -9` proves nothing about power loss: the kernel still has what was never synced. So the syncs are counted.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lone_enqueue_is_synced_before_its_answer() -> anyhow::Result<()> {
    const LONE_ENQUEUES: usize = 50;
    let home = TestHome::new()?;
    let log = home.path().join("syncs");
    let log = log.to_str().context("a temporary path is text")?.to_owned();
    // `-D`: the node is our own child and the tracer is not, so that ending the child ends the node.
    let wrapper = ["strace", "-D", "-f", "-qq", "-e", "trace=fdatasync,fsync", "-e", "signal=none", "-o", &log];
    let node = home.start_under(&wrapper, &[]).await?;
    let syncs = || anyhow::Ok(std::fs::read_to_string(&log)?.lines().filter(|line| line.contains("sync(")).count());
    for index in 0..LONE_ENQUEUES {
        // Far in the future, so that no worker's commit adds a sync of its own.
        let body = json!({"kind": "noop", "delay_ms": 86_400_000});
        let before = syncs()?;
        let (status, job) = node.enqueue(&format!("lone-{index}"), &body).await?;
        ensure!(status == 202, "{status} {job}");
        ensure!(syncs()? > before, "enqueue {index} was answered before it was synced");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_a_running_job_finish_and_keeps_the_rest() -> anyhow::Result<()> {
    let node = TestHome::new()?.start_under(&[], &["--workers", "1"]).await?;
    let (_, running) = node.enqueue("running", &json!({"kind": "sleep", "payload": {"duration_ms": 1500}})).await?;
    let running = running["id"].as_str().context("no id")?.to_owned();
    let (_, waiting) = node.enqueue("waiting", &json!({"kind": "sleep", "payload": {"duration_ms": 1}})).await?;
    let waiting = waiting["id"].as_str().context("no id")?.to_owned();
    wait_until_leased(&node, &running).await?;
    let (code, home) = node.terminate().await?;
    ensure!(code == Some(0), "a drain that ended in time exits with 0, not {code:?}");
    let node = home.start().await?;
    let job = node.get(&format!("/v1/jobs/{running}")).await?;
    ensure!(job["state"] == "completed" && job["attempt"] == 1, "the running job was finished, once: {job}");
    let job = node.wait_for(&waiting).await?;
    ensure!(job["state"] == "completed", "the waiting job runs after the start: {job}");
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_does_not_outlive_a_killed_node() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    // The first attempt and its child never end by themselves, and both hold the pipe.
    let script = r#"
        if [ -e pids ]; then echo '{"type":"result","value":"again"}'; exit; fi
        exec 3>pipe
        sleep 600 &
        echo "$$ $!" > pids
        echo started >&3
        sleep 600"#;
    modules::add_module(&node, "lingers", script, 60_000)?;
    modules::wait_for_kind(&node, "module.lingers").await?;
    let folder = node.home().data_dir().join("modules/lingers");
    let pipe = folder.join("pipe");
    let made = tokio::process::Command::new("mkfifo").arg(&pipe).status().await?;
    ensure!(made.success(), "mkfifo failed");
    let (status, job) = node.enqueue("lingers", &json!({"kind": "module.lingers", "attempts_max": 2})).await?;
    let id = job["id"].as_str().with_context(|| format!("{status} {job}"))?.to_owned();
    // Opening waits for the first writer.
    let pipe = tokio::task::spawn_blocking(move || std::fs::File::open(pipe)).await??;
    let mut pipe = BufReader::new(tokio::net::unix::pipe::Receiver::from_file(pipe)?);
    let mut line = String::new();
    pipe.read_line(&mut line).await?;
    ensure!(line == "started\n", "{line:?}");
    let pids = std::fs::read_to_string(folder.join("pids"))?;
    let home = node.kill().await?;
    for pid in pids.split_whitespace() {
        ensure!(is_running(pid)?, "{pid} did not outlive the node, so this would prove nothing");
    }
    let node = home.start().await?;
    // At its end once none of the processes that held it is alive.
    let rest = timeout(Duration::from_secs(10), pipe.read_line(&mut line)).await;
    ensure!(rest.context("a process of the first attempt is still alive")?? == 0, "{line:?}");
    for pid in pids.split_whitespace() {
        let ended = async {
            // A process lets go of its pipes shortly before it has ended.
            while is_running(pid)? {
                tokio::task::yield_now().await;
            }
            anyhow::Ok(())
        };
        timeout(Duration::from_secs(10), ended).await.with_context(|| format!("{pid} still runs"))??;
    }
    let job = node.wait_for(&id).await?;
    ensure!(job["state"] == "completed" && job["attempt"] == 2 && job["result"] == "again", "{job}");
    let records = std::fs::read_dir(node.home().data_dir().join("run/modules"))?.count();
    ensure!(records == 0, "{records} records are left");
    Ok(())
}

#[cfg(target_os = "linux")]
/// Whether there is such a process that has not ended; one that nobody has waited for yet has.
fn is_running(pid: &str) -> anyhow::Result<bool> {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => Ok(stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with(['Z', 'X']))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn wait_until_leased(node: &TestNode, id: &str) -> anyhow::Result<()> {
    for _ in 0..1_000 {
        if node.get(&format!("/v1/jobs/{id}")).await?["state"] == "leased" {
            return Ok(());
        }
        // A read each time: the wait is for the worker, not for the clock.
        tokio::task::yield_now().await;
    }
    anyhow::bail!("{id} was never leased")
}
