//! A circuit breaker: a provider that keeps failing is left alone for a while, then asked once before everybody
//! comes back.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Failures in a row that open the breaker. One attempt with its retries makes three; two of them are no accident.
pub(crate) const FAILURES_MAX: u32 = 5;
/// How long an open breaker lets nobody through. A provider that restarts needs about this long.
pub(crate) const OPEN_FOR: Duration = Duration::from_secs(30);
/// When to ask again while a probe is on its way.
const PROBE_WAIT: Duration = Duration::from_secs(2);

/// Lets calls through, or does not. Shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// All is well; counts failures in a row.
    Closed { failures: u32 },
    /// Nobody gets through.
    Open { until: Instant, reason: String },
    /// One probe is on its way.
    HalfOpen { reason: String },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

/// The breaker is open.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Until the next probe may go.
    pub(crate) wait: Duration,
    /// The failure that opened it.
    pub(crate) reason: String,
}

/// The right to one call; says how it went. Dropped without a verdict, the call counts for nothing.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    is_used: bool,
}

impl Breaker {
    /// Says whether a call would get through now, and takes nothing.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        match &*self.lock() {
            State::Closed { .. } => Ok(()),
            State::Open { until, reason } => match until.checked_duration_since(Instant::now()) {
                Some(wait) if !wait.is_zero() => Err(Refused { wait, reason: reason.clone() }),
                _ => Ok(()),
            },
            State::HalfOpen { reason } => Err(Refused { wait: PROBE_WAIT, reason: reason.clone() }),
        }
    }

    /// Lets one call through; the first after an open time is the probe.
    pub(crate) fn admit(&self) -> Result<Ticket<'_>, Refused> {
        self.check()?;
        let mut state = self.lock();
        let is_probe = match &*state {
            State::Closed { .. } => false,
            State::Open { until, reason } if *until <= Instant::now() => {
                let reason = reason.clone();
                *state = State::HalfOpen { reason };
                true
            }
            // Another took the probe between the check and here.
            State::Open { reason, .. } | State::HalfOpen { reason } => {
                return Err(Refused { wait: PROBE_WAIT, reason: reason.clone() });
            }
        };
        Ok(Ticket { breaker: self, is_probe, is_used: false })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// The provider answered, whatever it said.
    pub(crate) fn succeed(mut self) {
        self.is_used = true;
        let mut state = self.breaker.lock();
        // A call that began before the breaker opened says nothing about now.
        if self.is_probe || matches!(*state, State::Closed { .. }) {
            *state = State::Closed { failures: 0 };
        }
    }

    /// The provider is down, for this reason.
    pub(crate) fn fail(mut self, reason: &str) {
        self.is_used = true;
        let mut state = self.breaker.lock();
        let open = || State::Open { until: Instant::now() + OPEN_FOR, reason: reason.to_owned() };
        match &mut *state {
            State::Closed { failures } if *failures + 1 < FAILURES_MAX => *failures += 1,
            State::Closed { .. } => *state = open(),
            State::HalfOpen { .. } if self.is_probe => *state = open(),
            State::Open { .. } | State::HalfOpen { .. } => {}
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.is_used || !self.is_probe {
            return;
        }
        // A probe that was cancelled: the next call is one.
        let mut state = self.breaker.lock();
        if let State::HalfOpen { reason } = &mut *state {
            *state = State::Open { until: Instant::now(), reason: std::mem::take(reason) };
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn fail_often(breaker: &Breaker) {
        for _ in 0..FAILURES_MAX {
            breaker.admit().unwrap().fail("down");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_one_probe_closes_it() {
        let breaker = Breaker::default();
        fail_often(&breaker);
        let refused = breaker.admit().unwrap_err();
        assert_eq!((refused.wait, refused.reason.as_str()), (OPEN_FOR, "down"));
        advance(OPEN_FOR / 2).await;
        assert_eq!(breaker.check().unwrap_err().wait, OPEN_FOR / 2);
        advance(OPEN_FOR / 2).await;
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err(), "one probe at a time");
        probe.succeed();
        let (one, other) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        one.succeed();
        other.succeed();
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_opens_it_again() {
        let breaker = Breaker::default();
        fail_often(&breaker);
        advance(OPEN_FOR).await;
        breaker.admit().unwrap().fail("still down");
        let refused = breaker.admit().unwrap_err();
        assert_eq!((refused.wait, refused.reason.as_str()), (OPEN_FOR, "still down"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_cancelled_leaves_the_next_call_to_be_one() {
        let breaker = Breaker::default();
        fail_often(&breaker);
        advance(OPEN_FOR).await;
        drop(breaker.admit().unwrap());
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err());
        probe.succeed();
        assert!(breaker.check().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_forgets_the_failures_before_it() {
        let breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..FAILURES_MAX {
                breaker.admit().unwrap().fail("down");
            }
            breaker.admit().unwrap().succeed();
        }
        assert!(breaker.check().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_does_not_close_it() {
        let breaker = Breaker::default();
        let late = breaker.admit().unwrap();
        fail_often(&breaker);
        late.succeed();
        assert!(breaker.admit().is_err());
    }
}
