//! Which runs happen: a pure function of a schedule's times, how far it has been handled, and the time now.
//!
//! Each due time is handled once: it fires or it is skipped, and then `handled_until` stands at it. So nothing is decided
//! twice, however often the node is started or its clock is set.

use std::collections::VecDeque;

use flowork_api_types::{
    Timestamp,
    schedule::{MISSED_RUNS_MAX, MissedRuns, SkipReason, SkippedRuns},
};

use crate::timing::Timing;

/// How late a run may be, in milliseconds, before it counts as missed although the node was there: twice the longest
/// sleep of the timer, which is how late it notices that the machine slept or that somebody has set its clock.
const LATE_MS_MAX: i64 = 60_000;
/// Missed runs that are counted one by one. Beyond, only the latest are looked at.
const COUNTED_MAX: usize = 1_000;
/// How far the clock may have been set back, in milliseconds, before a schedule goes on from now instead of waiting for
/// the clock to catch up. Within it, no due time comes twice.
const SET_BACK_MS_MAX: i64 = 3_600_000;

/// What to do with a schedule now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Runs to enqueue, oldest first.
    pub fire: VecDeque<Timestamp>,
    /// Runs that do not happen.
    pub skipped: Option<SkippedRuns>,
    /// Every due time up to here is in `fire` or was skipped.
    pub handled_until: Timestamp,
    /// The next due time; `None` when there is none any more.
    pub next: Option<Timestamp>,
}

/// Decides about every due time after `handled_until` and up to `now`.
///
/// Due times before `started`, when this node started, were missed, and so were those that are more than a minute late.
/// The policy decides about those; all others fire.
pub fn plan(timing: &Timing, policy: MissedRuns, handled_until: Timestamp, started: Timestamp, now: Timestamp) -> Plan {
    let set_back = handled_until.as_millis() > now.as_millis().saturating_add(SET_BACK_MS_MAX);
    let from = if set_back { now } else { handled_until };
    let missed_before = Timestamp(started.as_millis().max(now.as_millis() - LATE_MS_MAX)).min(now);
    // The last millisecond that counts as missed.
    let missed_until = Timestamp(missed_before.as_millis() - 1).max(from);
    let missed = missed(timing, from, missed_until);
    let on_time = due_between(timing, missed_until, now);

    let made_up_for = match policy {
        MissedRuns::Skip => 0,
        MissedRuns::Once => 1,
        MissedRuns::All => MISSED_RUNS_MAX,
    };
    let mut fire = missed.latest;
    let dropped = fire.len().saturating_sub(made_up_for);
    let last_dropped = fire.drain(..dropped).next_back();
    let skipped = last_dropped.map(|due_at| SkippedRuns {
        reason: if policy == MissedRuns::All { SkipReason::TooMany } else { SkipReason::Missed },
        count: (missed.older + dropped) as u64,
        uncounted: missed.uncounted,
        due_at,
    });
    fire.extend(on_time);
    Plan { fire, skipped, handled_until: from.max(now), next: timing.next_after(from.max(now)) }
}

/// The due times of a time when nobody was there.
struct Missed {
    /// The last of them, at most one more than are ever made up for.
    latest: VecDeque<Timestamp>,
    /// How many there were before these.
    older: usize,
    /// There were even more.
    uncounted: bool,
}

/// Looks back from `until` in windows that double, so that a year of seconds costs no more than a day of them.
fn missed(timing: &Timing, from: Timestamp, until: Timestamp) -> Missed {
    let mut window_ms = LATE_MS_MAX;
    loop {
        let start = from.max(Timestamp(until.as_millis().saturating_sub(window_ms)));
        let mut latest = VecDeque::new();
        let mut older = 0;
        for due in due_between(timing, start, until) {
            // One more than are made up for, so that there is a last one of those that were dropped.
            if latest.len() > MISSED_RUNS_MAX {
                latest.pop_front();
                older += 1;
            }
            latest.push_back(due);
        }
        if start == from || older + latest.len() >= COUNTED_MAX {
            return Missed {
                latest,
                older,
                uncounted: start > from && timing.next_after(from) < timing.next_after(start),
            };
        }
        window_ms = window_ms.saturating_mul(2);
    }
}

/// Due times after `from` and up to `until`.
fn due_between(timing: &Timing, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(timing.next_after(from), |due| timing.next_after(*due)).take_while(move |due| *due <= until)
}

#[cfg(test)]
mod tests;
