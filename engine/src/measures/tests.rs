//! Counting through windows, clocks that jump, and the bound on queues.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::*;

/// The start of a window.
const START: Timestamp = Timestamp(1_767_225_600_000);

fn after(seconds: i64) -> Timestamp {
    Timestamp(START.as_millis() + seconds * 1_000)
}

#[test]
fn figures_are_those_of_the_last_minute() {
    let measures = Measures::default();
    for second in 0..60 {
        measures.enqueued("a", after(second));
        measures.claimed("a", Duration::from_millis(if second < 30 { 100 } else { 10 }), after(second));
        measures.finished("a", second % 2 == 0, after(second));
    }
    let near = |value: f64, expected: f64| assert!((value - expected).abs() < 0.05, "{value} is not {expected}");
    let now = measures.queue("a", Timestamp(after(60).as_millis() - 1));
    near(now.enqueued_per_s, 1.0);
    near(now.claimed_per_s, 1.0);
    near(now.completed_per_s, 0.5);
    near(now.failed_per_s, 0.5);
    assert!(now.claim_delay_p95.unwrap() > Duration::from_millis(85));
    // The first half has left the windows; the second is all of what is left.
    let later = measures.queue("a", after(80));
    assert!(later.claim_delay_p95.unwrap() < Duration::from_millis(12), "{later:?}");
    near(later.claimed_per_s, 30.0 / 50.0);
    assert_eq!(measures.active_queues(after(80)), ["a"]);
    assert_eq!(measures.queue("a", after(3_600)), QueueMeasures::default());
    assert!(measures.active_queues(after(3_600)).is_empty());
    assert_eq!(measures.queue("b", after(59)), QueueMeasures::default());
}

#[test]
fn a_window_tells_what_all_queues_did_in_it() {
    let measures = Measures::default();
    measures.enqueued("a", after(9));
    measures.claimed("a", Duration::from_secs(1), after(10));
    measures.claimed("b", Duration::from_secs(2), after(19));
    measures.finished("b", false, after(19));
    measures.finished("a", true, after(19));
    let first = window_number(START);
    assert_eq!(measures.window(first), WindowTotals { enqueued: 1, ..WindowTotals::default() });
    let second = measures.window(first + 1);
    assert_eq!((second.enqueued, second.claimed, second.finished), (0, 2, 2));
    assert!(second.claim_delay_p95.unwrap() > Duration::from_millis(1_750));
    assert_eq!(measures.window(first + 2), WindowTotals::default());
    measures.enqueued("a", after(61));
    assert_eq!(measures.window(first), WindowTotals::default(), "its place is taken");
}

#[test]
fn queues_drain_as_fast_as_jobs_ended_in_the_full_windows_since_they_did() {
    let check = |ended: &[(i64, u32)], now, expected: Option<f64>| {
        let measures = Measures::default();
        for (second, jobs) in ended {
            (0..*jobs).for_each(|_| measures.drained(after(*second)));
        }
        assert_eq!(measures.drained_per_s(after(now)), expected, "{ended:?} at {now}");
    };
    check(&[], 100, None);
    check(&[(3, 50)], 9, None);
    check(&[(3, 50)], 10, Some(5.0));
    check(&[(3, 50), (12, 1_000)], 19, Some(5.0));
    check(&[(3, 50), (12, 150)], 20, Some(10.0));
    // A burst after a rest: what was before it tells nothing; what came to a stand since tells much.
    check(&[(43, 50)], 50, Some(5.0));
    check(&[(3, 50)], 59, Some(1.0));
    check(&[(3, 50)], 60, None);
    // A clock that was set back, too.
    check(&[(3, 50)], -3_600, None);
}

#[test]
fn a_clock_that_goes_back_loses_no_counts_and_freezes_nothing() {
    let measures = Measures::default();
    measures.enqueued("a", after(30));
    measures.enqueued("a", after(12));
    assert_eq!(measures.window(window_number(after(30))).enqueued, 2, "a little back counts in the latest window");
    measures.enqueued("a", after(-86_400));
    assert_eq!(measures.window(window_number(after(-86_400))).enqueued, 1, "a day back starts over");
    assert_eq!(measures.window(window_number(after(30))).enqueued, 0);
    assert!(measures.queue("a", after(-86_400)).enqueued_per_s > 0.0);
}

#[test]
fn queues_past_the_bound_are_measured_together() {
    let measures = Measures::default();
    for index in 0..QUEUES_MEASURED_MAX + 10 {
        measures.enqueued(&format!("q{index}"), START);
    }
    let first = measures.queue("q0", START);
    assert!(!first.shared && first.enqueued_per_s > 0.0);
    let last = measures.queue(&format!("q{}", QUEUES_MEASURED_MAX + 9), START);
    assert!(last.shared, "{last:?}");
    assert!((last.enqueued_per_s - 10.0 * first.enqueued_per_s).abs() < 1e-9, "{last:?}");
    assert_eq!(measures.window(window_number(START)).enqueued, QUEUES_MEASURED_MAX as u64 + 10);
    // A minute later the idle ones make room.
    measures.enqueued("new", after(60));
    assert_eq!(measures.active_queues(after(60)), ["new"]);
    assert!(!measures.queue("new", after(60)).shared);
}

#[test]
fn sums_over_two_engines_are_those_of_both() {
    let (one, two) = (Measures::default(), Measures::default());
    one.claimed("a", Duration::from_millis(1), START);
    (0..19).for_each(|_| two.claimed("a", Duration::from_secs(1), START));
    let mut sums = Sums::default();
    one.add_to(&mut sums, "a", START);
    two.add_to(&mut sums, "a", START);
    let both = sums.measures();
    assert!((both.claimed_per_s - 20.0 * one.queue("a", START).claimed_per_s).abs() < 1e-9);
    assert!(both.claim_delay_p50.unwrap() > Duration::from_millis(800));
}

#[test]
fn whoever_waits_for_a_count_hears_of_it_even_if_it_came_first() {
    let measures = Measures::default();
    let mut context = Context::from_waker(Waker::noop());
    let seen = measures.changes();
    let mut changed = pin!(measures.changed(seen));
    assert_eq!(changed.as_mut().poll(&mut context), Poll::Pending);
    measures.enqueued("a", START);
    assert_eq!(changed.as_mut().poll(&mut context), Poll::Ready(()));
    assert_eq!(pin!(measures.changed(seen)).poll(&mut context), Poll::Ready(()), "it came before");
    assert_eq!(pin!(measures.changed(seen + 1)).poll(&mut context), Poll::Pending);
}
