//! The scopes of a gate: one for each thing that some job is counted under.

use std::collections::{BTreeSet, HashMap, HashSet};

use flowork_api_types::{
    ShardNumber,
    limit::{LimitRule, LimitTarget, Rate},
};

use super::{Admission, Pass, SteadyMs};

/// Throttles at the same time. Each is a provider that asked for patience, so more come from an engine that makes up names.
const THROTTLES_MAX: usize = 1_000;

/// Names a scope of one gate while somebody holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ScopeId(u32);

/// Everything that counts jobs, by number and by name.
#[derive(Default)]
pub(super) struct Scopes {
    all: Vec<Option<Scope>>,
    free: Vec<u32>,
    by_target: HashMap<LimitTarget, ScopeId>,
    rules: HashMap<LimitTarget, LimitRule>,
    paused: HashSet<String>,
    /// The scopes with a throttle, by its end.
    throttled: BTreeSet<(SteadyMs, ScopeId)>,
}

struct Scope {
    target: LimitTarget,
    /// Lanes and leased jobs that name it. A rule or a throttle holds it too.
    held_by: u32,
    running: u32,
    /// The rule's.
    concurrency: Option<u32>,
    bucket: Option<Bucket>,
    paused: bool,
    throttled_until: Option<SteadyMs>,
    /// Shards that put jobs aside because of it.
    waiting: HashSet<ShardNumber>,
}

/// Whether one more of a scope may start.
enum Door {
    Open,
    Shut,
    /// Time alone opens it.
    ShutUntil(SteadyMs),
}

/// A bucket of starts that refills evenly.
struct Bucket {
    rate: Rate,
    starts: f64,
    filled_at: SteadyMs,
}

impl Bucket {
    fn new(rate: Rate, now: SteadyMs) -> Self {
        Self { rate, starts: f64::from(rate.count), filled_at: now }
    }

    fn ms_a_start(&self) -> f64 {
        self.rate.per_ms as f64 / f64::from(self.rate.count)
    }

    fn fill(&mut self, now: SteadyMs) {
        let gained = (now - self.filled_at).max(0) as f64 / self.ms_a_start();
        self.starts = (self.starts + gained).min(f64::from(self.rate.count));
        self.filled_at = now;
    }

    /// Gives a start back that was not used.
    fn give_back(&mut self) {
        self.starts = (self.starts + 1.0).min(f64::from(self.rate.count));
    }

    /// When there is a start again, if there is none now.
    fn empty_until(&mut self, now: SteadyMs) -> Option<SteadyMs> {
        self.fill(now);
        // What sums of fractions lack of a whole start is no reason to wait for another millisecond.
        let missing = 1.0 - self.starts;
        (missing > 1e-6).then(|| now + ((missing * self.ms_a_start()).ceil() as i64).max(1))
    }
}

impl Scope {
    /// Whether one more may start now.
    fn door(&mut self, own_bound: Option<u32>, now: SteadyMs) -> Door {
        let bound = self.concurrency.unwrap_or(u32::MAX).min(own_bound.unwrap_or(u32::MAX));
        if self.paused || self.running >= bound {
            return Door::Shut;
        }
        if let Some(until) = self.throttled_until.filter(|until| *until > now) {
            return Door::ShutUntil(until);
        }
        self.bucket.as_mut().and_then(|bucket| bucket.empty_until(now)).map_or(Door::Open, Door::ShutUntil)
    }

    /// A job that runs holds its scopes by itself: the lane it came from may be empty and gone.
    fn start(&mut self) {
        self.running += 1;
        self.held_by += 1;
    }

    fn is_needed(&self) -> bool {
        self.held_by > 0 || self.bucket.is_some() || self.throttled_until.is_some()
    }
}

/// Scopes that opened, by the shard that waits for them.
pub(super) type OpenedFor = HashMap<ShardNumber, Vec<ScopeId>>;

impl Scopes {
    pub(super) fn intern(&mut self, target: LimitTarget) -> ScopeId {
        let id = self.find_or_make(target);
        self.scope(id).held_by += 1;
        id
    }

    fn find_or_make(&mut self, target: LimitTarget) -> ScopeId {
        if let Some(id) = self.by_target.get(&target) {
            return *id;
        }
        let rule = self.rules.get(&target);
        let paused = matches!(&target, LimitTarget::Queue(name) if self.paused.contains(name));
        let scope = Scope {
            target: target.clone(),
            held_by: 0,
            running: 0,
            concurrency: rule.and_then(|rule| rule.concurrency),
            bucket: rule.and_then(|rule| rule.rate).map(|rate| Bucket::new(rate, 0)),
            paused,
            throttled_until: None,
            waiting: HashSet::new(),
        };
        let id = match self.free.pop() {
            Some(index) => {
                self.all[index as usize] = Some(scope);
                ScopeId(index)
            }
            None => {
                self.all.push(Some(scope));
                ScopeId(self.all.len() as u32 - 1)
            }
        };
        self.by_target.insert(target, id);
        id
    }

    fn scope(&mut self, id: ScopeId) -> &mut Scope {
        self.all[id.0 as usize].as_mut().expect("a scope lives while somebody holds it")
    }

