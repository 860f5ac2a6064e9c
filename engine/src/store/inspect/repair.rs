//! Copies what can be read of a damaged shard into a new file, and says what was lost.
//!
//! Rows come from the pages themselves: first down the trees, then from pages that no tree leads to any more. The new
//! file takes the old one's place in steps that each leave a state the next run goes on from; the old file stays
//! beside it.

mod copy;
mod swap;

use std::path::{Path, PathBuf};

use flowork_api_types::{JobId, Timestamp};
use flowork_sqlite::open_writer;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::{Finding, Findings, InspectError, Progress, beside, check, io_at, pages::Pages, sqlite_at};
use crate::store::schema::SCHEMA;
use copy::Copied;

/// A new file that is being filled; worth nothing after a crash.
const WORK_SUFFIX: &str = ".repairing";
/// A new file that is whole and waits to take the old one's place.
pub(crate) const FINISHED_SUFFIX: &str = ".repaired";

/// Rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Its name.
    pub table: String,
    /// Rows that are in the new file.
    pub copied: u64,
    /// Of these, rows on pages that no tree led to.
    pub found_astray: u64,
}

/// What a repair did.
#[derive(Clone, Debug, Serialize)]
pub struct RepairReport {
    /// The file that was repaired.
    pub file: PathBuf,
    /// Where the damaged one is.
    pub damaged_copy: PathBuf,
    /// This report, beside it.
    pub report_file: PathBuf,
    /// An earlier run had made the new file and this one only put it in place; what was lost is in `report_file`.
    pub resumed: bool,
    /// What was copied.
    pub tables: Vec<TableReport>,
    /// Pages that should have held rows and could not be read.
    pub unreadable_pages: Vec<u32>,
    /// Idempotency keys that were made anew from their jobs. A request that repeats one is refused, not run again.
    pub keys_restored: u64,
    /// What was lost, and what cannot be trusted.
    pub findings: Findings,
}

/// Repairs a shard file. Nothing that can be read is lost, and the damaged file is kept.
///
/// # Errors
/// The file cannot be read, or the new one cannot be made; the old one is as it was.
pub fn repair(file: &Path, index: u16, now: Timestamp, progress: Progress<'_>) -> Result<RepairReport, InspectError> {
    let places = swap::Places::new(file, now);
    if places.finished.exists() {
        let places = places.resumed();
        places.put_in_place()?;
        return Ok(report(file, &places, true));
    }
    swap::remove_left(&places.work)?;
    let pages = Pages::open(file).map_err(io_at(file))?;
    let mut made = open_writer(&places.work, &SCHEMA)?;
    let mut report = report(file, &places, false);
    let copied = copy::copy(&pages, &mut made, progress).map_err(sqlite_at(&places.work))?;
    if pages.wal_cut_short {
        let message = "the write-ahead log is damaged: what was written last may be missing";
        report.findings.add(Finding::error("LOG_CUT_SHORT", None, message));
    }
    mend(&made, &copied, &mut report).map_err(sqlite_at(&places.work))?;
    report.tables = copied.tables;
    report.unreadable_pages = copied.unreadable_pages;
    report.findings.absorb(copied.findings);
    made.close().map_err(|(_, source)| InspectError::Sqlite { path: places.work.clone(), source })?;
    let checked = check(&places.work, index, progress)?;
    if let Some(finding) = checked.findings.items.iter().find(|finding| finding.code == "STRUCTURE") {
        return Err(InspectError::NotSound { path: places.work, finding: finding.message.clone() });
    }
    report.findings.absorb(checked.findings);
    places.keep_report(&serde_json::to_vec_pretty(&report).expect("a report is always JSON"))?;
    places.finish()?;
    places.put_in_place()?;
    Ok(report)
}

