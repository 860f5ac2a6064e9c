//! The ready jobs of a shard, in the order they are claimed, without what is held back.
//!
//! Jobs that are alike in all that decides about a claim (priority, owner, queue, kind, limits) form a [`Lane`]. Memory
//! holds the lanes and the first few jobs of each; the rest stay in the file, in the order of the index `job_ready`. The
//! lanes that may be claimed from stand in rings, one a kind: by priority, then by whose turn it is, then by the time of
//! their first job. A lane that the gate holds back stands aside under the scope that holds it, and costs nothing until
//! that scope opens. So a claim takes the same time whatever waits behind it, and passes over what is paused or full
//! without looking at it.
//!
//! All of it can be read from the file again, and is when a commit fails.

mod lane;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use flowork_api_types::{ShardNumber, Timestamp};
use lane::{Head, Lane};
pub(super) use lane::{LaneId, LaneKey, lane_columns, read_key};
use rusqlite::Connection;

use super::ClaimKinds;
use crate::limits::{Admission, Gate, Pass, ScopeId, SteadyMs};

/// Lanes that come back at once when the scope that held them opens. More follow when these are spent, so that one slot
/// that opens for a hundred thousand lanes does not move them all.
const OPENED_AT_ONCE: usize = 64;

/// See the module's introduction.
pub(super) struct Ready {
    shard: ShardNumber,
    gate: Arc<Gate>,
    lanes: HashMap<LaneId, Lane>,
    /// By kind: the lanes that may be claimed from.
    rings: HashMap<Arc<str>, Ring>,
    turns: HashMap<(u16, Arc<str>), Turn>,
    last_turn: u64,
    held: HashMap<ScopeId, Held>,
    /// Those of `held` that time alone opens, and when: few, where a full concurrency key is one of many.
    timed: BTreeSet<(SteadyMs, ScopeId)>,
    /// Scopes that opened and still hold lanes.
    opened: BTreeSet<ScopeId>,
    /// Jobs in lanes that are held.
    jobs_held: u64,
    /// When the round began.
    now: Timestamp,
}

type Ring = BTreeMap<Place, BTreeSet<(Head, LaneId)>>;

/// Where an owner stands among those of one priority: the turn is theirs alone.
type Place = (u16, u64);

/// An owner's turn at one priority, while they have lanes in a ring.
struct Turn {
    at: u64,
    lanes: usize,
}

#[derive(Default)]
struct Held {
    lanes: BTreeSet<(u16, Head, LaneId)>,
    until: Option<SteadyMs>,
}

/// A job that may be claimed now. It is counted by the gate.
#[derive(Debug)]
pub(super) struct Pick {
    pub(super) lane: LaneId,
    pub(super) key: i64,
    /// Since when only a free worker was missing: since it was ready, or since nothing held its lane back any more.
    pub(super) free_since: Timestamp,
    run_at_ms: i64,
}

impl Ready {
    /// Without any jobs.
    pub(super) fn new(shard: ShardNumber, gate: Arc<Gate>) -> Self {
        Self {
            shard,
            gate,
            lanes: HashMap::new(),
            rings: HashMap::new(),
            turns: HashMap::new(),
            last_turn: 0,
            held: HashMap::new(),
            timed: BTreeSet::new(),
            opened: BTreeSet::new(),
            jobs_held: 0,
            now: Timestamp(0),
        }
    }

    /// Reads the lanes of a shard's ready jobs.
    pub(super) fn load(connection: &Connection, shard: ShardNumber, gate: Arc<Gate>) -> rusqlite::Result<Self> {
        let mut ready = Self::new(shard, gate);
        lane::mend(connection)?;
        for (key, count) in lane::read_all(connection)? {
            let mut lane = Lane::new(key, &ready.gate);
            lane.count = count;
            let id = lane.id;
            // Before it is read on: whatever comes of that, its scopes are given back with it.
            ready.lanes.entry(id).or_insert(lane).fill(connection, None)?;
            ready.enter_ring(id);
        }
        Ok(ready)
    }

