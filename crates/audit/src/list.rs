//! Reading entries, in pages by their number.

use std::path::Path;

use flowork_api_types::audit::{AUDIT_PAGE_DEFAULT, AUDIT_PAGE_MAX, AuditEntry, AuditList, AuditQuery};
use flowork_sqlite::{Readers, StoreError, open_untouched};
use rusqlite::{Connection, named_params};

use crate::{
    Audit,
    chain::AuditKey,
    row::{COLUMNS, RawRow},
    tip::FoundTip,
};

/// Entries that a page looks at, at most: what is sought may be rare, and no read may be long.
const WINDOW_ENTRIES: i64 = 50_000;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor is none of ours.
    #[error("{0:?} is not a cursor of this list")]
    Cursor(String),
    /// A page has at least one entry.
    #[error("limit must be between 1 and {AUDIT_PAGE_MAX}")]
    Limit,
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A page of the log of a node that does not run, newest first.
///
/// # Errors
/// See [`ListError`].
pub fn list_file(path: &Path, key: &AuditKey, query: &AuditQuery) -> Result<AuditList, ListError> {
    let (before, limit) = page_of(query)?;
    let connection = open_untouched(path).map_err(StoreError::from)?;
    Ok(page_before(&connection, key, query, before, limit).map_err(StoreError::from)?)
}

/// Which entries a page is about: those before this one, and how many.
fn page_of(query: &AuditQuery) -> Result<(i64, u32), ListError> {
    let limit = query.limit.unwrap_or(AUDIT_PAGE_DEFAULT);
    if !(1..=AUDIT_PAGE_MAX).contains(&limit) {
        return Err(ListError::Limit);
    }
    match &query.cursor {
        None => Ok((i64::MAX, limit)),
        Some(cursor) => match cursor.parse() {
            Ok(before) if before > 0 => Ok((before, limit)),
            _ => Err(ListError::Cursor(cursor.chars().take(40).collect())),
        },
    }
}

impl Audit {
    /// A page of entries, newest first. Each entry's hash is checked against the one before.
    ///
    /// # Errors
    /// See [`ListError`].
    pub async fn list(&self, query: AuditQuery) -> Result<AuditList, ListError> {
        let (before, limit) = page_of(&query)?;
        self.collect_notes().await;
        let key = self.inner.options.key.clone();
        let read = move |connection: &Connection| page_before(connection, &key, &query, before, limit);
        Ok(self.inner.readers.read(read).await?)
    }
}

fn page_before(
    connection: &Connection,
    key: &AuditKey,
    query: &AuditQuery,
    before: i64,
    limit: u32,
) -> rusqlite::Result<AuditList> {
    let newest: Option<i64> = connection.query_row("SELECT max(seq) FROM entries", [], |row| row.get(0))?;
    let oldest: Option<i64> = connection.query_row("SELECT min(seq) FROM entries", [], |row| row.get(0))?;
    let (Some(newest), Some(oldest)) = (newest, oldest) else { return Ok(AuditList::default()) };
    let last = newest.min(before - 1);
    let first = last.saturating_sub(WINDOW_ENTRIES - 1).max(oldest);
    let items = select(connection, key, query, (first, last), limit, "DESC")?;
    let full = items.len() == limit as usize;
    let reached = if full { items.last().map_or(first, |entry| entry.seq) } else { first };
    let next_cursor = (reached > oldest).then(|| reached.to_string());
    Ok(AuditList { items, next_cursor })
}

/// Entries with numbers in a range that fit the query.
pub(crate) fn select(
    connection: &Connection,
    key: &AuditKey,
    query: &AuditQuery,
    (first, last): (i64, i64),
    limit: u32,
    order: &'static str,
) -> rusqlite::Result<Vec<AuditEntry>> {
    let cut = match FoundTip::read(connection, key)? {
        FoundTip::Sound(tip) => Some((tip.cut_seq, tip.cut_hash)),
        _ => None,
    };
    let mut before = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM entries WHERE seq = ?1"))?;
    let mut previous_hash = |seq: i64| -> rusqlite::Result<Option<blake3::Hash>> {
        match cut {
            Some((cut_seq, hash)) if seq == cut_seq => Ok(Some(hash)),
            _ => {
                let mut rows = before.query([seq])?;
                Ok(rows.next()?.map(RawRow::read).transpose()?.and_then(|row| row.stored_hash()))
            }
        }
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM entries
         WHERE seq BETWEEN :first AND :last
             AND (:actor IS NULL OR actor_subject = :actor)
             AND (:action IS NULL OR action = :action OR substr(action, 1, length(:action) + 1) = :action || '.')
             AND (:outcome IS NULL OR outcome = :outcome)
             AND (:from IS NULL OR at_ms >= :from)
             AND (:to IS NULL OR at_ms < :to)
             AND (:ip IS NULL OR ip = :ip)
             AND (:object IS NULL OR object = :object)
         ORDER BY seq {order} LIMIT :limit"
    ))?;
    let mut rows = statement.query(named_params! {
        ":first": first,
        ":last": last,
        ":actor": query.actor,
        ":action": query.action,
        ":outcome": query.outcome.map(flowork_api_types::audit::AuditOutcome::as_str),
        ":from": query.from.map(flowork_api_types::Timestamp::as_millis),
        ":to": query.to.map(flowork_api_types::Timestamp::as_millis),
        ":ip": query.ip,
        ":object": query.object,
        ":limit": limit,
    })?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let row = RawRow::read(row)?;
        let previous = previous_hash(row.seq.saturating_sub(1))?;
        let intact = previous.is_some_and(|previous| row.follows(key, &previous));
        entries.push(row.into_entry(intact));
    }
    Ok(entries)
}

/// The next entries as they are in the file.
pub(crate) async fn rows_after(readers: &Readers, after: i64, limit: usize) -> Result<Vec<RawRow>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    readers.read(move |connection| raw_rows_after(connection, after, limit)).await
}

pub(crate) fn raw_rows_after(connection: &Connection, after: i64, limit: i64) -> rusqlite::Result<Vec<RawRow>> {
    let sql = format!("SELECT {COLUMNS} FROM entries WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([after, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(RawRow::read(row)?);
    }
    Ok(found)
}
