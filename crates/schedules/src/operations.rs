//! What people do with schedules. A caller who does not see everything sees and changes their own only; the store's
//! queries see to that.

use flowork_api_types::{
    ScheduleId, Timestamp,
    error::FieldError,
    job::{EnqueueRequest, Job},
    schedule::{
        CreateScheduleRequest, ListSchedulesQuery, PREVIEW_RUNS, PREVIEW_RUNS_MAX, PreviewScheduleRequest,
        SCHEDULE_JOB_BYTES_MAX, SCHEDULE_NAME_CHARS_MAX, SCHEDULE_PAGE_MAX, SCHEDULES_MAX, Schedule, ScheduleAction,
        ScheduleList, SchedulePreview, UpdateScheduleRequest,
    },
};
use flowork_control::{ScheduleRecord, ScheduleText, StoreError};
use flowork_engine::jobs::{Caller, enqueue::EnqueueError};

use crate::{
    Schedules,
    timing::{Timing, TimingError, TimingText},
};

/// Schedules on a page that asks for no other number.
const PAGE: u32 = 50;

/// Why a schedule can't be shown or removed.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// No such schedule, or none that the caller may see.
    #[error("there is no schedule {schedule_id}")]
    NotFound {
        /// As it was asked for.
        schedule_id: ScheduleId,
    },
    /// The store failed.
    #[error("the schedule could not be read or removed")]
    Store(#[from] StoreError),
}

/// Why schedules can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The limit is out of range.
    #[error("the limit {limit} is not between 1 and {SCHEDULE_PAGE_MAX}")]
    InvalidLimit {
        /// As it was asked for.
        limit: u32,
    },
    /// The store failed.
    #[error("the schedules could not be read")]
    Store(#[from] StoreError),
}

