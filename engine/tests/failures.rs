//! Attempts that end badly: what clients are told, and that the worker lives on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use flowork_api_types::{
    JobId,
    engine::{FinishItem, Throttle},
    job::{Job, JobError, JobState},
    limit::LimitTarget,
};
use flowork_engine::{Engines, JobFailure, jobs::bounds::ERROR_BYTES_MAX};
use serde_json::json;
use tokio::sync::Notify;

use crate::support::{
    Home, START_MS, claim, claim_one, ended, enqueue, failed, finish, job, next_change, owner, pass, reached, within,
};

/// The one worker still does its work.
async fn lives_on(engines: &Engines) {
    let id = enqueue(engines, "after", json!({"kind": "noop", "payload": 7})).await.summary.id;
    assert_eq!(ended(engines, id).await.result, Some(json!({"echo": 7})));
}

fn code(job: &Job) -> &str {
    job.summary.error.as_ref().map_or("", |error| error.code.as_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_panics_fails_its_attempt_alone() {
    let home = Home::local(1, 1);
    home.register("panics", |_| Box::pin(async { panic!("on purpose") }));
    let engines = home.open().await;
    let body = json!({"kind": "panics", "attempts_max": 2, "backoff": {"initial_ms": 0}});
    let id = enqueue(&engines, "a", body).await.summary.id;
    let job = ended(&engines, id).await;
    assert_eq!((job.summary.state, code(&job)), (JobState::Failed, "PANICKED"));
    assert_eq!(job.summary.attempt, 2, "another attempt may mend it");
    lives_on(&engines).await;
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_past_one_mebibyte_fails_the_job() {
    let home = Home::local(1, 1);
    home.register("large", |context| {
        Box::pin(async move { Ok(json!("x".repeat(context.payload.as_u64().unwrap_or_default() as usize))) })
    });
    let engines = home.open().await;
    let quotes = 2;
    let fits = enqueue(&engines, "a", json!({"kind": "large", "payload": (1 << 20) - quotes})).await.summary.id;
    assert_eq!(ended(&engines, fits).await.summary.state, JobState::Completed);
    let body = json!({"kind": "large", "payload": (1 << 20) - quotes + 1});
    let job = ended(&engines, enqueue(&engines, "b", body).await.summary.id).await;
    assert_eq!((job.summary.state, code(&job)), (JobState::Failed, "RESULT_TOO_LARGE"));
    assert_eq!(job.summary.attempt, 1, "another attempt would give as much");
    lives_on(&engines).await;
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_kind_went_away_waits_for_it_and_holds_up_nobody() {
    let home = Home::local(1, 1);
    let go = Arc::new(Notify::new());
    let started = Arc::clone(&go);
    home.register("blocker", move |_| {
        let go = Arc::clone(&started);
        Box::pin(async move {
            go.notified().await;
            Ok(json!(null))
        })
    });
    let register = || home.register("gone", |context| Box::pin(async move { Ok(json!(context.attempt)) }));
    register();
    let engines = home.open().await;
    let blocker = enqueue(&engines, "a", json!({"kind": "blocker"})).await.summary.id;
    reached(&engines, blocker, JobState::Leased).await;
    let id = enqueue(&engines, "b", json!({"kind": "gone", "attempts_max": 1, "priority": 0})).await.summary.id;
    home.kinds.unregister("gone");
    go.notify_one();
    lives_on(&engines).await;
    assert_eq!(job(&engines, id).await.summary.state, JobState::Queued);
    register();
    let job = ended(&engines, id).await;
    assert_eq!((job.summary.state, job.result), (JobState::Completed, Some(json!(1))), "no attempt was used up");
    within(engines.shutdown()).await;
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Takes the five seconds that attempts have to stop by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_never_returns_is_dropped_after_its_grace() {
    let home = Home::local(1, 1);
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&dropped);
    home.register("deaf", move |_| {
        let guard = SetOnDrop(Arc::clone(&flag));
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok(json!(null))
        })
    });
    let engines = home.open().await;
    let body = json!({"kind": "deaf", "timeout_ms": 1, "attempts_max": 1});
    let job = ended(&engines, enqueue(&engines, "a", body).await.summary.id).await;
    assert_eq!((job.summary.state, code(&job)), (JobState::Failed, "TIMEOUT"));
    assert!(dropped.load(Ordering::SeqCst), "what it held must be cleaned up");
    lives_on(&engines).await;
    within(engines.shutdown()).await;
}

/// Takes the grace, and the second that an aborted attempt gets.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_kind_that_blocks_its_thread_does_not_keep_its_worker() {
    let home = Home::local(1, 1);
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    home.register("blocks", move |_| {
        // Only errors or the sender's end come back; either way the thread is free again.
        let _ = blocked.lock().unwrap().recv();
        Box::pin(async { Ok(json!(null)) })
    });
    let engines = home.open().await;
    let body = json!({"kind": "blocks", "timeout_ms": 1, "attempts_max": 1});
    let job = ended(&engines, enqueue(&engines, "a", body).await.summary.id).await;
    assert_eq!((job.summary.state, code(&job)), (JobState::Failed, "TIMEOUT"));
    lives_on(&engines).await;
    within(engines.shutdown()).await;
    drop(release);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_names_a_time_is_not_repeated_before_it() {
    let mut home = Home::local(1, 1);
    home.clock = flowork_engine::Clock::manual(START_MS);
    home.register("later", |context| {
        let seconds = context.payload.as_u64().unwrap_or(u64::MAX);
        Box::pin(async move {
            Err(JobFailure::retryable("BUSY", "come back later").retry_after(Duration::from_secs(seconds)))
        })
    });
    let engines = home.open().await;
    let check = async |key: &str, payload: serde_json::Value, wait_ms: i64| {
        let mut feed = engines.events().subscribe(None);
        let backoff = json!({"initial_ms": 1, "jitter": false});
        let body = json!({"kind": "later", "payload": payload, "backoff": backoff});
        let id = enqueue(&engines, key, body).await.summary.id;
        while next_change(&mut feed, id).await != JobState::Scheduled {}
        assert_eq!(job(&engines, id).await.summary.run_at.as_millis() - START_MS, wait_ms);
    };
    check("a", json!(90), 90_000).await;
    check("b", json!(0), 1).await;
    let day_ms = 86_400_000;
    check("c", json!(null), day_ms).await;
    lives_on(&engines).await;
    within(engines.shutdown()).await;
}

/// Whatever an error says, what is stored of it, in both places, is bounded.
async fn check_is_cut(engines: &Engines, id: JobId) {
    let of_job = job(engines, id).await.summary.error.unwrap();
    let of_attempt = engines.attempts(&owner(), id).await.unwrap().remove(0).error.unwrap();
    assert_eq!(of_job, of_attempt);
    let bytes = serde_json::to_vec(&of_job).unwrap().len();
    assert!(bytes <= ERROR_BYTES_MAX, "{bytes}");
    assert!(of_job.message.starts_with("é") && of_job.details.is_none(), "the start of it is kept");
}

#[tokio::test]
async fn an_error_of_an_engine_elsewhere_is_cut_before_it_is_stored() {
    let home = Home::external(1);
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let epoch = claim_one(&engines, home.spec.id).await.epoch;
    let long = "é".repeat(1 << 20);
    let error =
        JobError { code: long.clone(), message: long.clone(), hint: Some(long.clone()), details: Some(json!(long)) };
    finish(&engines, home.spec.id, FinishItem { error: Some(error), ..failed(id, epoch, false) }).await;
    check_is_cut(&engines, id).await;
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_a_kind_is_cut_before_it_is_stored() {
    let home = Home::local(1, 1);
    home.register("wordy", |_| {
        let long = "é".repeat(1 << 20);
        Box::pin(
            async move { Err(JobFailure::permanent("BOOM", long.clone()).hint(long.clone()).details(json!(long))) },
        )
    });
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "wordy"})).await.summary.id;
    assert_eq!(code(&ended(&engines, id).await), "BOOM");
    check_is_cut(&engines, id).await;
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_provider_that_an_engine_elsewhere_was_told_to_leave_alone_is_left_alone() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let provider = || "provider:p".parse::<LimitTarget>().unwrap();
    home.register_with_targets("x", vec![provider()], |_| Box::pin(async { Ok(json!(null)) }));
    let engines = home.open().await;
    enqueue(&engines, "busy", json!({"kind": "x", "attempts_max": 1})).await;
    let busy = claim_one(&engines, engine).await;
    let waits = enqueue(&engines, "waits", json!({"kind": "x"})).await.summary.id;
    let other = enqueue(&engines, "other", json!({"kind": "y"})).await.summary.id;
    let throttle = Some(Throttle { target: provider(), wait_ms: 60_000 });
    finish(&engines, engine, FinishItem { throttle, ..failed(busy.id, busy.epoch, false) }).await;
    let claimed: Vec<_> = claim(&engines, engine, 8).await.into_iter().map(|job| job.id).collect();
    assert_eq!(claimed, [other], "nothing else asks this provider");
    pass(&home, &engines, Duration::from_millis(59_999)).await;
    assert!(claim(&engines, engine, 8).await.iter().all(|job| job.id == other));
    pass(&home, &engines, Duration::from_millis(1)).await;
    assert!(claim(&engines, engine, 8).await.iter().any(|job| job.id == waits), "its wait is over");
    within(engines.shutdown()).await;
}
