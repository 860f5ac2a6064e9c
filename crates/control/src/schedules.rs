//! Schedules: what they are, and how far each has been handled.
//!
//! What a person writes ([`ScheduleText`]) and what the timer writes ([`ScheduleState`]) are changed apart from each other.
//! `revision` grows with each change of a person, so that the timer never fires by a text that has been replaced.

use flowork_api_types::{
    JobId, ScheduleId, Timestamp,
    job::EnqueueRequest,
    schedule::{MissedRuns, Overlap, SCHEDULES_MAX, ScheduleError, SkippedRuns},
};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{ControlStore, store::new_uuid};

const COLUMNS: &str = "id, revision, owner, name, cron, time_zone, interval_ms, anchor_ms, job, missed, overlap, enabled,
    created_at_ms, handled_until_ms, pending_due_ms, last_due_ms, last_fired_at_ms, last_job_id, last_error, last_skipped";

/// What a person writes.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleText {
    /// For a person.
    pub name: String,
    /// A cron expression, or none for an interval.
    pub cron: Option<String>,
    /// The IANA name of its time zone.
    pub time_zone: Option<String>,
    /// Milliseconds between two runs, or none for a cron expression.
    pub interval_ms: Option<u64>,
    /// Where intervals are counted from.
    pub anchor: Option<Timestamp>,
    /// What is enqueued each time.
    pub job: EnqueueRequest,
    /// What becomes of missed runs.
    pub missed: MissedRuns,
    /// What becomes of a run while the one before is not over.
    pub overlap: Overlap,
    /// Whether it fires.
    pub enabled: bool,
}

/// How far a schedule has been handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleState {
    /// What becomes of every due time up to here is decided.
    pub handled_until: Timestamp,
    /// A run that has been decided on and may not be enqueued yet.
    pub pending_due_at: Option<Timestamp>,
    /// When the run that fired last was due.
    pub last_due_at: Option<Timestamp>,
    /// When it fired.
    pub last_fired_at: Option<Timestamp>,
    /// Its job.
    pub last_job_id: Option<JobId>,
    /// Why the last run could not be enqueued.
    pub last_error: Option<ScheduleError>,
    /// Runs that did not happen, the latest time.
    pub last_skipped: Option<SkippedRuns>,
}

/// A schedule as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleRecord {
    /// Names it everywhere.
    pub id: ScheduleId,
    /// Grows with each change of its text.
    pub revision: i64,
    /// Who made it.
    pub owner: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What a person wrote.
    pub text: ScheduleText,
    /// How far it has been handled.
    pub state: ScheduleState,
}

/// How a run that was begun ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// With a job.
    Fired {
        /// The job.
        job_id: JobId,
        /// When it was enqueued.
        at: Timestamp,
    },
    /// Not yet: it is tried again.
    Blocked(ScheduleError),
    /// With no job; and why not, if that is an error.
    Skipped(SkippedRuns, Option<ScheduleError>),
}

impl ControlStore {
    /// Adds a schedule; `None` when the node has [`SCHEDULES_MAX`] of them.
    ///
    /// # Errors
    /// The store failed.
    pub async fn create_schedule(
        &self,
        owner: &str,
        text: ScheduleText,
        now: Timestamp,
    ) -> Result<Option<ScheduleRecord>, StoreError> {
        let id = ScheduleId::from_uuid(new_uuid(now));
        let owner = owner.to_owned();
        self.database.write(move |connection| insert(connection, id, &owner, &text, now)).await
    }

    /// One schedule; with an owner, only if it is theirs.
    ///
    /// # Errors
    /// The store failed.
    pub async fn schedule(&self, id: ScheduleId, owner: Option<&str>) -> Result<Option<ScheduleRecord>, StoreError> {
        let owner = owner.map(str::to_owned);
        self.database
            .read(move |connection| {
                let sql = format!("SELECT {COLUMNS} FROM schedules WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)");
                connection
                    .prepare_cached(&sql)?
                    .query_row(params![id.as_uuid().as_bytes(), owner], record_from_row)
                    .optional()
            })
            .await
    }

