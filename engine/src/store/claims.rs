//! Claim, renew and release: who holds which job, and for how long.

use flowork_api_types::{
    JobId, Timestamp,
    engine::{NewLogLine, RenewOutcome},
    job::{AttemptOutcome, JobState, LogLevel, LogLine, Progress},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    finish::{Table, find},
    insert::to_text,
    read::large_payload,
    requests::{Claimed, RenewRow},
    rows::{JobRow, check_of, columns},
};

/// A claimed job with what its history tells; `Err` if its payload is damaged.
pub(super) struct Taken {
    pub(super) job: Claimed,
    /// When its last attempt ended, if it had one.
    pub(super) last_ended_at: Option<Timestamp>,
}

/// What came of a claim.
pub(super) enum Claim {
    Taken(Taken),
    /// The payload is not what was stored. The row is as it was.
    Damaged(Box<JobRow>),
    /// The job is not ready any more.
    Gone,
}

/// Leases a ready job to whoever gets what comes back.
pub(super) fn claim(
    connection: &Connection,
    key: i64,
    kind: &str,
    now: Timestamp,
    lease_expires_at: Timestamp,
) -> rusqlite::Result<Claim> {
    // Read, then written: `RETURNING` would build a table for its one row.
    let ready = connection
        .prepare_cached(
            "SELECT tail, attempt, epoch, timeout_ms, trace_id, payload_check, payload, owner FROM job \
             WHERE key = ?1 AND state = 'queued'",
        )?
        .query_row([key], |row| {
            let job = Claimed {
                id: JobId::from_key_and_tail(key, row.get(0)?),
                kind: kind.to_owned(),
                owner: row.get(7)?,
                payload: Vec::new(),
                attempt: row.get::<_, u16>(1)?.saturating_add(1),
                epoch: row.get::<_, u32>(2)?.saturating_add(1),
                lease_expires_at,
                timeout_ms: row.get::<_, i64>(3)? as u64,
                trace_id: row.get(4)?,
            };
            Ok((job, row.get::<_, i64>(5)?, row.get::<_, Option<Vec<u8>>>(6)?))
        })
        .optional()?;
    let Some((mut job, check, inline)) = ready else { return Ok(Claim::Gone) };
    let payload = match inline {
        Some(payload) => Some(payload),
        None => large_payload(connection, key)?,
    };
    let Some(payload) = payload.filter(|payload| check_of(payload) == check) else {
        let row = find(connection, Table::Job, job.id)?;
        return Ok(row.map_or(Claim::Gone, |row| Claim::Damaged(Box::new(row))));
    };
    job.payload = payload;
    connection
        .prepare_cached(
            "UPDATE job SET state = 'leased', attempt = ?2, epoch = ?3, lease_expires_at_ms = ?4, claimed_at_ms = ?5, \
             progress = NULL WHERE key = ?1",
        )?
        .execute(params![key, job.attempt, job.epoch, lease_expires_at.as_millis(), now.as_millis()])?;
    let last_ended_at = if job.epoch == 1 { None } else { ended_at(connection, key, job.epoch - 1)? };
    Ok(Claim::Taken(Taken { job, last_ended_at }))
}

/// When an attempt of a job ended.
fn ended_at(connection: &Connection, key: i64, epoch: u32) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT finished_at_ms FROM attempt WHERE key = ?1 AND epoch = ?2")?
        .query_row(params![key, epoch], |row| row.get(0).map(Timestamp))
        .optional()
}

/// What a renewal changed, for events.
#[derive(Debug)]
pub(super) struct Renewed {
    pub(super) outcome: RenewOutcome,
    pub(super) owner: Option<std::sync::Arc<str>>,
    pub(super) lines: Vec<LogLine>,
}

/// Moves the end of a lease and stores what the attempt reported. An old epoch changes nothing.
pub(super) fn renew(
    connection: &Connection,
    item: &RenewRow,
    lease_expires_at: Timestamp,
) -> rusqlite::Result<Renewed> {
    let Some(held) = held(connection, item.id, item.epoch)? else {
        return Ok(Renewed { outcome: RenewOutcome::LeaseLost, owner: None, lines: Vec::new() });
    };
    if item.extend {
        connection
            .prepare_cached("UPDATE job SET lease_expires_at_ms = ?2 WHERE key = ?1")?
            .execute([item.id.key(), lease_expires_at.as_millis()])?;
    }
    if let Some(progress) = &item.progress {
        set_progress(connection, item.id, progress)?;
    }
    let lines = append_log(connection, item.id, held.attempt, &item.logs)?;
    let outcome = if held.cancel_requested { RenewOutcome::CancelRequested } else { RenewOutcome::Renewed };
    Ok(Renewed { outcome, owner: Some(held.owner), lines })
}

