//! How often something may happen, and whether it may happen now.

use std::time::Duration;

/// A number of times a second, as many of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Times a second; 0 for as often as anybody likes.
    pub per_second: u32,
}

/// What was used of a pace: the generic cell rate algorithm, which needs one number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// When everything that happened would be paid for, in microseconds.
    paid_at_us: i64,
}

impl Used {
    /// Whether there is one left; `Err` tells how long to wait.
    pub(crate) fn look(self, pace: Pace, now_ms: i64) -> Result<(), Duration> {
        if pace.per_second == 0 {
            return Ok(());
        }
        // A whole second may be used at once.
        let early_us = self.paid_after(pace, now_ms) - now_ms.saturating_mul(1_000) - 1_000_000;
        if early_us > 0 { Err(Duration::from_micros(early_us.unsigned_abs())) } else { Ok(()) }
    }

    /// Takes one, of which [`look`](Self::look) has said that it is there.
    pub(crate) fn take(&mut self, pace: Pace, now_ms: i64) {
        if pace.per_second != 0 {
            self.paid_at_us = self.paid_after(pace, now_ms);
        }
    }

    /// When everything would be paid for if another one happened.
    fn paid_after(self, pace: Pace, now_ms: i64) -> i64 {
        let price_us = 1_000_000 / i64::from(pace.per_second);
        self.paid_at_us.max(now_ms.saturating_mul(1_000)) + price_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes one if it is there.
    fn try_one(used: &mut Used, pace: Pace, now_ms: i64) -> Result<(), Duration> {
        used.look(pace, now_ms)?;
        used.take(pace, now_ms);
        Ok(())
    }

    #[test]
    fn ten_a_second_are_ten_at_once_and_then_one_each_tenth() {
        let (mut used, pace) = (Used::default(), Pace { per_second: 10 });
        for _ in 0..10 {
            try_one(&mut used, pace, 5_000).unwrap();
        }
        assert_eq!(try_one(&mut used, pace, 5_000), Err(Duration::from_millis(100)));
        assert_eq!(try_one(&mut used, pace, 5_060), Err(Duration::from_millis(40)), "a refusal costs nothing");
        try_one(&mut used, pace, 5_100).unwrap();
        assert!(try_one(&mut used, pace, 5_100).is_err());
    }

    #[test]
    fn a_lifted_limit_refuses_nothing() {
        let mut used = Used::default();
        for _ in 0..10_000 {
            try_one(&mut used, Pace { per_second: 0 }, 0).unwrap();
        }
    }
}
