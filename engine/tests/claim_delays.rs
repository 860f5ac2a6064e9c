//! How long jobs waited for nothing but a worker, as people and the autoscaler are told.

use std::time::Duration;

use flowork_api_types::{EngineId, Timestamp};
use flowork_engine::Engines;
use serde_json::json;

use crate::support::{Home, START_MS, claim_one, enqueue, failed, finish, owner, pass, settle, within};

/// How many claims were counted in the last minute, and how long one in twenty waited.
async fn told(engines: &Engines, id: EngineId, now: Timestamp) -> (u64, Option<Duration>) {
    // Counting comes after the answer.
    settle(engines, id).await;
    let measures = engines.queue_measures("default");
    // The figures are of six windows of ten seconds, of which the last one is still open.
    let span_ms = 50_000 + (now.as_millis() - START_MS) % 10_000;
    ((measures.claimed_per_s * span_ms as f64 / 1_000.0).round() as u64, measures.claim_delay_p95)
}

#[tokio::test]
async fn every_claim_counts_from_when_nothing_but_a_worker_was_missing() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let backoff = json!({"initial_ms": 10_000, "factor": 1.0, "max_ms": 10_000, "jitter": false});
    let id = enqueue(&engines, "a", json!({"kind": "x", "attempts_max": 3, "backoff": backoff})).await.summary.id;
    let first = claim_one(&engines, engine).await;
    finish(&engines, engine, failed(first.id, first.epoch, true)).await;
    pass(&home, &engines, Duration::from_secs(10)).await;
    claim_one(&engines, engine).await;
    let short = Some(Duration::from_millis(5));
    let (claims, p95) = told(&engines, engine, home.clock.now()).await;
    assert!(claims == 2 && p95 < short, "a retry waited for its time, not for a worker: {claims} {p95:?}");
    // Its worker is gone, and its lease runs out.
    pass(&home, &engines, Duration::from_secs(30)).await;
    let third = claim_one(&engines, engine).await;
    let (claims, p95) = told(&engines, engine, home.clock.now()).await;
    assert!(claims == 3 && p95 < short, "it was taken by somebody meanwhile: {claims} {p95:?}");
    finish(&engines, engine, failed(third.id, third.epoch, true)).await;
    pass(&home, &engines, Duration::from_mins(2)).await;
    engines.requeue(&owner(), id).await.unwrap();
    pass(&home, &engines, Duration::from_secs(7)).await;
    claim_one(&engines, engine).await;
    let (claims, p95) = told(&engines, engine, home.clock.now()).await;
    let waited = Duration::from_secs(6)..Duration::from_secs(8);
    assert!(claims == 1 && p95.is_some_and(|p95| waited.contains(&p95)), "asked for again: {claims} {p95:?}");
    within(engines.shutdown()).await;
}
