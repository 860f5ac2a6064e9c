//! Rows from the pages of a damaged file into the tables of a new one.

use std::collections::{HashMap, HashSet};

use flowork_api_types::JobId;
use rusqlite::{Connection, ErrorCode, ffi, params_from_iter, types::Value};

use super::TableReport;
use crate::store::inspect::{
    Finding, Findings, Progress,
    pages::{Pages, Use},
    records::{self, Record},
};

/// Rows in one transaction of the new file.
const BATCH_ROWS: u64 = 10_000;
/// Pages between two calls of the progress.
const PROGRESS_EVERY: u32 = 1_024;

/// What was copied, and what was not.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) tables: Vec<TableReport>,
    pub(super) unreadable_pages: Vec<u32>,
    pub(super) broken_rows: u64,
    pub(super) findings: Findings,
}

/// A table of the new file.
struct Table {
    name: String,
    /// Column names in the order of its records.
    columns: Vec<String>,
    /// Which column is the row id, where rows have one.
    row_id: Option<usize>,
    report: TableReport,
    /// `INSERT`s by number of columns: rows of an older version have fewer.
    inserts: HashMap<usize, String>,
}

/// Copies every row that can be read.
pub(super) fn copy(pages: &Pages, made: &mut Connection, progress: Progress<'_>) -> rusqlite::Result<Copied> {
    let mut into = Into { tables: tables(made)?, made, copied: Copied::default(), rows: 0 };
    into.made.execute_batch("BEGIN IMMEDIATE")?;
    let mut seen = HashSet::new();
    let roots = roots(pages, &mut seen, &mut into.copied);
    for index in 0..into.tables.len() {
        let Some(&root) = roots.get(&into.tables[index].name) else { continue };
        let mut failed = Ok(());
        let walk = records::walk(pages, root, &mut seen, |record| {
            if failed.is_ok() {
                failed = into.insert(index, record, false);
            }
        });
        failed?;
        into.copied.broken_rows += walk.broken_rows;
        for page in &walk.broken_pages {
            let message = format!("page {page} of table {} cannot be read", into.tables[index].name);
            into.copied.findings.add(Finding::warning("PAGE_UNREADABLE", None, message));
        }
        into.copied.unreadable_pages.extend(walk.broken_pages);
        progress("rows", into.rows, None);
    }
    into.astray(pages, &mut seen, &roots, progress)?;
    into.made.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    if into.copied.broken_rows > 0 {
        let message = format!("{} rows are there and cannot be read", into.copied.broken_rows);
        into.copied.findings.add(Finding::error("ROWS_UNREADABLE", None, message));
    }
    into.copied.tables = into.tables.into_iter().map(|table| table.report).collect();
    into.copied.unreadable_pages.sort_unstable();
    into.copied.unreadable_pages.dedup();
    Ok(into.copied)
}

/// The root pages of tables and indexes, as the damaged file names them.
fn roots(pages: &Pages, seen: &mut HashSet<u32>, copied: &mut Copied) -> HashMap<String, u32> {
    let mut roots = HashMap::new();
    let walk = records::walk(pages, 1, seen, |record| {
        if let [_, Value::Text(name), _, Value::Integer(root), ..] = &record.columns[..]
            && let Ok(root) = u32::try_from(*root)
        {
            roots.insert(name.clone(), root);
        }
    });
    copied.unreadable_pages.extend(walk.broken_pages);
    roots
}

fn tables(made: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut list = made.prepare(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' \
         ORDER BY name",
    )?;
    let names: Vec<(String, bool)> =
        list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut describe = made.prepare("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    let mut tables = Vec::new();
    for (name, without_row_id) in names {
        let mut columns: Vec<(String, i64)> =
            describe.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let mut row_id = None;
        if without_row_id {
            // Its records begin with the key.
            columns.sort_by_key(|(_, pk)| if *pk == 0 { i64::MAX } else { *pk });
        } else {
            row_id = columns.iter().position(|(_, pk)| *pk == 1);
        }
        let columns = columns.into_iter().map(|(name, _)| name).collect();
        let report = TableReport { table: name.clone(), ..TableReport::default() };
        tables.push(Table { name, columns, row_id, report, inserts: HashMap::new() });
    }
    Ok(tables)
}

impl Table {
    /// The names are the schema's own; every value is a parameter.
    fn insert(&mut self, width: usize) -> &str {
        let (name, columns) = (&self.name, &self.columns);
        self.inserts.entry(width).or_insert_with(|| {
            let marks = vec!["?"; width].join(", ");
            format!("INSERT INTO {name} ({}) VALUES ({marks})", columns[..width].join(", "))
        })
    }

    fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }
}

/// The new file while it is filled.
struct Into<'a> {
    made: &'a mut Connection,
    tables: Vec<Table>,
    copied: Copied,
    rows: u64,
}

