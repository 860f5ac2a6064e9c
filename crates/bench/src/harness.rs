//! What a contender answers: one JSON request a line on stdin, one JSON line of figures each on stdout.
//!
//! The loops are here, so that every contender is measured by the same ones. `peers/protocol.mjs` is the same for those
//! in JavaScript, and the harness for River, which is a crate outside the workspace, includes this very file.

use std::{
    io::{BufRead, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use async_trait::async_trait;
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Jobs a call of [`Contender::enqueue_many`].
const MANY: u64 = 1_000;
/// How often counts are looked at; they are atomics, and this is far below what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long a job may take to be run before the harness gives up.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between the start of the workers and the first job of a steady pace.
const RUN_UP: Duration = Duration::from_millis(50);

/// Called with a job's number when it runs.
pub(crate) type Run = Arc<dyn Fn(i64) + Send + Sync>;

/// A queue that is measured.
#[async_trait]
pub(crate) trait Contender: Send + Sync + 'static {
    /// Its version, and how it is set up.
    fn setup(&self) -> String;
    /// Makes the queue an empty one.
    async fn reset(&self) -> anyhow::Result<()>;
    /// Ends when the queue has answered.
    async fn enqueue(&self, payload: Value) -> anyhow::Result<()>;
    /// Adds a thousand in the fastest way it has.
    async fn enqueue_many(&self, payloads: Vec<Value>) -> anyhow::Result<()>;
    /// Starts `count` workers that call `run` for each job.
    async fn start_workers(&self, count: u32, run: Run) -> anyhow::Result<()>;
    /// Jobs whose end the queue has answered, since its workers were started.
    fn finished(&self) -> u64;
    /// Stops the workers.
    async fn stop_workers(&self) -> anyhow::Result<()>;
    /// Puts `rules` limits in force that hold nothing back; only for contenders that have them.
    async fn limit(&self, rules: u32) -> anyhow::Result<()> {
        bail!("no limits here; {rules} were asked for")
    }
}

/// What is asked of a contender.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Request {
    Describe,
    Reset,
    Limit { rules: u32 },
    Fill { jobs: u64, seconds: f64 },
    Enqueue { clients: u64, jobs: u64, seconds: f64 },
    Work { workers: u32, jobs: u64, seconds: f64 },
    Pace { rate: u32, seconds: u32, workers: u32 },
    Idle { jobs: u64, workers: u32 },
}

/// Answers requests until stdin ends.
pub(crate) fn serve(contender: impl Contender) -> anyhow::Result<()> {
    let contender: Arc<dyn Contender> = Arc::new(contender);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for line in std::io::stdin().lock().lines() {
        let answer = serde_json::from_str(&line?)
            .map_err(anyhow::Error::from)
            .and_then(|request| runtime.block_on(answer(&contender, request)))
            .unwrap_or_else(|error| json!({"error": format!("{error:#}")}));
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

async fn answer(contender: &Arc<dyn Contender>, request: Request) -> anyhow::Result<Value> {
    match request {
        Request::Describe => return Ok(json!({"setup": contender.setup()})),
        Request::Reset => contender.reset().await?,
        Request::Limit { rules } => contender.limit(rules).await?,
        Request::Fill { jobs, seconds } => return fill(contender.as_ref(), jobs, limit_of(seconds)).await,
        Request::Enqueue { clients, jobs, seconds } => {
            return enqueue(contender, clients, jobs, limit_of(seconds)).await;
        }
        Request::Work { workers, jobs, seconds } => {
            return work(contender.as_ref(), workers, jobs, limit_of(seconds)).await;
        }
        Request::Pace { rate, seconds, workers } => return pace(contender, rate, seconds, workers).await,
        Request::Idle { jobs, workers } => return idle(contender.as_ref(), jobs, workers).await,
    }
    Ok(figures(0, Duration::ZERO, None))
}

fn limit_of(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 3_600.0))
}

/// The payload of every contender.
fn payload(n: i64) -> Value {
    json!({"to": "someone@example.test", "template": "welcome", "n": n})
}

fn figures(jobs: u64, took: Duration, microseconds: Option<&Histogram<u64>>) -> Value {
    let latency = microseconds.map(|histogram| {
        let at = |quantile| histogram.value_at_quantile(quantile);
        json!({"p50_us": at(0.5), "p95_us": at(0.95), "p99_us": at(0.99), "max_us": at(1.0)})
    });
    json!({"jobs": jobs, "seconds": took.as_secs_f64(), "latency": latency})
}

/// Adds jobs in bulk until there are enough or the time is up.
async fn fill(contender: &dyn Contender, jobs: u64, limit: Duration) -> anyhow::Result<Value> {
    let started = Instant::now();
    let mut added = 0;
    while added < jobs && started.elapsed() < limit {
        let count = MANY.min(jobs - added);
        contender.enqueue_many((0..count).map(|index| payload((added + index) as i64)).collect()).await?;
        added += count;
    }
    Ok(figures(added, started.elapsed(), None))
}

