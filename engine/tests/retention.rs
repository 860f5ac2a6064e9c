//! Old jobs go, and with them all that belongs to them.

use std::time::Duration;

use flowork_api_types::{
    Timestamp,
    engine::{FinishItem, NewLogLine},
    job::LogLevel,
};
use flowork_engine::{Clock, Retention, jobs::query::JobLookupError};
use serde_json::json;

use crate::support::{Home, START_MS, claim, completed, ended, enqueue, finish, job, owner, pass, settle, within};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn ended_jobs_go_after_the_time_of_their_kind() {
    let mut home = Home::external(1);
    home.retention = Retention {
        default: 3 * DAY,
        by_kind: [("y".to_owned(), 10 * DAY), ("noop".to_owned(), Duration::ZERO)].into(),
    };
    let engine = home.spec.id;
    let engines = home.open().await;
    let mut ids = Vec::new();
    for kind in ["x", "y", "noop"] {
        let payload = "p".repeat(10_000);
        ids.push(enqueue(&engines, kind, json!({"kind": kind, "payload": payload})).await.summary.id);
    }
    let open = enqueue(&engines, "open", json!({"kind": "x", "delay_ms": 864_000_000})).await.summary.id;
    let line = NewLogLine { at: Timestamp(START_MS), level: LogLevel::Info, message: "a line".to_owned() };
    for job in claim(&engines, engine, 8).await {
        let logs = vec![line.clone(); 3];
        finish(&engines, engine, FinishItem { logs, ..completed(job.id, job.epoch, json!(null)) }).await;
        assert_eq!(engines.logs(&owner(), job.id, 0, 10).await.unwrap().items.len(), 3);
    }
    let gone = async |id| matches!(engines.job(&owner(), id).await, Err(JobLookupError::NotFound { .. }));
    pass(&home, &engines, Duration::from_millis(86_399_999)).await;
    assert!(!gone(ids[2]).await, "its idempotency key is remembered for a day");
    pass(&home, &engines, Duration::from_millis(1)).await;
    assert!(gone(ids[2]).await && !gone(ids[0]).await);
    enqueue(&engines, "noop", json!({"kind": "x"})).await;
    pass(&home, &engines, 2 * DAY).await;
    assert!(gone(ids[0]).await && !gone(ids[1]).await);
    pass(&home, &engines, 7 * DAY).await;
    assert!(gone(ids[1]).await);
    job(&engines, open).await;
    within(engines.shutdown()).await;
    let left = rusqlite::Connection::open(home.file(0)).unwrap();
    for (table, wanted) in [("finished", 0), ("attempt", 0), ("log", 0), ("large_payload", 0), ("idempotency", 2)] {
        let rows: i64 = left.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, wanted, "{table}");
    }
}

#[tokio::test]
async fn many_old_jobs_go_a_few_at_a_time_and_the_file_shrinks() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    for round in 0..10 {
        for n in 0..64 {
            let body = json!({"kind": "x", "payload": "p".repeat(4_000)});
            enqueue(&engines, &format!("k{round}-{n}"), body).await;
        }
        for job in claim(&engines, engine, 64).await {
            finish(&engines, engine, completed(job.id, job.epoch, json!(null))).await;
        }
    }
    home.clock.advance(8 * DAY);
    // One look at the clock is one transaction, which may take only some of them.
    settle(&engines, engine).await;
    let query = || flowork_api_types::job::ListJobsQuery::default();
    assert!(!engines.list_jobs(&owner(), query()).await.unwrap().items.is_empty(), "not all at once");
    while !engines.list_jobs(&owner(), query()).await.unwrap().items.is_empty() {
        settle(&engines, engine).await;
    }
    for _ in 0..20 {
        settle(&engines, engine).await;
    }
    within(engines.shutdown()).await;
    let file = rusqlite::Connection::open(home.file(0)).unwrap();
    let pages = |name| file.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    let (all, free) = (pages("page_count"), pages("freelist_count"));
    assert!(all < 640, "640 payloads of a page each are gone: {all} pages, {free} of them free");
}

#[tokio::test]
async fn a_node_that_was_opened_to_run_nothing_keeps_what_ended() {
    let mut home = Home::local(1, 1);
    home.clock = Clock::manual(START_MS);
    let engines = home.open().await;
    let id = enqueue(&engines, "k", json!({"kind": "noop"})).await.summary.id;
    ended(&engines, id).await;
    within(engines.shutdown()).await;
    home.workers = 0;
    let engines = home.open().await;
    pass(&home, &engines, 8 * DAY).await;
    job(&engines, id).await;
    within(engines.shutdown()).await;
    home.workers = 1;
    let engines = home.open().await;
    pass(&home, &engines, DAY).await;
    assert!(matches!(engines.job(&owner(), id).await, Err(JobLookupError::NotFound { .. })), "the next start goes on");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_prune_finds_what_is_due_by_its_index() {
    let home = Home::external(1);
    within(home.open().await.shutdown()).await;
    let file = rusqlite::Connection::open(home.file(0)).unwrap();
    let sql = "EXPLAIN QUERY PLAN SELECT min(coalesce(prune_at_ms, finished_at_ms + 604800000)) FROM finished";
    let plan: String = file.query_row(sql, [], |row| row.get("detail")).unwrap();
    assert!(plan.contains("finished_prune"), "{plan}");
}
