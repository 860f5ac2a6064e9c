//! Who may call a provider now: its limits, a pause it asked for, and its breaker. One for each provider, shared by all
//! workers of the process.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout_at},
};

use super::breaker::{Breaker, Refused, Ticket};

/// How long an attempt waits for its turn. Longer, and the job goes back to its queue, which costs no worker.
const TURN_WAIT_MAX: Duration = Duration::from_secs(30);
/// When to come back where nobody can say when a turn gets free.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// A rest may be made up for by as many requests as come within this part of a minute. Providers count by the minute:
/// a burst of a whole minute's requests would go over their limit.
const BURST_PART: u32 = 6;

/// The door of one provider.
pub(crate) struct Admission {
    concurrency: Option<Arc<Semaphore>>,
    rate: Option<Rate>,
    held_until: Mutex<Option<Instant>>,
    breaker: Breaker,
}

struct Rate {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    /// First come, first served.
    turn: tokio::sync::Mutex<()>,
}

/// The runtime's time, which tests can stop.
#[derive(Clone)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Why nobody may call now.
#[derive(Debug)]
pub(crate) enum Shut {
    /// It failed too often.
    Broken(Refused),
    /// It asked for a pause.
    Held {
        /// What is left of it.
        wait: Duration,
    },
    /// The owner's limits are used up.
    Busy {
        /// When a turn may be free.
        wait: Duration,
    },
}

/// The right to one call.
pub(crate) struct Permit<'a> {
    /// Takes the verdict.
    pub(crate) ticket: Ticket<'a>,
    _concurrency: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// A door with these limits; none where `None`.
    pub(crate) fn new(concurrency: Option<u32>, requests_per_minute: Option<u32>) -> Self {
        let rate = requests_per_minute.and_then(NonZeroU32::new).map(|count| {
            let burst = NonZeroU32::new(count.get() / BURST_PART).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::per_minute(count).allow_burst(burst);
            Rate {
                limiter: RateLimiter::direct_with_clock(quota, TokioClock(Instant::now())),
                turn: tokio::sync::Mutex::default(),
            }
        });
        Self {
            concurrency: concurrency.map(|count| Arc::new(Semaphore::new(count as usize))),
            rate,
            held_until: Mutex::default(),
            breaker: Breaker::default(),
        }
    }

    /// Waits for a turn.
    pub(crate) async fn enter(&self) -> Result<Permit<'_>, Shut> {
        let give_up = Instant::now() + TURN_WAIT_MAX;
        // Before the wait too: whoever can't get in should not queue.
        self.check()?;
        let concurrency = match &self.concurrency {
            None => None,
            Some(semaphore) => {
                let permit = timeout_at(give_up, Arc::clone(semaphore).acquire_owned()).await;
                Some(permit.ok().and_then(Result::ok).ok_or(Shut::Busy { wait: BUSY_WAIT })?)
            }
        };
        if let Some(rate) = &self.rate {
            rate.turn(give_up).await?;
        }
        self.check()?;
        let ticket = self.breaker.admit().map_err(Shut::Broken)?;
        Ok(Permit { ticket, _concurrency: concurrency })
    }

    /// Lets nobody in for this long: the provider asked for it.
    pub(crate) fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut held = self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(held.map_or(until, |before| before.max(until)));
    }

    fn check(&self) -> Result<(), Shut> {
        let held = *self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = held.and_then(|until| until.checked_duration_since(Instant::now()));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return Err(Shut::Held { wait });
        }
        self.breaker.check().map_err(Shut::Broken)
    }
}

impl Rate {
    async fn turn(&self, give_up: Instant) -> Result<(), Shut> {
        let Ok(_turn) = timeout_at(give_up, self.turn.lock()).await else {
            return Err(Shut::Busy { wait: BUSY_WAIT });
        };
        loop {
            let Err(not_yet) = self.limiter.check() else { return Ok(()) };
            let wait = not_yet.wait_time_from(self.limiter.clock().now());
            if Instant::now() + wait > give_up {
                return Err(Shut::Busy { wait });
            }
            // The timer's step is a millisecond.
            sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinSet;

    use super::{super::breaker::OPEN_FOR, *};

    /// Starts 32 calls of `length` each; answers when each started, and the most that ran at once.
    async fn storm(admission: Admission, length: Duration) -> (Vec<Duration>, usize) {
        let (admission, running, most) = (Arc::new(admission), Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let most = Arc::new(most);
        let began = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..32 {
            let (admission, running, most) = (Arc::clone(&admission), Arc::clone(&running), Arc::clone(&most));
            calls.spawn(async move {
                let permit = admission.enter().await.ok()?;
                let started = began.elapsed();
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(length).await;
                running.fetch_sub(1, Ordering::SeqCst);
                permit.ticket.succeed();
                Some(started)
            });
        }
        let mut started: Vec<_> = calls.join_all().await.into_iter().flatten().collect();
        started.sort();
        (started, most.load(Ordering::SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_calls_run_at_once_than_allowed() {
        let (started, most) = storm(Admission::new(Some(3), None), Duration::from_secs(1)).await;
        assert_eq!((started.len(), most), (32, 3), "all get their turn, three at a time");
        let (_, most) = storm(Admission::new(None, None), Duration::from_secs(1)).await;
        assert_eq!(most, 32, "without a limit there is none");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_calls_start_within_a_time_than_allowed() {
        let (started, _) = storm(Admission::new(None, Some(60)), Duration::from_secs(1)).await;
        // Ten at once, then one a second.
        assert_eq!(started.iter().filter(|at| at.is_zero()).count(), 10);
        for (index, at) in started.iter().enumerate().skip(10) {
            assert!(*at >= Duration::from_secs(index as u64 - 9), "call {index} started at {at:?}");
        }
        assert_eq!(started.len(), 32, "all within the wait");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_would_wait_too_long_is_told_when_to_come_back() {
        let admission = Admission::new(None, Some(1));
        admission.enter().await.ok().unwrap().ticket.succeed();
        match admission.enter().await {
            Err(Shut::Busy { wait }) => assert!(wait > Duration::from_secs(30) && wait <= Duration::from_mins(1)),
            _ => panic!("one a minute"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_everybody() {
        let admission = Admission::new(None, None);
        admission.hold(Duration::from_secs(9));
        admission.hold(Duration::from_secs(2));
        match admission.enter().await {
            Err(Shut::Held { wait }) => assert_eq!(wait, Duration::from_secs(9), "a shorter one takes nothing back"),
            _ => panic!("it was asked to wait"),
        }
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(admission.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_probes_a_broken_provider_and_others_stay_out() {
        let admission = Admission::new(None, None);
        for _ in 0..super::super::breaker::FAILURES_MAX {
            admission.enter().await.ok().unwrap().ticket.fail("down");
        }
        assert!(matches!(admission.enter().await, Err(Shut::Broken(_))));
        tokio::time::advance(OPEN_FOR).await;
        let probe = admission.enter().await.ok().unwrap();
        assert!(matches!(admission.enter().await, Err(Shut::Broken(_))));
        probe.ticket.succeed();
        assert!(admission.enter().await.is_ok());
    }
}
