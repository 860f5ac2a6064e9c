//! What holds jobs back, and lets them go.

use std::{collections::HashSet, time::Duration};

use flowork_api_types::limit::{LimitRule, LimitTarget, Rate};
use flowork_engine::{Engines, JobFailure};
use serde_json::json;

use crate::support::{
    Home, ask, claim, claim_one, completed, counts, ended, enqueue, finish, job, pass, reached, settle, within,
};

fn limit(target: &str, concurrency: Option<u32>, rate: Option<(u32, u64)>) -> LimitRule {
    let rate = rate.map(|(count, per_ms)| Rate { count, per_ms });
    LimitRule { target: target.parse().unwrap(), concurrency, rate }
}

fn pause(engines: &Engines, queues: &[&str]) {
    engines.set_paused_queues(&queues.iter().map(|&name| name.to_owned()).collect::<HashSet<_>>());
}

#[tokio::test]
async fn jobs_with_one_concurrency_key_run_as_many_at_once_as_they_say() {
    for shards in [1, 4] {
        let home = Home::external(shards);
        let engine = home.spec.id;
        let engines = home.open().await;
        for n in 0..10 {
            let body = json!({"kind": "x", "concurrency_key": "tenant", "concurrency_max": 2});
            enqueue(&engines, &format!("k{n}"), body).await;
        }
        let free = enqueue(&engines, "free", json!({"kind": "x", "priority": 900})).await.summary.id;
        let mut running = claim(&engines, engine, 8).await;
        assert_eq!(running.len(), 3, "two of the key, and the one behind them that has none");
        running.retain(|job| job.id != free);
        for done in 2..10 {
            assert!(claim(&engines, engine, 8).await.is_empty());
            let job = running.pop().unwrap();
            // Somebody waits already, so that the slot must reach them without being asked for.
            let waiting = tokio::spawn({
                let engines = engines.clone();
                async move { within(engines.claim(engine, ask(8, 20_000))).await.unwrap().jobs }
            });
            finish(&engines, engine, completed(job.id, job.epoch, json!(null))).await;
            let next = within(waiting).await.unwrap();
            assert_eq!(next.len(), 1, "after {done} of 10");
            running.extend(next);
        }
        within(engines.shutdown()).await;
    }
}

