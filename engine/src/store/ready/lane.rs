//! One lane: what its jobs have in common, and the first few of them.

use std::{collections::VecDeque, sync::Arc};

use flowork_api_types::{Timestamp, limit::LimitTarget};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    limits::{Gate, Pass, ScopeId},
    store::rows::lenient_json,
};

/// Jobs of a lane that are read at once.
const READ_AT_ONCE: usize = 64;
/// Jobs of a lane that memory holds at the most.
const KEPT_MAX: usize = 2 * READ_AT_ONCE;

/// Names a lane within a shard: a hash of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct LaneId(pub(in crate::store) i64);

/// All that decides about a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct LaneKey {
    pub(in crate::store) priority: u16,
    pub(in crate::store) owner: Arc<str>,
    pub(in crate::store) queue: Arc<str>,
    pub(in crate::store) kind: Arc<str>,
    /// The concurrency key, and how many jobs of it may run.
    pub(in crate::store) concurrency: Option<(Arc<str>, u32)>,
    /// What else counts the jobs, as their kind said.
    pub(in crate::store) targets: Vec<LimitTarget>,
}

/// Where a job stands in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    pub(super) run_at_ms: i64,
    pub(super) key: i64,
}

/// A lane with at least one job, but for the moment in which its last one is claimed.
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) key: LaneKey,
    pub(super) pass: Pass,
    /// Jobs in it, in memory or not.
    pub(super) count: u64,
    pub(super) held_by: Option<ScopeId>,
    /// When it was last let go.
    pub(super) free_since: Timestamp,
    /// The first jobs, in order.
    first: VecDeque<Head>,
    /// The file has no others.
    complete: bool,
}

impl LaneKey {
    /// Stable: it is stored with each job.
    pub(in crate::store) fn id(&self) -> LaneId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.priority.to_le_bytes());
        let (key, bound) = self.concurrency.as_ref().map_or(("", 0), |(key, bound)| (key.as_ref(), *bound));
        hasher.update(&bound.to_le_bytes());
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        [&*self.owner, &*self.queue, &*self.kind, key].into_iter().for_each(&mut text);
        for target in &self.targets {
            let (word, name) = target.parts();
            text(word);
            text(name);
        }
        LaneId(i64::from_le_bytes(hasher.finalize().as_bytes()[..8].try_into().expect("a hash has 32 bytes")))
    }

    /// Everything that counts its jobs.
    fn scopes(&self) -> impl Iterator<Item = LimitTarget> {
        let named = [
            LimitTarget::Queue(self.queue.to_string()),
            LimitTarget::Kind(self.kind.to_string()),
            LimitTarget::User(self.owner.to_string()),
        ];
        let key = self.concurrency.as_ref().map(|(key, _)| LimitTarget::Key(key.to_string()));
        key.into_iter().chain(named).chain(self.targets.iter().cloned())
    }

    /// What a job of it asks the gate. The scopes are interned.
    pub(in crate::store) fn pass(&self, gate: &Gate) -> Pass {
        let scopes = gate.intern(self.scopes());
        // The concurrency key comes first.
        let own_bound = self.concurrency.as_ref().map(|(_, bound)| (scopes[0], *bound));
        Pass { scopes, own_bound }
    }
}

impl Lane {
    pub(super) fn new(key: LaneKey, gate: &Gate) -> Self {
        let pass = key.pass(gate);
        Self {
            id: key.id(),
            key,
            pass,
            count: 0,
            held_by: None,
            free_since: Timestamp(0),
            first: VecDeque::new(),
            complete: true,
        }
    }

    pub(super) fn head(&self) -> Option<Head> {
        self.first.front().copied()
    }

    /// Puts a job where it belongs; one behind all that memory holds stays in the file.
    pub(super) fn push(&mut self, head: Head) {
        let place = self.first.partition_point(|other| *other < head);
        if place == self.first.len() && !self.complete {
            return;
        }
        self.first.insert(place, head);
        if self.first.len() > KEPT_MAX {
            self.first.truncate(READ_AT_ONCE);
            self.complete = false;
        }
    }

    /// Puts back the job that was taken last.
    pub(super) fn push_first(&mut self, head: Head) {
        let place = self.first.partition_point(|other| *other < head);
        self.first.insert(place, head);
    }