    pub(super) fn release(&mut self, scopes: &[ScopeId]) {
        for &id in scopes {
            let scope = self.scope(id);
            scope.held_by -= 1;
            if !scope.is_needed() {
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: ScopeId) {
        if let Some(scope) = self.all[id.0 as usize].take() {
            self.by_target.remove(&scope.target);
            self.free.push(id.0);
        }
    }

    pub(super) fn admit(&mut self, shard: ShardNumber, pass: &Pass, now: SteadyMs) -> Admission {
        self.end_throttles(now);
        for &id in &pass.scopes {
            let own_bound = pass.own_bound.filter(|(own, _)| *own == id).map(|(_, bound)| bound);
            let until = match self.scope(id).door(own_bound, now) {
                Door::Open => continue,
                Door::Shut => None,
                Door::ShutUntil(until) => Some(until),
            };
            self.scope(id).waiting.insert(shard);
            return Admission::Held { scope: id, until };
        }
        for &id in &pass.scopes {
            let scope = self.scope(id);
            scope.start();
            if let Some(bucket) = &mut scope.bucket {
                bucket.starts -= 1.0;
            }
        }
        Admission::Admitted
    }

    pub(super) fn enter(&mut self, scopes: &[ScopeId]) {
        for &id in scopes {
            self.scope(id).start();
        }
    }

    pub(super) fn leave(&mut self, scopes: &[ScopeId]) -> OpenedFor {
        let mut opened = OpenedFor::new();
        for &id in scopes {
            let scope = self.scope(id);
            scope.running -= 1;
            open(scope, id, &mut opened);
        }
        self.release(scopes);
        opened
    }

    /// As [`leave`](Self::leave), of a job that was admitted and did not start after all.
    pub(super) fn undo(&mut self, scopes: &[ScopeId]) -> OpenedFor {
        for &id in scopes {
            if let Some(bucket) = &mut self.scope(id).bucket {
                bucket.give_back();
            }
        }
        self.leave(scopes)
    }

    pub(super) fn set_rules(&mut self, rules: &[LimitRule]) -> OpenedFor {
        self.rules = rules.iter().map(|rule| (rule.target.clone(), rule.clone())).collect();
        let mut opened = OpenedFor::new();
        for index in 0..self.all.len() {
            let id = ScopeId(index as u32);
            let Some(scope) = &mut self.all[index] else { continue };
            let rule = self.rules.get(&scope.target);
            scope.concurrency = rule.and_then(|rule| rule.concurrency);
            let rate = rule.and_then(|rule| rule.rate);
            if scope.bucket.as_ref().map(|bucket| bucket.rate) != rate {
                scope.bucket = rate.map(|rate| Bucket::new(rate, 0));
            }
            open(scope, id, &mut opened);
            if !scope.is_needed() {
                self.forget(id);
            }
        }
        opened
    }

    pub(super) fn set_paused(&mut self, queues: HashSet<String>) -> OpenedFor {
        self.paused = queues;
        let mut opened = OpenedFor::new();
        for (index, scope) in self.all.iter_mut().enumerate() {
            let Some(scope) = scope else { continue };
            let paused = matches!(&scope.target, LimitTarget::Queue(name) if self.paused.contains(name));
            if std::mem::replace(&mut scope.paused, paused) && !paused {
                open(scope, ScopeId(index as u32), &mut opened);
            }
        }
        opened
    }

    /// A later end wins: two answers of one provider may name different times. It holds for jobs that come later, too, so
    /// the scope stays until then, needed or not. Where too many do, one that nobody needs is not made.
    pub(super) fn throttle(&mut self, target: LimitTarget, until: SteadyMs, now: SteadyMs) {
        self.end_throttles(now);
        let is_needed = self.by_target.contains_key(&target) || self.rules.contains_key(&target);
        if until <= now || self.throttled.len() >= THROTTLES_MAX && !is_needed {
            return;
        }
        let id = self.find_or_make(target);
        let before = self.scope(id).throttled_until;
        if before.is_none_or(|before| before < until) {
            self.throttled.insert((until, id));
            self.scope(id).throttled_until = Some(until);
            before.map(|before| self.throttled.remove(&(before, id)));
        }
        if self.throttled.len() > THROTTLES_MAX
            && let Some((_, first)) = self.throttled.pop_first()
        {
            self.end_throttle(first);
        }
    }

    fn end_throttles(&mut self, now: SteadyMs) {
        while let Some((until, id)) = self.throttled.first().copied()
            && until <= now
        {
            self.throttled.remove(&(until, id));
            self.end_throttle(id);
        }
    }

    /// The scope is not among those with a throttle any more.
    fn end_throttle(&mut self, id: ScopeId) {
        let scope = self.scope(id);
        scope.throttled_until = None;
        if !scope.is_needed() {
            self.forget(id);
        }
    }

    pub(super) fn running(&self) -> Vec<(LimitTarget, u32)> {
        let scopes = self.all.iter().flatten();
        scopes
            .filter(|scope| self.rules.contains_key(&scope.target))
            .map(|scope| (scope.target.clone(), scope.running))
            .collect()
    }
}

fn open(scope: &mut Scope, id: ScopeId, opened: &mut OpenedFor) {
    for shard in scope.waiting.drain() {
        opened.entry(shard).or_default().push(id);
    }
}

#[cfg(test)]
mod tests;
