//! Quantiles in bounded memory: exact while all values fit, from an even sample of them after that.

use serde::Serialize;

/// Values that stand for all of them.
pub(super) struct Sample {
    values: Vec<f64>,
    seen: u64,
    capacity: usize,
    random: u64,
}

/// Five points of a distribution.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Quantiles {
    p05: f64,
    p25: f64,
    p50: f64,
    p75: f64,
    p95: f64,
    /// False if they come from a sample.
    exact: bool,
}

impl Sample {
    /// Keeps at most `capacity` values.
    pub(super) fn new(capacity: usize) -> Self {
        // A fixed seed: the same file gives the same profile.
        Self { values: Vec::new(), seen: 0, capacity, random: 0x9E37_79B9_7F4A_7C15 }
    }

    /// Takes a value in, or lets it replace a random other (Vitter's algorithm R).
    pub(super) fn add(&mut self, value: f64) {
        self.seen += 1;
        if self.values.len() < self.capacity {
            self.values.push(value);
            return;
        }
        let index = self.next_random() % self.seen;
        if let Some(slot) = usize::try_from(index).ok().and_then(|index| self.values.get_mut(index)) {
            *slot = value;
        }
    }

    /// The quantiles; `None` without values. Between two values it is their weighted mean.
    pub(super) fn quantiles(mut self) -> Option<Quantiles> {
        if self.values.is_empty() {
            return None;
        }
        self.values.sort_by(f64::total_cmp);
        let at = |fraction: f64| {
            let position = fraction * (self.values.len() - 1) as f64;
            let (below, above) = (self.values[position.floor() as usize], self.values[position.ceil() as usize]);
            below + (above - below) * position.fract()
        };
        let exact = self.seen as usize <= self.capacity;
        Some(Quantiles { p05: at(0.05), p25: at(0.25), p50: at(0.5), p75: at(0.75), p95: at(0.95), exact })
    }

    /// xorshift64*
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_while_all_values_fit() {
        let mut sample = Sample::new(1_000);
        (0..=100).rev().for_each(|value| sample.add(f64::from(value)));
        let expected = Quantiles { p05: 5.0, p25: 25.0, p50: 50.0, p75: 75.0, p95: 95.0, exact: true };
        assert_eq!(sample.quantiles(), Some(expected));
    }

    #[test]
    fn quantiles_of_a_sample_are_near_and_say_so() {
        let mut sample = Sample::new(10_000);
        (0..1_000_000).for_each(|value| sample.add(f64::from(value)));
        let quantiles = sample.quantiles().unwrap();
        assert!(!quantiles.exact);
        for (found, expected) in [(quantiles.p05, 50_000.0), (quantiles.p50, 500_000.0), (quantiles.p95, 950_000.0)] {
            assert!((found - expected).abs() < 20_000.0, "{found} should be near {expected}");
        }
    }
}
