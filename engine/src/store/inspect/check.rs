//! Everything that can be checked of a shard file, read and nothing else.

use std::path::{Path, PathBuf};

use flowork_sqlite::open_untouched;
use rusqlite::Connection;
use serde::Serialize;

use super::{Cursor, Finding, Findings, InspectError, Progress, beside, io_at, next_page};
use crate::engines::quarantine;

/// Rows looked at in one go.
const PAGE_ROWS: u32 = 1_000;
/// Findings of SQLite's own check that a report lists.
const STRUCTURE_FINDINGS_MAX: u32 = 100;

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// Which file.
    pub file: PathBuf,
    /// Nothing was lost, and all of it can be trusted.
    pub ok: bool,
    /// The version of its tables.
    pub schema_version: Option<i64>,
    /// Rows of all tables that were looked at.
    pub rows: u64,
    /// Jobs that have not ended.
    pub open_jobs: u64,
    /// Jobs that have.
    pub ended_jobs: u64,
    /// What is not as it should be.
    pub findings: Findings,
    /// It was in quarantine, and is not any more because it is sound.
    pub released: bool,
}

/// Checks a shard file: SQLite's integrity check, then every row. A file that is sound leaves quarantine.
///
/// # Errors
/// The file is not there or cannot be read at all; damage is a finding.
pub fn check(file: &Path, index: u16, progress: Progress<'_>) -> Result<CheckReport, InspectError> {
    std::fs::File::open(file).map_err(io_at(file))?;
    let mut report = CheckReport {
        file: file.to_owned(),
        ok: false,
        schema_version: None,
        rows: 0,
        open_jobs: 0,
        ended_jobs: 0,
        findings: Findings::default(),
        released: false,
    };
    if beside(file, super::repair::FINISHED_SUFFIX).exists() {
        let message = "a repair was interrupted after its last look; run it again to end it";
        report.findings.add(Finding::error("REPAIR_UNFINISHED", None, message));
    }
    match open_untouched(file).and_then(|connection| look(&connection, index, &mut report, progress)) {
        Ok(()) => {}
        Err(error) => report.findings.add(Finding::error("STRUCTURE", None, error.to_string())),
    }
    report.ok = report.findings.errors() == 0;
    let marker = quarantine::marker_path(file);
    if report.ok && marker.exists() {
        std::fs::remove_file(&marker).map_err(io_at(&marker))?;
        report.released = true;
    }
    Ok(report)
}

fn look(connection: &Connection, index: u16, report: &mut CheckReport, progress: Progress<'_>) -> rusqlite::Result<()> {
    report.schema_version = Some(connection.pragma_query_value(None, "user_version", |row| row.get(0))?);
    progress("structure", 0, None);
    connection.pragma(None, "integrity_check", STRUCTURE_FINDINGS_MAX, |row| {
        let finding: String = row.get(0)?;
        if finding != "ok" {
            report.findings.add(Finding::error("STRUCTURE", None, finding));
        }
        Ok(())
    })?;
    let mut next = Some(Cursor::default());
    while let Some(cursor) = next {
        match next_page(connection, &cursor, index, PAGE_ROWS) {
            Ok(page) => {
                report.rows += page.rows;
                match cursor.table() {
                    "job" => report.open_jobs += page.rows,
                    "finished" => report.ended_jobs += page.rows,
                    _ => {}
                }
                report.findings.extend(page.findings);
                next = page.next;
            }
            Err(error) => {
                let message = format!("table {} cannot be read to its end: {error}", cursor.table());
                report.findings.add(Finding::error("STRUCTURE", None, message));
                next = cursor.skip_table();
            }
        }
        progress("rows", report.rows, None);
    }
    Ok(())
}
