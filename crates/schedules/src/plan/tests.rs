use proptest::prelude::*;

use super::*;
use crate::timing::TimingText;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// 2026-01-01, midnight in UTC.
const START: i64 = 1_767_225_600_000;

fn every(interval_ms: i64) -> Timing {
    let text = TimingText { interval_ms: Some(interval_ms as u64), ..TimingText::default() };
    Timing::parse(&text, Timestamp(START)).unwrap()
}

fn cron(text: &str) -> Timing {
    let text = TimingText { cron: Some(text.to_owned()), ..TimingText::default() };
    Timing::parse(&text, Timestamp(START)).unwrap()
}

/// All times counted from [`START`]; what fires, and what is skipped for which reason and how often.
#[track_caller]
fn check(
    timing: &Timing,
    policy: MissedRuns,
    (handled, started, now): (i64, i64, i64),
    fire: &[i64],
    skipped: Option<(SkipReason, u64, i64)>,
) {
    let at = |ms: i64| Timestamp(START + ms);
    let plan = plan(timing, policy, at(handled), at(started), at(now));
    let fired: Vec<_> = plan.fire.iter().map(|due| due.as_millis() - START).collect();
    assert_eq!(fired, fire, "{policy:?} {handled} {started} {now}");
    let said = plan.skipped.map(|skipped| (skipped.reason, skipped.count, skipped.due_at.as_millis() - START));
    assert_eq!(said, skipped, "{policy:?} {handled} {started} {now}");
}

#[test]
fn what_is_due_while_the_node_is_there_fires_whatever_the_policy() {
    for policy in MissedRuns::ALL {
        check(&every(HOUR), policy, (0, 0, HOUR - 1), &[], None);
        check(&every(HOUR), policy, (0, 0, HOUR), &[HOUR], None);
        check(&every(HOUR), policy, (0, 0, HOUR + 30 * SECOND), &[HOUR], None);
        check(&every(HOUR), policy, (HOUR, 0, HOUR + 30 * SECOND), &[], None);
        let late: Vec<_> = (1..=4).map(|count| count * SECOND).collect();
        check(&every(SECOND), policy, (0, 0, 4_500), &late, None);
        // At the very moment of the start.
        check(&every(HOUR), policy, (0, HOUR, HOUR), &[HOUR], None);
    }
}

#[test]
fn what_was_due_before_the_start_is_missed() {
    let times = (0, 4 * HOUR + 1, 4 * HOUR + 1);
    check(&every(HOUR), MissedRuns::Skip, times, &[], Some((SkipReason::Missed, 4, 4 * HOUR)));
    check(&every(HOUR), MissedRuns::Once, times, &[4 * HOUR], Some((SkipReason::Missed, 3, 3 * HOUR)));
    check(&every(HOUR), MissedRuns::All, times, &[HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR], None);
    // One that was missed is one run, so nothing was skipped.
    check(&every(HOUR), MissedRuns::Once, (0, HOUR + 1, HOUR + 1), &[HOUR], None);
    // Even if it was a moment ago.
    check(&every(SECOND), MissedRuns::Skip, (0, 1_001, 1_002), &[], Some((SkipReason::Missed, 1, SECOND)));
}

#[test]
fn what_was_due_while_the_machine_slept_is_missed() {
    let times = (0, 0, 4 * HOUR + 2 * MINUTE);
    check(&every(HOUR), MissedRuns::Skip, times, &[], Some((SkipReason::Missed, 4, 4 * HOUR)));
    check(&every(HOUR), MissedRuns::Once, times, &[4 * HOUR], Some((SkipReason::Missed, 3, 3 * HOUR)));
    check(&every(HOUR), MissedRuns::All, times, &[HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR], None);
    // What is due as it wakes is no missed run.
    let awake = (0, 0, 4 * HOUR);
    check(&every(HOUR), MissedRuns::Skip, awake, &[4 * HOUR], Some((SkipReason::Missed, 3, 3 * HOUR)));
    check(&every(HOUR), MissedRuns::Once, awake, &[3 * HOUR, 4 * HOUR], Some((SkipReason::Missed, 2, 2 * HOUR)));
}

#[test]
fn at_most_a_hundred_missed_runs_are_made_up_for_and_the_rest_is_said() {
    let last_hundred: Vec<_> = (401..=500).map(|count| count * MINUTE).collect();
    let times = (0, 500 * MINUTE + 1, 500 * MINUTE + 1);
    check(&every(MINUTE), MissedRuns::All, times, &last_hundred, Some((SkipReason::TooMany, 400, 400 * MINUTE)));
    check(&cron("* * * * *"), MissedRuns::All, times, &last_hundred, Some((SkipReason::TooMany, 400, 400 * MINUTE)));
}

