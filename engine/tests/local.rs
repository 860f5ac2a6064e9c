//! Jobs on local workers, from enqueue to end.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use flowork_api_types::job::{AttemptOutcome, JobState, LogLevel};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Barrier;

use crate::support::{Home, counts, ended, enqueue, owner, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_ends_at_once_keeps_its_result_attempts_log_and_progress() {
    let home = Home::local(2, 2);
    home.register("chatty", |context| {
        Box::pin(async move {
            context.reporter.log(LogLevel::Info, "one");
            context.reporter.progress(Some(0.5), Some("half"));
            context.reporter.output("some ");
            context.reporter.log(LogLevel::Warn, "two");
            context.reporter.output("text");
            Ok(json!({"got": context.payload}))
        })
    });
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "chatty", "payload": {"n": 1}})).await.summary.id;
    let job = ended(&engines, id).await;
    assert_eq!(job.summary.state, JobState::Completed);
    assert_eq!(job.result, Some(json!({"got": {"n": 1}})));
    assert_eq!((job.summary.attempt, job.summary.lease_expires_at), (1, None));
    assert!(job.summary.claimed_at.is_some() && job.summary.finished_at.is_some());
    let progress = job.summary.progress.expect("its last report is kept");
    assert_eq!((progress.fraction, progress.message.as_deref()), (Some(0.5), Some("half")));
    assert_eq!(progress.output.as_deref(), Some("some text"));

    let attempts = engines.attempts(&owner(), id).await.unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| (attempt.attempt, attempt.outcome)).collect();
    assert_eq!(outcomes, [(1, Some(AttemptOutcome::Completed))]);
    let lines = engines.logs(&owner(), id, 0, 100).await.unwrap();
    let read: Vec<_> = lines.items.iter().map(|line| (line.seq, line.level, line.message.as_str())).collect();
    assert_eq!(read, [(1, LogLevel::Info, "one"), (2, LogLevel::Warn, "two")]);
    let after_first = engines.logs(&owner(), id, 1, 100).await.unwrap();
    assert_eq!(after_first.items.len(), 1, "only lines after the one that was named");
    within(engines.shutdown()).await;
}

/// What running jobs report is stored some 200 ms after it came, so these end just before, at and after that moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_is_lost_when_a_job_ends_while_its_report_is_stored() {
    let home = Home::local(4, 150);
    home.register("works", |context| {
        Box::pin(async move {
            context.reporter.log(LogLevel::Info, "first");
            let ms = context.payload["ms"].as_u64().unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(ms)).await;
            context.reporter.log(LogLevel::Info, "last");
            context.reporter.progress(Some(1.0), None);
            Ok(json!(null))
        })
    });
    let engines = home.open().await;
    let jobs = join_all((0..150).map(|n| {
        let engines = engines.clone();
        async move {
            let body = json!({"kind": "works", "payload": {"ms": 150 + n}});
            enqueue(&engines, &format!("a{n}"), body).await.summary.id
        }
    }))
    .await;
    for id in jobs {
        let job = ended(&engines, id).await;
        assert_eq!(job.summary.progress.and_then(|progress| progress.fraction), Some(1.0), "{id}");
        let lines = engines.logs(&owner(), id, 0, 100).await.unwrap().items;
        let messages: Vec<_> = lines.iter().map(|line| (line.seq, line.message.as_str())).collect();
        assert_eq!(messages, [(1, "first"), (2, "last")], "{id}");
    }
    within(engines.shutdown()).await;
}

const WORKERS: u32 = 8;

/// Enqueues 500 jobs at once and sees that each runs exactly once, on no more workers than there are.
async fn wave(home: &Home, engines: &flowork_engine::Engines, name: &'static str) {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (busy, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let shared = (Arc::clone(&ran), Arc::clone(&busy), Arc::clone(&most));
    home.register(name, move |context| {
        let (ran, busy, most) = shared.clone();
        Box::pin(async move {
            most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            ran.lock().unwrap().push(context.job_id);
            tokio::task::yield_now().await;
            busy.fetch_sub(1, Ordering::SeqCst);
            Ok(context.payload)
        })
    });
    let enqueues = (0..500).map(|n| async move {
        let body = json!({"kind": name, "payload": n});
        (n, enqueue(engines, &format!("{name}-{n}"), body).await.summary.id)
    });
    let jobs = join_all(enqueues).await;
    for (n, id) in &jobs {
        let job = ended(engines, *id).await;
        assert_eq!((job.summary.state, job.result), (JobState::Completed, Some(json!(n))));
    }
    within(engines.drained()).await;
    assert_eq!(engines.running(), 0);
    assert_eq!(counts(engines, home.spec.id), (0, 0, 0));
    let ran = ran.lock().unwrap();
    assert_eq!(ran.len(), 500, "none ran twice");
    assert_eq!(ran.iter().collect::<HashSet<_>>().len(), 500, "each ran");
    assert!(most.load(Ordering::SeqCst) <= WORKERS, "more ran at once than there are workers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waves_of_jobs_over_four_shards_run_once_each_and_leave_every_worker_free() {
    let home = Home::local(4, WORKERS);
    let engines = home.open().await;
    wave(&home, &engines, "first").await;
    wave(&home, &engines, "second").await;
    // These wait for each other, so they only end if all workers are there.
    let barrier = Arc::new(Barrier::new(WORKERS as usize));
    home.register("together", move |_| {
        let barrier = Arc::clone(&barrier);
        Box::pin(async move {
            barrier.wait().await;
            Ok(json!(null))
        })
    });
    let ids = join_all((0..WORKERS).map(|n| {
        let engines = &engines;
        async move { enqueue(engines, &format!("t{n}"), json!({"kind": "together"})).await.summary.id }
    }))
    .await;
    for id in ids {
        assert_eq!(ended(&engines, id).await.summary.state, JobState::Completed);
    }
    within(engines.shutdown()).await;
}
