//! What time does to jobs: schedules come due, leases run out, deadlines to start pass.

use flowork_api_types::{
    Timestamp,
    job::{AttemptOutcome, JobError, JobState},
};
use rusqlite::{Connection, params};

use super::{
    claims::{make_ready, record_attempt},
    finish::retire,
    prune::Retention,
    rows::{JobRow, columns},
};

/// Rows moved in one transaction; what is left comes right after, so that no commit grows without bound.
const ROWS_MAX: u32 = 1_000;

/// Why leases are reclaimed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reclaim {
    /// Those whose time is over.
    Expired,
    /// All: the workers that held them were in a process that is gone.
    Orphaned,
}

/// The earliest moment at which [`run_due`] would have something to do.
pub(super) fn next_due(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached(
            "SELECT min(coalesce(a, b, c), coalesce(b, c, a), coalesce(c, a, b)) FROM (SELECT \
             (SELECT min(run_at_ms) FROM job WHERE state = 'scheduled') AS a, \
             (SELECT min(lease_expires_at_ms) FROM job WHERE state = 'leased') AS b, \
             (SELECT min(expires_at_ms) FROM job \
              WHERE expires_at_ms IS NOT NULL AND attempt = 0 AND state IN ('scheduled', 'queued')) AS c)",
        )?
        .query_row([], |row| row.get::<_, Option<i64>>(0))
        .map(|due| due.map(Timestamp))
}

/// A row that time changed, as it is now, and the state it was in.
pub(super) type Changed = (JobState, JobRow);

/// Makes scheduled jobs ready whose time has come; answers them.
pub(super) fn promote(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Changed>> {
    let mut rows = select(
        connection,
        concat!(
            "SELECT ",
            columns!(),
            " FROM job WHERE state = 'scheduled' AND run_at_ms <= ?1 ORDER BY run_at_ms LIMIT ?2"
        ),
        now,
    )?;
    for row in &mut rows {
        row.state = JobState::Queued;
        connection
            .prepare_cached("UPDATE job SET state = 'queued', lane = ?2 WHERE key = ?1")?
            .execute([row.id.key(), row.lane().id().0])?;
    }
    Ok(rows.into_iter().map(|row| (JobState::Scheduled, row)).collect())
}

/// Ends jobs that did not start in time; answers them.
pub(super) fn expire(connection: &Connection, now: Timestamp, retention: &Retention) -> rusqlite::Result<Vec<Changed>> {
    let rows = select(
        connection,
        concat!(
            "SELECT ",
            columns!(),
            " FROM job WHERE expires_at_ms IS NOT NULL AND attempt = 0 AND state IN ('scheduled', 'queued') \
             AND expires_at_ms <= ?1 ORDER BY expires_at_ms LIMIT ?2"
        ),
        now,
    )?;
    let expire = |mut row: JobRow| {
        let before = row.state;
        retire(connection, &mut row, JobState::Expired, None, now, retention)?;
        Ok((before, row))
    };
    rows.into_iter().map(expire).collect()
}

/// Takes leases away from workers that did not renew them. It counts as an attempt, so that a job that kills its
/// worker ends among the failed ones.
pub(super) fn reclaim(
    connection: &Connection,
    why: Reclaim,
    now: Timestamp,
    retention: &Retention,
) -> rusqlite::Result<Vec<Changed>> {
    let until = match why {
        Reclaim::Expired => now,
        Reclaim::Orphaned => Timestamp(i64::MAX),
    };
    let mut rows = select(
        connection,
        concat!(
            "SELECT ",
            columns!(),
            " FROM job WHERE state = 'leased' AND lease_expires_at_ms <= ?1 ORDER BY lease_expires_at_ms LIMIT ?2"
        ),
        until,
    )?;
    for row in &mut rows {
        row.error = Some(lease_error(why));
        if row.cancel_requested {
            record_attempt(connection, row, AttemptOutcome::LeaseExpired, now)?;
            retire(connection, row, JobState::Cancelled, None, now, retention)?;
        } else if row.attempt < row.attempts_max {
            make_ready(connection, row, AttemptOutcome::LeaseExpired, now, true)?;
        } else {
            record_attempt(connection, row, AttemptOutcome::LeaseExpired, now)?;
            retire(connection, row, JobState::Failed, None, now, retention)?;
        }
    }
    Ok(rows.into_iter().map(|row| (JobState::Leased, row)).collect())
}

/// Lets every lease run for its full length again, after a start: while the node was away nobody could renew, and its
/// clock may have been set.
pub(super) fn extend_leases(connection: &Connection, until: Timestamp) -> rusqlite::Result<()> {
    connection
        .execute("UPDATE job SET lease_expires_at_ms = ?1 WHERE state = 'leased'", [until.as_millis()])
        .map(|_| ())
}

fn lease_error(why: Reclaim) -> JobError {
    let message = match why {
        Reclaim::Expired => "the worker stopped renewing its lease: it crashed, hung or lost its connection",
        Reclaim::Orphaned => "the node stopped without warning while this job ran",
    };
    JobError {
        code: "LEASE_EXPIRED".to_owned(),
        message: message.to_owned(),
        hint: Some("If it happens again with this job, look whether the job itself ends its worker.".to_owned()),
        details: None,
    }
}

fn select(connection: &Connection, sql: &str, until: Timestamp) -> rusqlite::Result<Vec<JobRow>> {
    connection.prepare_cached(sql)?.query_map(params![until.as_millis(), ROWS_MAX], JobRow::from_row)?.collect()
}