impl Into<'_> {
    fn insert(&mut self, index: usize, mut record: Record, astray: bool) -> rusqlite::Result<()> {
        let table = &mut self.tables[index];
        // Columns of a later version have no place here; this version does without them.
        record.columns.truncate(table.columns.len());
        match (table.row_id, record.row_id) {
            (Some(column), Some(row_id)) if column < record.columns.len() => {
                record.columns[column] = Value::Integer(row_id);
            }
            (None, None) => {}
            _ => {
                self.copied.broken_rows += 1;
                return Ok(());
            }
        }
        let mended = mend(table, &mut record.columns);
        let id = job_of(table, &record.columns);
        let sql = table.insert(record.columns.len());
        match self.made.prepare_cached(sql)?.execute(params_from_iter(record.columns)) {
            Ok(_) => {
                table.report.copied += 1;
                table.report.found_astray += u64::from(astray);
                if let Some(message) = mended {
                    self.copied.findings.add(Finding::error("ROW_MENDED", id, message));
                }
            }
            // On an old page, and in its place too.
            Err(error) if is_duplicate(&error) => {}
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                let message = format!("a row of {} is not valid: {error}", table.name);
                self.copied.findings.add(Finding::error("ROW_LOST", id, message));
            }
            Err(error) => return Err(error),
        }
        self.rows += 1;
        if self.rows.is_multiple_of(BATCH_ROWS) {
            self.made.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE); BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    /// Takes rows from pages that no tree leads to: the page above them is broken.
    fn astray(
        &mut self,
        pages: &Pages,
        seen: &mut HashSet<u32>,
        roots: &HashMap<String, u32>,
        progress: Progress<'_>,
    ) -> rusqlite::Result<()> {
        // Indexes are made anew; their pages are of no use.
        let names: HashSet<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
        let indexes: Vec<u32> =
            roots.iter().filter(|(name, _)| !names.contains(name.as_str())).map(|(_, root)| *root).collect();
        for root in indexes {
            records::walk(pages, root, seen, |_| {});
        }
        let free = pages.free();
        for number in 2..=pages.count() {
            if number % PROGRESS_EVERY == 0 {
                progress("pages", u64::from(number), Some(u64::from(pages.count())));
            }
            if seen.contains(&number) || free.contains(&number) || pages.use_of(number) != Use::Tree {
                continue;
            }
            let Some(node) = records::read(pages, number) else { continue };
            for record in node.records {
                if let Some(index) = self.tables.iter().position(|table| fits(table, &record)) {
                    self.insert(index, record, true)?;
                }
            }
        }
        Ok(())
    }
}

fn is_duplicate(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        [ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_ROWID]
            .contains(&error.extended_code)
    })
}

const OPEN_STATES: [&str; 3] = ["scheduled", "queued", "leased"];
const FINAL_STATES: [&str; 4] = ["completed", "failed", "cancelled", "expired"];
const OUTCOMES: [&str; 5] = ["completed", "failed", "cancelled", "lease_expired", "released"];
const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

/// The words that a table allows, and the column they are in.
fn words(table: &str) -> Option<(&'static str, &'static [&'static str])> {
    match table {
        "job" => Some(("state", &OPEN_STATES)),
        "finished" => Some(("state", &FINAL_STATES)),
        "attempt" => Some(("outcome", &OUTCOMES)),
        "log" => Some(("level", &LEVELS)),
        _ => None,
    }
}

/// Replaces a word that the table does not allow, so that the rest of the row is kept. Answers what it did.
fn mend(table: &Table, columns: &mut [Value]) -> Option<String> {
    let (name, allowed) = words(&table.name)?;
    let position = table.position(name)?;
    let found = columns.get(position)?.clone();
    if matches!(&found, Value::Text(word) if allowed.contains(&word.as_str())) {
        return None;
    }
    let is_set =
        |column| table.position(column).is_some_and(|at| columns.get(at).is_some_and(|value| *value != Value::Null));
    let word = match table.name.as_str() {
        "job" if is_set("lease_expires_at_ms") => "leased",
        "job" => "queued",
        "finished" if is_set("result") => "completed",
        "log" => "info",
        _ => "failed",
    };
    columns[position] = Value::Text(word.to_owned());
    Some(format!("its {name} was {found:?} in table {}, and is {word} now", table.name))
}

fn job_of(table: &Table, columns: &[Value]) -> Option<JobId> {
    match (columns.get(table.position("key")?)?, columns.get(table.position("tail")?)?) {
        (Value::Integer(key), Value::Integer(tail)) => Some(JobId::from_key_and_tail(*key, *tail)),
        _ => None,
    }
}

/// Whether a row looks like one of this table, by the number and types of its columns and the words in it.
fn fits(table: &Table, record: &Record) -> bool {
    use Value::{Blob, Integer, Null, Text};
    let columns = &record.columns[..];
    let word_fits = words(&table.name).is_some_and(|(name, allowed)| {
        let found = table.position(name).and_then(|at| columns.get(at));
        matches!(found, Some(Text(word)) if allowed.contains(&word.as_str()))
    });
    match (table.name.as_str(), record.row_id) {
        ("job" | "finished", Some(_)) => word_fits && matches!(columns, [Null, Integer(_), Text(_), Text(_), ..]),
        ("large_payload", Some(_)) => matches!(columns, [Null, Blob(_)]),
        ("idempotency", None) => {
            matches!(columns, [Text(_), Text(_), Blob(hash), Integer(_), Integer(_), ..] if hash.len() == 32)
        }
        ("attempt", None) => {
            word_fits && matches!(columns, [Integer(_), Integer(_), Integer(_), Integer(_), Integer(_), ..])
        }
        ("log", None) => {
            word_fits && matches!(columns, [Integer(_), Integer(_), Integer(_), Integer(_), Text(_), Text(_), ..])
        }
        _ => false,
    }
}
