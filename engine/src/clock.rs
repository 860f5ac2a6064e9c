//! Time, from a source that tests can set.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use flowork_api_types::Timestamp;

/// A wall clock that moves this much against the steady one was set, or the machine slept, in milliseconds.
pub(crate) const STEP_MS: i64 = 2_000;

/// Where the store takes its time from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clocks.
    #[default]
    System,
    /// Stands still until it is set.
    Manual(Arc<ManualClock>),
}

/// A wall clock and a steady one that move only when told to.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicI64,
    elapsed_ms: AtomicI64,
}

impl Clock {
    /// A clock that stands at `unix_ms`.
    pub fn manual(unix_ms: i64) -> Self {
        Self::Manual(Arc::new(ManualClock { wall_ms: AtomicI64::new(unix_ms), elapsed_ms: AtomicI64::new(0) }))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => wall_now(),
            Self::Manual(clock) => Timestamp(clock.wall_ms.load(Ordering::SeqCst)),
        }
    }

    /// Time that has passed since some moment in the past. It never jumps: not when the wall clock is set, and on most
    /// systems it stands still while the machine sleeps.
    pub fn elapsed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System => START.elapsed(),
            Self::Manual(clock) => Duration::from_millis(clock.elapsed_ms.load(Ordering::SeqCst).max(0).unsigned_abs()),
        }
    }

    /// How far the wall clock is ahead of the steady one, in milliseconds. It changes by a jump when the machine slept or
    /// the wall clock was set.
    pub(crate) fn wall_ahead_ms(&self) -> i64 {
        self.now().as_millis() - self.elapsed().as_millis() as i64
    }

    /// Lets time pass on a manual clock; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(clock) = self {
            clock.wall_ms.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
            clock.elapsed_ms.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
        }
    }

    /// Sets a manual wall clock forward or back, as a person, a time server or a sleep of the machine does; does nothing
    /// to the system's.
    pub fn step(&self, by_ms: i64) {
        if let Self::Manual(clock) = self {
            clock.wall_ms.fetch_add(by_ms, Ordering::SeqCst);
        }
    }
}

/// The machine's wall clock.
pub fn wall_now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since_epoch.as_millis() as i64)
}