/// Stores how far a leased job is.
pub(super) fn set_progress(connection: &Connection, id: JobId, progress: &Progress) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE job SET progress = ?2 WHERE key = ?1")?
        .execute(params![id.key(), to_text(progress)])
        .map(|_| ())
}

/// The row of a job whose lease is held under `epoch`.
pub(super) fn held(connection: &Connection, id: JobId, epoch: u32) -> rusqlite::Result<Option<JobRow>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM job WHERE key = ?1 AND tail = ?2 AND epoch = ?3 AND state = 'leased'"
        ))?
        .query_row(params![id.key(), id.tail(), epoch], JobRow::from_row)
        .optional()
}

/// Lines a job's log keeps, over all its attempts: at most 160 MiB, and as a rule two.
const LOG_LINES_MAX: usize = 20_000;

/// Adds lines to a job's log, while there is room in it; answers those that were added, with their numbers. The last place
/// is for the line that says that the log is full.
pub(super) fn append_log(
    connection: &Connection,
    id: JobId,
    attempt: u16,
    lines: &[NewLogLine],
) -> rusqlite::Result<Vec<LogLine>> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let mut seq: i64 = connection
        .prepare_cached("SELECT log_lines FROM job WHERE key = ?1")?
        .query_row([id.key()], |row| row.get(0))?;
    let room = LOG_LINES_MAX.saturating_sub(usize::try_from(seq).unwrap_or(0));
    if room == 0 {
        return Ok(Vec::new());
    }
    let (lines, full) = match lines.get(room - 1) {
        Some(dropped) => (&lines[..room - 1], Some(log_is_full(dropped.at))),
        None => (lines, None),
    };
    let mut insert = connection
        .prepare_cached("INSERT INTO log (key, seq, at_ms, attempt, level, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut numbered = Vec::with_capacity(lines.len() + 1);
    for line in lines.iter().chain(&full) {
        seq += 1;
        insert.execute(params![id.key(), seq, line.at.as_millis(), attempt, line.level.as_str(), line.message])?;
        numbered.push(LogLine {
            seq: seq as u64,
            at: line.at,
            attempt,
            level: line.level,
            message: line.message.clone(),
        });
    }
    connection.prepare_cached("UPDATE job SET log_lines = ?2 WHERE key = ?1")?.execute([id.key(), seq])?;
    Ok(numbered)
}

fn log_is_full(at: Timestamp) -> NewLogLine {
    let message =
        format!("the log is full: a job keeps {LOG_LINES_MAX} lines, and what it writes from here on is dropped");
    NewLogLine { at, level: LogLevel::Warn, message }
}

/// Makes a leased job ready again. `counts`: whether the attempt that ends here is one of `attempts_max`.
pub(super) fn make_ready(
    connection: &Connection,
    row: &mut JobRow,
    outcome: AttemptOutcome,
    now: Timestamp,
    counts: bool,
) -> rusqlite::Result<()> {
    record_attempt(connection, row, outcome, now)?;
    if !counts {
        row.attempt -= 1;
    }
    row.state = JobState::Queued;
    row.lease_expires_at = None;
    connection
        .prepare_cached(
            "UPDATE job SET state = 'queued', attempt = ?2, lease_expires_at_ms = NULL, error = ?3, lane = ?4 \
             WHERE key = ?1",
        )?
        .execute(params![row.id.key(), row.attempt, row.error.as_ref().map(to_text), row.lane().id().0])?;
    Ok(())
}

/// Writes the history of an attempt that ended; its error is the row's.
pub(super) fn record_attempt(
    connection: &Connection,
    row: &JobRow,
    outcome: AttemptOutcome,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let error = match outcome {
        AttemptOutcome::Completed | AttemptOutcome::Released => None,
        AttemptOutcome::Failed | AttemptOutcome::Cancelled | AttemptOutcome::LeaseExpired => row.error.as_ref(),
    };
    connection
        .prepare_cached(
            "INSERT INTO attempt (key, epoch, attempt, started_at_ms, finished_at_ms, outcome, error) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            row.id.key(),
            row.epoch,
            row.attempt,
            row.claimed_at.unwrap_or(now).as_millis(),
            now.as_millis(),
            outcome.as_str(),
            error.map(to_text),
        ])?;
    Ok(())
}
