//! Shards that cannot be trusted are left alone, and the others go on.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    sync::{Arc, RwLock},
};

use flowork_api_types::{
    JobId,
    engine::{EngineLocation, RenewItem, RenewRequest, ShardCause, ShardProblem, ShardState},
    event::Event,
    job::{JobState, ListJobsQuery},
    node::Notice,
};
use flowork_engine::{
    Engines, ShardScrub,
    jobs::{enqueue::EnqueueError, query::JobLookupError},
    store::inspect::check,
};
use flowork_sqlite::StoreError;
use serde_json::{Value, json};

use crate::support::{Home, claim, claim_one, counts, ended, enqueue, job, owner, request, spec, trace, within};

/// Pages of files made here.
const PAGE_BYTES: u64 = 4_096;

/// Overwrites bytes of a closed file.
pub(crate) fn overwrite(file: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    let mut before = vec![0; bytes.len()];
    file.read_exact(&mut before).unwrap();
    assert_ne!(before, bytes, "the damage must change something");
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Where the root page of a table of a closed file begins.
pub(crate) fn root_of(file: &Path, table: &str) -> u64 {
    let connection = rusqlite::Connection::open(file).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: i64 = connection.query_row(sql, [table], |row| row.get(0)).unwrap();
    (page as u64 - 1) * PAGE_BYTES
}

fn problems(engines: &Engines, home: &Home) -> Vec<ShardProblem> {
    engines.get(home.spec.id).unwrap().shard_problems
}

/// A job of each of two shards, with its key.
async fn one_of_each(engines: &Engines) -> [(String, JobId); 2] {
    let mut found: [Option<(String, JobId)>; 2] = [None, None];
    for n in 0.. {
        let key = format!("key-{n}");
        let id = enqueue(engines, &key, json!({"kind": "x", "payload": n})).await.summary.id;
        found[usize::from(id.shard().index())].get_or_insert((key, id));
        if let [Some(a), Some(b)] = found.clone() {
            return [a, b];
        }
    }
    unreachable!("both shards get keys")
}

fn is_quarantined(error: &StoreError) -> bool {
    matches!(error, StoreError::Quarantined(_))
}

#[tokio::test]
async fn a_shard_that_is_no_database_is_left_alone_and_the_others_serve() {
    let home = Home::external(2);
    let engines = home.open().await;
    let [(lost_key, lost), (_, kept)] = one_of_each(&engines).await;
    let all = engines.list_jobs(&owner(), ListJobsQuery::default()).await.unwrap().items.len();
    within(engines.shutdown()).await;
    overwrite(&home.file(0), 0, &[0; 100]);
    let before = fs::read(home.file(0)).unwrap();

    let engines = home.open().await;
    let [problem] = &problems(&engines, &home)[..] else { panic!("one shard is not well") };
    assert_eq!((problem.index, problem.state, problem.cause), (0, ShardState::Quarantined, ShardCause::Damaged));
    assert!(problem.hint.contains("flowork shard repair"), "{problem:?}");
    assert_eq!(engines.notices()[0].code, "SHARD_QUARANTINED");

    match engines.job(&owner(), lost).await {
        Err(JobLookupError::Store(error)) if is_quarantined(&error) => {}
        answer => panic!("{answer:?}"),
    }
    let again = engines.enqueue(&owner(), &lost_key, request(json!({"kind": "x", "payload": "other"})), trace()).await;
    assert!(matches!(&again, Err(EnqueueError::Store(error)) if is_quarantined(error)), "{again:?}");
    assert_eq!(job(&engines, kept).await.summary.state, JobState::Queued);
    let shown = engines.list_jobs(&owner(), ListJobsQuery::default()).await.unwrap().items;
    assert!(!shown.is_empty() && shown.len() < all && shown.iter().all(|job| job.id.shard().index() == 1));
    let claimed = claim(&engines, home.spec.id, 64).await;
    assert_eq!(claimed.len(), shown.len(), "what is in the other shard is handed out");
    assert_eq!(counts(&engines, home.spec.id).0 + counts(&engines, home.spec.id).1, 0);
    within(engines.shutdown()).await;
    assert_eq!(fs::read(home.file(0)).unwrap(), before, "a file in quarantine is not touched");
}

/// Which of two shards each of some keys leads to: that depends on the key alone.
async fn shards_of(keys: &[String]) -> Vec<u16> {
    let home = Home::external(2);
    let engines = home.open().await;
    let mut shards = Vec::new();
    for key in keys {
        shards.push(enqueue(&engines, key, json!({"kind": "x"})).await.summary.id.shard().index());
    }
    within(engines.shutdown()).await;
    shards
}

#[tokio::test]
async fn a_key_that_may_be_in_a_shard_in_quarantine_is_taken_by_no_other_engine() {
    let mut home = Home::external(2);
    let (before, after): (Vec<_>, Vec<_>) = (0..20).map(|n| (format!("before-{n}"), format!("after-{n}"))).unzip();
    let elsewhere: Vec<_> = (0..20).map(|n| format!("elsewhere-{n}")).collect();
    let engines = home.open().await;
    let mut originals = Vec::new();
    for key in &before {
        originals.push(enqueue(&engines, key, json!({"kind": "x"})).await.summary.id);
    }
    within(engines.shutdown()).await;
    let second = spec(2, EngineLocation::External, 3);
    home.more.push(second.clone());
    let named = json!({"kind": "x", "engine_id": second.id});
    let engines = home.open().await;
    for key in &elsewhere {
        enqueue(&engines, key, named.clone()).await;
    }
    within(engines.shutdown()).await;
    overwrite(&home.file(0), 0, &[0; 100]);

    let engines = home.open().await;
    let ask = async |key: &str, body: &Value| engines.enqueue(&owner(), key, request(body.clone()), trace()).await;
    let is_refused = |answer: &Result<_, EnqueueError>| matches!(answer, Err(refused @ EnqueueError::Store(error)) if is_quarantined(error) && refused.is_passing());
    for (key, original) in std::iter::zip(&before, originals) {
        let (same, other) = (ask(key, &json!({"kind": "x"})).await, ask(key, &named).await);
        if original.shard().index() == 0 {
            assert!(is_refused(&same) && is_refused(&other), "{key}: {same:?}, {other:?}");
        } else {
            assert_eq!(same.unwrap().job.summary.id, original);
            assert!(matches!(other, Err(EnqueueError::IdempotencyKeyReused { .. })), "{key}: {other:?}");
        }
    }
    for key in &elsewhere {
        assert!(ask(key, &named).await.unwrap().replayed, "{key} is found where it is");
    }
    for (key, shard) in std::iter::zip(&after, shards_of(&after).await) {
        let answer = ask(key, &json!({"kind": "x"})).await;
        assert_eq!(is_refused(&answer), shard == 0, "{key}: {answer:?}");
        assert_eq!(answer.is_ok(), shard == 1, "{key} can't be in the shard that is left alone");
    }
    let nowhere = json!({"kind": "x", "engine_id": spec(9, EngineLocation::External, 1).id});
    for key in ["a", "b", "c", "d", "e", "f"] {
        let answer = ask(key, &nowhere).await;
        assert!(matches!(answer, Err(EnqueueError::UnknownEngine { .. })), "it would be refused anyway: {answer:?}");
    }
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_workers_go_on_with_the_other_shards() {
    let mut home = Home::external(2);
    let engines = home.open().await;
    let [_, (_, kept)] = one_of_each(&engines).await;
    within(engines.shutdown()).await;
    overwrite(&home.file(0), 0, &[0; 100]);
    home.spec.location = EngineLocation::Local;
    home.workers = 1;
    home.register("x", |_| Box::pin(async { Ok(json!(null)) }));
    let engines = home.open().await;
    assert_eq!(ended(&engines, kept).await.summary.state, JobState::Completed);
    within(engines.shutdown()).await;
}

/// A closed file whose log table is broken: nothing that a start reads.
async fn with_a_broken_log(home: &Home) -> JobId {
    let engine = home.spec.id;
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x"})).await.summary.id;
    let epoch = claim_one(&engines, engine).await.epoch;
    write_log(&engines, home, id, epoch).await.unwrap();
    within(engines.shutdown()).await;
    let log = root_of(&home.file(0), "log");
    overwrite(&home.file(0), log, &[0xff; 64]);
    id
}

async fn write_log(
    engines: &Engines,
    home: &Home,
    id: JobId,
    epoch: u32,
) -> Result<(), flowork_engine::jobs::lease::EngineCallError> {
    let line = json!({"at": "2026-01-01T00:00:00.000Z", "level": "info", "message": "hello"});
    let logs = vec![serde_json::from_value(line).unwrap()];
    let item = RenewItem { id, epoch, progress: None, logs };
    engines.renew(home.spec.id, RenewRequest { jobs: vec![item] }).await.map(|_| ())
}

#[tokio::test]
async fn damage_that_is_met_while_serving_ends_in_quarantine_and_outlasts_a_restart() {
    let home = Home::external(1);
    let id = with_a_broken_log(&home).await;
    let engines = home.open().await;
    assert_eq!(problems(&engines, &home), [], "a file that was closed is not searched at a start");
    let mut feed = engines.events().subscribe(None);
    // Whatever the call answers, the shard is known to be damaged after it.
    let _ = write_log(&engines, &home, id, 1).await;
    while within(feed.next()).await.unwrap().1.event != Event::EnginesChanged {}
    assert_eq!(problems(&engines, &home)[0].state, ShardState::Quarantined);
    assert!(matches!(engines.job(&owner(), id).await, Err(JobLookupError::Store(error)) if is_quarantined(&error)));
    within(engines.shutdown()).await;

    let engines = home.open().await;
    assert_eq!(problems(&engines, &home)[0].cause, ShardCause::Damaged, "a restart is no repair");
    within(engines.shutdown()).await;
    assert!(!check(&home.file(0), 0, &mut |_, _, _| {}).unwrap().ok);
}

#[tokio::test]
async fn a_file_that_was_not_closed_is_searched_at_the_next_start() {
    let home = Home::external(1);
    with_a_broken_log(&home).await;
    leave_a_log(&home.file(0));
    let engines = home.open().await;
    assert_eq!(problems(&engines, &home)[0].cause, ShardCause::Damaged);
    within(engines.shutdown()).await;
}

/// Writes to a closed file and leaves it as a crash would.
fn leave_a_log(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let flag = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(flag, true).unwrap();
    connection.execute_batch("UPDATE job SET priority = priority + 1").unwrap();
    drop(connection);
    assert!(fs::metadata(format!("{}-wal", file.display())).unwrap().len() > 0);
}

#[tokio::test]
async fn a_sound_file_that_was_not_closed_is_opened_with_all_that_is_in_its_log() {
    let home = Home::external(1);
    let engines = home.open().await;
    let id = enqueue(&engines, "a", json!({"kind": "x", "priority": 7})).await.summary.id;
    within(engines.shutdown()).await;
    leave_a_log(&home.file(0));
    let engines = home.open().await;
    assert_eq!(problems(&engines, &home), []);
    assert_eq!(job(&engines, id).await.summary.priority, 8);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_shard_that_passes_its_check_leaves_quarantine() {
    let home = Home::external(1);
    let id = with_a_broken_log(&home).await;
    let engines = home.open().await;
    let _ = write_log(&engines, &home, id, 1).await;
    within(engines.shutdown()).await;
    // A person puts a good copy in its place.
    fs::remove_file(home.file(0)).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", home.file(0).display()));
    }
    let other = Home::external(1);
    let engines = other.open().await;
    enqueue(&engines, "b", json!({"kind": "x"})).await;
    within(engines.shutdown()).await;
    fs::copy(other.file(0), home.file(0)).unwrap();
    let report = check(&home.file(0), 0, &mut |_, _, _| {}).unwrap();
    assert!(report.ok && report.released, "{report:?}");
    let engines = home.open().await;
    assert_eq!(problems(&engines, &home), []);
    within(engines.shutdown()).await;
}

/// Runs a scrub on a local engine; answers its result.
async fn scrub(home: &Home, engines: &Engines, key: &str, notices: &Arc<RwLock<Vec<Notice>>>) -> Value {
    home.kinds.register(Arc::new(ShardScrub::new(engines, Arc::clone(notices)))).unwrap();
    let id = enqueue(engines, key, json!({"kind": "shard.scrub", "payload": {}})).await.summary.id;
    let ended = ended(engines, id).await;
    assert_eq!(ended.summary.state, JobState::Completed, "{:?}", ended.summary.error);
    ended.result.unwrap()
}

/// A key that belongs to the first of two shards: which one depends on nothing else.
async fn key_of_the_first() -> String {
    let home = Home::external(2);
    let engines = home.open().await;
    let [(key, _), _] = one_of_each(&engines).await;
    within(engines.shutdown()).await;
    key
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrub_names_damaged_jobs_and_leaves_the_shard_to_serve() {
    let home = Home::local(1, 1);
    let engines = home.open().await;
    let filler = "f".repeat(200);
    let damaged =
        enqueue(&engines, "a", json!({"kind": "noop", "delay_ms": 3_600_000, "payload": filler})).await.summary.id;
    let notices = Arc::default();
    assert_eq!(scrub(&home, &engines, "before", &notices).await["ok"], json!(true));
    within(engines.shutdown()).await;
    let file = fs::read(home.file(0)).unwrap();
    let at = file.windows(8).rposition(|window| window == b"ffffffff").unwrap();
    overwrite(&home.file(0), at as u64, b"g");

    let engines = home.open().await;
    let result = scrub(&home, &engines, "after", &notices).await;
    assert_eq!(result["shards"][0]["outcome"], "damaged", "{result}");
    assert_eq!(result["shards"][0]["damaged"][0]["job_id"], json!(damaged));
    assert_eq!(result["shards"][0]["damaged"][0]["code"], "PAYLOAD_DAMAGED");
    let told = notices.read().unwrap().clone();
    assert_eq!(told.iter().map(|notice| notice.code.as_str()).collect::<Vec<_>>(), ["JOBS_DAMAGED"]);
    assert_eq!(problems(&engines, &home), []);
    // A second look tells it once.
    scrub(&home, &engines, "again", &notices).await;
    assert_eq!(notices.read().unwrap().len(), 1);
    within(engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrub_that_meets_a_broken_page_puts_the_shard_in_quarantine() {
    let home = Home::local(2, 1);
    within(home.open().await.shutdown()).await;
    overwrite(&home.file(1), root_of(&home.file(1), "large_payload"), &[0xff; 64]);
    // The scrub is a job too, and must not be in the shard that it condemns.
    let key = key_of_the_first().await;
    let engines = home.open().await;
    assert_eq!(problems(&engines, &home), []);
    let result = scrub(&home, &engines, &key, &Arc::default()).await;
    let outcomes: Vec<_> = result["shards"].as_array().unwrap().iter().map(|shard| shard["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("sound"), json!("quarantined")], "{result}");
    assert_eq!(problems(&engines, &home)[0].index, 1);
    within(engines.shutdown()).await;
}
