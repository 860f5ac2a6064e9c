//! Jobs that were enqueued together, and the one that follows.

use flowork_api_types::{
    BatchId,
    event::Event,
    job::{Batch, BatchRequest},
};
use flowork_engine::{
    Engines,
    jobs::{
        Caller,
        batch::{BatchLookupError, NamedBatch},
        enqueue::{EnqueueError, Enqueued},
    },
};
use serde_json::{Value, json};

use crate::{
    support::{Home, claim, claim_one, completed, failed, finish, job, member, owner, request, trace, within},
    warnings::Warnings,
};

/// So many jobs, each under a key made of `key`.
fn batch_of(key: &str, callback: impl Into<Option<Value>>, jobs: usize) -> Value {
    let entry = |n| json!({"idempotency_key": format!("{key}-{n}"), "kind": "x"});
    json!({"jobs": (0..jobs).map(entry).collect::<Vec<_>>(), "callback": callback.into()})
}

/// Sends a batch as the gateway does.
pub(crate) async fn send(
    engines: &Engines,
    caller: &Caller,
    key: &str,
    body: Value,
) -> Result<(BatchId, Vec<Result<Enqueued, EnqueueError>>), EnqueueError> {
    let body: BatchRequest = serde_json::from_value(body).unwrap();
    let named = NamedBatch::new(key.to_owned(), &body);
    let entries = body.jobs.into_iter().map(|entry| (entry.idempotency_key, Ok(request(entry.job)))).collect();
    let (batch, outcomes) = engines.enqueue_batch(caller, Some(named), entries, trace()).await?;
    Ok((batch.unwrap(), outcomes))
}

async fn enqueue_batch(engines: &Engines, key: &str, callback: Option<Value>, jobs: usize) -> BatchId {
    let (batch, outcomes) = send(engines, &owner(), key, batch_of(key, callback, jobs)).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    batch
}

pub(crate) async fn closed(engines: &Engines, id: BatchId) -> Batch {
    let mut feed = engines.events().subscribe(None);
    loop {
        let batch = engines.batch(&owner(), id).await.unwrap();
        if batch.finished_at.is_some() {
            return batch;
        }
        within(feed.next()).await;
    }
}

fn callback() -> Value {
    json!({"kind": "y", "payload": {"batch": null, "for": "me"}})
}

#[tokio::test]
async fn the_callback_runs_once_after_the_last_job_has_ended() {
    let home = Home::external(4);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue_batch(&engines, "b", Some(callback()), 12).await;
    let jobs = claim(&engines, engine, 64).await;
    assert_eq!(jobs.len(), 12, "the callback is not among them");
    for (n, job) in jobs.iter().enumerate() {
        let batch = engines.batch(&owner(), id).await.unwrap();
        assert_eq!((batch.jobs, batch.open, batch.finished_at), (Some(12), 12 - n as u64, None));
        let item = if n < 2 { failed(job.id, job.epoch, false) } else { completed(job.id, job.epoch, json!(n)) };
        finish(&engines, engine, item).await;
    }
    let batch = within(closed(&engines, id)).await;
    assert_eq!((batch.open, batch.completed, batch.failed), (0, 10, 2));
    let follower = claim_one(&engines, engine).await;
    assert_eq!(Some(follower.id), batch.callback_job_id);
    assert_eq!(follower.kind, "y");
    let counts = json!({"id": id, "completed": 10, "failed": 2, "cancelled": 0, "expired": 0});
    assert_eq!(follower.payload, json!({"batch": counts, "for": "me"}));
    // The same request again is the same batch.
    assert_eq!(enqueue_batch_again(&engines).await, id);
    assert!(claim(&engines, engine, 8).await.is_empty(), "nothing follows twice");
    assert_eq!(job(&engines, jobs[0].id).await.summary.batch_id, Some(id));
    within(engines.shutdown()).await;
}

async fn enqueue_batch_again(engines: &Engines) -> BatchId {
    let (batch, outcomes) = send(engines, &owner(), "b", batch_of("b", Some(callback()), 12)).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|enqueued| enqueued.replayed)));
    batch
}

