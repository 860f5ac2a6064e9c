//! What must be true of every row, looked at in pages by key, so that no read lasts long.

use flowork_api_types::JobId;
use rusqlite::{Connection, Row, params, types::ValueRef};

use super::Finding;
use crate::store::rows::check_of;

/// Where a look through all rows of a shard is.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    table: Table,
    after: i64,
    /// Second part of a key of two numbers.
    then: i64,
    /// The key of a table that has text for one.
    text: (String, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Job,
    Finished,
    Idempotency,
    Attempt,
    Log,
    LargePayload,
}

/// What a page of rows gave.
#[derive(Debug, Default)]
pub(crate) struct RowsPage {
    pub(crate) rows: u64,
    pub(crate) findings: Vec<Finding>,
    /// Where to go on; `None` at the end.
    pub(crate) next: Option<Cursor>,
}

impl Default for Cursor {
    fn default() -> Self {
        Self::start(Table::Job)
    }
}

impl Cursor {
    fn start(table: Table) -> Self {
        Self { table, after: i64::MIN, then: i64::MIN, text: (String::new(), String::new()) }
    }

    /// The start of the next table: where to go on when a page cannot be read.
    pub(crate) fn skip_table(&self) -> Option<Self> {
        let next = match self.table {
            Table::Job => Table::Finished,
            Table::Finished => Table::Idempotency,
            Table::Idempotency => Table::Attempt,
            Table::Attempt => Table::Log,
            Table::Log => Table::LargePayload,
            Table::LargePayload => return None,
        };
        Some(Self::start(next))
    }

    /// The table it is in.
    pub(crate) fn table(&self) -> &'static str {
        match self.table {
            Table::Job => "job",
            Table::Finished => "finished",
            Table::Idempotency => "idempotency",
            Table::Attempt => "attempt",
            Table::Log => "log",
            Table::LargePayload => "large_payload",
        }
    }
}

/// Looks at up to `limit` rows from `cursor` on. `index`: the shard's number within its engine.
pub(crate) fn next_page(
    connection: &Connection,
    cursor: &Cursor,
    index: u16,
    limit: u32,
) -> rusqlite::Result<RowsPage> {
    let mut page = RowsPage::default();
    let mut last = cursor.clone();
    match cursor.table {
        Table::Job | Table::Finished => jobs(connection, &mut last, index, limit, &mut page)?,
        Table::Idempotency => keys(connection, &mut last, limit, &mut page)?,
        Table::Attempt | Table::Log | Table::LargePayload => belongings(connection, &mut last, limit, &mut page)?,
    }
    page.next = if page.rows < u64::from(limit) { cursor.skip_table() } else { Some(last) };
    Ok(page)
}

macro_rules! jobs_of {
    ($table:literal, $other:literal) => {
        concat!(
            "SELECT t.key, t.tail, t.state, t.attempt, t.epoch, t.lease_expires_at_ms, t.claimed_at_ms, \
             t.finished_at_ms, t.payload_check, t.payload, (SELECT body FROM large_payload l WHERE l.key = t.key), \
             t.result_check, t.result, (SELECT i.key FROM idempotency i WHERE i.owner = t.owner \
             AND i.idempotency_key = t.idempotency_key), EXISTS(SELECT 1 FROM ",
            $other,
            " o WHERE o.key = t.key) FROM ",
            $table,
            " t WHERE t.key > ?1 ORDER BY t.key LIMIT ?2"
        )
    };
}

fn jobs(
    connection: &Connection,
    cursor: &mut Cursor,
    index: u16,
    limit: u32,
    page: &mut RowsPage,
) -> rusqlite::Result<()> {
    let (sql, open) = match cursor.table {
        Table::Job => (jobs_of!("job", "finished"), true),
        _ => (jobs_of!("finished", "job"), false),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![cursor.after, limit])?;
    while let Some(row) = rows.next()? {
        page.rows += 1;
        let key: i64 = row.get(0)?;
        cursor.after = key;
        let Ok(tail) = row.get::<_, i64>(1) else {
            page.findings.push(Finding::error("ROW_UNREADABLE", None, format!("the row with key {key} has no id")));
            continue;
        };
        let id = JobId::from_key_and_tail(key, tail);
        let mut wrong = |code, message: &str| page.findings.push(Finding::error(code, Some(id), message));
        if id.shard().index() != index {
            wrong("WRONG_SHARD", "its id belongs to another shard");
        }
        check_state(row, open, &mut wrong)?;
        check_bytes(row, open, &mut wrong)?;
        if row.get_ref(13)? != ValueRef::Integer(key) {
            wrong("KEY_MISSING", "its idempotency key does not lead to it");
        }
        // Found from both sides; told once.
        if open && row.get::<_, bool>(14)? {
            wrong("IN_BOTH_TABLES", "it is among the open jobs and among the ended ones");
        }
    }
    Ok(())
}

