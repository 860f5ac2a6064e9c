//! Rings at an instant of sessions' time.
//!
//! On Linux the kernel does, by a clock that runs on while the machine sleeps, so that nobody has to look in between: a
//! node with nothing to do wakes up never. It also tells when somebody sets the wall clock (`Steps`). Elsewhere timers
//! stand still during a sleep, and nobody tells, so a long wait looks up now and then.

#[cfg(target_os = "linux")]
mod kernel;

use std::time::Duration;

use crate::time::SessionTime;

#[cfg(target_os = "linux")]
pub(crate) use kernel::Steps;

/// The longest wait of a timer that stands still while a machine sleeps. So this is how late a sleep is noticed where
/// nobody tells ([`crate::Sessions::check_now`]), and how late it is stored that the wall clock was set.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// Rings for one who waits.
pub(crate) struct Alarm {
    time: SessionTime,
    #[cfg(target_os = "linux")]
    timer: Option<kernel::Timer>,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// This instant.
    Until(i64),
    /// Nothing is due ever, as with a stopwatch without a cap, and yet the wall clock may be set.
    ForSteps,
    /// Nothing at all.
    ForNothing,
}

impl Alarm {
    /// One by the clock of `time`.
    pub(crate) fn new(time: SessionTime) -> Self {
        Self {
            #[cfg(target_os = "linux")]
            timer: kernel::Timer::by(&time),
            time,
        }
    }

    /// Resolves at the instant, or some time before where a wait has to look up. Dropping the future loses nothing.
    pub(crate) async fn rings(&mut self, wait: Wait) {
        #[cfg(target_os = "linux")]
        if let Some(timer) = &mut self.timer {
            let rung = match wait {
                Wait::Until(at_ms) if at_ms <= self.time.now_ms() => return,
                Wait::Until(at_ms) => timer.rings(self.time.since_boot_ms(at_ms).unwrap_or(0)).await,
                // The kernel tells of steps.
                Wait::ForSteps | Wait::ForNothing => return std::future::pending().await,
            };
            match rung {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "a timer of the system failed; others are used from now on"),
            }
            self.timer = None;
        }
        let sleep = match wait {
            Wait::Until(at_ms) => {
                let left_ms = at_ms.saturating_sub(self.time.now_ms()).max(0);
                Duration::from_millis(left_ms.unsigned_abs()).min(SLEEP_MAX)
            }
            Wait::ForSteps => SLEEP_MAX,
            Wait::ForNothing => return std::future::pending().await,
        };
        tokio::time::sleep(sleep).await;
    }
}