#[tokio::test]
async fn running_jobs_are_counted_again_after_a_restart() {
    let home = Home::external(2);
    let engine = home.spec.id;
    let engines = home.open().await;
    for n in 0..4 {
        enqueue(&engines, &format!("k{n}"), json!({"kind": "x", "concurrency_key": "k"})).await;
    }
    let running = claim_one(&engines, engine).await;
    within(engines.shutdown()).await;
    let engines = home.open().await;
    assert!(claim(&engines, engine, 8).await.is_empty(), "the one from before still holds its lease");
    finish(&engines, engine, completed(running.id, running.epoch, json!(null))).await;
    assert_eq!(claim(&engines, engine, 8).await.len(), 1);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_lease_that_runs_out_makes_room() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    for n in 0..2 {
        let body = json!({"kind": "x", "concurrency_key": "k", "attempts_max": 1});
        enqueue(&engines, &format!("k{n}"), body).await;
    }
    let first = claim_one(&engines, engine).await;
    assert!(claim(&engines, engine, 8).await.is_empty());
    pass(&home, &engines, Duration::from_secs(31)).await;
    assert_ne!(claim_one(&engines, engine).await.id, first.id);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn limits_of_every_target_hold_and_change_while_jobs_wait() {
    for target in ["kind:x", "user:owner", "queue:mail", "key:tenant"] {
        let home = Home::external(2);
        let engine = home.spec.id;
        let engines = home.open().await;
        engines.set_limits(&[limit(target, Some(1), None)]);
        for n in 0..5 {
            let body = json!({"kind": "x", "queue": "mail", "concurrency_key": "tenant", "concurrency_max": 100});
            enqueue(&engines, &format!("k{n}"), body).await;
        }
        assert_eq!(claim(&engines, engine, 8).await.len(), 1, "{target}");
        assert_eq!(engines.limit_usage().into_values().collect::<Vec<_>>(), [1]);
        engines.set_limits(&[limit(target, Some(3), None)]);
        settle(&engines, engine).await;
        assert_eq!(claim(&engines, engine, 8).await.len(), 2, "{target}");
        engines.set_limits(&[limit("kind:another", Some(0), None)]);
        settle(&engines, engine).await;
        assert_eq!(claim(&engines, engine, 8).await.len(), 2, "{target}");
        within(engines.shutdown()).await;
    }
}

#[tokio::test]
async fn a_rate_lets_jobs_start_as_its_bucket_fills() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    engines.set_limits(&[limit("kind:x", None, Some((3, 60_000)))]);
    for n in 0..8 {
        enqueue(&engines, &format!("k{n}"), json!({"kind": "x"})).await;
    }
    assert_eq!(claim(&engines, engine, 8).await.len(), 3, "a rest allows a burst");
    pass(&home, &engines, Duration::from_millis(19_999)).await;
    assert!(claim(&engines, engine, 8).await.is_empty());
    pass(&home, &engines, Duration::from_millis(1)).await;
    assert_eq!(claim(&engines, engine, 8).await.len(), 1, "a third of the minute, a third of the count");
    pass(&home, &engines, Duration::from_secs(40)).await;
    assert_eq!(claim(&engines, engine, 8).await.len(), 2);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_paused_queue_keeps_its_jobs_and_holds_up_no_other() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    pause(&engines, &["mail"]);
    for n in 0..3 {
        enqueue(&engines, &format!("m{n}"), json!({"kind": "x", "queue": "mail"})).await;
    }
    let other = enqueue(&engines, "o", json!({"kind": "x", "priority": 900})).await.summary.id;
    assert_eq!(claim_one(&engines, engine).await.id, other);
    assert!(claim(&engines, engine, 8).await.is_empty());
    assert_eq!(counts(&engines, engine), (0, 3, 1));
    pause(&engines, &[]);
    settle(&engines, engine).await;
    assert_eq!(claim(&engines, engine, 8).await.len(), 3);
    within(engines.shutdown()).await;
}

/// More lanes than come back at once when a scope opens.
#[tokio::test]
async fn a_thousand_lanes_behind_one_limit_all_get_their_turn() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    engines.set_limits(&[limit("kind:x", Some(2), None)]);
    for n in 0..1_000 {
        let body = json!({"kind": "x", "concurrency_key": format!("k{n}")});
        enqueue(&engines, &format!("k{n}"), body).await;
    }
    let mut done = 0;
    loop {
        let jobs = claim(&engines, engine, 8).await;
        if jobs.is_empty() {
            break;
        }
        assert!(jobs.len() <= 2);
        for job in jobs {
            finish(&engines, engine, completed(job.id, job.epoch, json!(null))).await;
            done += 1;
        }
    }
    assert_eq!(done, 1_000);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_queue_that_is_paused_for_one_kind_of_worker_still_serves_another() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    engines.set_limits(&[limit("user:owner", Some(1), None)]);
    for n in 0..100 {
        // No worker here takes these.
        let body = json!({"kind": "noop", "concurrency_key": format!("k{n}")});
        enqueue(&engines, &format!("n{n}"), body).await;
    }
    let wanted = enqueue(&engines, "wanted", json!({"kind": "x"})).await.summary.id;
    let only_x =
        |wait_ms| flowork_api_types::engine::ClaimRequest { kinds: Some(vec!["x".to_owned()]), ..ask(1, wait_ms) };
    let first = within(engines.claim(engine, only_x(0))).await.unwrap().jobs.remove(0);
    assert_eq!(first.id, wanted);
    let second = enqueue(&engines, "second", json!({"kind": "x"})).await.summary.id;
    assert!(within(engines.claim(engine, only_x(0))).await.unwrap().jobs.is_empty(), "one at a time");
    finish(&engines, engine, completed(first.id, first.epoch, json!(null))).await;
    let next = within(engines.claim(engine, only_x(0))).await.unwrap().jobs;
    assert_eq!(next.iter().map(|job| job.id).collect::<Vec<_>>(), [second]);
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_asks_for_patience_is_left_alone_by_everybody() {
    let mut home = Home::local(1, 1);
    home.clock = flowork_engine::Clock::manual(crate::support::START_MS);
    let provider = || "provider:p".parse::<LimitTarget>().unwrap();
    home.register_with_targets("ask", vec![provider()], move |context| {
        Box::pin(async move {
            if context.payload == json!("busy") {
                let wait = Duration::from_mins(1);
                return Err(JobFailure::retryable("RATE_LIMITED", "too many").throttled(provider(), wait));
            }
            Ok(json!("answered"))
        })
    });
    let engines = home.open().await;
    let body = json!({"kind": "ask", "payload": "busy", "attempts_max": 1});
    let busy = enqueue(&engines, "busy", body).await.summary.id;
    ended(&engines, busy).await;
    let waits = enqueue(&engines, "waits", json!({"kind": "ask"})).await.summary.id;
    let other = enqueue(&engines, "other", json!({"kind": "noop", "priority": 900})).await.summary.id;
    ended(&engines, other).await;
    assert_eq!(job(&engines, waits).await.summary.attempt, 0, "it was not even started");
    home.clock.advance(Duration::from_mins(1));
    engines.poke();
    reached(&engines, waits, flowork_api_types::job::JobState::Completed).await;
    within(engines.shutdown()).await;
}