/// Why a schedule was not made or changed, or why there is no preview. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// No such schedule, or none that the caller may see.
    #[error("there is no schedule {schedule_id}")]
    NotFound {
        /// As it was asked for.
        schedule_id: ScheduleId,
    },
    /// A field is out of range.
    #[error("the request has fields that are not valid")]
    InvalidFields {
        /// Each thing that is wrong.
        errors: Vec<FieldError>,
    },
    /// It says no times.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// Its job would be refused each time.
    #[error("the job of the schedule would be refused")]
    Job(#[source] EnqueueError),
    /// There are too many.
    #[error("there are {SCHEDULES_MAX} schedules on this node, and can't be more")]
    Full,
    /// The store failed.
    #[error("the schedule could not be stored")]
    Store(#[from] StoreError),
}

/// Why a schedule did not run now.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No such schedule, or none that the caller may see.
    #[error("there is no schedule {schedule_id}")]
    NotFound {
        /// As it was asked for.
        schedule_id: ScheduleId,
    },
    /// Its job was refused.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The store failed.
    #[error("the schedule could not be read")]
    Store(#[from] StoreError),
}

impl Schedules {
    /// Makes a schedule. Its first run is the first due time from now on.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn create(&self, caller: &Caller, request: CreateScheduleRequest) -> Result<Schedule, WriteError> {
        let now = self.inner.clock.now();
        let anchor = request.anchor.or(request.interval_ms.map(|_| now));
        let text = ScheduleText {
            name: request.name,
            cron: request.cron,
            time_zone: request.time_zone,
            interval_ms: request.interval_ms,
            anchor,
            job: request.job,
            missed: request.missed,
            overlap: request.overlap,
            enabled: request.enabled,
        };
        self.check_job(&text.job)?;
        let text = checked(text, now)?;
        let record = self.inner.control.create_schedule(&caller.subject, text, now).await?.ok_or(WriteError::Full)?;
        self.inner.changed(record.id, &record.owner);
        Ok(self.describe(caller, record))
    }

    /// One schedule.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn get(&self, caller: &Caller, id: ScheduleId) -> Result<Schedule, LookupError> {
        let record = self.inner.control.schedule(id, owner_of(caller)).await?;
        let record = record.ok_or(LookupError::NotFound { schedule_id: id })?;
        Ok(self.describe(caller, record))
    }

    /// Schedules that the caller may see, newest first.
    ///
    /// # Errors
    /// See [`ListError`].
    pub async fn list(&self, caller: &Caller, query: ListSchedulesQuery) -> Result<ScheduleList, ListError> {
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=SCHEDULE_PAGE_MAX).contains(&limit) {
            return Err(ListError::InvalidLimit { limit });
        }
        let mut records = self.inner.control.schedules(owner_of(caller), query.cursor, limit + 1).await?;
        let more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let next_cursor = records.last().filter(|_| more).map(|record| record.id.to_string());
        Ok(ScheduleList {
            items: records.into_iter().map(|record| self.describe(caller, record)).collect(),
            next_cursor,
        })
    }

    /// Changes a schedule. New times, and a resume, count from now.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn update(
        &self,
        caller: &Caller,
        id: ScheduleId,
        request: UpdateScheduleRequest,
    ) -> Result<Schedule, WriteError> {
        loop {
            let record = self.inner.control.schedule(id, owner_of(caller)).await?;
            let record = record.ok_or(WriteError::NotFound { schedule_id: id })?;
            let now = self.inner.clock.now();
            // What stays as it is must not keep anybody from a pause: the kind may be away for now.
            request.job.as_ref().map_or(Ok(()), |job| self.check_job(job))?;
            let mut text = merged(record.text.clone(), request.clone(), now)?;
            let new_times = timing_text(&text) != timing_text(&record.text);
            if new_times || text.name != record.text.name {
                text = checked(text, now)?;
            }
            let from_now = new_times || text.enabled != record.text.enabled;
            // Somebody else may have changed it meanwhile; then it is merged anew.
            if self.inner.control.update_schedule(&record, text, from_now.then_some(now)).await? {
                self.inner.changed(id, &record.owner);
                return self.get(caller, id).await.map_err(|error| match error {
                    LookupError::NotFound { schedule_id } => WriteError::NotFound { schedule_id },
                    LookupError::Store(error) => WriteError::Store(error),
                });
            }
        }
    }

    /// Removes a schedule. Its jobs stay.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn delete(&self, caller: &Caller, id: ScheduleId) -> Result<(), LookupError> {
        let owner = self.inner.control.delete_schedule(id, owner_of(caller)).await?;
        let owner = owner.ok_or(LookupError::NotFound { schedule_id: id })?;
        self.inner.changed(id, &owner);
        Ok(())
    }

    /// Enqueues the schedule's job now, once for each idempotency key of a caller, in the name of the schedule's maker.
    /// Its due times stay what they are, also of a paused schedule.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn run(
        &self,
        caller: &Caller,
        id: ScheduleId,
        idempotency_key: &str,
        trace_id: String,
    ) -> Result<Job, RunError> {
        let record = self.inner.control.schedule(id, owner_of(caller)).await?;
        let record = record.ok_or(RunError::NotFound { schedule_id: id })?;
        // Keys are per user, and this job has another owner than whoever asks.
        let hash = blake3::hash(format!("{}\0{idempotency_key}", caller.subject).as_bytes());
        let key = format!("schedule:{id}:run:{}", hash.to_hex());
        let maker = Caller { subject: record.owner.into(), sees_all: false, may_act: true };
        Ok(self.inner.engines.enqueue(&maker, &key, record.text.job, trace_id).await?.job)
    }

    /// The runs that a schedule would have.
    ///
    /// # Errors
    /// [`WriteError::InvalidFields`], [`WriteError::Timing`].
    pub fn preview(&self, request: PreviewScheduleRequest) -> Result<SchedulePreview, WriteError> {
        let count = request.count.unwrap_or(PREVIEW_RUNS);
        if !(1..=PREVIEW_RUNS_MAX).contains(&count) {
            return Err(invalid("/count", format!("{count} is not between 1 and {PREVIEW_RUNS_MAX}")));
        }
        let after = request.after.unwrap_or_else(|| self.inner.clock.now());
        let PreviewScheduleRequest { cron, time_zone, interval_ms, anchor, .. } = request;
        let timing = Timing::parse(&TimingText { cron, time_zone, interval_ms, anchor }, after)?;
        Ok(SchedulePreview { runs: timing.preview(after, count as usize) })
    }

    fn check_job(&self, job: &EnqueueRequest) -> Result<(), WriteError> {
        let times = [
            ("run_at", job.run_at.is_some()),
            ("delay_ms", job.delay_ms.is_some()),
            ("expires_at", job.expires_at.is_some()),
        ];
        if let Some((field, _)) = times.into_iter().find(|(_, given)| *given) {
            return Err(invalid(&format!("/job/{field}"), "the schedule says when its jobs run".to_owned()));
        }
        let bytes = serde_json::to_vec(job).map_or(usize::MAX, |text| text.len());
        if bytes > SCHEDULE_JOB_BYTES_MAX {
            return Err(invalid(
                "/job",
                format!("has {bytes} bytes as JSON; at most {SCHEDULE_JOB_BYTES_MAX} are allowed"),
            ));
        }
        self.inner.engines.check_request(job).map_err(WriteError::Job)
    }

    fn describe(&self, caller: &Caller, record: ScheduleRecord) -> Schedule {
        let ScheduleRecord { id, owner, created_at, text, state, .. } = record;
        let from = self.inner.clock.now().max(state.handled_until);
        let timing = Timing::parse(&timing_text(&text), from).ok().filter(|_| text.enabled);
        let next_runs = timing.map(|timing| timing.preview(from, PREVIEW_RUNS as usize)).unwrap_or_default();
        Schedule {
            id,
            name: text.name,
            cron: text.cron,
            time_zone: text.time_zone,
            interval_ms: text.interval_ms,
            anchor: text.anchor,
            job: text.job,
            missed: text.missed,
            overlap: text.overlap,
            enabled: text.enabled,
            created_by: owner,
            created_at,
            last_fired_at: state.last_fired_at,
            last_due_at: state.last_due_at,
            last_job_id: state.last_job_id,
            last_error: state.last_error,
            last_skipped: state.last_skipped,
            next_runs,
            allowed_actions: allowed_actions(caller, text.enabled),
        }
    }
}

