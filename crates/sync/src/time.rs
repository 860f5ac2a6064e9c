//! The time that all sessions go by.
//!
//! It begins as the wall clock and then goes by one that nobody can set and that runs on while the machine sleeps. So a
//! wall clock that is set, forward or back, by a person or by a time server, gives nobody time and takes none: what
//! counts for a session is how long something took. How far the two are apart is stored ([`SessionTime::moved`]), so
//! that a restart goes on where time was, and not where the wall clock is.
//!
//! Sessions' time goes back to the wall clock where nothing depends on it: with the first session of a node that has
//! none, and at a start with none that runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use flowork_engine::Clock;

/// How far the distance to the wall clock may change unnoticed. Time servers that correct a clock bit by bit do it to
/// both clocks alike, so whatever is more is a step.
const STEP_MS_MIN: u64 = 250;
/// Reading two clocks takes no time. If it did, the process was held up in between, and the distance means nothing.
const READ_MS_MAX: i64 = 20;
/// How often the clocks are read before a stop goes on without.
const READS_MAX: u32 = 10;
/// As a stored distance: none that anything is near to.
const UNKNOWN: i64 = i64::MIN / 2;

/// What is known at a start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// The last change of any session. Time begins no earlier.
    pub(crate) floor_ms: i64,
    /// How far sessions' time was ahead of the wall clock; negative if it was behind.
    pub(crate) ahead_ms: i64,
    /// There are sessions that run.
    pub(crate) running: bool,
}

/// Tells the time of sessions. Cheap to clone; all clones tell the same.
#[derive(Clone, Debug)]
pub(crate) struct SessionTime {
    clock: Clock,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// What is added to the steady clock.
    offset_ms: AtomicI64,
    /// How far time is ahead of the wall clock, as it is stored.
    stored_ms: AtomicI64,
}

impl SessionTime {
    pub(crate) fn start(clock: Clock, known: Known) -> Self {
        let ahead_ms = if known.running { known.ahead_ms } else { 0 };
        let now_ms = clock.now().as_millis().saturating_add(ahead_ms).max(known.floor_ms);
        let offset_ms = AtomicI64::new(now_ms - steady_ms(&clock));
        Self { clock, shared: Arc::new(Shared { offset_ms, stored_ms: AtomicI64::new(known.ahead_ms) }) }
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        steady_ms(&self.clock) + self.shared.offset_ms.load(Ordering::Acquire)
    }

    /// Goes back to the wall clock. Only while there is no session.
    pub(crate) fn anchor(&self) {
        let offset_ms = self.clock.now().as_millis() - steady_ms(&self.clock);
        self.shared.offset_ms.store(offset_ms, Ordering::Release);
    }

    /// How far time is ahead of the wall clock, if that is not what is stored; from then on it counts as stored.
    pub(crate) fn moved(&self) -> Option<i64> {
        let (ahead_ms, stored_ms) = (self.ahead_ms()?, self.shared.stored_ms.load(Ordering::Relaxed));
        if ahead_ms.abs_diff(stored_ms) < STEP_MS_MIN {
            return None;
        }
        let won = self.shared.stored_ms.compare_exchange(stored_ms, ahead_ms, Ordering::Relaxed, Ordering::Relaxed);
        won.is_ok().then_some(ahead_ms)
    }

    /// How far time is ahead of the wall clock, to the millisecond, if that is not what is stored. For the last write:
    /// what is too little for a step also adds up, from start to start.
    pub(crate) fn at_stop(&self) -> Option<i64> {
        let ahead_ms = (0..READS_MAX).find_map(|_| self.ahead_ms())?;
        (ahead_ms != self.shared.stored_ms.load(Ordering::Relaxed)).then_some(ahead_ms)
    }

    /// Nothing if the process was held up in between.
    fn ahead_ms(&self) -> Option<i64> {
        let before_ms = self.now_ms();
        let wall_ms = self.clock.now().as_millis();
        let now_ms = self.now_ms();
        (now_ms - before_ms <= READ_MS_MAX).then_some(now_ms - wall_ms)
    }

