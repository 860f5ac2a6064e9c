//! What time does: jobs come due, old ones go, scopes open, and the wall clock may jump.

use flowork_api_types::Timestamp;
use rusqlite::Connection;

use super::ShardWriter;
use crate::{
    clock::STEP_MS,
    store::{
        prune,
        transitions::{self, Changed, Reclaim},
    },
};

impl ShardWriter {
    pub(super) fn run_due(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        if self.next_due.is_some_and(|due| due <= now) {
            let retention = self.options.retention();
            // One after the other: memory follows each before the next changes rows that it reads.
            self.all_moved(connection, transitions::expire(connection, now, &retention)?)?;
            self.all_moved(connection, transitions::promote(connection, now)?)?;
            self.all_moved(connection, transitions::reclaim(connection, Reclaim::Expired, now, &retention)?)?;
            self.next_due = transitions::next_due(connection)?;
        }
        if !self.options.keeps_ended && self.next_prune.is_some_and(|due| due <= now) {
            let more = prune::prune(connection, now)?;
            self.next_prune = if more { Some(now) } else { prune::next_due(connection)? };
        }
        self.ready.open_due(self.steady_now());
        Ok(())
    }

    fn all_moved(&mut self, connection: &Connection, rows: Vec<Changed>) -> rusqlite::Result<()> {
        rows.into_iter().try_for_each(|(from, row)| self.moved(connection, Some(from), &row))
    }

    /// Gives every lease its full length again after the wall clock was set or the machine slept: meanwhile nobody could
    /// renew, or what was left of a lease means nothing any more.
    pub(super) fn watch_clock(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        let ahead = self.wall_ahead();
        let step_ms = ahead - self.wall_ahead_ms;
        if step_ms.abs() > STEP_MS {
            tracing::warn!(step_ms, "the wall clock jumped; leases start over");
            transitions::extend_leases(connection, Self::lease_end(now))?;
            self.next_due = transitions::next_due(connection)?;
        }
        self.batch.wall_ahead_ms = Some(ahead);
        Ok(())
    }

    pub(super) fn wall_ahead(&self) -> i64 {
        self.options.clock.wall_ahead_ms()
    }
}