    /// Jobs that no scope holds back, at the most: those of a scope that has opened come back as they are wanted.
    pub(super) fn free(&self, queued: i64) -> u64 {
        let held = if self.opened.is_empty() { self.jobs_held } else { 0 };
        queued.max(0).unsigned_abs().saturating_sub(held)
    }

    /// A job became ready.
    pub(super) fn add(&mut self, key: &LaneKey, run_at: Timestamp, job: i64) {
        let id = key.id();
        let head = Head { run_at_ms: run_at.as_millis(), key: job };
        let Some(lane) = self.lanes.get_mut(&id) else {
            let mut lane = Lane::new(key.clone(), &self.gate);
            lane.count = 1;
            lane.push(head);
            self.lanes.insert(id, lane);
            self.enter_ring(id);
            return;
        };
        lane.count += 1;
        self.jobs_held += u64::from(lane.held_by.is_some());
        let before = lane.head();
        lane.push(head);
        self.moved_head(id, before);
    }

    /// A ready job went away without being claimed.
    pub(super) fn remove(
        &mut self,
        connection: &Connection,
        id: LaneId,
        run_at: Timestamp,
        job: i64,
    ) -> rusqlite::Result<()> {
        let Some(lane) = self.lanes.get_mut(&id) else { return Ok(()) };
        let (before, jobs_before) = (lane.head(), lane.count);
        lane.count = lane.count.saturating_sub(1);
        lane.drop_job(Head { run_at_ms: run_at.as_millis(), key: job });
        // It may find that the file has none of those that were counted: they go in the same transaction.
        lane.fill(connection, None)?;
        if lane.held_by.is_some() {
            self.jobs_held = self.jobs_held.saturating_sub(jobs_before - lane.count);
        }
        self.moved_head(id, before);
        Ok(())
    }

    /// Begins a round of picks: a few more lanes of scopes that have opened.
    pub(super) fn begin_round(&mut self, now: Timestamp) {
        self.now = now;
        for scope in self.opened.clone() {
            self.bring_back(scope);
        }
    }

    /// The next job that `kinds` take, if any may start. The caller claims it, or puts it back.
    pub(super) fn next(
        &mut self,
        connection: &Connection,
        kinds: &ClaimKinds,
        now: SteadyMs,
    ) -> rusqlite::Result<Option<Pick>> {
        loop {
            let Some((id, head)) = self.first(kinds) else {
                if self.bring_back_more() {
                    continue;
                }
                return Ok(None);
            };
            let admission = self.gate.admit(self.shard, &self.lanes[&id].pass, now);
            match admission {
                Admission::Held { scope, until } => self.hold(id, scope, until),
                Admission::Admitted => {
                    self.leave_ring(id);
                    let lane = self.lanes.get_mut(&id).expect("a lane in a ring is there");
                    lane.count = lane.count.saturating_sub(1);
                    lane.drop_job(head);
                    // Jobs of this round are claimed at its end, so the file still shows them as ready.
                    if let Err(error) = lane.fill(connection, Some(head)) {
                        let scopes = lane.pass.scopes.clone();
                        let opened = self.gate.undo(self.shard, &scopes);
                        self.open(&opened);
                        return Err(error);
                    }
                    self.pass_turn(id);
                    let free_since = self.lanes[&id].free_since.max(Timestamp(head.run_at_ms));
                    return Ok(Some(Pick { lane: id, key: head.key, free_since, run_at_ms: head.run_at_ms }));
                }
            }
        }
    }

    /// The lane a pick came from.
    pub(super) fn lane(&self, pick: &Pick) -> &LaneKey {
        &self.lanes[&pick.lane].key
    }

    /// What a picked job is counted under.
    pub(super) fn pass(&self, pick: &Pick) -> &Pass {
        &self.lanes[&pick.lane].pass
    }

    /// Forgets lanes that a round of picks has emptied.
    pub(super) fn end_round(&mut self, picked: impl Iterator<Item = LaneId>) {
        for id in picked {
            if self.lanes.get(&id).is_some_and(|lane| lane.count == 0) {
                self.remove_lane(id);
            }
        }
    }

