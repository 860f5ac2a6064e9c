//! Reads: one job, lists, attempts, logs. They run on reading connections and never wait for writes.

use std::sync::Arc;

use flowork_api_types::{
    JobId, Timestamp,
    job::{Attempt, AttemptOutcome, JobState, LogLevel, LogLine},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    finish::{Table, find},
    requests::Actor,
    rows::{JobRow, Lookup, bad_column, check_of, columns, optional_json},
};

/// Rows a list may look at for one page. With a rare filter the page comes back short, with a cursor to go on from.
const ROWS_SCANNED_MAX: u32 = 5_000;

/// What a list shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListFilter {
    pub(crate) state: Option<JobState>,
    pub(crate) kind: Option<String>,
    pub(crate) queue: Option<String>,
    pub(crate) tag: Option<String>,
    /// Only jobs of this creator.
    pub(crate) owner: Option<String>,
    /// Only keys from here on.
    pub(crate) from_key: i64,
    /// Only keys below this.
    pub(crate) below_key: i64,
    pub(crate) limit: usize,
}

/// One page of one shard.
#[derive(Debug)]
pub(crate) struct ListPage {
    /// Newest first.
    pub(crate) rows: Vec<JobRow>,
    /// Every matching job with a key from here on is in `rows`; `None` when the shard was read to its end.
    pub(crate) complete_from: Option<i64>,
}

/// One job whole, its payload and result checked.
pub(super) fn lookup(connection: &Connection, id: JobId, actor: &Actor) -> rusqlite::Result<Lookup> {
    // One snapshot: between two statements the job could move from one table to the other.
    let transaction = connection.unchecked_transaction()?;
    let found = match find(&transaction, Table::Job, id)? {
        Some(row) => Some(("job", row)),
        None => find(&transaction, Table::Finished, id)?.map(|row| ("finished", row)),
    };
    let Some((table, mut row)) = found.filter(|(_, row)| actor.may_see(&row.owner)) else {
        return Ok(Lookup::NotFound);
    };
    let Some(payload) = payload_of(&transaction, table, id)?.and_then(|bytes| serde_json::from_slice(&bytes).ok())
    else {
        return Ok(Lookup::Corrupt { what: "payload" });
    };
    row.payload = payload;
    if row.state == JobState::Completed {
        let Some(result) = result_of(&transaction, id)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()) else {
            return Ok(Lookup::Corrupt { what: "result" });
        };
        row.result = Some(result);
    }
    Ok(Lookup::Found(Box::new(row)))
}

/// A job's payload; `None` if it is not what was stored.
pub(super) fn payload_of(connection: &Connection, table: &str, id: JobId) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = if table == "job" {
        "SELECT coalesce(payload, (SELECT body FROM large_payload WHERE key = ?1)), payload_check FROM job WHERE key = ?1"
    } else {
        "SELECT coalesce(payload, (SELECT body FROM large_payload WHERE key = ?1)), payload_check FROM finished \
         WHERE key = ?1"
    };
    checked(connection, sql, id)
}

/// A payload that does not fit in its row, unchecked.
pub(super) fn large_payload(connection: &Connection, key: i64) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT body FROM large_payload WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn result_of(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Vec<u8>>> {
    checked(connection, "SELECT result, result_check FROM finished WHERE key = ?1", id)
}

fn checked(connection: &Connection, sql: &str, id: JobId) -> rusqlite::Result<Option<Vec<u8>>> {
    let stored: (Option<Vec<u8>>, Option<i64>) =
        connection.prepare_cached(sql)?.query_row([id.key()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match stored {
        (Some(bytes), Some(check)) if check_of(&bytes) == check => Some(bytes),
        _ => None,
    })
}

/// Up to `limit` matching jobs, newest first.
pub(super) fn list(connection: &Connection, filter: &ListFilter) -> rusqlite::Result<ListPage> {
    let transaction = connection.unchecked_transaction()?;
    let mut pages = Vec::new();
    if filter.state.is_none_or(|state| !state.is_final()) {
        pages.push(list_table(&transaction, Table::Job, filter)?);
    }
    if filter.state.is_none_or(JobState::is_final) {
        pages.push(list_table(&transaction, Table::Finished, filter)?);
    }
    let complete_from = pages.iter().filter_map(|page| page.complete_from).max();
    let mut rows: Vec<_> = pages.into_iter().flat_map(|page| page.rows).collect();
    rows.retain(|row| complete_from.is_none_or(|from| row.id.key() >= from));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id.key()));
    Ok(ListPage { rows, complete_from })
}

