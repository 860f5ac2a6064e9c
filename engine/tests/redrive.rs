//! Many dead letters at once.

use flowork_api_types::job::{JobState, RequeueRequest};
use flowork_engine::{Engines, jobs::redrive::RedriveError};
use serde_json::json;

use crate::support::{Home, claim, counts, enqueue, enqueue_as, failed, finish, job, member, owner, within};

fn any_kind(_: &str) -> bool {
    true
}

async fn fail_all(engines: &Engines, home: &Home) {
    loop {
        let jobs = claim(engines, home.spec.id, 64).await;
        if jobs.is_empty() {
            return;
        }
        for job in jobs {
            finish(engines, home.spec.id, failed(job.id, job.epoch, false)).await;
        }
    }
}

#[tokio::test]
async fn all_that_match_come_back_and_remember_where_they_were() {
    let home = Home::external(3);
    let engines = home.open().await;
    for n in 0..450 {
        enqueue(&engines, &format!("k{n}"), json!({"kind": if n % 3 == 0 { "y" } else { "x" }})).await;
    }
    fail_all(&engines, &home).await;
    let request =
        RequeueRequest { kind: Some("y".to_owned()), to_queue: Some("again".to_owned()), ..Default::default() };
    let answer = engines.requeue_many(&owner(), request, any_kind).await.unwrap();
    assert_eq!((answer.requeued, answer.skipped, answer.more), (150, 0, false));
    assert_eq!(counts(&engines, home.spec.id), (0, 150, 0));
    let back = claim(&engines, home.spec.id, 1).await.remove(0);
    let summary = job(&engines, back.id).await.summary;
    let from = summary.redriven_from.unwrap();
    assert_eq!((summary.queue.as_str(), summary.attempt), ("again", 1));
    assert_eq!((from.queue.as_str(), from.state, from.attempts, from.times), ("default", JobState::Failed, 1, 1));
    assert_eq!((from.by.as_str(), from.error.unwrap().code.as_str()), ("owner", "BOOM"));
    let rest = engines
        .requeue_many(&owner(), RequeueRequest { limit: Some(100), ..Default::default() }, any_kind)
        .await
        .unwrap();
    assert_eq!((rest.requeued, rest.more), (100, true));
    let rest = engines.requeue_many(&owner(), RequeueRequest::default(), any_kind).await.unwrap();
    assert_eq!((rest.requeued, rest.more), (200, false));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn named_jobs_come_back_and_others_do_not() {
    let home = Home::external(2);
    let engines = home.open().await;
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(enqueue(&engines, &format!("k{n}"), json!({"kind": "x"})).await.summary.id);
    }
    let alien = enqueue_as(&engines, "ada", "k", json!({"kind": "x"})).await.summary.id;
    fail_all(&engines, &home).await;
    let named = |ids: &[_]| RequeueRequest { ids: Some(ids.to_vec()), ..Default::default() };
    let answer = engines.requeue_many(&owner(), named(&ids[..4]), any_kind).await.unwrap();
    assert_eq!((answer.requeued, answer.skipped), (4, 0));
    let answer = engines.requeue_many(&owner(), named(&ids[..5]), any_kind).await.unwrap();
    assert_eq!((answer.requeued, answer.skipped), (1, 4), "four of them wait already");
    let answer = engines.requeue_many(&member("ada"), named(&[ids[9], alien]), any_kind).await.unwrap();
    assert_eq!((answer.requeued, answer.skipped), (1, 1), "nobody asks for somebody else's job");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn jobs_of_kinds_that_are_not_open_to_the_caller_are_skipped_and_do_not_fill_the_limit() {
    let home = Home::external(2);
    let engines = home.open().await;
    let mut ids = Vec::new();
    for (n, kind) in ["x", "y", "x", "y", "x", "y", "y", "y"].into_iter().enumerate() {
        ids.push(enqueue(&engines, &format!("k{n}"), json!({"kind": kind})).await.summary.id);
    }
    fail_all(&engines, &home).await;
    let only_x = |kind: &str| kind == "x";
    let named = RequeueRequest { ids: Some(ids[..2].to_vec()), ..Default::default() };
    let answer = engines.requeue_many(&owner(), named, only_x).await.unwrap();
    assert_eq!((answer.requeued, answer.skipped, answer.more), (1, 1, false));
    let request = RequeueRequest { limit: Some(3), ..Default::default() };
    let answer = engines.requeue_many(&owner(), request, only_x).await.unwrap();
    assert_eq!((answer.requeued, answer.skipped, answer.more), (2, 5, false), "newer ones of y are no obstacle");
    for id in [ids[1], ids[7]] {
        assert_eq!(job(&engines, id).await.summary.state, JobState::Failed);
    }
    assert_eq!(counts(&engines, home.spec.id).1, 3);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_redrive_stops_where_the_queue_is_full_and_loses_nothing() {
    let mut home = Home::external(1);
    home.cap = 30;
    let engines = home.open().await;
    for n in 0..60 {
        enqueue(&engines, &format!("k{n}"), json!({"kind": "x"})).await;
        fail_all(&engines, &home).await;
    }
    let answer = engines.requeue_many(&owner(), RequeueRequest::default(), any_kind).await.unwrap();
    assert_eq!((answer.requeued, answer.skipped), (30, 30));
    fail_all(&engines, &home).await;
    assert_eq!(engines.requeue_many(&owner(), RequeueRequest::default(), any_kind).await.unwrap().requeued, 30);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused() {
    let home = Home::external(1);
    let engines = home.open().await;
    for (request, field) in [
        (RequeueRequest { state: Some(JobState::Completed), ..Default::default() }, "/state"),
        (RequeueRequest { state: Some(JobState::Queued), ..Default::default() }, "/state"),
        (RequeueRequest { limit: Some(0), ..Default::default() }, "/limit"),
        (RequeueRequest { to_queue: Some("no spaces".to_owned()), ..Default::default() }, "/to_queue"),
        (RequeueRequest { ids: Some(Vec::new()), kind: Some("x".to_owned()), ..Default::default() }, "/ids"),
    ] {
        match engines.requeue_many(&owner(), request, any_kind).await {
            Err(RedriveError::InvalidFields { errors }) => assert_eq!(errors[0].field, field),
            answer => panic!("{answer:?}"),
        }
    }
    within(engines.shutdown()).await;
}
