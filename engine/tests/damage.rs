//! Bytes that changed on the disk, which SQLite serves as good.

use flowork_api_types::job::JobState;
use flowork_engine::jobs::query::JobLookupError;
use serde_json::json;

use crate::support::{Home, claim, claim_one, completed, counts, ended, enqueue, finish, job, owner, within};

const FLIP_SMALL: &str = "UPDATE job SET payload = CAST(replace(CAST(payload AS TEXT), 'good', 'evil') AS BLOB) \
                          WHERE idempotency_key = 'damaged'";
const FLIP_LARGE: &str = "UPDATE large_payload SET body = CAST(replace(CAST(body AS TEXT), 'good', 'evil') AS BLOB)";
const FLIP_RESULT: &str = "UPDATE finished SET result = CAST(replace(CAST(result AS TEXT), 'good', 'evil') AS BLOB)";

#[tokio::test]
async fn a_job_whose_payload_changed_on_the_disk_is_failed_and_not_run() {
    for (filler, flip) in [(0, FLIP_SMALL), (10_000, FLIP_LARGE)] {
        let home = Home::external(1);
        let engine = home.spec.id;
        let engines = home.open().await;
        let payload = json!({"word": "good", "filler": "f".repeat(filler)});
        let damaged = enqueue(&engines, "damaged", json!({"kind": "x", "payload": payload})).await.summary.id;
        let sound = enqueue(&engines, "sound", json!({"kind": "x", "payload": "ok"})).await.summary.id;
        within(engines.shutdown()).await;
        home.tamper(flip);

        let engines = home.open().await;
        match engines.job(&owner(), damaged).await {
            Err(JobLookupError::Corrupt { job_id, what: "payload" }) => assert_eq!(job_id, damaged),
            answer => panic!("{answer:?}"),
        }
        let claimed = claim_one(&engines, engine).await;
        assert_eq!((claimed.id, claimed.payload), (sound, json!("ok")), "the job behind it takes its place");
        assert!(claim(&engines, engine, 8).await.is_empty());
        let listed = engines.list_jobs(&owner(), flowork_api_types::job::ListJobsQuery::default()).await.unwrap().items;
        let summary = listed.into_iter().find(|job| job.id == damaged).unwrap();
        assert_eq!((summary.state, summary.attempt), (JobState::Failed, 0));
        assert_eq!(summary.error.map(|error| error.code), Some("PAYLOAD_DAMAGED".to_owned()));
        assert_eq!(counts(&engines, engine), (0, 0, 1));
        within(engines.shutdown()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_workers_pass_over_a_damaged_job_too() {
    let mut home = Home::external(1);
    let engines = home.open().await;
    enqueue(&engines, "damaged", json!({"kind": "noop", "payload": "good"})).await;
    let sound = enqueue(&engines, "sound", json!({"kind": "noop"})).await.summary.id;
    within(engines.shutdown()).await;
    home.tamper(FLIP_SMALL);
    home.spec.location = flowork_api_types::engine::EngineLocation::Local;
    home.workers = 1;
    let engines = home.open().await;
    assert_eq!(ended(&engines, sound).await.summary.state, JobState::Completed);
    assert_eq!(counts(&engines, home.spec.id), (0, 0, 0));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_result_that_changed_on_the_disk_is_not_shown_as_good() {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    finish(&engines, engine, completed(id, epoch, json!("good"))).await;
    assert_eq!(job(&engines, id).await.result, Some(json!("good")));
    within(engines.shutdown()).await;
    home.tamper(FLIP_RESULT);
    let engines = home.open().await;
    match engines.job(&owner(), id).await {
        Err(JobLookupError::Corrupt { what: "result", .. }) => {}
        answer => panic!("{answer:?}"),
    }
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn one_damaged_row_does_not_keep_a_shard_from_working() {
    for column in ["tags = '[\"a'", "backoff = '{'", "progress = 'x'", "error = '{}'"] {
        let home = Home::external(1);
        let engine = home.spec.id;
        let engines = home.open().await;
        let damaged = enqueue(&engines, "damaged", json!({"kind": "x", "tags": ["a"]})).await.summary.id;
        within(engines.shutdown()).await;
        home.tamper(&format!("UPDATE job SET {column} WHERE idempotency_key = 'damaged'"));
        let engines = home.open().await;
        let sound = enqueue(&engines, "sound", json!({"kind": "x"})).await.summary.id;
        let claimed: Vec<_> = claim(&engines, engine, 8).await.into_iter().map(|job| job.id).collect();
        assert_eq!(claimed, [damaged, sound], "{column}");
        assert_eq!(job(&engines, damaged).await.summary.state, JobState::Leased, "{column}");
        within(engines.shutdown()).await;
    }
}