fn list_table(connection: &Connection, table: Table, filter: &ListFilter) -> rusqlite::Result<ListPage> {
    let sql = match table {
        Table::Job => {
            concat!("SELECT ", columns!(), " FROM job WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3")
        }
        // Failed jobs are few among the ended ones, and have an index of their own.
        Table::Finished if filter.state == Some(JobState::Failed) => concat!(
            "SELECT ",
            columns!(),
            " FROM finished INDEXED BY finished_failed WHERE state = 'failed' AND key >= ?1 AND key < ?2 \
             ORDER BY key DESC LIMIT ?3"
        ),
        Table::Finished => {
            concat!("SELECT ", columns!(), " FROM finished WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3")
        }
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![filter.from_key, filter.below_key, ROWS_SCANNED_MAX])?;
    let mut page = ListPage { rows: Vec::new(), complete_from: None };
    let mut scanned = 0;
    while let Some(row) = rows.next()? {
        scanned += 1;
        let job = JobRow::from_row(row)?;
        let key = job.id.key();
        if filter.matches(&job) {
            page.rows.push(job);
        }
        if page.rows.len() == filter.limit || scanned == ROWS_SCANNED_MAX {
            page.complete_from = Some(key);
            break;
        }
    }
    Ok(page)
}

impl ListFilter {
    fn matches(&self, job: &JobRow) -> bool {
        self.state.is_none_or(|state| job.state == state)
            && self.kind.as_ref().is_none_or(|kind| *job.kind == **kind)
            && self.queue.as_ref().is_none_or(|queue| *job.queue == **queue)
            && self.owner.as_ref().is_none_or(|owner| *job.owner == **owner)
            && self.tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
    }
}

/// A job's attempts, oldest first, the running one last; `None` if there is no such job for this actor.
pub(super) fn attempts(connection: &Connection, id: JobId, actor: &Actor) -> rusqlite::Result<Option<Vec<Attempt>>> {
    let transaction = connection.unchecked_transaction()?;
    let Some(job) = visible(&transaction, id, actor)? else { return Ok(None) };
    let mut attempts: Vec<Attempt> = transaction
        .prepare_cached(
            "SELECT attempt, epoch, started_at_ms, finished_at_ms, outcome, error FROM attempt WHERE key = ?1 \
             ORDER BY epoch",
        )?
        .query_map([id.key()], |row| {
            Ok(Attempt {
                attempt: row.get(0)?,
                epoch: row.get(1)?,
                started_at: Timestamp(row.get(2)?),
                finished_at: Some(Timestamp(row.get(3)?)),
                outcome: Some(outcome(row.get_ref(4)?.as_str()?)?),
                error: optional_json(row, 5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    if let (JobState::Leased, Some(started_at)) = (job.state, job.claimed_at) {
        attempts.push(Attempt {
            attempt: job.attempt,
            epoch: job.epoch,
            started_at,
            finished_at: None,
            outcome: None,
            error: None,
        });
    }
    Ok(Some(attempts))
}

fn outcome(text: &str) -> rusqlite::Result<AttemptOutcome> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|error| bad_column(4, error))
}

/// Lines of a job's log after number `after`, oldest first; `None` if there is no such job for this actor.
pub(super) fn logs(
    connection: &Connection,
    id: JobId,
    actor: &Actor,
    after: u64,
    limit: u32,
) -> rusqlite::Result<Option<Vec<LogLine>>> {
    let transaction = connection.unchecked_transaction()?;
    if visible(&transaction, id, actor)?.is_none() {
        return Ok(None);
    }
    transaction
        .prepare_cached(
            "SELECT seq, at_ms, attempt, level, message FROM log WHERE key = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?
        .query_map(params![id.key(), i64::try_from(after).unwrap_or(i64::MAX), limit], |row| {
            let level: LogLevel = serde_json::from_value(serde_json::Value::from(row.get_ref(3)?.as_str()?))
                .map_err(|error| bad_column(3, error))?;
            Ok(LogLine {
                seq: row.get::<_, i64>(0)? as u64,
                at: Timestamp(row.get(1)?),
                attempt: row.get(2)?,
                level,
                message: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()
        .map(Some)
}

fn visible(connection: &Connection, id: JobId, actor: &Actor) -> rusqlite::Result<Option<JobRow>> {
    let row = match find(connection, Table::Job, id)? {
        Some(row) => Some(row),
        None => find(connection, Table::Finished, id)?,
    };
    Ok(row.filter(|row| actor.may_see(&row.owner)))
}

/// Which ended jobs are asked for again.
#[derive(Clone, Debug)]
pub(crate) struct DeadFilter {
    pub(crate) list: ListFilter,
    /// Only those that failed with this error.
    pub(crate) error_code: Option<String>,
}

/// Ended jobs of one shard.
#[derive(Debug)]
pub(crate) struct DeadPage {
    /// Each with its kind.
    pub(crate) jobs: Vec<(JobId, Arc<str>)>,
    /// Older ones have not been looked at; go on below this key.
    pub(crate) go_on_below: Option<i64>,
}

/// Up to `list.limit` ended jobs of `list.state`, newest first.
pub(super) fn find_dead(connection: &Connection, filter: &DeadFilter) -> rusqlite::Result<DeadPage> {
    let page = list_table(connection, Table::Finished, &filter.list)?;
    let fits = |row: &JobRow| {
        let code = row.error.as_ref().map(|error| error.code.as_str());
        filter.error_code.is_none() || filter.error_code.as_deref() == code
    };
    let jobs = page.rows.iter().filter(|row| fits(row)).map(|row| (row.id, Arc::clone(&row.kind))).collect();
    Ok(DeadPage { jobs, go_on_below: page.complete_from })
}
