//! Jobs as JSON lines, for other programs and for safekeeping.

use std::{io::Write, path::Path};

use flowork_api_types::JobId;
use flowork_sqlite::open_untouched;
use rusqlite::{Connection, Row, types::ValueRef};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{InspectError, Progress, io_at, sqlite_at};
use crate::store::rows::check_of;

/// Columns that are text in JSON.
const JSON_COLUMNS: [&str; 4] = ["tags", "backoff", "progress", "error"];
/// Columns that mean nothing outside the file.
const INNER_COLUMNS: [&str; 4] = ["key", "tail", "payload_check", "result_check"];
/// Lines between two calls of the progress.
const PROGRESS_EVERY: u64 = 1_000;

/// What an export wrote.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ExportReport {
    /// Lines written.
    pub jobs: u64,
    /// Of these, jobs whose payload or result is not what was stored; they say so in `damaged`.
    pub damaged: u64,
    /// Tables that could not be read to their end.
    pub unreadable: Vec<String>,
}

/// Writes every job of a shard with its attempts, a line each: first those that have not ended.
///
/// # Errors
/// The file cannot be opened, or `out` cannot be written to. Tables that cannot be read to their end are named in the
/// report.
pub fn export(file: &Path, out: &mut impl Write, progress: Progress<'_>) -> Result<ExportReport, InspectError> {
    std::fs::File::open(file).map_err(io_at(file))?;
    let connection = open_untouched(file).map_err(sqlite_at(file))?;
    let mut report = ExportReport::default();
    for (table, sql) in [
        (
            "job",
            "SELECT *, (SELECT body FROM large_payload l WHERE l.key = t.key) AS large_payload FROM job t ORDER BY key",
        ),
        (
            "finished",
            "SELECT *, (SELECT body FROM large_payload l WHERE l.key = t.key) AS large_payload FROM finished t \
             ORDER BY key",
        ),
    ] {
        let mut write = |line: Value| {
            serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
            out.write_all(b"\n")
        };
        match jobs(&connection, sql, &mut report, &mut write, progress) {
            Ok(()) => {}
            Err(Stop::Out(source)) => return Err(InspectError::Io { path: "the output".into(), source }),
            Err(Stop::Read(error)) => report.unreadable.push(format!("{table}: {error}")),
        }
    }
    out.flush().map_err(|source| InspectError::Io { path: "the output".into(), source })?;
    progress("jobs", report.jobs, Some(report.jobs));
    Ok(report)
}

enum Stop {
    Read(rusqlite::Error),
    Out(std::io::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error)
    }
}

fn jobs(
    connection: &Connection,
    sql: &str,
    report: &mut ExportReport,
    write: &mut impl FnMut(Value) -> std::io::Result<()>,
    progress: Progress<'_>,
) -> Result<(), Stop> {
    let mut statement = connection.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line = job(connection, row, &names)?;
        report.damaged += u64::from(line.get("damaged").is_some());
        write(line).map_err(Stop::Out)?;
        report.jobs += 1;
        if report.jobs.is_multiple_of(PROGRESS_EVERY) {
            progress("jobs", report.jobs, None);
        }
    }
    Ok(())
}

fn job(connection: &Connection, row: &Row<'_>, names: &[String]) -> rusqlite::Result<Value> {
    let key: i64 = row.get("key")?;
    let mut line = Map::new();
    line.insert("id".to_owned(), json!(JobId::from_key_and_tail(key, row.get("tail")?)));
    for (column, name) in names.iter().enumerate() {
        let value = row.get_ref(column)?;
        match name.as_str() {
            "payload" | "large_payload" | "result" if value == ValueRef::Null => {}
            "payload" | "large_payload" => bytes(&mut line, "payload", value, row.get_ref("payload_check")?),
            "result" => bytes(&mut line, "result", value, row.get_ref("result_check")?),
            name if INNER_COLUMNS.contains(&name) => {}
            name if JSON_COLUMNS.contains(&name) => {
                let parsed = value.as_bytes_or_null().ok().flatten().and_then(|text| serde_json::from_slice(text).ok());
                line.insert(name.to_owned(), parsed.unwrap_or(Value::Null));
            }
            name => {
                line.insert(name.to_owned(), plain(value));
            }
        }
    }
    if !line.contains_key("payload") {
        damaged(&mut line, "payload");
    }
    line.insert("attempts".to_owned(), Value::Array(attempts(connection, key)?));
    Ok(Value::Object(line))
}

fn bytes(line: &mut Map<String, Value>, name: &'static str, value: ValueRef<'_>, check: ValueRef<'_>) {
    let stored = value.as_blob().unwrap_or_default();
    if check.as_i64().ok() != Some(check_of(stored)) {
        damaged(line, name);
    }
    let parsed = serde_json::from_slice(stored).unwrap_or_else(|_| json!(String::from_utf8_lossy(stored)));
    line.insert(name.to_owned(), parsed);
}

fn damaged(line: &mut Map<String, Value>, what: &str) {
    if let Some(list) = line.entry("damaged").or_insert_with(|| json!([])).as_array_mut() {
        list.push(json!(what));
    }
}

fn attempts(connection: &Connection, key: i64) -> rusqlite::Result<Vec<Value>> {
    let sql = "SELECT attempt, epoch, started_at_ms, finished_at_ms, outcome, error FROM attempt WHERE key = ?1 \
               ORDER BY epoch";
    let mut statement = connection.prepare_cached(sql)?;
    let attempts = statement.query_map([key], |row| {
        let error =
            row.get_ref(5)?.as_bytes_or_null().ok().flatten().and_then(|text| serde_json::from_slice(text).ok());
        Ok(json!({
            "attempt": plain(row.get_ref(0)?),
            "epoch": plain(row.get_ref(1)?),
            "started_at_ms": plain(row.get_ref(2)?),
            "finished_at_ms": plain(row.get_ref(3)?),
            "outcome": plain(row.get_ref(4)?),
            "error": error.unwrap_or(Value::Null),
        }))
    })?;
    attempts.collect()
}

fn plain(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) | ValueRef::Blob(text) => json!(String::from_utf8_lossy(text)),
    }
}
