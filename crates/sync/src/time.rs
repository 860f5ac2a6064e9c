//! The time that all sessions go by.
//!
//! It begins as the wall clock and then goes by one that nobody can set and that runs on while the machine sleeps. So a
//! wall clock that is set, forward or back, by a person or by a time server, gives nobody time and takes none: what
//! counts for a session is how long something took. Where time stands is stored ([`SessionTime::moved`]), so that a
//! restart goes on where time was, and not where the wall clock is: until the machine is booted anew by the same steady
//! clock, after that by how far it was ahead of the wall clock.
//!
//! Sessions' time goes back to the wall clock where nothing depends on it: with the first session of a node that has
//! none, and at a start with none that runs.

mod boot;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use flowork_engine::Clock;

pub(crate) use boot::this_boot;

/// How far the distance to the wall clock may change unnoticed. Time servers that correct a clock bit by bit do it to
/// both clocks alike, so whatever is more is a step.
const STEP_MS_MIN: u64 = 250;
/// Reading two clocks takes no time. If it did, the process was held up in between, and the distance means nothing.
const READ_MS_MAX: i64 = 20;
/// How often the clocks are read before a stop goes on without.
const READS_MAX: u32 = 10;

/// Where sessions' time stands, by clocks that outlive the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How far it is ahead of the wall clock; negative if it is behind.
    pub(crate) ahead_ms: i64,
    /// The same by the steady clock, where it can be told which boot that counts from.
    pub(crate) boot: Option<SinceBoot>,
}

/// Where sessions' time stands as long as the machine is not booted anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SinceBoot {
    /// Which boot.
    pub(crate) boot: Arc<str>,
    /// What is added to the steady clock.
    pub(crate) offset_ms: i64,
}

/// What is known at a start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The last change of any session. Time begins no earlier.
    pub(crate) floor_ms: i64,
    /// Where sessions' time stood.
    pub(crate) standing: Standing,
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
    /// Which boot the steady clock counts from.
    boot: Option<Arc<str>>,
    /// What is added to the steady clock.
    offset_ms: AtomicI64,
    /// Where time stands, as it is stored; `None` if nobody knows.
    stored: Mutex<Option<Standing>>,
}

impl SessionTime {
    /// Goes on from what is known. `boot` tells apart the times at which the steady clock began anew.
    pub(crate) fn start(clock: Clock, boot: Option<Arc<str>>, known: Known) -> Self {
        let Known { floor_ms, standing, running } = known;
        let (steady_ms, wall_ms) = (steady_ms(&clock), clock.now().as_millis());
        let same_boot = standing.boot.as_ref().filter(|since| boot.as_ref() == Some(&since.boot));
        let went_on_ms = match same_boot {
            Some(since) => steady_ms.saturating_add(since.offset_ms),
            None => wall_ms.saturating_add(standing.ahead_ms),
        };
        let now_ms = if running { went_on_ms } else { wall_ms }.max(floor_ms);
        let (offset_ms, stored) = (AtomicI64::new(now_ms - steady_ms), Mutex::new(Some(standing)));
        Self { clock, shared: Arc::new(Shared { boot, offset_ms, stored }) }
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        steady_ms(&self.clock) + self.shared.offset_ms.load(Ordering::Acquire)
    }

    /// When an instant is by the steady clock, if that is the machine's own.
    #[cfg(target_os = "linux")]
    pub(crate) fn since_boot_ms(&self, at_ms: i64) -> Option<i64> {
        let own = matches!(self.clock, Clock::System);
        own.then(|| at_ms.saturating_sub(self.shared.offset_ms.load(Ordering::Acquire)))
    }

    /// Goes back to the wall clock. Only while there is no session. Says whether that is a step, which whoever has asked
    /// for the time before does not know of.
    pub(crate) fn anchor(&self) -> bool {
        let offset_ms = self.clock.now().as_millis() - steady_ms(&self.clock);
        let before_ms = self.shared.offset_ms.swap(offset_ms, Ordering::AcqRel);
        before_ms.abs_diff(offset_ms) >= STEP_MS_MIN
    }

    /// Where time stands, if that is not what is stored; from then on it counts as stored.
    pub(crate) fn moved(&self) -> Option<Standing> {
        let now = self.standing()?;
        let mut stored = self.stored();
        let near = |stored: &Standing| stored.ahead_ms.abs_diff(now.ahead_ms) < STEP_MS_MIN;
        if stored.as_ref().is_some_and(|stored| stored.boot == now.boot && near(stored)) {
            return None;
        }
        *stored = Some(now.clone());
        Some(now)
    }