fn check_state(row: &Row<'_>, open: bool, wrong: &mut impl FnMut(&'static str, &str)) -> rusqlite::Result<()> {
    let state = row.get_ref(2)?.as_bytes().unwrap_or_default();
    let known: &[&[u8]] =
        if open { &[b"scheduled", b"queued", b"leased"] } else { &[b"completed", b"failed", b"cancelled", b"expired"] };
    if !known.contains(&state) {
        wrong("STATE_INVALID", &format!("its state is {:?}", String::from_utf8_lossy(state)));
        return Ok(());
    }
    let is_set = |column| row.get_ref(column).map(|value| value != ValueRef::Null);
    if open && (state == b"leased") != is_set(5)? {
        wrong("LEASE_INVALID", "it has a lease and is not leased, or is leased without one");
    }
    if open && state == b"leased" && !is_set(6)? {
        wrong("LEASE_INVALID", "it is leased, and nobody claimed it");
    }
    if !open && !is_set(7)? {
        wrong("STATE_INVALID", "it ended, and at no time");
    }
    let (attempt, epoch) = (row.get_ref(3)?.as_i64().unwrap_or(-1), row.get_ref(4)?.as_i64().unwrap_or(-1));
    if attempt < 0 || epoch < attempt {
        wrong("LEASE_INVALID", &format!("it is at attempt {attempt} with epoch {epoch}"));
    }
    Ok(())
}

fn check_bytes(row: &Row<'_>, open: bool, wrong: &mut impl FnMut(&'static str, &str)) -> rusqlite::Result<()> {
    let inline = row.get_ref(9)?.as_blob_or_null().unwrap_or_default();
    let payload = match inline {
        Some(inline) => Some(inline),
        None => row.get_ref(10)?.as_blob_or_null().unwrap_or_default(),
    };
    if payload.map(check_of) != row.get_ref(8)?.as_i64().ok() {
        wrong("PAYLOAD_DAMAGED", "its payload is not what was stored");
    }
    let result = row.get_ref(12)?.as_blob_or_null().unwrap_or_default();
    let completed = row.get_ref(2)?.as_bytes().is_ok_and(|state| state == b"completed");
    if !open && completed && (result.is_none() || result.map(check_of) != row.get_ref(11)?.as_i64().ok()) {
        wrong("RESULT_DAMAGED", "its result is not what was stored");
    }
    Ok(())
}

fn keys(connection: &Connection, cursor: &mut Cursor, limit: u32, page: &mut RowsPage) -> rusqlite::Result<()> {
    let sql = "SELECT i.owner, i.idempotency_key, i.key, i.tail, length(i.body_hash), \
               EXISTS(SELECT 1 FROM job WHERE key = i.key) OR EXISTS(SELECT 1 FROM finished WHERE key = i.key) \
               FROM idempotency i WHERE (i.owner, i.idempotency_key) > (?1, ?2) \
               ORDER BY i.owner, i.idempotency_key LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![cursor.text.0, cursor.text.1, limit])?;
    while let Some(row) = rows.next()? {
        page.rows += 1;
        cursor.text = (row.get(0)?, row.get(1)?);
        let id = JobId::from_key_and_tail(row.get(2)?, row.get(3)?);
        if row.get::<_, Option<i64>>(4)? != Some(32) {
            page.findings.push(Finding::error("KEY_DAMAGED", Some(id), "the hash beside its idempotency key is cut"));
        }
        if !row.get::<_, bool>(5)? {
            let message = "its idempotency key is there and it is not; the key is still refused";
            page.findings.push(Finding::warning("JOB_MISSING", Some(id), message));
        }
    }
    Ok(())
}

/// Rows that belong to a job.
fn belongings(connection: &Connection, cursor: &mut Cursor, limit: u32, page: &mut RowsPage) -> rusqlite::Result<()> {
    macro_rules! sql {
        ($table:literal, $second:literal, $row:literal) => {
            concat!(
                "SELECT t.key, ",
                $second,
                ", EXISTS(SELECT 1 FROM job WHERE key = t.key) OR EXISTS(SELECT 1 FROM finished WHERE key = t.key), ",
                $row,
                " FROM ",
                $table,
                " t WHERE (t.key, ",
                $second,
                ") > (?1, ?2) ORDER BY t.key, ",
                $second,
                " LIMIT ?3"
            )
        };
    }
    let sql = match cursor.table {
        Table::Attempt => sql!("attempt", "t.epoch", "length(t.error)"),
        Table::Log => sql!("log", "t.seq", "length(t.message)"),
        // Bodies are read with their jobs.
        _ => {
            "SELECT t.key, 0, EXISTS(SELECT 1 FROM job WHERE key = t.key) OR EXISTS(SELECT 1 FROM finished WHERE \
             key = t.key), 0 FROM large_payload t WHERE t.key > ?1 AND ?2 IS NOT NULL ORDER BY t.key LIMIT ?3"
        }
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![cursor.after, cursor.then, limit])?;
    let mut told = None;
    while let Some(row) = rows.next()? {
        page.rows += 1;
        (cursor.after, cursor.then) = (row.get(0)?, row.get(1)?);
        let _: Option<i64> = row.get(3)?;
        if !row.get::<_, bool>(2)? && told.replace(cursor.after) != Some(cursor.after) {
            let message =
                format!("rows of {} belong to a job with key {} that is not there", cursor.table(), cursor.after);
            page.findings.push(Finding::warning("ROW_WITHOUT_JOB", None, message));
        }
    }
    Ok(())
}
