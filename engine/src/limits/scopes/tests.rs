//! Bounds, rates, throttles, and what is forgotten.

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
    assert_eq!(scopes.admit(SHARD, &pass(&[open]), now(0)), Admission::Admitted, "neither slot nor start was taken");
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
    scopes.throttle(target.clone(), now(500), now(0));
    scopes.throttle(target.clone(), now(300), now(0));
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

#[test]
fn a_start_that_came_to_nothing_is_given_back_once_and_opens_the_scope_for_who_waits() {
    let mut scopes = Scopes::default();
    scopes.set_rules(&[rule(queue("a"), None, Some((2, 60_000)))]);
    let id = scopes.intern(queue("a"));
    let held = |scopes: &mut Scopes| matches!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Held { .. });
    assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Admitted);
    assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Admitted);
    assert!(held(&mut scopes));
    assert_eq!(scopes.undo(&[id]), OpenedFor::from([(SHARD, vec![id])]));
    assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Admitted, "the start was not used");
    assert!(held(&mut scopes));
    scopes.leave(&[id]);
    assert!(held(&mut scopes), "this one was");
    scopes.undo(&[id]);
    scopes.enter(&[id]);
    scopes.undo(&[id]);
    scopes.enter(&[id]);
    scopes.undo(&[id]);
    for _ in 0..2 {
        assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(0)), Admission::Admitted);
    }
    assert!(held(&mut scopes), "never more than the rate's count");
}

#[test]
fn throttles_are_forgotten_when_their_time_is_over_and_are_bounded_until_then() {
    let provider = |n: usize| LimitTarget::Provider(n.to_string());
    let mut scopes = Scopes::default();
    let needed = scopes.intern(provider(0));
    for n in 0..3 * THROTTLES_MAX {
        scopes.throttle(provider(n), now(86_400_000 + n as i64), now(0));
    }
    assert_eq!((scopes.by_target.len(), scopes.throttled.len()), (THROTTLES_MAX, THROTTLES_MAX));
    scopes.throttle(provider(0), now(90_000_000), now(0));
    let id = scopes.intern(provider(4 * THROTTLES_MAX));
    scopes.throttle(provider(4 * THROTTLES_MAX), now(90_000_000), now(0));
    assert_eq!(scopes.throttled.len(), THROTTLES_MAX);
    let until = Some(now(90_000_000));
    assert_eq!(scopes.admit(SHARD, &pass(&[id]), now(1)), Admission::Held { scope: id, until }, "somebody needs it");
    assert_eq!(scopes.admit(SHARD, &pass(&[needed]), now(1)), Admission::Held { scope: needed, until });
    assert_eq!(scopes.admit(SHARD, &pass(&[needed]), now(90_000_000)), Admission::Admitted);
    assert_eq!((scopes.by_target.len(), scopes.throttled.len()), (2, 0), "those that are held");
    scopes.throttle(provider(1), now(90_000_000), now(90_000_000));
    assert_eq!(scopes.by_target.len(), 2, "it is over");
}
