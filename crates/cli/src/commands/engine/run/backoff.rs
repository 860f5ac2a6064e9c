//! How long to wait after a call that failed.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};

/// The first wait after a failure is at most this, doubled with each further one.
const FIRST: Duration = Duration::from_millis(500);
/// No wait is longer than this. Well below a lease, which is what a node that was restarted gives its engines to come
/// back.
pub(super) const LONGEST: Duration = Duration::from_secs(15);

/// Waits that grow with each failure in a row, each anywhere between nothing and its bound, so that engines that lost
/// one gateway do not come back to it together.
pub(super) struct Backoff {
    failures: u32,
    random: StdRng,
}

impl Backoff {
    /// `random`: where chance comes from.
    pub(super) fn new(random: StdRng) -> Self {
        Self { failures: 0, random }
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait; never less than what the other side `asked` for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(self.random.random()).max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_honor_what_the_gateway_asks() {
        let mut backoff = Backoff::new(StdRng::seed_from_u64(7));
        let waits: Vec<_> = (0..200).map(|_| backoff.next(None)).collect();
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        assert!(waits[0] <= FIRST && waits[1] <= FIRST * 2);
        assert!(waits[100..].iter().any(|wait| *wait > LONGEST / 2), "they have grown");
        assert!(waits[100..].iter().any(|wait| *wait < LONGEST / 2), "and take the whole span");
        assert_eq!(backoff.next(Some(LONGEST)), LONGEST);
        backoff.reset();
        assert!(backoff.next(None) <= FIRST);
    }

    #[test]
    fn a_seed_gives_the_same_waits_again_and_another_seed_others() {
        let waits = |seed| {
            let mut backoff = Backoff::new(StdRng::seed_from_u64(seed));
            (0..8).map(|_| backoff.next(None)).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}