fn report(file: &Path, places: &swap::Places, resumed: bool) -> RepairReport {
    RepairReport {
        file: file.to_owned(),
        damaged_copy: places.damaged.clone(),
        report_file: beside(&places.damaged, ".json"),
        resumed,
        tables: Vec::new(),
        unreadable_pages: Vec::new(),
        keys_restored: 0,
        findings: Findings::default(),
    }
}

/// Makes the tables fit each other again, and finds out what is missing.
fn mend(made: &Connection, copied: &Copied, report: &mut RepairReport) -> rusqlite::Result<()> {
    // A job was in both tables only if one of them is from a page that was given up: the later epoch is the truth.
    made.execute(
        "DELETE FROM job WHERE key IN (SELECT j.key FROM job j JOIN finished f ON f.key = j.key WHERE f.epoch >= j.epoch)",
        [],
    )?;
    made.execute("DELETE FROM finished WHERE key IN (SELECT key FROM job)", [])?;
    for sql in [
        "INSERT INTO idempotency (owner, idempotency_key, body_hash, key, tail) \
         SELECT owner, idempotency_key, zeroblob(32), key, tail FROM job t WHERE NOT EXISTS (SELECT 1 FROM idempotency i \
         WHERE i.owner = t.owner AND i.idempotency_key = t.idempotency_key)",
        "INSERT INTO idempotency (owner, idempotency_key, body_hash, key, tail) \
         SELECT owner, idempotency_key, zeroblob(32), key, tail FROM finished t WHERE NOT EXISTS (SELECT 1 FROM \
         idempotency i WHERE i.owner = t.owner AND i.idempotency_key = t.idempotency_key)",
    ] {
        report.keys_restored += made.execute(sql, [])? as u64;
    }
    if copied.unreadable_pages.is_empty() && copied.broken_rows == 0 {
        return Ok(());
    }
    lost_jobs(made, report)?;
    lost_belongings(made, report)
}

/// Jobs that their idempotency key still knows.
fn lost_jobs(made: &Connection, report: &mut RepairReport) -> rusqlite::Result<()> {
    let mut lost = made.prepare(
        "SELECT i.key, i.tail, i.owner, i.idempotency_key FROM idempotency i WHERE NOT EXISTS \
         (SELECT 1 FROM job WHERE key = i.key) AND NOT EXISTS (SELECT 1 FROM finished WHERE key = i.key) ORDER BY i.key",
    )?;
    let mut rows = lost.query([])?;
    while let Some(row) = rows.next()? {
        let id = JobId::from_key_and_tail(row.get(0)?, row.get(1)?);
        let (owner, key): (String, String) = (row.get(2)?, row.get(3)?);
        let message = format!("enqueued by {owner} with idempotency key {key}; the key stays taken");
        report.findings.add(Finding::error("JOB_LOST", Some(id), message));
    }
    Ok(())
}

/// Attempts and log lines that a job counts and that are not there.
fn lost_belongings(made: &Connection, report: &mut RepairReport) -> rusqlite::Result<()> {
    let mut lost = made.prepare(
        "SELECT key, tail, epoch - leased - (SELECT count(*) FROM attempt a WHERE a.key = t.key) AS attempts, \
         log_lines - (SELECT count(*) FROM log l WHERE l.key = t.key) AS lines FROM \
         (SELECT key, tail, epoch, state = 'leased' AS leased, log_lines FROM job \
         UNION ALL SELECT key, tail, epoch, 0, log_lines FROM finished) t \
         WHERE attempts > 0 OR lines > 0 ORDER BY key LIMIT ?1",
    )?;
    let mut rows = lost.query(params![super::FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let id = JobId::from_key_and_tail(row.get(0)?, row.get(1)?);
        let (attempts, lines): (i64, i64) = (row.get(2)?, row.get(3)?);
        let message = format!("{} records of attempts and {} lines of its log", attempts.max(0), lines.max(0));
        report.findings.add(Finding::error("HISTORY_LOST", Some(id), message));
    }
    Ok(())
}
