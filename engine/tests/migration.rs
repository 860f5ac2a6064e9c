//! Files of the version before, and binaries of the version before on files of today.

mod version_1;
mod version_2;

use flowork_api_types::{
    ShardNumber,
    engine::FinishAnswer,
    job::{JobState, ListJobsQuery},
};
use flowork_engine::{jobs::enqueue::EnqueueError, store::inspect::check};
use serde_json::json;
use version_1::Version1;
use version_2::{Version2, batch_id};

use crate::{
    batches::{closed, send},
    support::{
        Home, claim, claim_one, completed, counts, enqueue, finish, job, owner, pass, request, state, trace, within,
    },
};

const BROKE: &str = r#"{"code":"BOOM","message":"it broke","hint":null,"details":null}"#;

/// The only shard of [`Home::external`].
fn shard() -> ShardNumber {
    ShardNumber::new(1, 0).unwrap()
}

#[tokio::test]
async fn a_file_of_version_1_is_served_whole() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let old = Version1::open(&home.file(0), shard());
    let large = format!(r#"{{"filler":"{}"}}"#, "f".repeat(9_000));
    let leased = old.enqueue("leased", "1", 0, 3);
    let claimed = old.claim().unwrap();
    assert_eq!(claimed.id, leased);
    let done = old.enqueue("completed", &large, 0, 3);
    old.finish(&old.claim().unwrap(), "completed", Some(r#"{"sum":3}"#), None);
    let dead = old.enqueue("failed", "2", 0, 1);
    old.finish(&old.claim().unwrap(), "failed", None, Some(BROKE));
    let cancelled = old.enqueue("cancelled", "3", 0, 3);
    old.retire(cancelled, "cancelled", None, None);
    let expired = old.enqueue("expired", "4", 0, 3);
    old.retire(expired, "expired", None, None);
    let queued = old.enqueue("queued", &large, 0, 3);
    let scheduled = old.enqueue("scheduled", "5", 3_600_000, 3);
    drop(old);

    let engines = home.open().await;
    for (id, expected) in [
        (leased, JobState::Leased),
        (done, JobState::Completed),
        (dead, JobState::Failed),
        (cancelled, JobState::Cancelled),
        (expired, JobState::Expired),
        (queued, JobState::Queued),
        (scheduled, JobState::Scheduled),
    ] {
        let shown = job(&engines, id).await;
        assert_eq!((shown.summary.state, shown.summary.tags), (expected, vec!["old".to_owned()]), "{id}");
    }
    assert_eq!(counts(&engines, engine), (1, 1, 1));
    assert_eq!(job(&engines, done).await.result, Some(json!({"sum": 3})));
    assert_eq!(engines.list_jobs(&owner(), ListJobsQuery::default()).await.unwrap().items.len(), 7);
    assert_eq!(engines.attempts(&owner(), dead).await.unwrap().len(), 1);

    // Keys of then count today.
    let again = engines.enqueue(&owner(), "queued", request(json!({"kind": "x"})), trace()).await;
    assert!(matches!(again, Err(EnqueueError::IdempotencyKeyReused { original }) if original == queued), "{again:?}");

    // What was leased then is finished today, what waited is claimed, what failed comes back.
    let answer = finish(&engines, engine, completed(leased, claimed.epoch, json!("late"))).await;
    assert_eq!(answer, FinishAnswer::Accepted);
    let [got] = &claim(&engines, engine, 8).await[..] else { panic!("one job is ready") };
    assert_eq!((got.id, got.payload["filler"].as_str().unwrap().len()), (queued, 9_000));
    engines.requeue(&owner(), dead).await.unwrap();
    assert_eq!(claim(&engines, engine, 8).await.iter().map(|job| job.id).collect::<Vec<_>>(), [dead]);
    pass(&home, &engines, std::time::Duration::from_secs(3_601)).await;
    assert!(claim(&engines, engine, 8).await.iter().any(|job| job.id == scheduled));
    within(engines.shutdown()).await;
    let report = check(&home.file(0), 0, &mut |_, _, _| {}).unwrap();
    assert!(report.ok, "{report:?}");
}

#[tokio::test]
async fn a_binary_of_version_1_still_works_on_a_file_of_today() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let new = enqueue(&engines, "new", json!({"kind": "x", "payload": "new"})).await.summary.id;
    let ended = enqueue(&engines, "ended", json!({"kind": "x"})).await.summary.id;
    let claimed = claim(&engines, engine, 2).await;
    for job in &claimed {
        finish(&engines, engine, completed(job.id, job.epoch, json!(null))).await;
    }
    let waits = enqueue(&engines, "waits", json!({"kind": "x", "payload": "w"})).await.summary.id;
    within(engines.shutdown()).await;

    let old = Version1::open(&home.file(0), shard());
    let first = old.claim().expect("version 1 finds the job of today");
    assert_eq!(first.id, waits);
    old.finish(&first, "completed", Some(r#""by version 1""#), None);
    let run = old.enqueue("old-run", r#"{"n":1}"#, 0, 3);
    let failed = old.claim().unwrap();
    assert_eq!(failed.id, run);
    old.finish(&failed, "failed", None, Some(BROKE));
    let queued = old.enqueue("old-queued", r#"{"n":2}"#, 0, 3);
    let later = old.enqueue("old-later", r#"{"n":3}"#, 60_000, 3);
    drop(old);

    let engines = home.open().await;
    for (id, expected) in [
        (new, JobState::Completed),
        (ended, JobState::Completed),
        (waits, JobState::Completed),
        (run, JobState::Failed),
        (queued, JobState::Queued),
        (later, JobState::Scheduled),
    ] {
        assert_eq!(state(&engines, id).await, expected, "{id}");
    }
    assert_eq!(job(&engines, waits).await.result, Some(json!("by version 1")));
    assert_eq!(counts(&engines, engine), (1, 1, 0));
    let got: Vec<_> = claim(&engines, engine, 8).await;
    assert_eq!(got.iter().map(|job| (job.id, job.payload.clone())).collect::<Vec<_>>(), [(queued, json!({"n": 2}))]);
    assert_eq!(finish(&engines, engine, completed(queued, got[0].epoch, json!(1))).await, FinishAnswer::Accepted);
    pass(&home, &engines, std::time::Duration::from_mins(2)).await;
    assert_eq!(claim(&engines, engine, 8).await.iter().map(|job| job.id).collect::<Vec<_>>(), [later]);
    engines.requeue(&owner(), run).await.unwrap();
    assert_eq!(claim(&engines, engine, 8).await.iter().map(|job| job.id).collect::<Vec<_>>(), [run]);
    let again = engines.enqueue(&owner(), "old-run", request(json!({"kind": "x"})), trace()).await;
    assert!(matches!(again, Err(EnqueueError::IdempotencyKeyReused { original }) if original == run), "{again:?}");
    within(engines.shutdown()).await;
}

fn version_of(home: &Home) -> i64 {
    let file = rusqlite::Connection::open(home.file(0)).unwrap();
    file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// Two batches that may come under one key.
fn two_batches() -> [serde_json::Value; 2] {
    ["a", "b"].map(|key| json!({"jobs": [{"idempotency_key": key, "kind": "x"}]}))
}

/// What was sent under it nobody wrote down then.
#[tokio::test]
async fn the_key_of_a_batch_of_version_2_takes_what_comes_and_its_callback_follows() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let old = Version2::open(&home.file(0));
    old.open_batch("open", Some(r#"{"kind":"y"}"#));
    old.open_batch("closed", None);
    old.seal("closed", 0);
    old.close("closed");
    drop(old);

    let engines = home.open().await;
    for body in two_batches() {
        let (id, outcomes) = send(&engines, &owner(), "open", body).await.unwrap();
        assert!(id == batch_id("open") && outcomes[0].is_ok());
    }
    for job in claim(&engines, engine, 8).await {
        finish(&engines, engine, completed(job.id, job.epoch, json!(null))).await;
    }
    let batch = within(closed(&engines, batch_id("open"))).await;
    let follower = claim_one(&engines, engine).await;
    assert_eq!((Some(follower.id), follower.kind.as_str()), (batch.callback_job_id, "y"));
    assert!(engines.batch(&owner(), batch_id("closed")).await.unwrap().finished_at.is_some());
    within(engines.shutdown()).await;
    assert_eq!(version_of(&home), 3);
    let report = check(&home.file(0), 0, &mut |_, _, _| {}).unwrap();
    assert!(report.ok, "{report:?}");
}

#[tokio::test]
async fn a_binary_of_version_2_still_works_on_the_batches_of_today() {
    let home = Home::external(1);
    let engines = home.open().await;
    let [body, other] = two_batches();
    let (id, _) = send(&engines, &owner(), "new", body.clone()).await.unwrap();
    assert_eq!(id, batch_id("new"));
    within(engines.shutdown()).await;

    let old = Version2::open(&home.file(0));
    old.open_batch("new", Some("another"));
    assert_eq!(old.find("new"), (Some(1), None));
    old.open_batch("old", None);
    old.seal("old", 0);
    old.close("old");
    assert_eq!(old.find("old"), (Some(0), None));
    drop(old);

    let engines = home.open().await;
    assert!(send(&engines, &owner(), "new", body).await.unwrap().1[0].as_ref().is_ok_and(|again| again.replayed));
    let refused = send(&engines, &owner(), "new", other.clone()).await;
    assert!(matches!(refused, Err(EnqueueError::BatchKeyReused { .. })), "it is still known: {refused:?}");
    assert_eq!(send(&engines, &owner(), "old", other).await.unwrap().0, batch_id("old"));
    within(engines.shutdown()).await;
}
