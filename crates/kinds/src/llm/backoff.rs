//! How long to wait before a provider is asked again within an attempt.

use std::time::Duration;

/// The first wait is up to this long.
pub(crate) const FIRST: Duration = Duration::from_millis(500);
/// No wait is longer, whatever the provider asks for: a worker is better used for another job meanwhile, and the queue
/// keeps the job as long as it takes.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(15);
/// All waits of an attempt together.
const TOTAL_MAX: Duration = Duration::from_secs(45);

/// What is left of an attempt's patience.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { left: TOTAL_MAX }
    }
}

impl Patience {
    /// The wait before the retry number `retry`, from 0: full jitter over a bound that doubles, added to what the
    /// provider asked for. `None` if that is more than is sensible, or than is left until `deadline`.
    ///
    /// Source: Marc Brooker, "Exponential Backoff and Jitter", 2015.
    pub(crate) fn wait(&mut self, retry: u32, asked: Option<Duration>, until_deadline: Duration) -> Option<Duration> {
        let bound = FIRST.saturating_mul(1 << retry.min(10)).min(WAIT_MAX);
        let jitter = bound.mul_f64(rand::random_range(0.0..1.0));
        let asked = asked.unwrap_or_default();
        if asked > WAIT_MAX {
            return None;
        }
        let wait = asked + jitter;
        if wait > self.left || wait >= until_deadline {
            return None;
        }
        self.left -= wait;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_hours(1);

    #[test]
    fn waits_grow_are_random_and_honor_what_was_asked() {
        let waits = |retry, asked| {
            let all = (0..200).filter_map(|_| Patience::default().wait(retry, asked, FAR));
            all.collect::<Vec<_>>()
        };
        let first = waits(0, None);
        assert!(first.iter().all(|wait| *wait <= FIRST));
        assert!(first.iter().any(|wait| *wait < FIRST / 4) && first.iter().any(|wait| *wait > FIRST * 3 / 4));
        assert!(waits(4, None).iter().any(|wait| *wait > FIRST * 4), "later waits are longer");
        assert!(waits(30, None).iter().all(|wait| *wait <= WAIT_MAX));
        let asked = Duration::from_secs(7);
        assert!(waits(0, Some(asked)).iter().all(|wait| *wait >= asked && *wait <= asked + FIRST));
    }

    #[test]
    fn patience_ends() {
        let mut patience = Patience::default();
        assert_eq!(patience.wait(0, Some(WAIT_MAX + FIRST), FAR), None, "longer than sensible");
        assert_eq!(patience.wait(0, Some(Duration::from_secs(3)), Duration::from_secs(2)), None, "past the deadline");
        let waits = (0..100).map_while(|_| patience.wait(0, Some(Duration::from_secs(10)), FAR)).count();
        assert_eq!(waits, 4, "forty seconds and jitter of forty-five");
    }
}
