//! How long ended jobs are kept, and how they go.

use std::{collections::BTreeMap, time::Duration};

use flowork_api_types::Timestamp;
use rusqlite::{Connection, params};

/// Jobs that go in one transaction, and batches of each sort: so few that nobody who waits for it notices.
const ROWS_MAX: u32 = 100;
/// Lines of their logs that go in one: at most 8 MiB.
const LOG_LINES_MAX: usize = 1_000;
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

/// Deletes some of the ended jobs whose time is over, with all that belongs to them, and some of the old batches, and gives
/// some of the free pages back to the file system. Answers whether there is more to do at once.
pub(super) fn prune(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let jobs = prune_jobs(connection, now)?;
    let batches = prune_batches(connection, now)?;
    free_pages(connection)?;
    Ok(jobs || batches)
}

fn prune_jobs(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let mut due = connection.prepare_cached(
        "SELECT key, owner, idempotency_key FROM finished INDEXED BY finished_prune \
         WHERE coalesce(prune_at_ms, finished_at_ms + 604800000) <= ?1 LIMIT ?2",
    )?;
    let rows = due.query_map(params![now.as_millis(), ROWS_MAX], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let mut lines_left = LOG_LINES_MAX;
    for (key, owner, idempotency_key) in &rows {
        lines_left -= prune_log(connection, *key, lines_left)?;
        if lines_left == 0 {
            // There may be more of its log; the job goes with the last of it.
            return Ok(true);
        }
        connection
            .prepare_cached("DELETE FROM idempotency WHERE owner = ?1 AND idempotency_key = ?2 AND key = ?3")?
            .execute(params![owner, idempotency_key, key])?;
        for table in ["attempt", "large_payload", "finished"] {
            connection.prepare_cached(&format!("DELETE FROM {table} WHERE key = ?1"))?.execute([key])?;
        }
    }
    Ok(rows.len() == ROWS_MAX as usize)
}

/// Deletes up to `lines` of a job's log, the oldest first; answers how many.
fn prune_log(connection: &Connection, key: i64, lines: usize) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM log WHERE key = ?1 AND seq IN (SELECT seq FROM log WHERE key = ?1 ORDER BY seq LIMIT ?2)",
        )?
        .execute(params![key, lines as i64])
}

/// Answers whether there may be more of them.
fn prune_batches(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let week_ago = now.as_millis() - BATCH_KEPT_MS;
    let ended = connection
        .prepare_cached(
            "DELETE FROM batch WHERE batch IN (SELECT batch FROM batch \
             WHERE finished_at_ms IS NOT NULL AND finished_at_ms <= ?1 LIMIT ?2)",
        )?
        .execute(params![week_ago, ROWS_MAX])?;
    // Never sealed: whoever enqueued it went away in the middle and did not come back.
    let left = connection
        .prepare_cached(
            "DELETE FROM batch WHERE batch IN (SELECT batch FROM batch \
             WHERE finished_at_ms IS NULL AND jobs IS NULL AND created_at_ms <= ?1 LIMIT ?2)",
        )?
        .execute(params![week_ago, ROWS_MAX])?;
    Ok(ended.max(left) == ROWS_MAX as usize)
}

fn free_pages(connection: &Connection) -> rusqlite::Result<()> {
    let mut vacuum = connection.prepare_cached("PRAGMA incremental_vacuum(64)")?;
    let mut steps = vacuum.query([])?;
    // Each step frees a page.
    while steps.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use flowork_sqlite::open_writer;

    use super::*;
    use crate::store::schema::SCHEMA;

    const END: Timestamp = Timestamp(BATCH_KEPT_MS);

    fn put(connection: &Connection, key: i64, lines: u32) {
        connection
            .execute(
                "INSERT INTO finished (key, tail, state, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, \
                 epoch, cancel_requested, timeout_ms, created_at_ms, finished_at_ms, idempotency_key, trace_id, tags, \
                 backoff, log_lines, payload_check, prune_at_ms) VALUES (?1, 0, 'completed', 'q', 'k', 100, 0, 'ada', 1, \
                 1, 1, 0, 0, 0, 0, 'key ' || ?1, '', '[]', '{}', ?2, 0, ?1)",
                params![key, lines],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO idempotency (owner, idempotency_key, body_hash, key, tail) \
                 VALUES ('ada', 'key ' || ?1, x'07', ?1, 0)",
                [key],
            )
            .unwrap();
        connection
            .execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
                 INSERT INTO log SELECT ?1, i, 0, 1, 'info', 'line' FROM n",
                params![key, lines],
            )
            .unwrap();
    }

    fn count(connection: &Connection, table: &str) -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_long_log_goes_a_bounded_part_at_a_time_and_its_job_with_the_last_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open_writer(&directory.path().join("0.db"), &SCHEMA).unwrap();
        put(&connection, 1, 10);
        put(&connection, 2, 2_500);
        put(&connection, 3, 10);
        for (jobs, lines) in [(2, 1_520), (2, 520), (0, 0)] {
            let more = prune(&connection, END).unwrap();
            assert_eq!((count(&connection, "finished"), count(&connection, "log")), (jobs, lines));
            assert_eq!(count(&connection, "idempotency"), jobs, "a key is known as long as its job");
            assert_eq!(more, jobs > 0);
        }
    }

    #[test]
    fn many_batches_go_some_at_a_time_also_when_no_job_is_due() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open_writer(&directory.path().join("0.db"), &SCHEMA).unwrap();
        let put = |finished_at_ms: Option<i64>, jobs: Option<i64>| {
            connection
                .execute(
                    "INSERT INTO batch (batch, owner, jobs, created_at_ms, finished_at_ms) \
                     VALUES (randomblob(16), 'ada', ?1, 0, ?2)",
                    params![jobs, finished_at_ms],
                )
                .unwrap();
        };
        for _ in 0..250 {
            put(Some(0), Some(1));
            put(None, None);
        }
        // Not over, and ended a moment too late.
        put(None, Some(1));
        put(Some(1), Some(1));
        for (left, more) in [(302, true), (102, true), (2, false)] {
            assert_eq!(prune(&connection, END).unwrap(), more);
            assert_eq!(count(&connection, "batch"), left);
        }
    }
}
