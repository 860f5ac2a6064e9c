//! The scopes of a gate: one for each thing that some job is counted under.

use std::collections::{HashMap, HashSet};

use flowork_api_types::{
    ShardNumber,
    limit::{LimitRule, LimitTarget, Rate},
};

use super::{Admission, Pass, SteadyMs};

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
        self.throttled_until = None;
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

    /// A later end wins: two answers of one provider may name different times.
    pub(super) fn throttle(&mut self, target: LimitTarget, until: SteadyMs) {
        let id = self.find_or_make(target);
        let scope = self.scope(id);
        scope.throttled_until = scope.throttled_until.max(Some(until));
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
mod tests {
    use super::*;

    const SHARD: ShardNumber = ShardNumber::new(0, 0).unwrap();

    fn now(ms: i64) -> SteadyMs {
        1_000_000 + ms
    }

    fn queue(name: &str) -> LimitTarget {
        LimitTarget::Queue(name.to_owned())
    }

    fn rule(target: LimitTarget, concurrency: Option<u32>, rate: Option<(u32, u64)>) -> LimitRule {
        LimitRule { target, concurrency, rate: rate.map(|(count, per_ms)| Rate { count, per_ms }) }
    }

    fn pass(scopes: &[ScopeId]) -> Pass {
        Pass { scopes: scopes.into(), own_bound: None }
    }

    #[test]
    fn as_many_run_as_the_rule_allows_and_a_leave_opens_the_scope_for_who_waits() {
        let mut scopes = Scopes::default();
        scopes.set_rules(&[rule(queue("a"), Some(2), None)]);
        let id = scopes.intern(queue("a"));
        assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Admitted);
        assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Admitted);
        assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Held { scope: id, until: None });
        assert_eq!(scopes.leave(&[id]), OpenedFor::from([(SHARD, vec![id])]));
        assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Admitted);
        let opened = scopes.set_rules(&[rule(queue("a"), Some(1), None)]);
        assert!(opened.is_empty(), "nobody waits");
        assert_eq!(scopes.leave(&[id]), OpenedFor::new());
        assert!(matches!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Held { .. }), "the new bound counts");
        assert_eq!(scopes.set_rules(&[]), OpenedFor::from([(SHARD, vec![id])]), "no rule, no bound");
        assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Admitted);
    }

    #[test]
    fn a_job_counts_nowhere_when_one_of_its_scopes_is_shut() {
        let mut scopes = Scopes::default();
        scopes.set_rules(&[rule(queue("shut"), Some(0), None), rule(queue("open"), Some(1), Some((1, 1_000)))]);
        let (open, shut) = (scopes.intern(queue("open")), scopes.intern(queue("shut")));
        assert_eq!(scopes.admit(SHARD, &pass(&[open, shut]), now(0)), Admission::Held { scope: shut, until: None });
        assert_eq!(
            scopes.admit(SHARD, &pass(&[open]), now(0)),
            Admission::Admitted,
            "neither slot nor start was taken"
        );
    }

    #[test]
    fn a_rate_lets_a_burst_pass_and_then_one_at_a_time() {
        let mut scopes = Scopes::default();
        scopes.set_rules(&[rule(queue("a"), None, Some((10, 1_000)))]);
        let id = scopes.intern(queue("a"));
        for _ in 0..10 {
            assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Admitted);
        }
        let mut at = 0;
        for started in 1..=50 {
            match scopes.admit(SHARD, &pass(&[id]), now(at)) {
                Admission::Held { until: Some(until), .. } => at = until - now(0),
                answer => panic!("{answer:?}"),
            }
            assert_eq!(at, started * 100);
            assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(at)), Admission::Admitted, "at the time it named");
        }
    }

    #[test]
    fn a_throttled_scope_lets_nothing_pass_until_its_time() {
        let mut scopes = Scopes::default();
        let target = LimitTarget::Provider("p".to_owned());
        scopes.throttle(target.clone(), now(500));
        scopes.throttle(target.clone(), now(300));
        let id = scopes.intern(target);
        assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(499)), Admission::Held { scope: id, until: Some(now(500)) });
        assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(500)), Admission::Admitted);
    }

    #[test]
    fn scopes_nobody_needs_are_forgotten() {
        let mut scopes = Scopes::default();
        for n in 0..1_000 {
            let id = scopes.intern(LimitTarget::Key(n.to_string()));
            scopes.release(&[id]);
        }
        assert_eq!(scopes.all.len(), 1, "one place, used again and again");
        assert!(scopes.by_target.is_empty());
    }
}
