//! What the writer keeps in memory of its file: counts, lanes, what the gate counts for it.

use std::{collections::HashMap, sync::Arc};

use flowork_api_types::{JobId, job::JobState};
use flowork_sqlite::{Applied, StoreError};
use rusqlite::{Connection, params};

use super::{Measured, ShardWriter};
use crate::{
    limits::ScopeId,
    store::{
        QueueDepth, prune,
        ready::{Ready, lane_columns, read_key},
        requests::Reply,
        shard::Counts,
        transitions,
    },
};

/// Rows that get their lane in one transaction.
const LANES_AT_ONCE: u32 = 10_000;

/// What a leased job is counted under.
pub(super) struct Leased {
    pub(super) scopes: Box<[ScopeId]>,
}

/// Gives a lane to ready jobs that an older version has written.
pub(super) fn complete_lanes(connection: &Connection) -> rusqlite::Result<()> {
    loop {
        let transaction = connection.unchecked_transaction()?;
        let mut without = transaction.prepare_cached(concat!(
            "SELECT key, ",
            lane_columns!(),
            " FROM job WHERE state = 'queued' AND lane IS NULL LIMIT ?1"
        ))?;
        let rows = without.query_map([LANES_AT_ONCE], |row| Ok((row.get::<_, i64>(0)?, read_key(row, 1)?)))?;
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        drop(without);
        if rows.is_empty() {
            return Ok(());
        }
        for (key, lane) in &rows {
            transaction
                .prepare_cached("UPDATE job SET lane = ?2 WHERE key = ?1")?
                .execute(params![key, lane.id().0])?;
        }
        transaction.commit()?;
    }
}

impl ShardWriter {
    /// Reads everything from the file that memory holds of it.
    pub(super) fn read_memory(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let (number, gate) = (self.options.number, Arc::clone(&self.options.gate));
        // In before out: meanwhile another shard may find too little room, and never too much.
        let before = std::mem::take(&mut self.leased);
        let read = self.read_leased(connection);
        for (_, leased) in before {
            gate.leave_for_good(&leased.scopes);
        }
        read?;
        self.ready = Ready::load(connection, number, Arc::clone(&gate))?;
        self.read_unique(connection)?;
        self.read_counts(connection)?;
        self.next_due = transitions::next_due(connection)?;
        self.next_prune = prune::next_due(connection)?;
        self.stale = false;
        Ok(())
    }

    fn read_leased(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let gate = &self.options.gate;
        let mut statement =
            connection.prepare_cached(concat!("SELECT key, ", lane_columns!(), " FROM job WHERE state = 'leased'"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (key, lane) = (row.get(0)?, read_key(row, 1)?);
            let scopes = lane.pass(gate).scopes;
            gate.enter(&scopes);
            gate.release(&scopes);
            self.leased.insert(key, Leased { scopes });
        }
        Ok(())
    }

    fn read_unique(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement =
            connection.prepare_cached("SELECT owner, unique_key, key, tail FROM job WHERE unique_key IS NOT NULL")?;
        let held = statement.query_map([], |row| {
            Ok(((row.get(0)?, row.get(1)?), JobId::from_key_and_tail(row.get(2)?, row.get(3)?)))
        })?;
        self.options.gate.replace_unique(self.options.number, held.collect::<Result<_, _>>()?);
        Ok(())
    }

    fn read_counts(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut queues: HashMap<Arc<str>, Counts> = HashMap::new();
        for (queue, _, jobs) in self.ready.depths() {
            queues.entry(Arc::clone(queue)).or_default().queued += jobs as i64;
        }
        let mut statement = connection.prepare_cached(
            "SELECT queue, state, count(*) FROM job WHERE state = 'scheduled' GROUP BY queue \
             UNION ALL SELECT queue, state, count(*) FROM job WHERE state = 'leased' GROUP BY queue",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let counts = queues.entry(row.get(0)?).or_default();
            let jobs = row.get(2)?;
            if row.get_ref(1)?.as_str()? == "scheduled" { counts.scheduled = jobs } else { counts.leased = jobs }
        }
        self.counts = queues.values().fold(Counts::default(), |sum, counts| sum + *counts);
        self.queues = queues;
        let waiting = self.counts.scheduled + self.counts.queued;
        self.options.gate.add_waiting(waiting - self.waiting);
        self.waiting = waiting;
        Ok(())
    }

    /// Counts a job from one state into another.
    pub(super) fn count(&mut self, queue: &str, from: Option<JobState>, to: JobState) {
        let mut change = Counts::default();
        if let Some(from) = from {
            change.add(from, -1);
        }
        change.add(to, 1);
        self.counts = self.counts + change;
        let empty = match self.queues.get_mut(queue) {
            Some(counts) => {
                *counts = *counts + change;
                *counts == Counts::default()
            }
            None => {
                self.queues.insert(queue.into(), change);
                false
            }
        };
        if empty {
            self.queues.remove(queue);
        }
        let waiting = change.scheduled + change.queued;
        self.waiting += waiting;
        self.options.gate.add_waiting(waiting);
    }

    /// A leased job is not leased any more: what it is counted under has room again.
    pub(super) fn leave_gate(&mut self, key: i64) {
        if let Some(leased) = self.leased.remove(&key) {
            let opened = self.options.gate.leave(self.options.number, &leased.scopes);
            self.ready.open(&opened);
        }
    }

    /// Answers how many jobs the queues have, without waiting for the commit: a disk that takes nothing has no say in it.
    pub(super) fn tell_depths(&mut self, connection: &Connection, reply: Reply<Vec<QueueDepth>>) -> Applied {
        let read = if self.stale { self.read_memory(connection) } else { Ok(()) };
        // Whoever asked may have gone.
        let _ = reply.send(read.map(|()| self.depths()).map_err(StoreError::from));
        Applied::Keep
    }

    /// All queues with jobs.
    pub(super) fn depths(&self) -> Vec<QueueDepth> {
        let mut depths: HashMap<&str, QueueDepth> = HashMap::new();
        for (name, counts) in &self.queues {
            let count = |jobs: i64| jobs.max(0).unsigned_abs();
            depths.insert(
                name,
                QueueDepth {
                    queue: name.to_string(),
                    scheduled: count(counts.scheduled),
                    queued: count(counts.queued),
                    leased: count(counts.leased),
                    oldest_ready_at: None,
                },
            );
        }
        for (queue, first, _) in self.ready.depths() {
            if let Some(depth) = depths.get_mut(&**queue) {
                depth.oldest_ready_at = depth.oldest_ready_at.into_iter().chain(first).min();
            }
        }
        depths.into_values().collect()
    }

    /// Counts what a commit made true.
    pub(super) fn measure(&self, measured: Vec<(Arc<str>, Measured)>) {
        let (measures, now) = (&self.options.measures, self.now());
        for (queue, what) in measured {
            match what {
                Measured::Enqueued => measures.enqueued(&queue, now),
                Measured::Claimed(delay) => measures.claimed(&queue, delay, now),
                Measured::Ended(ok) => measures.finished(&queue, ok, now),
                Measured::Drained => measures.drained(now),
            }
        }
    }
}
