//! Every edge of the rules, in tables.

use flowork_api_types::autoscale::AutoscaleReason::{self, ClaimDelay, Headroom, Quiet};

use super::{
    rules::{PATIENCE_UP, Step},
    *,
};
use crate::measures::WINDOW;

const OPTIONS: AutoscaleOptions = AutoscaleOptions {
    target_latency: Duration::from_millis(500),
    headroom_factor: 1.3,
    workers_min: 1,
    workers_max: 8,
};

/// A window: milliseconds of p95 claim delay (`None`: nothing claimed), and the share of time that workers were busy.
type Shape = (Option<u64>, f64);

/// Windows in which each worker does ten jobs a second, as busy as the shape says.
fn windows(workers: u32, shapes: &[Shape]) -> History {
    let mut history = History::default();
    for (number, &(p95_ms, utilization)) in shapes.iter().enumerate() {
        let busy = WINDOW.mul_f64(utilization * f64::from(workers));
        let jobs = (busy.as_secs_f64() * 10.0) as u64;
        history.push(Window {
            claimed: if p95_ms.is_some() { jobs } else { 0 },
            finished: jobs,
            claim_delay_p95: p95_ms.map(Duration::from_millis),
            busy,
            ..Window::empty(number as i64, workers)
        });
    }
    history
}

fn check(case: &str, workers: u32, shapes: &[Shape], expected: Option<(u32, AutoscaleReason)>) {
    let step = decide(&OPTIONS, workers, &windows(workers, shapes));
    assert_eq!(step, expected.map(|(to, reason)| Step { to, reason }), "{case}");
}

const SLOW: Shape = (Some(1_501), 0.5);
const LATE: Shape = (Some(1_500), 0.5);
const FAIR: Shape = (Some(150), 0.3);
const QUICK: Shape = (Some(149), 0.3);
const IDLE: Shape = (None, 0.0);

#[test]
fn three_slow_windows_in_a_row_add_a_worker() {
    check("two are not enough", 2, &[SLOW; 2], None);
    check("three are", 2, &[SLOW; 3], Some((3, ClaimDelay)));
    check("more are too", 2, &[SLOW; 9], Some((3, ClaimDelay)));
    check("a fair one between starts anew", 2, &[SLOW, SLOW, FAIR, SLOW, SLOW], None);
    check("an idle one between starts anew", 2, &[SLOW, SLOW, IDLE, SLOW, SLOW], None);
    check("three times the target is not past it", 2, &[LATE; 9], None);
    check("old ones do not count", 2, &[SLOW, SLOW, SLOW, FAIR], None);
    check("to the most allowed", 7, &[SLOW; 3], Some((8, ClaimDelay)));
    check("and no further", 8, &[SLOW; 30], None);
}

#[test]
fn six_quiet_windows_in_a_row_take_a_worker_away() {
    check("five are not enough", 4, &[IDLE; 5], None);
    check("six are", 4, &[IDLE; 6], Some((3, Quiet)));
    check("0.3 times the target is not below it", 4, &[FAIR; 12], None);
    check("quick and half idle", 4, &[QUICK; 6], Some((3, Quiet)));
    check("a fair one between starts anew", 4, &[QUICK, QUICK, QUICK, FAIR, QUICK, QUICK], None);
    check("quick but half busy", 4, &[(Some(10), 0.5); 6], None);
    check("quick and just below half busy", 8, &[(Some(10), 0.499); 6], Some((7, Quiet)));
    check("to the fewest allowed", 2, &[IDLE; 6], Some((1, Quiet)));
    check("and no further", 1, &[IDLE; 60], None);
}

#[test]
fn fewer_workers_must_hold_the_peak_with_headroom() {
    // Each worker does 10 a second. With 4 workers 0.577 busy the peak is 23 a second: times 1.3 it is 29.9.
    let after = |peak_busy: f64, then: Shape| {
        let mut shapes = vec![(Some(10), peak_busy)];
        shapes.extend([then; 6]);
        shapes
    };
    check("three hold 29.9", 4, &after(0.575, IDLE), Some((3, Quiet)));
    check("three do not hold 31.2", 4, &after(0.6, IDLE), None);
    check("nor when work goes on quietly", 4, &after(0.6, QUICK), None);

    let mut hour = after(0.6, IDLE);
    hour.extend([IDLE; HISTORY_WINDOWS - 8]);
    assert_eq!(hour.len(), HISTORY_WINDOWS - 1);
    check("the peak is within the hour", 4, &hour, None);
    hour.extend([IDLE; 2]);
    check("the peak is past the hour", 4, &hour, Some((3, Quiet)));
}