#[tokio::test]
async fn a_batch_that_ended_while_nobody_looked_is_closed_at_the_next_start() {
    let home = Home::external(2);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue_batch(&engines, "b", Some(callback()), 3).await;
    let jobs = claim(&engines, engine, 64).await;
    within(engines.shutdown()).await;
    // As if the node had died between the last commit and the callback.
    for shard in 0..2 {
        let file = rusqlite::Connection::open(home.file(shard)).unwrap();
        for job in &jobs {
            file.execute("DELETE FROM job WHERE key = ?1", [job.id.key()]).unwrap();
        }
    }
    let engines = home.open().await;
    let batch = within(closed(&engines, id)).await;
    assert_eq!(Some(claim_one(&engines, engine).await.id), batch.callback_job_id);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn the_end_of_a_batch_is_told_once_with_its_counts_to_who_sent_it() {
    let home = Home::external(2);
    let engine = home.spec.id;
    let engines = home.open().await;
    let mut events = engines.events().subscribe(None);
    let id = enqueue_batch(&engines, "b", Some(callback()), 3).await;
    for failing in [false, true, false] {
        let job = claim_one(&engines, engine).await;
        let end = if failing { failed(job.id, job.epoch, false) } else { completed(job.id, job.epoch, json!(null)) };
        finish(&engines, engine, end).await;
    }
    let (owner, envelope) = loop {
        let (owner, envelope) = within(events.next()).await.unwrap();
        if matches!(envelope.event, Event::BatchFinished { .. }) {
            break (owner, envelope);
        }
    };
    let expected = Event::BatchFinished { batch_id: id, completed: 2, failed: 1, cancelled: 0, expired: 0 };
    assert_eq!((owner.as_deref(), envelope.event), (Some("owner"), expected));
    let callback = claim_one(&engines, engine).await;
    finish(&engines, engine, completed(callback.id, callback.epoch, json!(null))).await;
    within(engines.shutdown()).await;
    let more = std::iter::from_fn(|| futures_util::FutureExt::now_or_never(events.next()).flatten());
    let again = more.filter(|(_, envelope)| matches!(envelope.event, Event::BatchFinished { .. }));
    assert_eq!(again.count(), 0);
}

#[tokio::test]
async fn a_callback_that_would_be_refused_refuses_the_batch() {
    let home = Home::external(1);
    let engines = home.open().await;
    let refused = send(&engines, &owner(), "b", batch_of("b", Some(json!({"kind": "nowhere"})), 1)).await;
    assert!(matches!(refused, Err(EnqueueError::UnknownKind { .. })));
    assert!(claim(&engines, home.spec.id, 1).await.is_empty(), "and no job of it came in");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn somebody_elses_batch_is_not_there() {
    let home = Home::external(1);
    let engines = home.open().await;
    let id = enqueue_batch(&engines, "b", None, 1).await;
    let seen = engines.batch(&member("ada"), id).await;
    assert!(matches!(seen, Err(BatchLookupError::NotFound { .. })));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_callback_that_is_refused_for_a_while_comes_later() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue_batch(&engines, "b", Some(callback()), 1).await;
    let last = claim_one(&engines, engine).await;
    engines.drain(true);
    finish(&engines, engine, completed(last.id, last.epoch, json!(null))).await;
    // The next start tries again, as the running node does after a while.
    within(engines.shutdown()).await;
    let engines = home.open().await;
    let batch = within(closed(&engines, id)).await;
    assert_eq!((batch.callback_error.as_deref(), batch.completed), (None, 1));
    assert_eq!(Some(claim_one(&engines, engine).await.id), batch.callback_job_id);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_batch_that_did_not_get_in_is_not_over() {
    let home = Home::external(1);
    let engines = home.open().await;
    engines.drain(true);
    let body = || batch_of("b", Some(callback()), 1);
    let (id, outcomes) = send(&engines, &owner(), "b", body()).await.unwrap();
    assert!(matches!(outcomes[0], Err(EnqueueError::Draining { .. })));
    assert_eq!(engines.batch(&owner(), id).await.unwrap().jobs, None);
    engines.drain(false);
    let (again, outcomes) = send(&engines, &owner(), "b", body()).await.unwrap();
    assert!(again == id && outcomes[0].is_ok());
    let job = claim_one(&engines, home.spec.id).await;
    finish(&engines, home.spec.id, completed(job.id, job.epoch, json!(null))).await;
    let batch = within(closed(&engines, id)).await;
    assert_eq!((batch.jobs, batch.completed), (Some(1), 1));
    assert_eq!(Some(claim_one(&engines, home.spec.id).await.id), batch.callback_job_id);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn the_key_of_a_batch_is_good_for_that_batch_alone() {
    let home = Home::external(2);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue_batch(&engines, "b", Some(callback()), 2).await;
    let mut other_body = batch_of("b", Some(callback()), 2);
    other_body["jobs"][1]["payload"] = json!("another");
    let mut other_key = batch_of("b", Some(callback()), 2);
    other_key["jobs"][1]["idempotency_key"] = json!("another");
    let others = [
        other_body,
        other_key,
        batch_of("b", Some(callback()), 3),
        batch_of("b", Some(callback()), 1),
        batch_of("b", Some(json!({"kind": "y"})), 2),
        batch_of("b", None, 2),
    ];
    for other in others {
        let refused = send(&engines, &owner(), "b", other.clone()).await;
        match refused {
            Err(EnqueueError::BatchKeyReused { batch_id }) => assert_eq!(batch_id, id, "{other}"),
            answer => panic!("{other}: {answer:?}"),
        }
    }
    assert_eq!(claim(&engines, engine, 64).await.len(), 2, "no job of the others came in");
    let (of_another, _) = send(&engines, &member("ada"), "b", batch_of("b", None, 1)).await.unwrap();
    assert_ne!(of_another, id, "keys are per user");
    within(engines.shutdown()).await;

    let engines = home.open().await;
    let refused = send(&engines, &owner(), "b", batch_of("b", None, 2)).await;
    assert!(matches!(refused, Err(EnqueueError::BatchKeyReused { .. })), "also after a restart: {refused:?}");
    assert_eq!(send(&engines, &owner(), "b", batch_of("b", Some(callback()), 2)).await.unwrap().0, id);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn batches_that_could_not_be_read_at_a_start_are_read_a_little_later() {
    let warnings = Warnings::listen("unfinished batches could not be read yet");
    let home = Home::external(1);
    let engines = home.open().await;
    let id = enqueue_batch(&engines, "b", None, 1).await;
    let job = claim_one(&engines, home.spec.id).await;
    within(engines.shutdown()).await;
    // As if the node had died between the last commit and the end of the batch.
    let file = rusqlite::Connection::open(home.file(0)).unwrap();
    file.execute("DELETE FROM job WHERE key = ?1", [job.id.key()]).unwrap();
    drop(file);

    let engines = home.open().await;
    // Nothing has run yet that could have read: this thread runs everything.
    let away = home.file(0).with_extension("away");
    std::fs::rename(home.file(0), &away).unwrap();
    within(warnings.told(1)).await;
    std::fs::rename(&away, home.file(0)).unwrap();
    assert!(engines.batch(&owner(), id).await.unwrap().finished_at.is_none());
    within(closed(&engines, id)).await;
    within(engines.shutdown()).await;
}

/// A drain refuses callbacks and lets jobs be cancelled, so that batches end under it.
#[tokio::test]
async fn a_batch_that_is_blocked_waits_for_its_time_whatever_else_ends() {
    const OTHERS: usize = 30;
    let warnings = Warnings::listen("a batch could not be closed yet");
    let home = Home::external(1);
    let engines = home.open().await;
    let blocked = enqueue_batch(&engines, "blocked", Some(callback()), 1).await;
    let mut others = Vec::new();
    for n in 0..OTHERS {
        others.push(enqueue_batch(&engines, &format!("b{n}"), None, 1).await);
    }
    engines.drain(true);
    let jobs = engines.list_jobs(&owner(), flowork_api_types::job::ListJobsQuery::default()).await.unwrap().items;
    let job_of = |batch| jobs.iter().find(|job| job.batch_id == Some(batch)).unwrap().id;
    engines.cancel(&owner(), job_of(blocked)).await.unwrap();
    within(warnings.told(1)).await;
    let began = std::time::Instant::now();
    for other in others {
        engines.cancel(&owner(), job_of(other)).await.unwrap();
        within(closed(&engines, other)).await;
    }
    let tries = warnings.seen();
    let allowed = 2 + began.elapsed().as_secs() as usize / 5;
    assert!(tries <= allowed, "it was tried {tries} times while {OTHERS} others ended");
    engines.drain(false);
    let batch = within(closed(&engines, blocked)).await;
    assert_eq!((batch.cancelled, batch.callback_error.as_deref()), (1, None));
    assert_eq!(Some(claim_one(&engines, home.spec.id).await.id), batch.callback_job_id);
    within(engines.shutdown()).await;
}
