//! Who gets ready jobs: claims at the end of a batch, and their delivery after its commit.

use std::sync::{Arc, atomic::Ordering};

use flowork_api_types::{
    Timestamp,
    job::{JobError, JobState},
};
use rusqlite::Connection;

use super::ShardWriter;
use crate::store::{Grant, JobRow, claims, finish::retire};

impl ShardWriter {
    /// Hands ready jobs to claimers that have free slots.
    pub(super) fn grant(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        if self.options.draining.load(Ordering::Acquire) {
            return Ok(());
        }
        for offset in 0..self.claimers.len() {
            if self.batch.counts.queued == 0 {
                break;
            }
            let index = (self.turn + offset) % self.claimers.len();
            let budget = Arc::clone(&self.claimers[index].budget);
            let ready = self.ready_for(connection, index, now)?;
            let slots = budget.take(ready.len() as u64);
            let jobs = self.claim(connection, ready.into_iter().take(slots as usize), now);
            let jobs = jobs.inspect_err(|_| budget.give_back(slots))?;
            if !jobs.is_empty() {
                self.batch.grants.push((index, jobs));
            }
        }
        self.turn = self.turn.wrapping_add(1);
        Ok(())
    }

    /// Jobs for as many slots as a claimer has free. Damaged ones are failed on the way, and others take their place.
    fn ready_for(
        &mut self,
        connection: &Connection,
        index: usize,
        now: Timestamp,
    ) -> rusqlite::Result<Vec<(JobRow, Vec<u8>)>> {
        loop {
            let claimer = &self.claimers[index];
            let offered = claimer.budget.offer(self.batch.counts.queued.max(0) as u64);
            if offered == 0 {
                return Ok(Vec::new());
            }
            let found = claims::ready(connection, claimer.kinds.names().as_deref(), offered)?;
            let (sound, damaged): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
            if damaged.is_empty() {
                return Ok(sound.into_iter().flatten().collect());
            }
            for mut row in damaged.into_iter().filter_map(Result::err) {
                row.error = Some(damaged_payload());
                retire(connection, &mut row, JobState::Failed, None, now)?;
                self.moved(Some(JobState::Queued), &row);
            }
        }
    }

    fn claim(
        &mut self,
        connection: &Connection,
        ready: impl Iterator<Item = (JobRow, Vec<u8>)>,
        now: Timestamp,
    ) -> rusqlite::Result<Grant> {
        let mut jobs = Vec::new();
        for (mut row, payload) in ready {
            jobs.push(claims::claim(connection, &mut row, payload, now, Self::lease_end(now))?);
            self.moved(Some(JobState::Queued), &row);
        }
        Ok(jobs)
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