    /// What [`moved`](Self::moved) told could not be stored.
    pub(crate) fn was_not_stored(&self) {
        self.shared.stored_ms.store(UNKNOWN, Ordering::Relaxed);
    }
}

/// Time since some moment, also while the machine slept.
fn steady_ms(clock: &Clock) -> i64 {
    let elapsed = match clock {
        Clock::System => since_boot(),
        Clock::Manual(_) => clock.elapsed(),
    };
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Source: clock_gettime(2). What the standard library has stands still while Linux or macOS sleeps.
#[cfg(unix)]
fn since_boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(target_os = "linux")]
    const STEADY: ClockId = ClockId::Boottime;
    // On macOS this one runs on while the machine sleeps.
    #[cfg(not(target_os = "linux"))]
    const STEADY: ClockId = ClockId::Monotonic;
    let now = clock_gettime(STEADY);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanoseconds.unwrap_or(0))
}

/// On Windows the counter behind it runs on while the machine sleeps.
#[cfg(not(unix))]
fn since_boot() -> Duration {
    Clock::System.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn begun(clock: &Clock) -> SessionTime {
        SessionTime::start(clock.clone(), Known::default())
    }

    #[test]
    fn a_clock_that_is_set_gives_nobody_time_and_takes_none() {
        let clock = Clock::manual(10_000);
        let time = begun(&clock);
        for step in [-5_000, 900, 60_000, DAY_MS, -DAY_MS, -60_000] {
            let before = time.now_ms();
            clock.step(step);
            assert_eq!(time.now_ms(), before, "a step of {step} ms");
            clock.advance(Duration::from_secs(1));
            assert_eq!(time.now_ms(), before + 1_000, "and time goes on");
        }
    }

    #[test]
    fn time_begins_no_earlier_than_what_is_known() {
        let known = Known { floor_ms: 12_345, ..Known::default() };
        assert_eq!(SessionTime::start(Clock::manual(10_000), known).now_ms(), 12_345);
    }

    #[test]
    fn a_step_is_told_once_and_a_start_goes_on_from_there() {
        let clock = Clock::manual(DAY_MS);
        let time = begun(&clock);
        assert_eq!(time.moved(), None);
        clock.step(100);
        assert_eq!(time.moved(), None, "that is no step");
        assert_eq!(time.at_stop(), Some(-100), "but it is not what is stored");
        clock.step(DAY_MS);
        assert_eq!((time.moved(), time.moved()), (Some(-DAY_MS - 100), None));
        time.was_not_stored();
        assert_eq!(time.moved(), Some(-DAY_MS - 100), "so it is told again");
        assert_eq!(time.at_stop(), None);
        let later = Clock::manual(2 * DAY_MS + 5_100);
        let known = Known { floor_ms: 0, ahead_ms: -DAY_MS - 100, running: true };
        assert_eq!(SessionTime::start(later.clone(), known).now_ms(), DAY_MS + 5_000);
        let idle = SessionTime::start(later, Known { running: false, ..known });
        assert_eq!(idle.now_ms(), 2 * DAY_MS + 5_100, "nothing depends on it");
        assert_eq!(idle.moved(), Some(0));
    }

    #[test]
    fn an_empty_node_goes_back_to_the_wall_clock() {
        let clock = Clock::manual(10_000);
        let time = begun(&clock);
        for step in [DAY_MS, -2 * DAY_MS] {
            clock.step(step);
            time.anchor();
            assert_eq!(time.now_ms(), clock.now().as_millis());
        }
    }

    #[test]
    fn the_machines_own_clock_moves() {
        let time = begun(&Clock::System);
        let begin = time.now_ms();
        while time.now_ms() == begin {
            std::hint::spin_loop();
        }
        assert!(time.now_ms() > begin && time.now_ms().abs_diff(Clock::System.now().as_millis()) < 60_000);
    }
}
