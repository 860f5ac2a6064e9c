//! Check, repair and export of shard files, on files whose bytes were really changed.

use std::{collections::BTreeSet, fs, path::PathBuf};

use flowork_api_types::{JobId, Timestamp, job::JobState};
use flowork_engine::store::inspect::{CheckReport, RepairReport, check, export, repair};
use serde_json::{Value, json};

use crate::{
    quarantine::{overwrite, root_of},
    support::{
        Home, START_MS, claim, completed, counts, enqueue, failed, finish, job, owner, pass, request, trace, within,
    },
};

const PAGE_BYTES: u64 = 4_096;

fn look(home: &Home) -> CheckReport {
    check(&home.file(0), 0, &mut |_, _, _| {}).unwrap()
}

fn mend(home: &Home) -> RepairReport {
    repair(&home.file(0), 0, Timestamp(START_MS), &mut |_, _, _| {}).unwrap()
}

fn codes(report: &RepairReport) -> BTreeSet<&'static str> {
    report.findings.items.iter().map(|finding| finding.code).collect()
}

/// Every row of every table, as text.
fn rows(home: &Home, table: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(home.file(0)).unwrap();
    let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
    let columns = statement.column_count();
    let read = statement
        .query_map([], |row| (0..columns).map(|at| row.get_ref(at).map(|value| format!("{value:?}"))).collect())
        .unwrap();
    read.map(|row: Result<Vec<String>, _>| row.unwrap().join("|")).collect()
}

const TABLES: [&str; 6] = ["job", "finished", "large_payload", "idempotency", "attempt", "log"];

fn all_rows(home: &Home) -> Vec<Vec<String>> {
    TABLES.iter().map(|table| rows(home, table)).collect()
}

/// A closed shard with some hundred jobs in all states, small and large payloads, attempts and log lines.
async fn populated() -> (Home, Vec<JobId>) {
    let home = Home::external(1);
    let engine = home.spec.id;
    let engines = home.open().await;
    let mut ids = Vec::new();
    for n in 0..300_u32 {
        let filler = "f".repeat(if n % 10 == 0 { 9_000 } else { 300 });
        let mut body = json!({"kind": "x", "payload": {"n": n, "filler": filler}});
        if n % 7 == 0 {
            body["delay_ms"] = json!(3_600_000);
        }
        ids.push(enqueue(&engines, &format!("k{n}"), body).await.summary.id);
    }
    for (n, claimed) in claim(&engines, engine, 64).await.into_iter().enumerate() {
        let item = match n % 3 {
            0 => completed(claimed.id, claimed.epoch, json!({"sum": n, "filler": "r".repeat(500)})),
            1 => failed(claimed.id, claimed.epoch, false),
            _ => continue,
        };
        finish(&engines, engine, item).await;
    }
    pass(&home, &engines, std::time::Duration::from_millis(1)).await;
    within(engines.shutdown()).await;
    (home, ids)
}

/// The pages of a table that hold rows, by SQLite's own account.
fn leaves(home: &Home, table: &str) -> Vec<u64> {
    let connection = rusqlite::Connection::open(home.file(0)).unwrap();
    let mut statement =
        connection.prepare("SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY pageno").unwrap();
    statement.query_map([table], |row| row.get::<_, i64>(0)).unwrap().map(|page| page.unwrap() as u64).collect()
}

#[tokio::test]
async fn a_sound_shard_passes_its_check_and_a_repair_of_it_changes_no_row() {
    let (home, ids) = populated().await;
    let report = look(&home);
    assert!(report.ok && report.findings.items.is_empty(), "{report:?}");
    assert_eq!(report.open_jobs + report.ended_jobs, ids.len() as u64);
    let before = all_rows(&home);
    let report = mend(&home);
    assert!(report.findings.items.is_empty() && report.unreadable_pages.is_empty(), "{report:?}");
    assert_eq!(all_rows(&home), before);
    assert!(report.tables.iter().all(|table| table.found_astray == 0), "{report:?}");
    assert!(report.damaged_copy.exists() && report.report_file.exists());
}