#[test]
fn workers_that_cannot_hold_their_peak_with_headroom_get_one_more() {
    // 0.77 of the capacity times 1.3 is just above all of it.
    check("at 77 % in three windows", 2, &[(Some(200), 0.77); 3], Some((3, Headroom)));
    check("at 76 %", 2, &[(Some(200), 0.76); 3], None);
    check("in two windows", 2, &[(Some(200), 0.77); 2], None);
    check("but not once it is idle", 2, &[(Some(200), 1.0), (Some(200), 1.0), IDLE], None);
    check("nor past the most allowed", 8, &[(Some(200), 1.0); 9], None);
    check("delays come first", 2, &[(Some(2_000), 1.0); 3], Some((3, ClaimDelay)));
}

#[test]
fn what_a_worker_can_do_must_be_known_before_one_is_taken_away() {
    let mut history = History::default();
    for number in 0..9 {
        let claimed = u64::from(number == 0);
        let busy = WINDOW * 2 / 5;
        history.push(Window { claimed, busy, ..Window::empty(number, 4) });
    }
    assert_eq!(decide(&OPTIONS, 4, &history), None, "one job runs since the first window; nothing has ended");
    history.push(Window { finished: 1, ..Window::empty(9, 4) });
    assert_eq!(decide(&OPTIONS, 4, &history), None, "workers that take 36 s for a job hold no peak of one in 10 s");
}

#[test]
fn jobs_that_wait_while_every_worker_is_busy_count_as_slow() {
    let stalled = |number| Window { busy: WINDOW * 2, stalled: true, ..Window::empty(number, 2) };
    let mut history = History::default();
    (0..2).for_each(|number| history.push(stalled(number)));
    assert_eq!(decide(&OPTIONS, 2, &history), None);
    history.push(stalled(2));
    assert_eq!(decide(&OPTIONS, 2, &history), Some(Step { to: 3, reason: ClaimDelay }));
    (0..20).for_each(|number| history.push(Window { busy: Duration::ZERO, ..stalled(number) }));
    assert_eq!(decide(&OPTIONS, 8, &history), None, "never quiet, however idle it looks");
}

#[test]
fn after_a_step_windows_start_over() {
    let mut history = windows(2, &[SLOW; 5]);
    history.start_over();
    for expected in [None, None, Some(Step { to: 4, reason: ClaimDelay })] {
        history.push(*windows(3, &[SLOW]).newest().unwrap());
        assert_eq!(decide(&OPTIONS, 3, &history), expected);
    }
    assert_eq!(PATIENCE_UP, 3);
}

#[test]
fn time_until_a_worker_less_is_due_is_known_ahead() {
    let until = |workers, shapes: &[Shape]| windows_until_quiet(&OPTIONS, workers, &windows(workers, shapes));
    assert_eq!(until(4, &[]), Some(6));
    assert_eq!(until(4, &[IDLE; 2]), Some(4));
    assert_eq!(until(4, &[SLOW]), Some(6), "as quiet only begins now, but light enough");
    assert_eq!(until(4, &[(Some(10), 1.0)]), Some(HISTORY_WINDOWS as u32), "once the peak has left the hour");
    assert_eq!(until(1, &[]), None, "never");
}

/// The start of a window.
const START: i64 = 1_767_225_600_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp(START + seconds * 1_000)
}

fn scaler(workers: u32) -> Autoscaler {
    let engine_id = "eng_01930c5ea2f07a3c8000000000000001".parse().unwrap();
    Autoscaler::new(engine_id, Basis::Load(OPTIONS), workers)
}

