//! The time that all sessions go by.
//!
//! It begins as the wall clock and then runs by the steady one, so that nobody gains or loses time when the wall clock
//! is set back. Where the wall clock is ahead by more than a second, the machine has slept or somebody has set it: then
//! the sessions' time goes there too, and what ran out meanwhile is applied at the instant it was due.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use flowork_engine::Clock;

/// How far the wall clock may be ahead before it is followed. Time servers that correct a clock bit by bit stay below.
const AHEAD_MS_MAX: i64 = 1_000;

/// Tells the time of sessions. Cheap to clone; all clones tell the same.
#[derive(Clone, Debug)]
pub(crate) struct SessionTime {
    clock: Clock,
    /// What is added to the steady clock. It only grows.
    offset_ms: Arc<AtomicI64>,
}

impl SessionTime {
    /// Begins with the wall clock, but not before `floor_ms`: the last change that is known.
    pub(crate) fn start(clock: Clock, floor_ms: i64) -> Self {
        let now_ms = clock.now().as_millis().max(floor_ms);
        let offset_ms = Arc::new(AtomicI64::new(now_ms - elapsed_ms(&clock)));
        Self { clock, offset_ms }
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        // In this order: a pause of the process between the two must not look as if the wall clock had been set.
        let wall_ms = self.clock.now().as_millis();
        let steady_ms = elapsed_ms(&self.clock);
        let mut offset_ms = self.offset_ms.load(Ordering::Relaxed);
        if wall_ms > steady_ms + offset_ms + AHEAD_MS_MAX {
            offset_ms = self.offset_ms.fetch_max(wall_ms - steady_ms, Ordering::Relaxed).max(wall_ms - steady_ms);
        }
        steady_ms + offset_ms
    }
}

fn elapsed_ms(clock: &Clock) -> i64 {
    i64::try_from(clock.elapsed().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_takes_no_time_from_anybody() {
        let clock = Clock::manual(10_000);
        let time = SessionTime::start(clock.clone(), 0);
        clock.step(-5_000);
        clock.advance(Duration::from_secs(1));
        assert_eq!(time.now_ms(), 11_000);
    }

    #[test]
    fn a_machine_that_slept_catches_up() {
        let clock = Clock::manual(10_000);
        let time = SessionTime::start(clock.clone(), 0);
        clock.step(900);
        assert_eq!(time.now_ms(), 10_000, "a small correction is not followed");
        clock.step(60_000);
        assert_eq!(time.clone().now_ms(), 70_900);
        clock.step(-60_000);
        assert_eq!(time.now_ms(), 70_900, "and it never goes back");
    }

    #[test]
    fn time_begins_no_earlier_than_what_is_known() {
        assert_eq!(SessionTime::start(Clock::manual(10_000), 12_345).now_ms(), 12_345);
    }
}
