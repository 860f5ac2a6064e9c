//! Jobs a second: durable enqueues by many clients, and claims with finishes by many workers.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use flowork_engine::{KindRegistry, kinds};
use hdrhistogram::Histogram;

use super::{
    Line,
    node::{caller, new_id, open, request, trace_id},
};

/// How often the counts are looked at; they are atomics, and this is far below what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// `clients` tasks enqueue `jobs` jobs between them; each waits for its answer before the next.
pub(crate) async fn enqueue(directory: &Path, shards: u16, clients: u64, jobs: u64) -> anyhow::Result<Line> {
    let registry = KindRegistry::default();
    kinds::register(&registry)?;
    let engines = open(directory, new_id(), shards, 0, registry).await?;
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (engines, next) = (engines.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut latency = Histogram::<u64>::new(3)?;
                let caller = caller();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= jobs {
                        return anyhow::Ok(latency);
                    }
                    let before = Instant::now();
                    engines.enqueue(&caller, &format!("key-{index}"), request("noop"), trace_id()).await?;
                    latency.record(before.elapsed().as_micros() as u64)?;
                }
            })
        })
        .collect();
    let mut latency = Histogram::new(3)?;
    for task in tasks {
        latency.add(task.await??)?;
    }
    let per_second = jobs as f64 / started.elapsed().as_secs_f64();
    engines.shutdown().await;
    Ok(Line { per_second, latency: Some(latency) })
}

/// `workers` workers run `jobs` no-ops that wait for them.
pub(crate) async fn claim_and_finish(directory: &Path, shards: u16, workers: u32, jobs: u64) -> anyhow::Result<Line> {
    let registry = KindRegistry::default();
    kinds::register(&registry)?;
    let id = new_id();
    let idle = open(directory, id, shards, 0, registry.clone()).await?;
    fill(&idle, jobs).await?;
    idle.shutdown().await;
    let started = Instant::now();
    let engines = open(directory, id, shards, workers, registry).await?;
    while engines.list().iter().any(|engine| engine.queued + engine.leased > 0) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let per_second = jobs as f64 / started.elapsed().as_secs_f64();
    engines.shutdown().await;
    Ok(Line { per_second, latency: None })
}

async fn fill(engines: &flowork_engine::Engines, jobs: u64) -> anyhow::Result<()> {
    let tasks: Vec<_> = (0..jobs)
        .map(|index| {
            let engines = engines.clone();
            tokio::spawn(async move {
                engines.enqueue(&caller(), &format!("key-{index}"), request("noop"), trace_id()).await
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}