/// More of them than memory holds of a lane.
#[tokio::test]
async fn jobs_that_expire_while_they_are_held_back_leave_no_trace() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    pause(&engines, &["mail"]);
    for n in 0..300 {
        let body = json!({"kind": "x", "queue": "mail", "expires_at": "2026-01-01T00:01:00Z"});
        enqueue(&engines, &format!("m{n}"), body).await;
    }
    assert!(claim(&engines, engine, 8).await.is_empty());
    pass(&home, &engines, Duration::from_mins(1)).await;
    assert_eq!(counts(&engines, engine), (0, 0, 0));
    let next = enqueue(&engines, "next", json!({"kind": "x"})).await.summary.id;
    assert_eq!(claim_one(&engines, engine).await.id, next, "workers are free, and it is held back by nothing");
    within(engines.shutdown()).await;
}

/// Jobs of one lane expire, come due and stay, all in the same tick, as after a night in which the machine slept.
#[tokio::test]
async fn what_changes_in_one_tick_is_counted_once() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let body = |more: serde_json::Value| {
        let mut body = json!({"kind": "x", "concurrency_key": "k"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for n in 0..100 {
        enqueue(&engines, &format!("e{n}"), body(json!({"expires_at": "2026-01-01T00:01:00Z"}))).await;
    }
    enqueue(&engines, "stays", body(json!({}))).await;
    enqueue(&engines, "due", body(json!({"delay_ms": 60_000}))).await;
    pass(&home, &engines, Duration::from_mins(1)).await;
    assert_eq!(counts(&engines, engine), (0, 2, 0));
    for _ in 0..2 {
        let job = claim_one(&engines, engine).await;
        assert!(claim(&engines, engine, 8).await.is_empty(), "one at a time");
        finish(&engines, engine, completed(job.id, job.epoch, json!(null))).await;
    }
    enqueue(&engines, "after", body(json!({}))).await;
    claim_one(&engines, engine).await;
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_job_that_turns_out_to_be_damaged_takes_no_start_from_the_others() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    enqueue(&engines, "damaged", json!({"kind": "x", "payload": "abc"})).await;
    let sound = enqueue(&engines, "sound", json!({"kind": "x"})).await.summary.id;
    within(engines.shutdown()).await;
    home.tamper("UPDATE job SET payload = x'2261626422' WHERE key = (SELECT min(key) FROM job)");
    let engines = home.open().await;
    engines.set_limits(&[limit("kind:x", None, Some((1, 60_000)))]);
    assert_eq!(claim_one(&engines, engine).await.id, sound, "the only start of the minute is its");
    within(engines.shutdown()).await;
}
