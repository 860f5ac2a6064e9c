//! How long to wait before a node that does not answer is tried again.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};

/// The first wait is at most this, doubled with each failure in a row.
const FIRST: Duration = Duration::from_secs(1);
/// No wait is longer than this: about as long as a person waits before they look why nothing happens.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that grow with each failure in a row, each anywhere between nothing and its bound.
pub(crate) struct Backoff {
    failures: u32,
    random: StdRng,
}

impl Backoff {
    /// `random`: where chance comes from.
    pub(crate) fn new(random: StdRng) -> Self {
        Self { failures: 0, random }
    }

    /// The node answered.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(self.random.random())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew_with_an_answer() {
        let mut backoff = Backoff::new(StdRng::seed_from_u64(7));
        let waits: Vec<_> = (0..200).map(|_| backoff.next()).collect();
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        assert!(waits[0] <= FIRST && waits[1] <= FIRST * 2);
        assert!(waits[100..].iter().any(|wait| *wait > LONGEST / 2), "they have grown");
        assert!(waits[100..].iter().any(|wait| *wait < LONGEST / 2), "and take the whole span");
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
