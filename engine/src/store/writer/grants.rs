//! Who gets ready jobs: claims at the end of a batch, and their delivery after its commit.

use std::{sync::Arc, time::Duration};

use flowork_api_types::{
    Timestamp,
    job::{JobError, JobState},
};
use rusqlite::Connection;

use super::{Leased, Measured, ShardWriter};
use crate::store::{
    Grant, JobRow,
    claims::{self, Claim, Taken},
    finish::retire,
    ready::Pick,
};

impl ShardWriter {
    /// Hands ready jobs to claimers that have free slots.
    pub(super) fn grant(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        if self.options.is_draining() {
            return Ok(());
        }
        self.ready.begin_round(now);
        for offset in 0..self.claimers.len() {
            if self.counts.queued == 0 {
                break;
            }
            let index = (self.turn + offset) % self.claimers.len();
            let jobs = self.grant_to(connection, index, now)?;
            if !jobs.is_empty() {
                self.batch.grants.push((index, jobs));
            }
        }
        self.turn = self.turn.wrapping_add(1);
        Ok(())
    }

    /// Jobs for as many slots as a claimer has free. Damaged ones are failed on the way, and others take their place.
    fn grant_to(&mut self, connection: &Connection, index: usize, now: Timestamp) -> rusqlite::Result<Grant> {
        let budget = Arc::clone(&self.claimers[index].budget);
        let mut jobs = Grant::new();
        loop {
            let offered = budget.offer(self.ready.free(self.counts.queued));
            let picks = self.pick(connection, index, offered);
            let mut picks = picks.inspect_err(|_| budget.give_back(jobs.len() as u64))?;
            let slots = budget.take(picks.len() as u64) as usize;
            // Another shard was faster.
            for pick in picks.split_off(slots).iter().rev() {
                self.undo_start(pick.key);
                self.ready.put_back(pick);
            }
            let before = jobs.len();
            let claimed = self.claim(connection, &picks, now, &mut jobs);
            self.ready.end_round(picks.iter().map(|pick| pick.lane));
            claimed.inspect_err(|_| budget.give_back((before + slots) as u64))?;
            let unused = before + slots - jobs.len();
            if unused == 0 {
                return Ok(jobs);
            }
            budget.give_back(unused as u64);
            // Another shard may have wanted these slots: whoever counts them lets it look again.
            let _ = self.claimers[index].sink.send(Grant::new());
        }
    }

    /// The next jobs that may start. The gate counts them from here on.
    fn pick(&mut self, connection: &Connection, index: usize, offered: u64) -> rusqlite::Result<Vec<Pick>> {
        let now = self.steady_now();
        let mut picks = Vec::new();
        while (picks.len() as u64) < offered
            && let Some(pick) = self.ready.next(connection, &self.claimers[index].kinds, now)?
        {
            let scopes = self.ready.pass(&pick).scopes.clone();
            if let Some(before) = self.leased.insert(pick.key, Leased { scopes }) {
                tracing::error!(key = pick.key, "a leased job was ready too");
                self.options.gate.leave_for_good(&before.scopes);
            }
            self.batch.started.push(pick.key);
            picks.push(pick);
        }
        Ok(picks)
    }

    /// Leases what was picked, into `jobs`.
    fn claim(
        &mut self,
        connection: &Connection,
        picks: &[Pick],
        now: Timestamp,
        jobs: &mut Grant,
    ) -> rusqlite::Result<()> {
        for pick in picks {
            let kind = Arc::clone(&self.ready.lane(pick).kind);
            match claims::claim(connection, pick.key, &kind, now, Self::lease_end(now))? {
                Claim::Taken(taken) => {
                    self.note_claim(pick, &taken, now);
                    jobs.push(taken.job);
                }
                Claim::Damaged(row) => {
                    self.undo_start(pick.key);
                    self.fail_damaged(connection, *row, now)?;
                }
                Claim::Gone => self.undo_start(pick.key),
            }
        }
        Ok(())
    }

    fn note_claim(&mut self, pick: &Pick, taken: &Taken, now: Timestamp) {
        let lane = self.ready.lane(pick);
        let (queue, owner, kind) = (Arc::clone(&lane.queue), Arc::clone(&lane.owner), Arc::clone(&lane.kind));
        self.due_at(taken.job.lease_expires_at);
        self.count(&queue, Some(JobState::Queued), JobState::Leased);
        self.tell(taken.job.id, owner, &kind, &queue, JobState::Leased, taken.job.attempt);
        // A job whose lease was lost or given back keeps its place by the time it was first ready at.
        let free_since = taken.last_ended_at.map_or(pick.free_since, |ended_at| ended_at.max(pick.free_since));
        let waited_ms = (now.as_millis() - free_since.as_millis()).max(0).unsigned_abs();
        self.batch.measured.push((queue, Measured::Claimed(Duration::from_millis(waited_ms))));
    }

    /// A job that was picked does not start after all.
    pub(super) fn undo_start(&mut self, key: i64) {
        if let Some(leased) = self.leased.remove(&key) {
            let opened = self.options.gate.undo(self.options.number, &leased.scopes);
            self.ready.open(&opened);
        }
    }

    /// The job has left its lane already.
    fn fail_damaged(&mut self, connection: &Connection, mut row: JobRow, now: Timestamp) -> rusqlite::Result<()> {
        row.error = Some(damaged_payload());
        retire(connection, &mut row, JobState::Failed, None, now, &self.options.retention())?;
        self.ended(connection, &row)?;
        self.count(&row.queue, Some(JobState::Queued), JobState::Failed);
        self.tell(row.id, Arc::clone(&row.owner), &row.kind, &row.queue, JobState::Failed, row.attempt);
        Ok(())
    }

    /// Sends out what was claimed, now that it is on disk.
    pub(super) fn deliver(&mut self, grants: Vec<(usize, Grant)>) {
        for (index, jobs) in grants {
            let claimer = &self.claimers[index];
            if let Err(unsent) = claimer.sink.send(jobs) {
                claimer.budget.give_back(unsent.0.len() as u64);
                self.undelivered.extend(unsent.0.iter().map(|job| (job.id, job.epoch)));
            }
        }
    }
}

fn damaged_payload() -> JobError {
    JobError {
        code: "PAYLOAD_DAMAGED".to_owned(),
        message: "the payload read from the disk is not what was stored".to_owned(),
        hint: Some("Check the disk, and enqueue the job again.".to_owned()),
        details: None,
    }
}
