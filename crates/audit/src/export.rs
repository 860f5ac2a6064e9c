//! The log for other programs: CloudEvents, one a line, oldest first, and the signed heads after the entries.

use std::path::Path;

use flowork_api_types::audit::AuditQuery;
use flowork_sqlite::{StoreError, open_untouched};
use rusqlite::Connection;

use crate::{Audit, chain::AuditKey, cloud_event, head::HeadRow, list::select};

/// Entries in one piece of the export.
const PIECE_ENTRIES: u32 = 500;
/// Entries that are looked at for one piece.
const WINDOW_ENTRIES: i64 = 20_000;
/// Heads in one piece.
const PIECE_HEADS: i64 = 500;

/// Where an export is. Each piece is a read of its own, so that an export that is taken slowly holds nothing up.
#[derive(Debug)]
pub struct Export {
    query: AuditQuery,
    next: Next,
}

#[derive(Debug)]
enum Next {
    EntriesAfter(i64),
    HeadsAfter(i64),
    Nothing,
}

impl Export {
    /// Of all entries that fit, without pages.
    pub fn new(query: AuditQuery) -> Self {
        Self { query, next: Next::EntriesAfter(0) }
    }

    /// The next lines; `None` at the end. A piece may be empty.
    ///
    /// # Errors
    /// The log can't be read.
    pub async fn next_piece(&mut self, audit: &Audit) -> Result<Option<Vec<u8>>, StoreError> {
        if matches!(self.next, Next::EntriesAfter(0)) {
            audit.collect_notes().await;
        }
        let key = audit.inner.options.key.clone();
        let mut state = Self { query: self.query.clone(), next: std::mem::replace(&mut self.next, Next::Nothing) };
        let read = audit.inner.readers.read(move |connection| {
            let piece = state.read(connection, &key)?;
            Ok((piece, state))
        });
        let (piece, state) = read.await?;
        *self = state;
        Ok(piece)
    }

    /// All of it, from a log that no node has open.
    ///
    /// # Errors
    /// The file can't be read, or `take` failed.
    pub fn of_file(
        mut self,
        path: &Path,
        key: &AuditKey,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<std::io::Result<()>, StoreError> {
        let connection = open_untouched(path)?;
        while let Some(piece) = self.read(&connection, key)? {
            if let Err(error) = take(&piece) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn read(&mut self, connection: &Connection, key: &AuditKey) -> rusqlite::Result<Option<Vec<u8>>> {
        match self.next {
            Next::EntriesAfter(after) => self.entries(connection, key, after).map(Some),
            Next::HeadsAfter(after) => self.heads(connection, key, after),
            Next::Nothing => Ok(None),
        }
    }

    fn entries(&mut self, connection: &Connection, key: &AuditKey, after: i64) -> rusqlite::Result<Vec<u8>> {
        let range = "SELECT min(seq), max(seq) FROM entries WHERE seq > ?1";
        let range: (Option<i64>, Option<i64>) =
            connection.query_row(range, [after], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(newest)) = range else {
            self.next = if self.wants_heads() { Next::HeadsAfter(0) } else { Next::Nothing };
            return Ok(Vec::new());
        };
        let last = newest.min(first.saturating_add(WINDOW_ENTRIES - 1));
        let entries = select(connection, key, &self.query, (first, last), PIECE_ENTRIES, "ASC")?;
        let full = entries.len() == PIECE_ENTRIES as usize;
        let reached = if full { entries.last().map_or(last, |entry| entry.seq) } else { last };
        self.next = Next::EntriesAfter(reached);
        let log = key.log_name();
        Ok(lines(entries.iter().map(|entry| cloud_event::of_entry(&log, entry))))
    }

    fn heads(&mut self, connection: &Connection, key: &AuditKey, after: i64) -> rusqlite::Result<Option<Vec<u8>>> {
        let heads = HeadRow::read_after(connection, after, PIECE_HEADS)?;
        let Some((last, _)) = heads.last() else {
            self.next = Next::Nothing;
            return Ok(None);
        };
        self.next = Next::HeadsAfter(*last);
        let log = key.log_name();
        let heads = heads.iter().filter_map(|(_, head)| head.as_ref());
        Ok(Some(lines(heads.map(|(head, _)| cloud_event::of_head(&log, &head.to_wire())))))
    }

    /// Heads are about all entries, so they belong to an export of all.
    fn wants_heads(&self) -> bool {
        let AuditQuery { actor, action, outcome, from, to, ip, object, cursor: _, limit: _ } = &self.query;
        let texts = [actor, action, ip, object];
        texts.iter().all(|text| text.is_none()) && outcome.is_none() && from.is_none() && to.is_none()
    }
}

fn lines(events: impl Iterator<Item = serde_json::Value>) -> Vec<u8> {
    let mut text = Vec::new();
    for event in events {
        text.extend_from_slice(event.to_string().as_bytes());
        text.push(b'\n');
    }
    text
}
