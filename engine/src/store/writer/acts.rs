//! What the requests do to jobs.

use std::sync::Arc;

use flowork_api_types::{
    JobId,
    engine::{FinishAnswer, RenewOutcome},
    event::Event,
    job::{AttemptOutcome, JobState},
};
use rusqlite::Connection;

use super::{Measured, ShardWriter};
use crate::store::{
    FinishRow, NewJob, RenewRow,
    claims::{self, make_ready},
    finish::{self, Finished, Table, find, retire, revive},
    insert,
    requests::{ActOutcome, Actor, EnqueueOutcome, Failed},
};

impl ShardWriter {
    pub(super) fn enqueue(&mut self, connection: &Connection, job: &NewJob) -> Result<EnqueueOutcome, Failed> {
        let now = self.now();
        let options = &self.options;
        let mut held = None;
        let outcome = insert::enqueue(connection, &mut self.keys, now, job, |id| {
            if options.is_draining() || options.gate.waiting() >= options.gate.waiting_max() {
                return Err(EnqueueOutcome::Refused);
            }
            match &job.unique_key {
                Some(key) => {
                    options.gate.hold_unique(&job.owner, key, id).map_err(EnqueueOutcome::UniqueHeld)?;
                    held = Some((key, id));
                    Ok(())
                }
                None => Ok(()),
            }
        });
        if let (Err(_), Some((key, id))) = (&outcome, held) {
            options.gate.drop_unique(&job.owner, key, id);
        }
        let outcome = outcome?;
        if let EnqueueOutcome::Created(row) = &outcome {
            self.moved(connection, None, row).map_err(Failed::Stuck)?;
            self.batch.measured.push((Arc::clone(&row.queue), Measured::Enqueued));
        }
        Ok(outcome)
    }

    pub(super) fn renew(
        &mut self,
        connection: &Connection,
        items: Vec<RenewRow>,
    ) -> rusqlite::Result<Vec<RenewOutcome>> {
        let lease_end = Self::lease_end(self.now());
        let mut outcomes = Vec::with_capacity(items.len());
        for item in items {
            let renewed = claims::renew(connection, &item, lease_end)?;
            if renewed.owner.is_some()
                && let Some(progress) = item.progress
            {
                let event = Event::JobProgress { job_id: item.id, progress };
                self.batch.events.push((renewed.owner.clone(), event));
            }
            if !renewed.lines.is_empty() {
                self.batch.events.push((renewed.owner, Event::JobLog { job_id: item.id, lines: renewed.lines }));
            }
            outcomes.push(renewed.outcome);
        }
        Ok(outcomes)
    }

    pub(super) fn finish(&mut self, connection: &Connection, items: &[FinishRow]) -> Result<Vec<FinishAnswer>, Failed> {
        let now = self.now();
        let retention = self.options.retention();
        let mut answers = Vec::with_capacity(items.len());
        for item in items {
            answers.push(match finish::finish(connection, item, now, &retention)? {
                Finished::Moved(row, lines) => {
                    if let Some(progress) = &item.progress {
                        let event = Event::JobProgress { job_id: item.id, progress: progress.clone() };
                        self.batch.events.push((Some(Arc::clone(&row.owner)), event));
                    }
                    if !lines.is_empty() {
                        let event = Event::JobLog { job_id: item.id, lines };
                        self.batch.events.push((Some(Arc::clone(&row.owner)), event));
                    }
                    self.throttle(item);
                    self.moved(connection, Some(JobState::Leased), &row).map_err(Failed::Stuck)?;
                    let ended = Measured::Ended(row.state == JobState::Completed);
                    self.batch.measured.push((Arc::clone(&row.queue), ended));
                    FinishAnswer::Accepted
                }
                Finished::Unchanged(answer) => answer,
            });
        }
        Ok(answers)
    }

    fn throttle(&self, item: &FinishRow) {
        if let Some((target, wait)) = &item.throttle {
            let wait_ms = wait.as_millis().min(finish::BACKOFF_MS_MAX as u128) as i64;
            let now = self.steady_now();
            self.options.gate.throttle(target.clone(), now + wait_ms, now);
        }
    }

    pub(super) fn release(&mut self, connection: &Connection, items: &[(JobId, u32)]) -> rusqlite::Result<()> {
        let now = self.now();
        let retention = self.options.retention();
        for &(id, epoch) in items {
            if let Some(mut row) = claims::held(connection, id, epoch)? {
                if row.cancel_requested {
                    claims::record_attempt(connection, &row, AttemptOutcome::Cancelled, now)?;
                    retire(connection, &mut row, JobState::Cancelled, None, now, &retention)?;
                } else {
                    make_ready(connection, &mut row, AttemptOutcome::Released, now, false)?;
                }
                self.moved(connection, Some(JobState::Leased), &row)?;
            }
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, connection: &Connection, id: JobId, actor: &Actor) -> rusqlite::Result<ActOutcome> {
        let now = self.now();
        if let Some(mut row) = find(connection, Table::Job, id)?.filter(|row| actor.may_see(&row.owner)) {
            let from = row.state;
            if from == JobState::Leased {
                connection.prepare_cached("UPDATE job SET cancel_requested = 1 WHERE key = ?1")?.execute([id.key()])?;
                self.batch.cancels.push(id);
            } else {
                retire(connection, &mut row, JobState::Cancelled, None, now, &self.options.retention())?;
            }
            self.moved(connection, Some(from), &row)?;
            return Ok(ActOutcome::Done);
        }
        Ok(match find(connection, Table::Finished, id)?.filter(|row| actor.may_see(&row.owner)) {
            Some(row) => ActOutcome::InvalidState(row.state),
            None => ActOutcome::NotFound,
        })
    }

    pub(super) fn requeue(
        &mut self,
        connection: &Connection,
        id: JobId,
        actor: &Actor,
        to_queue: Option<&str>,
    ) -> rusqlite::Result<ActOutcome> {
        let now = self.now();
        let gate = Arc::clone(&self.options.gate);
        if let Some(mut row) = find(connection, Table::Finished, id)?.filter(|row| actor.may_see(&row.owner)) {
            if row.state == JobState::Completed {
                return Ok(ActOutcome::InvalidState(row.state));
            }
            if gate.waiting() >= gate.waiting_max() {
                return Ok(ActOutcome::QueueFull);
            }
            if let Some(key) = &row.unique_key
                && let Err(holder) = gate.hold_unique(&row.owner, key, id)
            {
                return Ok(ActOutcome::UniqueHeld(holder));
            }
            // It may have ended in this very batch.
            self.batch.freed.retain(|(_, _, freed)| *freed != id);
            revive(connection, &mut row, &actor.subject, to_queue, now)?;
            self.moved(connection, None, &row)?;
            return Ok(ActOutcome::Done);
        }
        Ok(match find(connection, Table::Job, id)?.filter(|row| actor.may_see(&row.owner)) {
            Some(row) => ActOutcome::InvalidState(row.state),
            None => ActOutcome::NotFound,
        })
    }

    pub(super) fn requeue_many(
        &mut self,
        connection: &Connection,
        ids: &[JobId],
        actor: &Actor,
        to_queue: Option<&str>,
    ) -> rusqlite::Result<u64> {
        let mut requeued = 0;
        for &id in ids {
            if matches!(self.requeue(connection, id, actor, to_queue)?, ActOutcome::Done) {
                requeued += 1;
            }
        }
        Ok(requeued)
    }
}