    pub(super) fn drop_job(&mut self, head: Head) {
        if let Ok(place) = self.first.binary_search(&head) {
            self.first.remove(place);
        }
    }

    /// Reads the next jobs, those behind `after`, if memory holds none of those there are.
    pub(super) fn fill(&mut self, connection: &Connection, after: Option<Head>) -> rusqlite::Result<()> {
        if !self.first.is_empty() || self.count == 0 {
            return Ok(());
        }
        let mut statement = connection.prepare_cached(
            "SELECT run_at_ms, key FROM job INDEXED BY job_ready WHERE state = 'queued' AND lane = ?1 \
             AND (run_at_ms, key) > (?2, ?3) ORDER BY run_at_ms, key LIMIT ?4",
        )?;
        let after = after.unwrap_or(Head { run_at_ms: i64::MIN, key: i64::MIN });
        let heads = statement
            .query_map(params![self.id.0, after.run_at_ms, after.key, READ_AT_ONCE as i64], |row| {
                Ok(Head { run_at_ms: row.get(0)?, key: row.get(1)? })
            })?;
        self.first = heads.collect::<Result<_, _>>()?;
        self.complete = self.first.len() < READ_AT_ONCE;
        if self.first.is_empty() {
            self.count = 0;
        }
        Ok(())
    }
}

/// The columns that [`read_key`] reads, from the first on.
macro_rules! lane_columns {
    () => {
        "priority, owner, queue, kind, concurrency_key, concurrency_max, limit_targets"
    };
}
pub(in crate::store) use lane_columns;

/// The lane of a job's row, from its columns [`lane_columns!`].
pub(in crate::store) fn read_key(row: &Row<'_>, first: usize) -> rusqlite::Result<LaneKey> {
    let concurrency: Option<Arc<str>> = row.get(first + 4)?;
    let bound: Option<u32> = row.get(first + 5)?;
    Ok(LaneKey {
        priority: row.get(first)?,
        owner: row.get(first + 1)?,
        queue: row.get(first + 2)?,
        kind: row.get(first + 3)?,
        concurrency: concurrency.zip(bound),
        targets: lenient_json(row, first + 6)?.unwrap_or_default(),
    })
}

/// Gives the jobs of lanes that do not bear their own name the lane that their rows tell: what decides about them was
/// damaged, or is read otherwise by this version.
pub(super) fn mend(connection: &Connection) -> rusqlite::Result<()> {
    let mut lanes = connection.prepare(concat!(
        "SELECT lane, ",
        lane_columns!(),
        " FROM job INDEXED BY job_ready WHERE state = 'queued' AND lane > ?1 ORDER BY lane LIMIT 1"
    ))?;
    let mut jobs = connection.prepare(concat!(
        "SELECT key, ",
        lane_columns!(),
        " FROM job INDEXED BY job_ready WHERE state = 'queued' AND lane = ?1"
    ))?;
    let mut last = i64::MIN;
    loop {
        let next = lanes.query_row([last], |row| Ok((row.get::<_, i64>(0)?, read_key(row, 1)?))).optional()?;
        let Some((lane, key)) = next else { return Ok(()) };
        last = lane;
        if key.id().0 == lane {
            continue;
        }
        let moved = jobs.query_map([lane], |row| Ok((row.get::<_, i64>(0)?, read_key(row, 1)?.id())))?;
        for (job, lane) in moved.collect::<rusqlite::Result<Vec<_>>>()? {
            connection.prepare_cached("UPDATE job SET lane = ?2 WHERE key = ?1")?.execute(params![job, lane.0])?;
        }
    }
}

/// All lanes with the number of their ready jobs.
pub(super) fn read_all(connection: &Connection) -> rusqlite::Result<Vec<(LaneKey, u64)>> {
    let mut lanes = connection
        .prepare("SELECT lane, count(*) FROM job INDEXED BY job_ready WHERE state = 'queued' GROUP BY lane")?;
    let mut one = connection.prepare(concat!(
        "SELECT ",
        lane_columns!(),
        " FROM job INDEXED BY job_ready WHERE state = 'queued' AND lane = ?1 LIMIT 1"
    ))?;
    let counts = lanes.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let mut found = Vec::new();
    for count in counts {
        let (id, count) = count?;
        found.push((one.query_row([id], |row| read_key(row, 0))?, count.max(0).unsigned_abs()));
    }
    Ok(found)
}