#[test]
fn decisions_carry_their_figures_and_are_kept_for_people() {
    let (scaler, measures) = (scaler(2), Measures::default());
    let mut decisions = Vec::new();
    for second in 0..=30 {
        let busy = Duration::from_secs(second as u64 * 2);
        let sight = Sight { busy, backed_up: true, ..Sight::default() };
        decisions.extend(scaler.close_until(at(second), &measures, sight));
        measures.claimed("a", Duration::from_secs(4), at(second));
        measures.finished("a", true, at(second));
    }
    let [decision] = decisions.as_slice() else { panic!("one decision: {decisions:?}") };
    assert_eq!((decision.from, decision.to, decision.reason, decision.at), (2, 3, ClaimDelay, at(30)));
    assert!((3_900..4_300).contains(&decision.claim_delay_p95_ms.unwrap()), "{decision:?}");
    assert!((decision.utilization - 1.0).abs() < 1e-9, "{decision:?}");
    assert!((decision.capacity_per_s.unwrap() - 1.0).abs() < 1e-9, "{decision:?}");
    assert!((decision.peak_per_s - 1.0).abs() < 1e-9, "{decision:?}");
    let expected = "One worker more: in 3 windows of 10 s in a row jobs waited longer than three times the target of \
                    500 ms; the p95 claim delay was ";
    assert!(decision.explanation.starts_with(expected), "{}", decision.explanation);
    let shown = scaler.describe();
    assert_eq!((shown.workers, &shown.decisions), (3, &decisions));
    assert_eq!(shown.windows.len(), 3);
    assert_eq!(shown.windows[2].started_at, at(20));
    assert_eq!(shown.windows[2].claimed, 10);
}

#[test]
fn a_long_sleep_is_made_up_for_at_once_and_decisions_are_bounded() {
    let (scaler, measures) = (scaler(8), Measures::default());
    assert!(scaler.close_until(at(5), &measures, Sight::default()).is_empty());
    let decisions = scaler.close_until(at(7 * 60), &measures, Sight::default());
    let steps: Vec<_> = decisions.iter().map(|decision| (decision.to, decision.at)).collect();
    assert_eq!(steps, (1..=7).map(|step| (8 - step as u32, at(step * 60))).collect::<Vec<_>>());
    assert!(decisions.iter().all(|decision| decision.reason == Quiet));
    assert!(decisions[0].explanation.ends_with("nothing was started in the last hour."), "{decisions:?}");
    assert!(scaler.close_until(at(86_400 * 30), &measures, Sight::default()).is_empty(), "at the fewest");
    assert_eq!(scaler.describe().explanation, "Jobs are claimed in time, and 1 worker is the fewest allowed.");

    let mut state = scaler.lock();
    state.workers = 8;
    for _ in 0..DECISIONS_MAX + 5 {
        state.workers = 8;
        state.history = windows(8, &[IDLE; 6]);
        assert!(scaler.decide(&mut state, 1).is_some());
    }
    assert_eq!(state.decisions.len(), DECISIONS_MAX);
}

#[test]
fn nothing_is_decided_while_the_node_drains() {
    let (scaler, measures) = (scaler(8), Measures::default());
    let draining = Sight { draining: true, backed_up: true, ..Sight::default() };
    scaler.close_until(at(0), &measures, draining);
    assert!(scaler.close_until(at(600), &measures, draining).is_empty());
    assert!(scaler.close_until(at(650), &measures, Sight::default()).is_empty(), "five windows since");
    assert_eq!(scaler.close_until(at(660), &measures, Sight::default()).len(), 1, "six");
}

#[test]
fn a_clock_that_goes_back_starts_over() {
    let (scaler, measures) = (scaler(4), Measures::default());
    scaler.close_until(at(0), &measures, Sight::default());
    assert!(scaler.close_until(at(50), &measures, Sight::default()).is_empty());
    assert!(scaler.close_until(at(45), &measures, Sight::default()).is_empty(), "a little changes nothing");
    assert_eq!(scaler.describe().windows.len(), 5);
    assert!(scaler.close_until(at(-3_600), &measures, Sight::default()).is_empty());
    assert!(scaler.describe().windows.is_empty());
    assert!(scaler.close_until(at(-3_550), &measures, Sight::default()).is_empty());
    assert_eq!(scaler.close_until(at(-3_540), &measures, Sight::default()).len(), 1);
}