#[tokio::test]
async fn rows_that_are_only_in_the_log_are_kept() {
    let (home, _) = populated().await;
    let before = all_rows(&home);
    {
        let connection = rusqlite::Connection::open(home.file(0)).unwrap();
        let flag = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection.set_db_config(flag, true).unwrap();
        connection.execute_batch("UPDATE job SET priority = 1; UPDATE finished SET priority = 2").unwrap();
    }
    let report = mend(&home);
    assert!(report.findings.items.is_empty(), "{report:?}");
    let after = all_rows(&home);
    assert_eq!(after.iter().map(Vec::len).collect::<Vec<_>>(), before.iter().map(Vec::len).collect::<Vec<_>>());
    let connection = rusqlite::Connection::open(home.file(0)).unwrap();
    let sum: i64 = connection
        .query_row("SELECT (SELECT count(*) FROM job WHERE priority <> 1) + (SELECT count(*) FROM finished WHERE priority <> 2)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sum, 0);
}

#[tokio::test]
async fn a_flipped_bit_in_a_payload_is_found_by_the_check_alone() {
    let (home, _) = populated().await;
    let file = fs::read(home.file(0)).unwrap();
    let at = file.windows(8).rposition(|window| window == b"ffffffff").unwrap();
    overwrite(&home.file(0), at as u64, b"g");
    let report = look(&home);
    let codes: Vec<_> = report.findings.items.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["PAYLOAD_DAMAGED"], "SQLite itself sees nothing wrong: {report:?}");
}

#[tokio::test]
async fn jobs_on_a_broken_page_are_named_and_all_others_are_kept() {
    let (home, ids) = populated().await;
    let pages = leaves(&home, "job");
    assert!(pages.len() > 10, "{pages:?}");
    let before = rows(&home, "job").len();
    overwrite(&home.file(0), (pages[4] - 1) * PAGE_BYTES, &[0xab; PAGE_BYTES as usize]);
    assert!(!look(&home).ok);
    let report = mend(&home);
    assert_eq!(report.unreadable_pages, [pages[4] as u32]);
    let lost: BTreeSet<JobId> = report
        .findings
        .items
        .iter()
        .filter(|finding| finding.code == "JOB_LOST")
        .map(|finding| finding.job_id.unwrap())
        .collect();
    assert!(!lost.is_empty());
    assert_eq!(rows(&home, "job").len() + lost.len(), before, "one page of rows is lost and nothing else");

    let engines = home.open().await;
    assert!(engines.get(home.spec.id).unwrap().shard_problems.is_empty());
    for id in ids {
        assert_eq!(engines.job(&owner(), id).await.is_err(), lost.contains(&id), "{id}");
    }
    within(engines.shutdown()).await;
    let errors = look(&home).findings.errors();
    assert_eq!(errors, 0, "what is left is sound");
}

#[tokio::test]
async fn a_broken_page_in_the_midst_of_a_tree_costs_no_row() {
    let (home, _) = populated().await;
    let before = all_rows(&home);
    let root = root_of(&home.file(0), "job");
    overwrite(&home.file(0), root, &[0xab; PAGE_BYTES as usize]);
    let report = mend(&home);
    assert_eq!(all_rows(&home), before, "{report:?}");
    let jobs = report.tables.iter().find(|table| table.table == "job").unwrap();
    assert_eq!(jobs.found_astray, jobs.copied);
    assert!(!codes(&report).contains("JOB_LOST"), "{report:?}");
}

#[tokio::test]
async fn a_lost_first_page_costs_no_row_either() {
    let (home, _) = populated().await;
    let before = all_rows(&home);
    overwrite(&home.file(0), 0, &[0xab; PAGE_BYTES as usize]);
    let report = mend(&home);
    assert_eq!(all_rows(&home), before, "{:?}", report.tables);
}