    /// Where time stands, to the millisecond, if that is not what is stored. For the last write: what is too little for
    /// a step also adds up, from start to start.
    pub(crate) fn at_stop(&self) -> Option<Standing> {
        let now = (0..READS_MAX).find_map(|_| self.standing())?;
        (self.stored().as_ref() != Some(&now)).then_some(now)
    }

    /// Nothing if the process was held up in between.
    fn standing(&self) -> Option<Standing> {
        let before_ms = self.now_ms();
        let wall_ms = self.clock.now().as_millis();
        let now_ms = self.now_ms();
        let offset_ms = self.shared.offset_ms.load(Ordering::Acquire);
        let boot = self.shared.boot.as_ref().map(|boot| SinceBoot { boot: Arc::clone(boot), offset_ms });
        (now_ms - before_ms <= READ_MS_MAX).then_some(Standing { ahead_ms: now_ms - wall_ms, boot })
    }

    /// What [`moved`](Self::moved) told could not be stored.
    pub(crate) fn was_not_stored(&self) {
        *self.stored() = None;
    }

    fn stored(&self) -> MutexGuard<'_, Option<Standing>> {
        self.shared.stored.lock().unwrap_or_else(PoisonError::into_inner)
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
        SessionTime::start(clock.clone(), None, Known::default())
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
        assert_eq!(SessionTime::start(Clock::manual(10_000), None, known).now_ms(), 12_345);
    }

    fn ahead(ahead_ms: i64) -> Standing {
        Standing { ahead_ms, boot: None }
    }

    #[test]
    fn a_step_is_told_once_and_a_start_goes_on_from_there() {
        let clock = Clock::manual(DAY_MS);
        let time = begun(&clock);
        assert_eq!(time.moved(), None);
        clock.step(100);
        assert_eq!(time.moved(), None, "that is no step");
        assert_eq!(time.at_stop(), Some(ahead(-100)), "but it is not what is stored");
        clock.step(DAY_MS);
        assert_eq!((time.moved(), time.moved()), (Some(ahead(-DAY_MS - 100)), None));
        time.was_not_stored();
        assert_eq!(time.moved(), Some(ahead(-DAY_MS - 100)), "so it is told again");
        assert_eq!(time.at_stop(), None);
        let later = Clock::manual(2 * DAY_MS + 5_100);
        let known = Known { floor_ms: 0, standing: ahead(-DAY_MS - 100), running: true };
        assert_eq!(SessionTime::start(later.clone(), None, known.clone()).now_ms(), DAY_MS + 5_000);
        let idle = SessionTime::start(later, None, Known { running: false, ..known });
        assert_eq!(idle.now_ms(), 2 * DAY_MS + 5_100, "nothing depends on it");
        assert_eq!(idle.moved(), Some(ahead(0)));
    }

    #[test]
    fn until_the_machine_is_booted_anew_time_goes_on_whatever_was_done_to_the_clock_meanwhile() {
        let clock = Clock::manual(DAY_MS);
        let (first, second) = (Some(Arc::from("first")), Some(Arc::from("second")));
        let time = SessionTime::start(clock.clone(), first.clone(), Known::default());
        let standing = time.moved().expect("it is not stored which boot this is");
        assert_eq!(time.moved(), None, "once");
        clock.advance(Duration::from_secs(3));
        clock.step(7 * DAY_MS);
        let known = Known { floor_ms: 0, standing, running: true };
        let again = SessionTime::start(clock.clone(), first.clone(), known.clone());
        assert_eq!(again.now_ms(), DAY_MS + 3_000, "three seconds have passed and not a week");
        assert_eq!(again.moved().map(|standing| standing.ahead_ms), Some(-7 * DAY_MS), "for the time after this boot");
        let booted = SessionTime::start(clock.clone(), second, known.clone());
        assert_eq!(booted.now_ms(), 8 * DAY_MS + 3_000, "nobody knows more than the wall clock");
        let idle = SessionTime::start(clock, first, Known { running: false, ..known });
        assert_eq!(idle.now_ms(), 8 * DAY_MS + 3_000, "nothing depends on it");
        idle.moved();
        idle.anchor();
        assert_eq!(idle.moved(), None, "it went back to where it was");
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
