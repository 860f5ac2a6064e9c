//! Schedules on real files.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;

use flowork_api_types::{
    JobId, Timestamp,
    schedule::{MissedRuns, Overlap, SCHEDULES_MAX, ScheduleError, SkipReason, SkippedRuns},
};
use flowork_control::{ControlStore, RunEnd, ScheduleText};
use serde_json::json;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

async fn open(directory: &Path) -> ControlStore {
    ControlStore::open(&directory.join("control.db")).await.unwrap()
}

fn after(ms: i64) -> Timestamp {
    Timestamp(NOW.as_millis() + ms)
}

fn text(name: &str) -> ScheduleText {
    ScheduleText {
        name: name.to_owned(),
        cron: None,
        time_zone: None,
        interval_ms: Some(1_000),
        anchor: Some(NOW),
        job: serde_json::from_value(json!({"kind": "noop", "payload": {"a": 1}, "tags": ["t"]})).unwrap(),
        missed: MissedRuns::All,
        overlap: Overlap::Skip,
        enabled: true,
    }
}

fn skipped(count: u64) -> SkippedRuns {
    SkippedRuns { reason: SkipReason::Missed, count, uncounted: false, due_at: NOW }
}

fn job() -> JobId {
    "job_01930c5ea2f07a3c8000000000000000".parse().unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_the_file_was_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let made = store.create_schedule("ada", text("a"), NOW).await.unwrap().unwrap();
    assert_eq!((&made.text, made.state.handled_until), (&text("a"), NOW));
    assert!(store.begin_run(&made, after(1_000), Some(skipped(3))).await.unwrap());
    let error = ScheduleError {
        code: "QUEUE_FULL".to_owned(),
        message: "full".to_owned(),
        due_at: after(1_000),
        retrying: true,
    };
    store.end_run(made.id, after(1_000), RunEnd::Blocked(error.clone())).await.unwrap();
    store.close().await;

    let store = open(directory.path()).await;
    let state = store.schedule(made.id, None).await.unwrap().unwrap().state;
    assert_eq!((state.handled_until, state.pending_due_at), (after(1_000), Some(after(1_000))));
    assert_eq!((state.last_error, state.last_skipped), (Some(error), Some(skipped(3))));
    store.end_run(made.id, after(1_000), RunEnd::Fired { job_id: job(), at: after(1_005) }).await.unwrap();
    let state = store.schedule(made.id, None).await.unwrap().unwrap().state;
    assert_eq!((state.pending_due_at, state.last_error), (None, None), "nothing is owed any more");
    assert_eq!((state.last_due_at, state.last_fired_at), (Some(after(1_000)), Some(after(1_005))));
    assert_eq!(state.last_job_id, Some(job()));
}

#[tokio::test]
async fn the_timer_never_fires_by_a_text_that_was_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let old = store.create_schedule("ada", text("a"), NOW).await.unwrap().unwrap();
    assert!(store.update_schedule(&old, text("b"), Some(after(5_000))).await.unwrap());
    assert!(!store.begin_run(&old, after(1_000), None).await.unwrap());
    assert!(!store.skip_runs(&old, after(1_000), None).await.unwrap());
    assert!(!store.update_schedule(&old, text("c"), None).await.unwrap(), "nor does a second writer win unseen");
    let new = store.schedule(old.id, None).await.unwrap().unwrap();
    assert_eq!((new.text.name.as_str(), new.state.handled_until), ("b", after(5_000)));

    // A pause takes back what is owed, and nothing fires during it.
    assert!(store.begin_run(&new, after(6_000), None).await.unwrap());
    let paused = ScheduleText { enabled: false, ..text("b") };
    assert!(store.update_schedule(&new, paused, Some(after(7_000))).await.unwrap());
    let paused = store.schedule(old.id, None).await.unwrap().unwrap();
    assert_eq!(paused.state.pending_due_at, None);
    assert!(!store.begin_run(&paused, after(8_000), None).await.unwrap());
    assert!(store.enabled_schedules().await.unwrap().is_empty());
    // A run that was on its way is still told.
    store.end_run(old.id, after(6_000), RunEnd::Fired { job_id: job(), at: after(7_001) }).await.unwrap();
    let told = store.schedule(old.id, None).await.unwrap().unwrap();
    assert_eq!((told.state.last_job_id, told.state.handled_until), (Some(job()), after(7_000)));
}

#[tokio::test]
async fn owners_reach_their_own_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let made = store.create_schedule("ada", text("a"), NOW).await.unwrap().unwrap();
    assert!(store.schedule(made.id, Some("alan")).await.unwrap().is_none());
    assert!(store.schedules(Some("alan"), None, 10).await.unwrap().is_empty());
    assert_eq!(store.delete_schedule(made.id, Some("alan")).await.unwrap(), None);
    assert_eq!(store.schedules(Some("ada"), None, 10).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(store.delete_schedule(made.id, None).await.unwrap().as_deref(), Some("ada"));
    assert!(store.schedule(made.id, None).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_as_many_as_a_node_may_have_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let makes: Vec<_> = (0..SCHEDULES_MAX + 20)
        .map(|index| {
            let store = store.clone();
            tokio::spawn(async move { store.create_schedule("ada", text(&index.to_string()), NOW).await })
        })
        .collect();
    let mut refused = 0;
    for make in makes {
        refused += usize::from(make.await.unwrap().unwrap().is_none());
    }
    assert_eq!(refused, 20);
    assert_eq!(store.enabled_schedules().await.unwrap().len(), SCHEDULES_MAX);
}