#[tokio::test]
async fn lost_idempotency_keys_are_made_anew_and_never_run_a_job_twice() {
    let (home, ids) = populated().await;
    for page in leaves(&home, "idempotency") {
        overwrite(&home.file(0), (page - 1) * PAGE_BYTES, &[0xab; PAGE_BYTES as usize]);
    }
    let report = mend(&home);
    assert!(report.keys_restored > 100, "{report:?}");
    let engines = home.open().await;
    let known = rows(&home, "idempotency").len();
    assert_eq!(known, ids.len());
    for n in [0, 150, 299] {
        let again = engines.enqueue(&owner(), &format!("k{n}"), request(json!({"kind": "x"})), trace()).await;
        assert!(again.is_err(), "the key of {} is taken", ids[n]);
    }
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_state_that_is_none_is_mended_and_told() {
    let (home, ids) = populated().await;
    let file = fs::read(home.file(0)).unwrap();
    let leaf = (leaves(&home, "job").last().unwrap() - 1) * PAGE_BYTES;
    let page = &file[leaf as usize..(leaf + PAGE_BYTES) as usize];
    let at = page.windows(6).rposition(|window| window == b"queued").unwrap();
    overwrite(&home.file(0), leaf + at as u64, b"Q");
    assert!(look(&home).findings.items.iter().any(|finding| finding.code == "STATE_INVALID"));
    let report = mend(&home);
    assert_eq!(codes(&report), BTreeSet::from(["ROW_MENDED"]), "{report:?}");
    let id = report.findings.items[0].job_id.unwrap();
    let engines = home.open().await;
    assert!(ids.contains(&id));
    assert_eq!(job(&engines, id).await.summary.state, JobState::Queued);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn an_interrupted_repair_is_ended_by_the_next_and_keeps_the_file_from_serving_until_then() {
    let (home, _) = populated().await;
    let before = all_rows(&home);
    let file = home.file(0);
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", file.display()));
    mend(&home);
    // As a crash leaves it after the new file was finished and before it took its place.
    fs::rename(&file, beside(".repaired")).unwrap();
    let broken = Home::external(1);
    let engines = broken.open().await;
    within(engines.shutdown()).await;
    fs::copy(broken.file(0), &file).unwrap();

    let engines = home.open().await;
    assert_eq!(engines.get(home.spec.id).unwrap().shard_problems.len(), 1, "it must not serve what is half in place");
    within(engines.shutdown()).await;
    let report = mend(&home);
    assert!(report.resumed);
    assert_eq!(all_rows(&home), before);
    assert!(!beside(".repaired").exists());
    // What a run left that never got far is of no account.
    fs::write(beside(".repairing"), b"half").unwrap();
    assert!(mend(&home).findings.items.is_empty());
    assert_eq!(all_rows(&home), before);
}

#[tokio::test]
async fn an_export_has_every_job_with_its_attempts_and_says_what_is_damaged() {
    let (home, ids) = populated().await;
    let file = fs::read(home.file(0)).unwrap();
    let at = file.windows(8).rposition(|window| window == b"rrrrrrrr").unwrap();
    overwrite(&home.file(0), at as u64, b"s");
    let mut out = Vec::new();
    let report = export(&home.file(0), &mut out, &mut |_, _, _| {}).unwrap();
    assert_eq!((report.jobs, report.damaged), (ids.len() as u64, 1));
    let lines: Vec<Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let exported: BTreeSet<String> = lines.iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(exported, ids.iter().map(ToString::to_string).collect());
    let ended = lines.iter().find(|line| line["state"] == "failed").unwrap();
    assert_eq!(ended["attempts"][0]["outcome"], "failed");
    assert_eq!(ended["payload"]["filler"].as_str().map(|text| text.len() >= 300), Some(true));
    assert_eq!(lines.iter().filter(|line| line["damaged"] == json!(["result"])).count(), 1);
    let engines = home.open().await;
    let (_, queued, _) = counts(&engines, home.spec.id);
    assert!(queued > 0, "an export changes nothing");
    within(engines.shutdown()).await;
}