#[test]
fn years_of_missed_seconds_are_looked_at_from_their_end() {
    let years = 3 * 365 * 24 * HOUR;
    for timing in [every(SECOND), cron("* * * * * *")] {
        let now = Timestamp(START + years + 1);
        let plan = plan(&timing, MissedRuns::All, Timestamp(START), now, now);
        let expected: VecDeque<_> = (0..100).rev().map(|back| Timestamp(START + years - back * SECOND)).collect();
        assert_eq!(plan.fire, expected);
        let skipped = plan.skipped.unwrap();
        assert!(skipped.uncounted && skipped.count >= 900, "{skipped:?}");
        assert_eq!(skipped.due_at, Timestamp(START + years - 100 * SECOND));
    }
}

#[test]
fn a_clock_that_is_set_back_repeats_nothing_and_stops_nothing() {
    // A little: what was handled stays handled.
    check(&every(MINUTE), MissedRuns::All, (30 * MINUTE, 0, 10 * MINUTE), &[], None);
    let at = |ms| Timestamp(START + ms);
    let waiting = plan(&every(MINUTE), MissedRuns::All, at(30 * MINUTE), at(0), at(10 * MINUTE));
    assert_eq!((waiting.handled_until, waiting.next), (at(30 * MINUTE), Some(at(31 * MINUTE))));
    // A lot, because it was wrong before: the schedule goes on.
    let on = plan(&every(MINUTE), MissedRuns::All, at(24 * 365 * HOUR), at(0), at(10 * MINUTE));
    assert_eq!((on.fire.len(), on.handled_until, on.next), (0, at(10 * MINUTE), Some(at(11 * MINUTE))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With `all`, and restarts, late timers and crashes anywhere, each due time fires exactly once, in order.
    #[test]
    fn no_due_time_is_lost_or_fires_twice(
        interval in prop::sample::select(vec![0, 9 * SECOND, MINUTE, 5 * MINUTE]),
        // How long until the node looks again, whether it was started anew by then, and how many of the runs it had
        // planned it got to before it crashed.
        looks in prop::collection::vec((1_i64..20_000, any::<bool>(), prop::option::of(0_usize..4)), 1..40),
    ) {
        let timing = if interval == 0 { cron("*/10 * * * * *") } else { every(interval) };
        let (mut now, mut started, mut handled) = (START, START, Timestamp(START));
        let mut fired: Vec<Timestamp> = Vec::new();
        for (later, restarted, crash_after) in looks {
            now += later;
            if restarted {
                started = now;
            }
            let plan = plan(&timing, MissedRuns::All, handled, Timestamp(started), Timestamp(now));
            prop_assert!(plan.skipped.is_none(), "no more than a hundred of these can pile up");
            prop_assert!(plan.next.is_none_or(|next| next > Timestamp(now)));
            match crash_after.filter(|after| *after < plan.fire.len()) {
                // What was enqueued before the crash is stored up to there.
                Some(after) => {
                    fired.extend(plan.fire.iter().take(after));
                    handled = plan.fire.iter().take(after).next_back().copied().unwrap_or(handled);
                }
                None => {
                    fired.extend(&plan.fire);
                    handled = plan.handled_until;
                }
            }
        }
        let plan = plan(&timing, MissedRuns::All, handled, Timestamp(now), Timestamp(now));
        fired.extend(&plan.fire);
        let due: Vec<_> = due_between(&timing, Timestamp(START), Timestamp(now)).collect();
        prop_assert_eq!(fired, due);
    }

    /// Whatever the policy, due times are accounted for: they fire, or are counted as skipped.
    #[test]
    fn every_due_time_fires_or_is_counted(
        policy in prop::sample::select(MissedRuns::ALL.to_vec()),
        looks in prop::collection::vec((1_i64..2_000_000, any::<bool>()), 1..10),
    ) {
        let timing = cron("*/30 * * * * *");
        let (mut now, mut started, mut handled) = (START, START, Timestamp(START));
        let (mut fired, mut skipped) = (0, 0);
        for (later, restarted) in looks {
            now += later;
            if restarted {
                started = now;
            }
            let plan = plan(&timing, policy, handled, Timestamp(started), Timestamp(now));
            prop_assert!(plan.fire.iter().is_sorted() && plan.fire.iter().all(|due| *due > handled));
            fired += plan.fire.len() as u64;
            skipped += plan.skipped.map_or(0, |skipped| skipped.count);
            handled = plan.handled_until;
        }
        prop_assert_eq!(fired + skipped, due_between(&timing, Timestamp(START), Timestamp(now)).count() as u64);
    }
}