/// Clients that each wait for their answer before the next.
async fn enqueue(contender: &Arc<dyn Contender>, clients: u64, jobs: u64, limit: Duration) -> anyhow::Result<Value> {
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (contender, next) = (Arc::clone(contender), Arc::clone(&next));
            tokio::spawn(async move {
                let mut latency = Histogram::<u64>::new(3)?;
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= jobs || started.elapsed() >= limit {
                        return anyhow::Ok(latency);
                    }
                    let before = Instant::now();
                    contender.enqueue(payload(index as i64)).await?;
                    latency.record(before.elapsed().as_micros() as u64)?;
                }
            })
        })
        .collect();
    let mut latency = Histogram::new(3)?;
    for task in tasks {
        latency.add(task.await??)?;
    }
    Ok(figures(latency.len(), started.elapsed(), Some(&latency)))
}

/// When jobs ran.
struct Runs {
    first: Option<Instant>,
    last: Instant,
    /// Microseconds from one job's start to the next one's.
    gaps: Histogram<u64>,
}

/// Workers on jobs that wait for them; the time counts from the first job's start.
async fn work(contender: &dyn Contender, workers: u32, jobs: u64, limit: Duration) -> anyhow::Result<Value> {
    let runs = Arc::new(Mutex::new(Runs { first: None, last: Instant::now(), gaps: Histogram::new(3)? }));
    let noted = Arc::clone(&runs);
    let run: Run = Arc::new(move |_| {
        let now = Instant::now();
        let mut runs = noted.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = now.saturating_duration_since(runs.last);
        if runs.first.is_none() {
            runs.first = Some(now);
        } else {
            runs.gaps.saturating_record(gap.as_micros() as u64);
        }
        runs.last = now;
    });
    let called = Instant::now();
    contender.start_workers(workers, run).await?;
    let first = loop {
        if let Some(first) = runs.lock().unwrap_or_else(PoisonError::into_inner).first {
            break first;
        }
        if called.elapsed() > PATIENCE {
            bail!("no job ran");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    while contender.finished() < jobs && first.elapsed() < limit {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let (count, took) = (contender.finished(), first.elapsed());
    contender.stop_workers().await?;
    let runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(figures(count, took, Some(&runs.gaps)))
}

/// Jobs at a steady pace, whether or not earlier ones have run; each counts from when it should have been sent.
async fn pace(contender: &Arc<dyn Contender>, rate: u32, seconds: u32, workers: u32) -> anyhow::Result<Value> {
    let total = u64::from(rate) * u64::from(seconds);
    let every = Duration::from_secs(1) / rate;
    let (ran, mut runs) = mpsc::unbounded_channel();
    let run: Run = Arc::new(move |n| {
        // The measurement is over when nobody listens.
        let _ = ran.send((n, Instant::now()));
    });
    contender.start_workers(workers, run).await?;
    // The first one only wakes the workers.
    contender.enqueue(payload(-1)).await?;
    next_run(&mut runs).await?;
    let start = Instant::now() + RUN_UP;
    let due_at = |n: u64| start + every * n as u32;
    let mut sent = Vec::new();
    for n in 0..total {
        tokio::time::sleep_until(due_at(n).into()).await;
        let contender = Arc::clone(contender);
        sent.push(tokio::spawn(async move { contender.enqueue(payload(n as i64)).await }));
    }
    for task in sent {
        task.await??;
    }
    let mut latency = Histogram::new(3)?;
    for _ in 0..total {
        let (n, at) = next_run(&mut runs).await?;
        let waited = at.saturating_duration_since(due_at(u64::try_from(n)?));
        latency.record(waited.as_micros() as u64)?;
    }
    contender.stop_workers().await?;
    Ok(figures(total, Duration::from_secs(seconds.into()), Some(&latency)))
}

/// One job after another, while nothing else happens: from before its enqueue until it runs.
async fn idle(contender: &dyn Contender, jobs: u64, workers: u32) -> anyhow::Result<Value> {
    let (ran, mut runs) = mpsc::unbounded_channel();
    let run: Run = Arc::new(move |n| {
        let _ = ran.send((n, Instant::now()));
    });
    contender.start_workers(workers, run).await?;
    let mut latency = Histogram::new(3)?;
    for n in -1..jobs as i64 {
        let before = Instant::now();
        contender.enqueue(payload(n)).await?;
        let (_, at) = next_run(&mut runs).await?;
        // The first one only wakes the workers.
        if n >= 0 {
            latency.record(at.saturating_duration_since(before).as_micros() as u64)?;
        }
        // Its finish is over before the next begins.
        while contender.finished() <= (n + 1) as u64 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    contender.stop_workers().await?;
    Ok(figures(jobs, Duration::ZERO, Some(&latency)))
}

async fn next_run(runs: &mut mpsc::UnboundedReceiver<(i64, Instant)>) -> anyhow::Result<(i64, Instant)> {
    tokio::time::timeout(PATIENCE, runs.recv()).await.context("a job did not run")?.context("the workers are gone")
}