fn allowed_actions(caller: &Caller, enabled: bool) -> Vec<ScheduleAction> {
    if !caller.may_act {
        return Vec::new();
    }
    let switch = if enabled { ScheduleAction::Pause } else { ScheduleAction::Resume };
    vec![ScheduleAction::Update, switch, ScheduleAction::Run, ScheduleAction::Delete]
}

/// Refuses names that can't be shown and times that never come; writes the time zone as its database does.
fn checked(mut text: ScheduleText, now: Timestamp) -> Result<ScheduleText, WriteError> {
    let name = text.name.trim().to_owned();
    text.name = name;
    let characters = text.name.chars().count();
    if !(1..=SCHEDULE_NAME_CHARS_MAX).contains(&characters) || text.name.chars().any(char::is_control) {
        let message = format!("a name has 1 to {SCHEDULE_NAME_CHARS_MAX} characters, none of them a control character");
        return Err(invalid("/name", message));
    }
    let timing = Timing::parse(&timing_text(&text), now)?;
    text.time_zone = text.time_zone.map(|given| timing.zone_name().map_or(given, str::to_owned));
    Ok(text)
}

/// What a request leaves out stays; a cron expression and an interval take each other's place.
fn merged(mut text: ScheduleText, request: UpdateScheduleRequest, now: Timestamp) -> Result<ScheduleText, WriteError> {
    match (request.cron, request.interval_ms) {
        (Some(_), Some(_)) => return Err(TimingError::Both.into()),
        (Some(cron), None) => {
            text.cron = Some(cron);
            (text.interval_ms, text.anchor) = (None, None);
        }
        (None, Some(interval_ms)) => {
            (text.cron, text.interval_ms) = (None, Some(interval_ms));
            text.anchor = text.anchor.or(Some(now));
        }
        (None, None) => {}
    }
    text.anchor = request.anchor.or(text.anchor);
    text.time_zone = request.time_zone.or(text.time_zone);
    text.name = request.name.unwrap_or(text.name);
    text.job = request.job.unwrap_or(text.job);
    text.missed = request.missed.unwrap_or(text.missed);
    text.overlap = request.overlap.unwrap_or(text.overlap);
    text.enabled = request.enabled.unwrap_or(text.enabled);
    Ok(text)
}

fn invalid(field: &str, message: String) -> WriteError {
    WriteError::InvalidFields { errors: vec![FieldError { field: field.to_owned(), message }] }
}

fn owner_of(caller: &Caller) -> Option<&str> {
    (!caller.sees_all).then_some(&*caller.subject)
}

pub(crate) fn timing_text(text: &ScheduleText) -> TimingText {
    let ScheduleText { cron, time_zone, interval_ms, anchor, .. } = text.clone();
    TimingText { cron, time_zone, interval_ms, anchor }
}

/// The idempotency key of the run that is due at `due`.
pub(crate) fn job_key(id: ScheduleId, due: Timestamp) -> String {
    format!("schedule:{id}:{}", due.as_millis())
}

/// A trace id for a job that no request asked for.
pub(crate) fn trace_id(key: &str) -> String {
    blake3::hash(key.as_bytes()).to_hex().chars().take(32).collect()
}
