//! Ten times as many requests as the node can work off: it refuses the rest, says when to come back, and goes on at
//! full speed with bounded memory.
//!
//! Its capacity is set by jobs that take a known time on a known number of workers. In CI, where the flood shares a few
//! busy cores with the node, only what is right or wrong at any speed is checked: each part lasts until enough was seen.
//! Rates and latencies count at full scale.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use serde_json::{Value, json};

use super::{
    is_full_scale,
    load::{Answer, Ledger, Load, ON_THE_WAY_MAX, Offer, Told},
    scaled,
    verdict::judge,
};

const WORKERS: u32 = 4;
/// How long a job takes, in CI and at full scale: in CI so long that any machine can ask for more than are worked off.
const JOB_MS: (u32, u32) = (200, 40);
/// Jobs that may wait; in CI few, since the test waits for the last of them.
const CAP: (u64, u64) = (40, 120);
/// Requests of each second of the flood.
const FLOOD_PER_SECOND: u32 = 1_000;
/// Acceptances without a flood and refusals in it that are enough in CI.
const ENOUGH: (usize, usize) = (30, 1_000);
/// How long each part lasts at full scale.
const PART: Duration = Duration::from_secs(30);
/// How long until there was enough; only a defect waits for it.
const PATIENCE: Duration = Duration::from_secs(100);
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
    let node = Arc::new(start(scaled(CAP.0, CAP.1)).await?);
    let enough = |so_far: &SoFar| scaled(so_far.accepted >= ENOUGH.0, so_far.elapsed >= PART);
    let calm = offer(&node, "calm", capacity() * 8 / 10, enough).await?;
    let memory = resident_kib(&node)?;
    let enough = |so_far: &SoFar| scaled(so_far.refused >= ENOUGH.1, so_far.elapsed >= PART);
    let flood = offer(&node, "flood", FLOOD_PER_SECOND, enough).await?;
    let growth = resident_kib(&node)?.saturating_sub(memory);
    println!(
        "calm: {} accepted, {} refused, p99 {:?}; flood: {} accepted, {} refused, {:.0} finished a second of at most \
         {}, p99 {:?}, {} waiting at most, {growth} KiB more",
        calm.accepted.len(),
        calm.refused,
        calm.p99,
        flood.accepted.len(),
        flood.refused,
        flood.finished_per_second,
        capacity(),
        flood.p99,
        flood.depth_max
    );
    check_depth(flood.depth_max)?;
    ensure!(growth < GROWTH_KIB_MAX, "the flood cost {growth} KiB");
    if is_full_scale() {
        ensure!(flood.refused > flood.accepted.len(), "the flood was no flood");
        let goodput = flood.finished_per_second / f64::from(capacity());
        ensure!(goodput >= 0.9, "only {:.0} % of the capacity was left", goodput * 100.0);
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
    let enough = |so_far: &SoFar| check_depth(so_far.depth_max).is_err();
    let flood = offer(&node, "flood", FLOOD_PER_SECOND, enough).await?;
    ensure!(flood.refused == 0, "{} requests were refused without a cap", flood.refused);
    Ok(())
}

/// What the workers can finish in a second at best.
fn capacity() -> u32 {
    WORKERS * 1_000 / scaled(JOB_MS.0, JOB_MS.1)
}

/// All that are on their way may pass the cap at once before its count has caught up, and some jobs run.
fn check_depth(depth: u64) -> anyhow::Result<()> {
    let cap = scaled(CAP.0, CAP.1);
    ensure!(depth <= cap + u64::from(ON_THE_WAY_MAX + WORKERS), "{depth} jobs waited at once, and {cap} may");
    Ok(())
}

async fn start(cap: u64) -> anyhow::Result<TestNode> {
    let home = TestHome::new()?.with_setting("FLOWORK_QUEUE_HARD_CAP", &cap);
    home.start_under(&[], &["--workers", &WORKERS.to_string()]).await
}

fn takes_a_while(_key: &str) -> Value {
    json!({"kind": "sleep", "payload": {"duration_ms": scaled(JOB_MS.0, JOB_MS.1)}})
}

/// What a part has seen while it lasts.
#[derive(Debug, Default)]
struct SoFar {
    accepted: usize,
    refused: usize,
    depth_max: u64,
    elapsed: Duration,
}

/// Offers jobs until it was `enough`.
async fn offer(
    node: &Arc<TestNode>,
    prefix: &str,
    per_second: u32,
    enough: impl Fn(&SoFar) -> bool,
) -> anyhow::Result<Seen> {
    let mut load = Load::start(node, Offer { per_second, prefix: prefix.to_owned(), body: takes_a_while });
    let started = Instant::now();
    let (mut answers, mut so_far, mut looked) = (Vec::new(), SoFar::default(), Instant::now());
    let open_at_start = open(node).await?;
    while !enough(&so_far) {
        ensure!(started.elapsed() < PATIENCE, "{prefix}: not enough was seen, only {so_far:?}");
        let answer = load.next().await.context("the load goes on")?;
        let accepted = matches!(answer.told, Told::Accepted { .. });
        so_far.accepted += usize::from(accepted);
        so_far.refused += usize::from(!accepted);
        answers.push(answer);
        if looked.elapsed() > Duration::from_millis(200) {
            so_far.depth_max = so_far.depth_max.max(open(node).await?);
            looked = Instant::now();
        }
        so_far.elapsed = started.elapsed();
    }
    load.stop();
    let (open_at_end, elapsed) = (open(node).await?, started.elapsed());
    let finished = (open_at_start + so_far.accepted as u64).saturating_sub(open_at_end);
    answers.extend(load.finish().await?.0);
    let mut seen = Seen {
        accepted: Ledger::new(),
        refused: 0,
        p99: Duration::ZERO,
        finished_per_second: finished as f64 / elapsed.as_secs_f64(),
        depth_max: so_far.depth_max.max(open_at_end),
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
    seen.p99 = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
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
