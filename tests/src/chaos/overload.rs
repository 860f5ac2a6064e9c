//! Ten times as many requests as the node can work off: it refuses the rest, says when to come back, and goes on at
//! full speed with bounded memory.
//!
//! Its capacity is set by jobs that take a known time on a known number of workers, so the flood itself, which shares
//! the machine's cores with the node, does not change it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use serde_json::{Value, json};

use super::{
    is_full_scale,
    load::{Answer, Ledger, Load, Offer, Told},
    scaled,
    verdict::judge,
};

const WORKERS: u32 = 4;
/// How long a job takes.
const JOB_MS: u64 = 40;
/// What so many workers can do at best.
const JOBS_PER_SECOND: u32 = WORKERS * 1_000 / JOB_MS as u32;
/// Jobs that may wait.
const CAP: u64 = 120;
/// Requests that may pass the cap at once before its count has caught up.
const CAP_SLACK: u64 = 200;
/// How long each part lasts, in CI and at full scale.
const PART: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(30));
/// What the node's memory may grow by under the flood, in KiB. An unbounded queue of requests would take far more.
const GROWTH_KIB_MAX: u64 = 192 * 1_024;

/// What was seen of one part.
struct Seen {
    accepted: Ledger,
    refused: usize,
    /// Of accepted requests.
    p99: Duration,
    /// Jobs that ended, a second.
    finished_per_second: f64,
    /// The most jobs that waited.
    depth_max: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_the_load_is_refused_politely_while_the_rest_goes_on() -> anyhow::Result<()> {
    let node = Arc::new(start(CAP).await?);
    let calm = offer(&node, "calm", JOBS_PER_SECOND * 8 / 10).await?;
    let memory = resident_kib(&node)?;
    let flood = offer(&node, "flood", JOBS_PER_SECOND * 10).await?;
    let growth = resident_kib(&node)?.saturating_sub(memory);
    println!(
        "calm: {} accepted, {} refused, p99 {:?}; flood: {} accepted, {} refused, {:.0} finished a second of at most \
         {JOBS_PER_SECOND}, p99 {:?}, {} waiting at most, {growth} KiB more",
        calm.accepted.len(),
        calm.refused,
        calm.p99,
        flood.accepted.len(),
        flood.refused,
        flood.finished_per_second,
        flood.p99,
        flood.depth_max
    );
    ensure!(flood.refused > flood.accepted.len(), "the flood was no flood");
    check_depth(&flood)?;
    ensure!(growth < GROWTH_KIB_MAX, "the flood cost {growth} KiB");
    // Most of the capacity even where the flood takes half the machine; the real goal where the machine is ours.
    let goodput = flood.finished_per_second / f64::from(JOBS_PER_SECOND);
    ensure!(goodput >= scaled(0.3, 0.9), "only {:.0} % of the capacity was left", goodput * 100.0);
    if is_full_scale() {
        ensure!(
            flood.p99 <= calm.p99 * 2,
            "accepted requests took {:?}, and {:?} without the flood",
            flood.p99,
            calm.p99
        );
    }
    let ledger: Ledger = calm.accepted.into_iter().chain(flood.accepted).collect();
    judge(&node, &ledger).await?.check()
}

/// The negative control: without its cap the queue takes the whole flood.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_cap_the_queue_grows_past_every_bound() -> anyhow::Result<()> {
    let node = Arc::new(start(10_000_000).await?);
    let flood = offer(&node, "flood", JOBS_PER_SECOND * 10).await?;
    ensure!(check_depth(&flood).is_err(), "only {} jobs waited", flood.depth_max);
    Ok(())
}

fn check_depth(seen: &Seen) -> anyhow::Result<()> {
    ensure!(seen.depth_max <= CAP + CAP_SLACK, "{} jobs waited at once, and {CAP} may", seen.depth_max);
    Ok(())
}

async fn start(cap: u64) -> anyhow::Result<TestNode> {
    let home = TestHome::new()?.with_setting("FLOWORK_QUEUE_HARD_CAP", &cap);
    home.start_under(&[], &["--workers", &WORKERS.to_string()]).await
}

fn takes_a_while(_key: &str) -> Value {
    json!({"kind": "sleep", "payload": {"duration_ms": JOB_MS}})
}

async fn offer(node: &Arc<TestNode>, prefix: &str, per_second: u32) -> anyhow::Result<Seen> {
    let mut load = Load::start(node, Offer { per_second, prefix: prefix.to_owned(), body: takes_a_while });
    let (started, part) = (Instant::now(), scaled(PART.0, PART.1));
    let (mut answers, mut depth_max, mut looked) = (Vec::new(), 0, Instant::now());
    let open_at_start = open(node).await?;
    while started.elapsed() < part {
        answers.push(load.next().await.context("the load goes on")?);
        if looked.elapsed() > Duration::from_millis(200) {
            depth_max = depth_max.max(open(node).await?);
            looked = Instant::now();
        }
    }
    load.stop();
    let (open_at_end, elapsed) = (open(node).await?, started.elapsed());
    let answered_in_time = answers.len();
    answers.extend(load.finish().await?.0);
    let in_time = answers[..answered_in_time].iter().filter(|answer| matches!(answer.told, Told::Accepted { .. }));
    let finished = (open_at_start + in_time.count() as u64).saturating_sub(open_at_end);
    let mut seen = Seen {
        accepted: Ledger::new(),
        refused: 0,
        p99: Duration::ZERO,
        finished_per_second: finished as f64 / elapsed.as_secs_f64(),
        depth_max,
    };
    let mut latencies = Vec::new();
    for Answer { key, told, latency } in answers {
        match told {
            Told::Accepted { id } => {
                seen.accepted.insert(key, id);
                latencies.push(latency);
            }
            Told::Refused { status: 429 | 503, retry_after: Some(1..), .. } => seen.refused += 1,
            other => anyhow::bail!("{key}: {other:?}, not 429 or 503 with Retry-After"),
        }
    }
    latencies.sort();
    seen.p99 = latencies.get(latencies.len() * 99 / 100).copied().context("some were accepted")?;
    Ok(seen)
}

/// Jobs that wait or run.
async fn open(node: &TestNode) -> anyhow::Result<u64> {
    let engines = node.get("/v1/engines").await?;
    let engine = engines["items"].get(0).context("no engine")?;
    Ok(["queued", "scheduled", "leased"].iter().filter_map(|state| engine[*state].as_u64()).sum())
}

/// Memory of the node's process that is in RAM.
fn resident_kib(node: &TestNode) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid().context("the node runs")?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
