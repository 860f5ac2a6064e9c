//! How jobs end, and how ended ones come back.

use flowork_api_types::{
    JobId, Timestamp,
    engine::FinishAnswer,
    job::{AttemptOutcome, Backoff, JobState, Redrive},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    claims::{append_log, held, record_attempt, set_progress},
    insert::to_text,
    prune::Retention,
    requests::{Failed, FinishRow},
    rows::{JobRow, check_of, columns},
};

/// What a finish did.
#[derive(Debug)]
pub(super) enum Finished {
    /// The job moved on; its row as it is now.
    Moved(Box<JobRow>, Vec<flowork_api_types::job::LogLine>),
    /// Nothing changed.
    Unchanged(FinishAnswer),
}

/// Ends an attempt. An old epoch changes nothing; repeating an accepted finish is accepted again.
pub(super) fn finish(
    connection: &Connection,
    item: &FinishRow,
    now: Timestamp,
    retention: &Retention,
) -> Result<Finished, Failed> {
    // What is odd about a row shows here, before anything is written.
    match held(connection, item.id, item.epoch)? {
        Some(row) => end(connection, item, row, now, retention).map_err(Failed::Stuck),
        None => Ok(Finished::Unchanged(repeated(connection, item)?)),
    }
}

fn end(
    connection: &Connection,
    item: &FinishRow,
    mut row: JobRow,
    now: Timestamp,
    retention: &Retention,
) -> rusqlite::Result<Finished> {
    let lines = append_log(connection, item.id, row.attempt, &item.logs)?;
    if let Some(progress) = &item.progress {
        set_progress(connection, item.id, progress)?;
    }
    match &item.outcome {
        Ok(result) => {
            row.error = None;
            record_attempt(connection, &row, AttemptOutcome::Completed, now)?;
            retire(connection, &mut row, JobState::Completed, Some(result), now, retention)?;
        }
        Err(error) => {
            row.error = Some(error.clone());
            if row.cancel_requested {
                record_attempt(connection, &row, AttemptOutcome::Cancelled, now)?;
                retire(connection, &mut row, JobState::Cancelled, None, now, retention)?;
            } else {
                record_attempt(connection, &row, AttemptOutcome::Failed, now)?;
                if item.retryable && row.attempt < row.attempts_max {
                    // What another server asked for is not ours to trust: it gets the same bound.
                    let asked = item.retry_after.map_or(0.0, |wait| wait.as_millis() as f64).min(BACKOFF_MS_MAX) as u64;
                    let wait = backoff_ms(&row.backoff, row.attempt, rand::random()).max(asked);
                    retry_at(connection, &mut row, Timestamp(now.as_millis() + wait as i64))?;
                } else {
                    retire(connection, &mut row, JobState::Failed, None, now, retention)?;
                }
            }
        }
    }
    Ok(Finished::Moved(Box::new(row), lines))
}

fn repeated(connection: &Connection, item: &FinishRow) -> rusqlite::Result<FinishAnswer> {
    let before: Option<String> = connection
        .prepare_cached("SELECT outcome FROM attempt WHERE key = ?1 AND epoch = ?2")?
        .query_row(params![item.id.key(), item.epoch], |row| row.get(0))
        .optional()?;
    let same = matches!(
        (&item.outcome, before.as_deref()),
        (Ok(_), Some("completed")) | (Err(_), Some("failed" | "cancelled"))
    );
    Ok(if same { FinishAnswer::Accepted } else { FinishAnswer::LeaseLost })
}

/// Longest sensible wait whatever a job asks for; keeps the arithmetic far from its ends.
pub(super) const BACKOFF_MS_MAX: f64 = 86_400_000.0;

/// The wait after attempt number `attempt`. `chance` decides where within the jitter: full jitter spreads evenly from
/// zero. Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (2015).
fn backoff_ms(backoff: &Backoff, attempt: u16, chance: u32) -> u64 {
    let grown = backoff.initial_ms as f64 * backoff.factor.powi(i32::from(attempt) - 1);
    let bounded = grown.min(backoff.max_ms as f64).clamp(0.0, BACKOFF_MS_MAX);
    let share = if backoff.jitter { f64::from(chance) / f64::from(u32::MAX) } else { 1.0 };
    (bounded * share) as u64
}

fn retry_at(connection: &Connection, row: &mut JobRow, at: Timestamp) -> rusqlite::Result<()> {
    row.state = JobState::Scheduled;
    row.run_at = at;
    row.lease_expires_at = None;
    connection
        .prepare_cached(
            "UPDATE job SET state = 'scheduled', run_at_ms = ?2, lease_expires_at_ms = NULL, error = ?3 WHERE key = ?1",
        )?
        .execute(params![row.id.key(), at.as_millis(), row.error.as_ref().map(to_text)])?;
    Ok(())
}