    /// Schedules, newest first, older than `before`; with an owner, only theirs.
    ///
    /// # Errors
    /// The store failed.
    pub async fn schedules(
        &self,
        owner: Option<&str>,
        before: Option<ScheduleId>,
        limit: u32,
    ) -> Result<Vec<ScheduleRecord>, StoreError> {
        let owner = owner.map(str::to_owned);
        self.database
            .read(move |connection| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM schedules
                     WHERE (?1 IS NULL OR owner = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"
                );
                let before = before.map(|id| *id.as_uuid().as_bytes());
                connection
                    .prepare_cached(&sql)?
                    .query_map(params![owner, before, limit], record_from_row)?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await
    }

    /// All schedules that fire.
    ///
    /// # Errors
    /// The store failed.
    pub async fn enabled_schedules(&self) -> Result<Vec<ScheduleId>, StoreError> {
        self.database
            .read(|connection| {
                connection
                    .prepare_cached("SELECT id FROM schedules WHERE enabled = 1")?
                    .query_map([], |row| Ok(ScheduleId::from_uuid(Uuid::from_bytes(row.get(0)?))))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await
    }

    /// Replaces the text of `record` unless somebody else has done so meanwhile. With `handled_until`, what was due
    /// until then counts as decided.
    ///
    /// # Errors
    /// The store failed. `false` when the record is not the newest any more.
    pub async fn update_schedule(
        &self,
        record: &ScheduleRecord,
        text: ScheduleText,
        handled_until: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let (id, revision) = (record.id, record.revision);
        let changed = self
            .database
            .write(move |connection| {
                connection.execute(
                    "UPDATE schedules SET revision = revision + 1, name = ?3, cron = ?4, time_zone = ?5,
                         interval_ms = ?6, anchor_ms = ?7, job = ?8, missed = ?9, overlap = ?10, enabled = ?11,
                         handled_until_ms = COALESCE(?12, handled_until_ms),
                         pending_due_ms = CASE WHEN ?12 IS NULL THEN pending_due_ms END
                     WHERE id = ?1 AND revision = ?2",
                    params![
                        id.as_uuid().as_bytes(),
                        revision,
                        text.name,
                        text.cron,
                        text.time_zone,
                        text.interval_ms.map(|ms| ms as i64),
                        text.anchor.map(Timestamp::as_millis),
                        json(&text.job)?,
                        text.missed.as_str(),
                        text.overlap.as_str(),
                        text.enabled,
                        handled_until.map(Timestamp::as_millis),
                    ],
                )
            })
            .await?;
        Ok(changed == 1)
    }

    /// Removes a schedule and says whose it was; with an owner, only if it is theirs.
    ///
    /// # Errors
    /// The store failed.
    pub async fn delete_schedule(&self, id: ScheduleId, owner: Option<&str>) -> Result<Option<String>, StoreError> {
        let owner = owner.map(str::to_owned);
        self.database
            .write(move |connection| {
                connection
                    .query_row(
                        "DELETE FROM schedules WHERE id = ?1 AND (?2 IS NULL OR owner = ?2) RETURNING owner",
                        params![id.as_uuid().as_bytes(), owner],
                        |row| row.get(0),
                    )
                    .optional()
            })
            .await
    }

    /// Decides on the run that is due at `due`, before it is enqueued: from here on it is owed, whatever happens.
    ///
    /// # Errors
    /// The store failed. `false` when the schedule was changed, paused or removed meanwhile; then nothing is owed.
    pub async fn begin_run(
        &self,
        record: &ScheduleRecord,
        due: Timestamp,
        skipped: Option<SkippedRuns>,
    ) -> Result<bool, StoreError> {
        self.handle(record, due, Some(due), skipped).await
    }

    /// Decides on every due time up to `until`: none of them happens.
    ///
    /// # Errors
    /// The store failed. `false` when the schedule was changed, paused or removed meanwhile.
    pub async fn skip_runs(
        &self,
        record: &ScheduleRecord,
        until: Timestamp,
        skipped: Option<SkippedRuns>,
    ) -> Result<bool, StoreError> {
        self.handle(record, until, None, skipped).await
    }

    async fn handle(
        &self,
        record: &ScheduleRecord,
        until: Timestamp,
        pending: Option<Timestamp>,
        skipped: Option<SkippedRuns>,
    ) -> Result<bool, StoreError> {
        let (id, revision) = (record.id, record.revision);
        let changed = self
            .database
            .write(move |connection| {
                let skipped = skipped.as_ref().map(json).transpose()?;
                connection
                    .prepare_cached(
                        "UPDATE schedules SET handled_until_ms = ?3, pending_due_ms = ?4,
                             last_skipped = COALESCE(?5, last_skipped)
                         WHERE id = ?1 AND revision = ?2 AND enabled = 1",
                    )?
                    .execute(params![
                        id.as_uuid().as_bytes(),
                        revision,
                        until.as_millis(),
                        pending.map(Timestamp::as_millis),
                        skipped,
                    ])
            })
            .await?;
        Ok(changed == 1)
    }

    /// Writes down how a run ended that was begun. A schedule that is gone is left alone.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_run(&self, id: ScheduleId, due: Timestamp, end: RunEnd) -> Result<(), StoreError> {
        self.database.write(move |connection| write_end(connection, id, due, &end)).await?;
        Ok(())
    }
}

fn insert(
    connection: &Connection,
    id: ScheduleId,
    owner: &str,
    text: &ScheduleText,
    now: Timestamp,
) -> rusqlite::Result<Option<ScheduleRecord>> {
    let count: i64 = connection.query_row("SELECT count(*) FROM schedules", [], |row| row.get(0))?;
    if count >= SCHEDULES_MAX as i64 {
        return Ok(None);
    }
    connection
        .query_row(
            &format!(
                "INSERT INTO schedules (id, revision, owner, name, cron, time_zone, interval_ms, anchor_ms, job, missed,
                     overlap, enabled, created_at_ms, handled_until_ms)
                 VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12) RETURNING {COLUMNS}"
            ),
            params![
                id.as_uuid().as_bytes(),
                owner,
                text.name,
                text.cron,
                text.time_zone,
                text.interval_ms.map(|ms| ms as i64),
                text.anchor.map(Timestamp::as_millis),
                json(&text.job)?,
                text.missed.as_str(),
                text.overlap.as_str(),
                text.enabled,
                now.as_millis(),
            ],
            record_from_row,
        )
        .map(Some)
}

