//! How long ended jobs are kept, and how they go.

use std::{collections::BTreeMap, time::Duration};

use flowork_api_types::Timestamp;
use rusqlite::{Connection, params};

/// Jobs that go in one transaction: so few that nobody who waits for it notices.
const ROWS_MAX: u32 = 100;
/// An idempotency key is remembered at least this long, and its job with it.
const KEY_KEPT_MS: i64 = 86_400_000;
/// A batch is remembered so long after its end, or after it was left half sent.
const BATCH_KEPT_MS: i64 = 604_800_000;

/// How long ended jobs are kept: with their results, logs and attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Where their kind has no time of its own.
    pub default: Duration,
    /// By kind.
    pub by_kind: BTreeMap<String, Duration>,
}

impl Default for Retention {
    /// A week.
    fn default() -> Self {
        Self { default: Duration::from_hours(7 * 24), by_kind: BTreeMap::new() }
    }
}

impl Retention {
    /// When a job that ended now goes.
    pub(super) fn until(&self, kind: &str, created_at: Timestamp, now: Timestamp) -> Timestamp {
        let kept = self.by_kind.get(kind).unwrap_or(&self.default);
        let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
        Timestamp(now.as_millis().saturating_add(kept_ms).max(created_at.as_millis() + KEY_KEPT_MS))
    }
}

/// When the next ended job goes.
pub(super) fn next_due(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT min(coalesce(prune_at_ms, finished_at_ms + 604800000)) FROM finished")?
        .query_row([], |row| row.get::<_, Option<i64>>(0))
        .map(|due| due.map(Timestamp))
}

/// Deletes some of the ended jobs whose time is over, with all that belongs to them, and gives some of the free pages
/// back to the file system; answers how many jobs went.
pub(super) fn prune(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    let mut due = connection.prepare_cached(
        "SELECT key, owner, idempotency_key FROM finished INDEXED BY finished_prune \
         WHERE coalesce(prune_at_ms, finished_at_ms + 604800000) <= ?1 LIMIT ?2",
    )?;
    let rows = due.query_map(params![now.as_millis(), ROWS_MAX], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    for (key, owner, idempotency_key) in &rows {
        connection
            .prepare_cached("DELETE FROM idempotency WHERE owner = ?1 AND idempotency_key = ?2 AND key = ?3")?
            .execute(params![owner, idempotency_key, key])?;
        for table in ["attempt", "log", "large_payload", "finished"] {
            connection.prepare_cached(&format!("DELETE FROM {table} WHERE key = ?1"))?.execute([key])?;
        }
    }
    if !rows.is_empty() {
        let week_ago = now.as_millis() - BATCH_KEPT_MS;
        connection
            .prepare_cached("DELETE FROM batch WHERE finished_at_ms IS NOT NULL AND finished_at_ms <= ?1")?
            .execute([week_ago])?;
        // Never sealed: whoever enqueued it went away in the middle and did not come back.
        connection
            .prepare_cached("DELETE FROM batch WHERE finished_at_ms IS NULL AND jobs IS NULL AND created_at_ms <= ?1")?
            .execute([week_ago])?;
        free_pages(connection)?;
    }
    Ok(rows.len())
}

fn free_pages(connection: &Connection) -> rusqlite::Result<()> {
    let mut vacuum = connection.prepare_cached("PRAGMA incremental_vacuum(64)")?;
    let mut steps = vacuum.query([])?;
    // Each step frees a page.
    while steps.next()?.is_some() {}
    Ok(())
}