    /// Takes a pick back that nobody had a slot for. The gate does not count it any more.
    pub(super) fn put_back(&mut self, pick: &Pick) {
        let lane = self.lanes.get_mut(&pick.lane).expect("lanes stay until the round ends");
        let before = lane.head();
        lane.count += 1;
        lane.push_first(Head { run_at_ms: pick.run_at_ms, key: pick.key });
        self.jobs_held += u64::from(self.lanes[&pick.lane].held_by.is_some());
        self.moved_head(pick.lane, before);
    }

    /// Scopes opened: what they hold may be claimed again.
    pub(super) fn open(&mut self, scopes: &[ScopeId]) {
        for scope in scopes {
            if self.held.contains_key(scope) {
                self.opened.insert(*scope);
                self.bring_back(*scope);
            }
        }
    }

    /// Opens the scopes whose time has come.
    pub(super) fn open_due(&mut self, now: SteadyMs) {
        let mut due = Vec::new();
        while let Some((until, scope)) = self.timed.first().copied()
            && until <= now
        {
            self.timed.remove(&(until, scope));
            if let Some(held) = self.held.get_mut(&scope) {
                held.until = None;
            }
            due.push(scope);
        }
        self.open(&due);
    }

    /// When time alone opens a scope next.
    pub(super) fn opens_at(&self) -> Option<SteadyMs> {
        self.timed.first().map(|(until, _)| *until)
    }

    /// The queue, the time of the first job, and the number of jobs of each lane.
    pub(super) fn depths(&self) -> impl Iterator<Item = (&Arc<str>, Option<Timestamp>, u64)> {
        self.lanes.values().map(|lane| (&lane.key.queue, lane.head().map(|head| Timestamp(head.run_at_ms)), lane.count))
    }

    /// The first lane of the rings that `kinds` take: by priority, turn, time, id.
    fn first(&self, kinds: &ClaimKinds) -> Option<(LaneId, Head)> {
        let firsts = self.rings.iter().filter(|(kind, _)| kinds.take(kind)).filter_map(|(_, ring)| {
            let (place, lanes) = ring.first_key_value()?;
            let (head, id) = lanes.first()?;
            Some((*place, *head, *id))
        });
        firsts.min().map(|(_, head, id)| (id, head))
    }

    /// A lane without jobs does not stand in a ring, and neither does one that is held.
    fn enter_ring(&mut self, id: LaneId) {
        let lane = &self.lanes[&id];
        let Some(head) = lane.head() else { return };
        let owner = (lane.key.priority, Arc::clone(&lane.key.owner));
        let priority = owner.0;
        let last_turn = &mut self.last_turn;
        let turn = self.turns.entry(owner).or_insert_with(|| {
            *last_turn += 1;
            Turn { at: *last_turn, lanes: 0 }
        });
        turn.lanes += 1;
        let ring = self.rings.entry(Arc::clone(&lane.key.kind)).or_default();
        ring.entry((priority, turn.at)).or_default().insert((head, id));
    }

    fn leave_ring(&mut self, id: LaneId) {
        let lane = &self.lanes[&id];
        if let Some(head) = lane.head() {
            self.leave_ring_at(id, head);
        }
    }

    fn leave_ring_at(&mut self, id: LaneId, head: Head) {
        let lane = &self.lanes[&id];
        let owner = (lane.key.priority, Arc::clone(&lane.key.owner));
        let Some(turn) = self.turns.get_mut(&owner) else { return };
        let place = (owner.0, turn.at);
        let Some(ring) = self.rings.get_mut(&lane.key.kind) else { return };
        let Some(lanes) = ring.get_mut(&place) else { return };
        if !lanes.remove(&(head, id)) {
            return;
        }
        if lanes.is_empty() {
            ring.remove(&place);
        }
        if ring.is_empty() {
            self.rings.remove(&lane.key.kind);
        }
        turn.lanes -= 1;
        if turn.lanes == 0 {
            self.turns.remove(&owner);
        }
    }