fn write_end(connection: &Connection, id: ScheduleId, due: Timestamp, end: &RunEnd) -> rusqlite::Result<usize> {
    let id = id.as_uuid();
    match end {
        RunEnd::Fired { job_id, at } => connection
            .prepare_cached(
                "UPDATE schedules SET last_due_ms = ?2, last_fired_at_ms = ?3, last_job_id = ?4, last_error = NULL,
                     pending_due_ms = NULLIF(pending_due_ms, ?2) WHERE id = ?1",
            )?
            .execute(params![id.as_bytes(), due.as_millis(), at.as_millis(), job_id.as_uuid().as_bytes()]),
        RunEnd::Blocked(error) => connection
            .prepare_cached("UPDATE schedules SET last_error = ?2 WHERE id = ?1")?
            .execute(params![id.as_bytes(), json(error)?]),
        RunEnd::Skipped(skipped, error) => connection
            .prepare_cached(
                "UPDATE schedules SET last_skipped = ?3, last_error = ?4,
                     pending_due_ms = NULLIF(pending_due_ms, ?2) WHERE id = ?1",
            )?
            .execute(params![id.as_bytes(), due.as_millis(), json(skipped)?, error.as_ref().map(json).transpose()?]),
    }
}

fn record_from_row(row: &Row<'_>) -> rusqlite::Result<ScheduleRecord> {
    let time = |column: &str| row.get::<_, Option<i64>>(column).map(|ms| ms.map(Timestamp));
    let job_id: Option<[u8; 16]> = row.get("last_job_id")?;
    Ok(ScheduleRecord {
        id: ScheduleId::from_uuid(Uuid::from_bytes(row.get("id")?)),
        revision: row.get("revision")?,
        owner: row.get("owner")?,
        created_at: Timestamp(row.get("created_at_ms")?),
        text: ScheduleText {
            name: row.get("name")?,
            cron: row.get("cron")?,
            time_zone: row.get("time_zone")?,
            interval_ms: row.get::<_, Option<i64>>("interval_ms")?.map(|ms| ms as u64),
            anchor: time("anchor_ms")?,
            job: from_json(&row.get::<_, String>("job")?)?,
            missed: word(row, "missed", &MissedRuns::ALL, MissedRuns::as_str)?,
            overlap: word(row, "overlap", &Overlap::ALL, Overlap::as_str)?,
            enabled: row.get("enabled")?,
        },
        state: ScheduleState {
            handled_until: Timestamp(row.get("handled_until_ms")?),
            pending_due_at: time("pending_due_ms")?,
            last_due_at: time("last_due_ms")?,
            last_fired_at: time("last_fired_at_ms")?,
            last_job_id: job_id.map(|bytes| JobId::from_uuid(Uuid::from_bytes(bytes))),
            last_error: row.get::<_, Option<String>>("last_error")?.map(|text| from_json(&text)).transpose()?,
            last_skipped: row.get::<_, Option<String>>("last_skipped")?.map(|text| from_json(&text)).transpose()?,
        },
    })
}

fn word<T: Copy>(row: &Row<'_>, column: &str, all: &[T], name: fn(T) -> &'static str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    all.iter().copied().find(|value| name(*value) == text).ok_or_else(|| {
        let reason = format!("{text:?} is not a value of {column}").into();
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, reason)
    })
}

fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn from_json<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    let bad = |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error));
    serde_json::from_str(text).map_err(bad)
}