/// Moves a job to the table of ended ones.
pub(super) fn retire(
    connection: &Connection,
    row: &mut JobRow,
    state: JobState,
    result: Option<&[u8]>,
    now: Timestamp,
    retention: &Retention,
) -> rusqlite::Result<()> {
    row.state = state;
    row.finished_at = Some(now);
    row.lease_expires_at = None;
    connection
        .prepare_cached(
            // One row, so there is nothing to undo when it fails, and FAIL spares the journal that ABORT keeps for that.
            "INSERT OR FAIL INTO finished (key, tail, state, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, \
             epoch, claimed_at_ms, cancel_requested, timeout_ms, expires_at_ms, created_at_ms, finished_at_ms, \
             idempotency_key, trace_id, tags, backoff, progress, error, log_lines, payload_check, payload, \
             result_check, result, unique_key, concurrency_key, concurrency_max, limit_targets, batch, redriven_from, \
             prune_at_ms) \
             SELECT key, tail, ?2, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, epoch, \
             claimed_at_ms, cancel_requested, timeout_ms, expires_at_ms, created_at_ms, ?3, idempotency_key, trace_id, \
             tags, backoff, progress, ?4, log_lines, payload_check, payload, ?5, ?6, unique_key, concurrency_key, \
             concurrency_max, limit_targets, batch, redriven_from, ?7 FROM job WHERE key = ?1",
        )?
        .execute(params![
            row.id.key(),
            state.as_str(),
            now.as_millis(),
            row.error.as_ref().map(to_text),
            result.map(check_of),
            result,
            retention.until(&row.kind, row.created_at, now).as_millis(),
        ])?;
    connection.prepare_cached("DELETE FROM job WHERE key = ?1")?.execute([row.id.key()])?;
    Ok(())
}

/// Brings an ended job back, with all its attempts before it, into `to_queue` or its own. Its result is dropped; where it
/// was is kept.
pub(super) fn revive(
    connection: &Connection,
    row: &mut JobRow,
    by: &str,
    to_queue: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    row.redriven_from = Some(Redrive {
        state: row.state,
        queue: row.queue.to_string(),
        attempts: row.attempt,
        finished_at: row.finished_at,
        error: row.error.clone(),
        at: now,
        by: by.to_owned(),
        times: row.redriven_from.as_ref().map_or(0, |before| before.times) + 1,
    });
    if let Some(queue) = to_queue {
        row.queue = queue.into();
    }
    row.state = JobState::Queued;
    row.run_at = now;
    row.attempt = 0;
    row.cancel_requested = false;
    row.finished_at = None;
    row.expires_at = None;
    row.progress = None;
    connection
        .prepare_cached(
            "INSERT INTO job (key, tail, state, queue, kind, priority, run_at_ms, owner, attempt, attempts_max, epoch, \
             cancel_requested, timeout_ms, created_at_ms, idempotency_key, trace_id, tags, backoff, error, \
             log_lines, payload_check, payload, lane, unique_key, concurrency_key, concurrency_max, limit_targets, \
             batch, redriven_from) \
             SELECT key, tail, 'queued', ?3, kind, priority, ?2, owner, 0, attempts_max, epoch, 0, timeout_ms, \
             created_at_ms, idempotency_key, trace_id, tags, backoff, error, log_lines, payload_check, payload, ?4, \
             unique_key, concurrency_key, concurrency_max, limit_targets, batch, ?5 FROM finished WHERE key = ?1",
        )?
        .execute(params![
            row.id.key(),
            now.as_millis(),
            row.queue,
            row.lane().id().0,
            row.redriven_from.as_ref().map(to_text),
        ])?;
    connection.prepare_cached("DELETE FROM finished WHERE key = ?1")?.execute([row.id.key()])?;
    Ok(())
}

/// A job of `table` by its id.
pub(super) fn find(connection: &Connection, table: Table, id: JobId) -> rusqlite::Result<Option<JobRow>> {
    let sql = match table {
        Table::Job => concat!("SELECT ", columns!(), " FROM job WHERE key = ?1 AND tail = ?2"),
        Table::Finished => concat!("SELECT ", columns!(), " FROM finished WHERE key = ?1 AND tail = ?2"),
    };
    connection.prepare_cached(sql)?.query_row([id.key(), id.tail()], JobRow::from_row).optional()
}

/// Which of the two tables a job is in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    /// Still to do.
    Job,
    /// Ended.
    Finished,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_the_factor_to_their_maximum() {
        let check = |attempt, chance, jitter, expected| {
            let backoff = Backoff { initial_ms: 100, factor: 3.0, max_ms: 1_000, jitter };
            assert_eq!(backoff_ms(&backoff, attempt, chance), expected, "attempt {attempt}, chance {chance}");
        };
        check(1, 0, false, 100);
        check(2, 0, false, 300);
        check(3, 0, false, 900);
        check(4, 0, false, 1_000);
        check(u16::MAX, 0, false, 1_000);
        check(2, 0, true, 0);
        check(2, u32::MAX, true, 300);
        check(2, u32::MAX / 2, true, 149);
    }

    #[test]
    fn numbers_without_sense_wait_at_most_a_day() {
        let backoff = Backoff { initial_ms: u64::MAX, factor: 100.0, max_ms: u64::MAX, jitter: false };
        assert_eq!(backoff_ms(&backoff, 100, 0), 86_400_000);
        let nan = Backoff { initial_ms: 0, factor: f64::INFINITY, max_ms: 10, jitter: true };
        assert!(backoff_ms(&nan, 5, 9) <= 10);
    }
}