#[test]
fn the_task_sleeps_to_the_end_of_the_window_or_for_good() {
    let (busy, least) = (scaler(4), scaler(1));
    assert_eq!(busy.rest(at(3), false), Some(Duration::from_secs(7)));
    assert_eq!(busy.rest(at(3), true), Some(Duration::from_secs(57)));
    assert_eq!(least.rest(at(3), false), Some(Duration::from_secs(7)));
    assert_eq!(least.rest(at(3), true), None, "an idle node at its least size has no timer");
}

#[test]
fn what_a_person_decided_holds_until_it_is_left_to_the_load_again() {
    let (scaler, measures) = (scaler(4), Measures::default());
    scaler.close_until(at(0), &measures, Sight::default());
    let fixed = scaler.fix(Some(12), at(3)).unwrap();
    assert_eq!((fixed.from, fixed.to, fixed.reason, fixed.at), (4, 12, AutoscaleReason::Fixed, at(3)));
    assert_eq!(fixed.explanation, "A person decided on 12 workers; before there were 4.");
    assert!(scaler.fix(Some(12), at(4)).is_none(), "nothing new");
    assert!(scaler.close_until(at(3_600), &measures, Sight::default()).is_empty(), "however idle");
    let shown = scaler.describe();
    assert_eq!((shown.enabled, shown.workers, shown.workers_max), (false, 12, 8));
    assert_eq!(shown.explanation, "A person decided on their number, until it is left to the load again.");
    assert_eq!(scaler.rest(at(3_600), true), None, "an idle node whose size is fixed has no timer");
    assert_eq!(scaler.rest(at(3_603), false), Some(Duration::from_secs(7)), "but it goes on to see the load");

    let free = scaler.fix(None, at(3_605)).unwrap();
    assert_eq!((free.from, free.to, free.reason), (12, 8, AutoscaleReason::Unfixed));
    assert_eq!(free.explanation, "A person left the number to the load again: 8 workers, before there were 12.");
    assert!(scaler.close_until(at(3_650), &measures, Sight::default()).is_empty(), "windows start over");
    assert_eq!(scaler.close_until(at(3_660), &measures, Sight::default()).len(), 1);
    assert_eq!(scaler.describe().decisions.len(), 3);
}

#[test]
fn a_setting_is_gone_back_to_and_recovery_is_never_left() {
    let engine_id = "eng_01930c5ea2f07a3c8000000000000001".parse().unwrap();
    let scaler = Autoscaler::new(engine_id, Basis::Setting(3), 3);
    assert_eq!(scaler.fix(Some(1), at(0)).unwrap().explanation, "A person decided on 1 worker; before there were 3.");
    let back = scaler.fix(None, at(1)).unwrap();
    let expected = "A person left the number to the setting `workers` again: 3 workers, before there was 1.";
    assert_eq!((back.to, back.explanation.as_str()), (3, expected));
    let same = scaler.fix(Some(3), at(2)).unwrap();
    assert_eq!(same.explanation, "A person decided on 3 workers; as many as there were.");

    let recovery = Autoscaler::new(engine_id, Basis::Recovery, 0);
    assert!(recovery.fix(Some(5), at(0)).is_none());
    assert_eq!((recovery.workers(), recovery.fixed()), (0, Some(5)), "it is for the next start");
    let expected = "The node was started for recovery, so that it runs no jobs.";
    assert_eq!(recovery.describe().explanation, expected);
}

#[test]
fn time_in_which_the_machine_slept_is_no_quiet_time() {
    let (scaler, measures) = (scaler(8), Measures::default());
    let sight = |ahead_ms| Sight { ahead_ms, ..Sight::default() };
    scaler.close_until(at(0), &measures, sight(0));
    assert!(scaler.close_until(at(50), &measures, sight(1_500)).is_empty(), "a small correction is none");
    assert!(scaler.close_until(at(7_200), &measures, sight(7_000_000)).is_empty(), "two hours of sleep");
    assert!(scaler.close_until(at(7_250), &measures, sight(7_000_000)).is_empty(), "windows start over");
    assert_eq!(scaler.close_until(at(7_260), &measures, sight(7_000_000)).len(), 1, "six since");
}