    /// After a claim: the lane stands at its next job, and its owner behind all others of the priority.
    fn pass_turn(&mut self, id: LaneId) {
        let lane = &self.lanes[&id];
        let owner = (lane.key.priority, Arc::clone(&lane.key.owner));
        // Alone, nobody is let ahead.
        let others = self.turns.len() > 1;
        if let Some(turn) = self.turns.get_mut(&owner).filter(|_| others) {
            self.last_turn += 1;
            let (old, new) = (turn.at, self.last_turn);
            turn.at = new;
            for ring in self.rings.values_mut() {
                if let Some(lanes) = ring.remove(&(owner.0, old)) {
                    ring.insert((owner.0, new), lanes);
                }
            }
        }
        self.enter_ring(id);
    }

    /// Puts a lane where its present first job belongs.
    fn moved_head(&mut self, id: LaneId, before: Option<Head>) {
        let lane = &self.lanes[&id];
        let after = lane.head();
        if before != after {
            match lane.held_by {
                Some(scope) => {
                    let priority = lane.key.priority;
                    if let Some(held) = self.held.get_mut(&scope) {
                        before.map(|head| held.lanes.remove(&(priority, head, id)));
                        after.map(|head| held.lanes.insert((priority, head, id)));
                    }
                }
                None => {
                    // In this order, so that the owner keeps their turn.
                    self.enter_ring(id);
                    if let Some(head) = before {
                        self.leave_ring_at(id, head);
                    }
                }
            }
        }
        if self.lanes[&id].count == 0 {
            self.remove_lane(id);
        }
    }

    fn remove_lane(&mut self, id: LaneId) {
        self.leave_ring(id);
        if let Some(lane) = self.lanes.remove(&id) {
            self.gate.release(&lane.pass.scopes);
            if let Some(scope) = lane.held_by {
                self.forget_held(scope);
            }
        }
    }

    fn hold(&mut self, id: LaneId, scope: ScopeId, until: Option<SteadyMs>) {
        self.leave_ring(id);
        // It is shut again.
        self.opened.remove(&scope);
        let lane = self.lanes.get_mut(&id).expect("a lane in a ring is there");
        lane.held_by = Some(scope);
        self.jobs_held += lane.count;
        let held = self.held.entry(scope).or_default();
        if let Some(until) = until
            && held.until != Some(until)
        {
            if let Some(before) = held.until.replace(until) {
                self.timed.remove(&(before, scope));
            }
            self.timed.insert((until, scope));
        }
        if let Some(head) = lane.head() {
            held.lanes.insert((lane.key.priority, head, id));
        }
    }

    /// Lanes of scopes that have opened; tells whether there were any.
    fn bring_back_more(&mut self) -> bool {
        match self.opened.first().copied() {
            Some(scope) => self.bring_back(scope),
            None => false,
        }
    }

    fn bring_back(&mut self, scope: ScopeId) -> bool {
        let Some(held) = self.held.get_mut(&scope) else {
            self.opened.remove(&scope);
            return false;
        };
        let mut lanes = Vec::new();
        while lanes.len() < OPENED_AT_ONCE
            && let Some((_, _, id)) = held.lanes.pop_first()
        {
            lanes.push(id);
        }
        self.forget_held(scope);
        for id in &lanes {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            lane.held_by = None;
            lane.free_since = self.now;
            self.jobs_held = self.jobs_held.saturating_sub(lane.count);
            self.enter_ring(*id);
        }
        !lanes.is_empty()
    }

    /// Drops what was kept for a scope that holds no lane any more.
    fn forget_held(&mut self, scope: ScopeId) {
        if self.held.get(&scope).is_some_and(|held| held.lanes.is_empty()) {
            if let Some(until) = self.held.remove(&scope).and_then(|held| held.until) {
                self.timed.remove(&(until, scope));
            }
            self.opened.remove(&scope);
        }
    }
}

impl Drop for Ready {
    /// Lanes hold scopes of the gate, which lives longer.
    fn drop(&mut self) {
        for lane in self.lanes.values() {
            self.gate.release(&lane.pass.scopes);
        }
    }
}
