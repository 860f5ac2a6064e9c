//! How an engine gets jobs.

use std::{collections::HashSet, time::Duration};

use flowork_api_types::{
    engine::{ClaimRequest, EngineLocation, FinishAnswer, RenewOutcome},
    job::JobState,
};
use flowork_engine::jobs::lease::EngineCallError;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Home, ask, claim, claim_one, completed, counts, enqueue, failed, finish, job, renew, spec, state, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_claim_is_answered_as_soon_as_a_job_comes() {
    let home = Home::external(4);
    let engines = home.open().await;
    for round in 0..20 {
        let waiting = tokio::spawn({
            let (engines, id) = (engines.clone(), home.spec.id);
            async move { engines.claim(id, ask(4, 30_000)).await.unwrap().jobs }
        });
        let id = enqueue(&engines, &format!("a{round}"), json!({"kind": "x", "payload": round})).await.summary.id;
        let answered = tokio::time::timeout(Duration::from_secs(5), waiting).await;
        let jobs = answered.expect("long before its wait is over").unwrap();
        assert_eq!(jobs.len(), 1);
        assert_eq!((jobs[0].id, jobs[0].attempt, jobs[0].epoch), (id, 1, 1));
        assert_eq!(jobs[0].payload, json!(round));
        assert!(jobs[0].traceparent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{}", jobs[0].traceparent);
        finish(&engines, home.spec.id, completed(id, 1, json!(null))).await;
    }
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_claim_that_does_not_wait_takes_what_is_there() {
    let home = Home::external(4);
    let engines = home.open().await;
    assert!(claim(&engines, home.spec.id, 8).await.is_empty());
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let jobs = claim(&engines, home.spec.id, 8).await;
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [id]);
    assert_eq!(job(&engines, id).await.summary.lease_expires_at, Some(jobs[0].lease_expires_at));
    assert!(claim(&engines, home.spec.id, 8).await.is_empty(), "it is leased");
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_over_four_shards_never_get_more_than_they_asked_for() {
    let home = Home::external(4);
    let engine = home.spec.id;
    let engines = home.open().await;
    join_all((0..60).map(|n| {
        let engines = &engines;
        async move { enqueue(engines, &format!("a{n}"), json!({"kind": "x"})).await }
    }))
    .await;
    let mut claimed = claim(&engines, engine, 7).await;
    assert!((1..=7).contains(&claimed.len()), "{}", claimed.len());
    let claims = join_all((0..12).map(|_| {
        let engines = engines.clone();
        tokio::spawn(async move { claim(&engines, engine, 3).await })
    }))
    .await;
    for jobs in claims {
        let jobs = jobs.unwrap();
        assert!(jobs.len() <= 3, "{}", jobs.len());
        claimed.extend(jobs);
    }
    loop {
        let jobs = claim(&engines, engine, 5).await;
        if jobs.is_empty() {
            break;
        }
        claimed.extend(jobs);
    }
    assert_eq!(claimed.len(), 60);
    assert_eq!(claimed.iter().map(|job| job.id).collect::<HashSet<_>>().len(), 60, "nobody got another's job");
    assert_eq!(counts(&engines, engine), (0, 0, 60));
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_for_some_kinds_finds_them_among_others_in_any_shard() {
    let home = Home::external(4);
    let engine = home.spec.id;
    let engines = home.open().await;
    join_all((0..40).map(|n| {
        let engines = &engines;
        async move { enqueue(engines, &format!("y{n}"), json!({"kind": "y", "priority": 1})).await }
    }))
    .await;
    let only_x = |wait_ms| ClaimRequest { kinds: Some(vec!["x".to_owned()]), ..ask(1, wait_ms) };
    for round in 0..100 {
        let id = enqueue(&engines, &format!("x{round}"), json!({"kind": "x"})).await.summary.id;
        let jobs = within(engines.claim(engine, only_x(0))).await.unwrap().jobs;
        assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [id], "round {round}");
        finish(&engines, engine, completed(id, 1, json!(null))).await;
    }
    assert!(within(engines.claim(engine, only_x(50))).await.unwrap().jobs.is_empty(), "it ends when its wait does");
    assert_eq!(counts(&engines, engine), (0, 40, 0), "the others were left alone");
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_wait_share_what_comes() {
    let home = Home::external(4);
    let engine = home.spec.id;
    let engines = home.open().await;
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let engines = engines.clone();
            tokio::spawn(async move { engines.claim(engine, ask(1, 30_000)).await.unwrap().jobs })
        })
        .collect();
    join_all((0..10).map(|n| {
        let engines = &engines;
        async move { enqueue(engines, &format!("a{n}"), json!({"kind": "x"})).await }
    }))
    .await;
    let mut ids = HashSet::new();
    for claim in waiting {
        let jobs = within(claim).await.unwrap();
        assert_eq!(jobs.len(), 1);
        assert!(ids.insert(jobs[0].id), "a job went to two");
    }
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn an_engine_has_no_say_over_the_jobs_of_another() {
    let mut home = Home::external(2);
    home.more.push(spec(2, EngineLocation::External, 2));
    let (mine, other) = (home.spec.id, home.more[0].id);
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x", "engine_id": mine})).await.summary.id;
    assert!(claim(&engines, other, 8).await.is_empty(), "it is not claimed from there");
    let epoch = claim_one(&engines, mine).await.epoch;
    let before = job(&engines, id).await;
    home.clock.advance(Duration::from_secs(5));
    assert_eq!(renew(&engines, other, id, epoch).await, RenewOutcome::LeaseLost);
    for item in [completed(id, epoch, json!(1)), failed(id, epoch, false)] {
        assert_eq!(finish(&engines, other, item).await, FinishAnswer::LeaseLost);
    }
    assert_eq!(job(&engines, id).await, before, "nothing changed");
    assert_eq!(finish(&engines, mine, completed(id, epoch, json!(1))).await, FinishAnswer::Accepted);
    assert_eq!(state(&engines, id).await, JobState::Completed);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn claims_out_of_range_are_refused() {
    let home = Home::external(1);
    let engines = home.open().await;
    for (max, wait_ms, field) in [(0, 0, "/max"), (65, 0, "/max"), (1, 30_001, "/wait_ms")] {
        match engines.claim(home.spec.id, ask(max, wait_ms)).await {
            Err(EngineCallError::Invalid { errors }) => assert_eq!(errors[0].field, field),
            answer => panic!("{answer:?}"),
        }
    }
    let stranger = spec(9, EngineLocation::External, 1).id;
    let refused = engines.claim(stranger, ask(1, 0)).await;
    assert!(matches!(refused, Err(EngineCallError::UnknownEngine { .. })), "{refused:?}");
    within(engines.shutdown()).await;
}
