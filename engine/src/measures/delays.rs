//! Delays, counted by size, so that quantiles cost no memory that grows.

use std::time::Duration;

/// The finest difference that is told: 2^7 microseconds.
const UNIT_SHIFT: u32 = 7;
/// Buckets for each doubling of the delay, as a power of two: neighbors differ by an eighth at most.
const STEPS_SHIFT: u32 = 3;
const STEPS: usize = 1 << STEPS_SHIFT;
/// The last bucket takes everything from about a day and a half.
const BUCKETS: usize = 28 * STEPS;

/// How many delays there were of each size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delays {
    buckets: [u32; BUCKETS],
    count: u64,
}

impl Default for Delays {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], count: 0 }
    }
}

impl Delays {
    pub(super) fn add(&mut self, delay: Duration) {
        let bucket = &mut self.buckets[bucket_of(delay)];
        *bucket = bucket.saturating_add(1);
        self.count += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        for (bucket, more) in std::iter::zip(&mut self.buckets, &other.buckets) {
            *bucket = bucket.saturating_add(*more);
        }
        self.count += other.count;
    }

    /// The delay that a share of all delays does not exceed; within a bucket they are taken as evenly spread.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        if self.count == 0 {
            return None;
        }
        let rank = (share * self.count as f64).ceil().max(1.0);
        let mut before = 0.0;
        for (index, &count) in self.buckets.iter().enumerate() {
            let count = f64::from(count);
            if count > 0.0 && before + count >= rank {
                let (from, to) = (start_of(index), start_of(index + 1));
                return Some(from + to.saturating_sub(from).mul_f64((rank - before) / count));
            }
            before += count;
        }
        Some(start_of(BUCKETS))
    }
}

fn bucket_of(delay: Duration) -> usize {
    let units = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX) >> UNIT_SHIFT;
    if units < STEPS as u64 {
        return units as usize;
    }
    let doublings = units.ilog2() - STEPS_SHIFT;
    let step = (units >> doublings) as usize - STEPS;
    (STEPS * (doublings as usize + 1) + step).min(BUCKETS - 1)
}

fn start_of(bucket: usize) -> Duration {
    let units = match bucket / STEPS {
        0 => bucket as u64,
        doublings => ((STEPS + bucket % STEPS) as u64) << (doublings - 1),
    };
    Duration::from_micros(units << UNIT_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delay_lies_within_its_bucket() {
        for exponent in 0..60 {
            for micros in [(1_u64 << exponent) - 1, 1 << exponent, 3 << exponent] {
                let delay = Duration::from_micros(micros);
                let bucket = bucket_of(delay);
                assert!(start_of(bucket) <= delay, "{delay:?}");
                assert!(bucket == BUCKETS - 1 || delay < start_of(bucket + 1), "{delay:?}");
            }
        }
        for bucket in STEPS..BUCKETS {
            let (from, to) = (start_of(bucket), start_of(bucket + 1));
            assert!(from < to && to.saturating_sub(from) * 8 <= from, "{bucket}: {from:?} to {to:?}");
        }
    }

    #[test]
    fn quantiles_are_near_the_delays_they_stand_for() {
        let check = |delays_ms: &[u64], share: f64, expected_ms: f64| {
            let mut delays = Delays::default();
            for &ms in delays_ms {
                delays.add(Duration::from_millis(ms));
            }
            let found = delays.quantile(share).unwrap().as_secs_f64() * 1_000.0;
            assert!((found - expected_ms).abs() <= 0.13 + expected_ms / 8.0, "{delays_ms:?} {share}: {found}");
        };
        check(&[0], 0.95, 0.0);
        check(&[10], 0.5, 10.0);
        check(&[1, 2, 3, 4, 1_000], 0.5, 3.0);
        check(&[1, 2, 3, 4, 1_000], 0.95, 1_000.0);
        check(&(1..=1_000).collect::<Vec<_>>(), 0.5, 500.0);
        check(&(1..=1_000).collect::<Vec<_>>(), 0.95, 950.0);
        check(&[86_400_000; 3], 0.95, 86_400_000.0);
        assert_eq!(Delays::default().quantile(0.5), None);
    }

    #[test]
    fn merged_delays_are_those_of_both() {
        let (mut low, mut high) = (Delays::default(), Delays::default());
        (0..95).for_each(|_| low.add(Duration::from_millis(1)));
        (0..5).for_each(|_| high.add(Duration::from_secs(100)));
        low.merge(&high);
        assert!(low.quantile(0.95).unwrap() < Duration::from_millis(2));
        assert!(low.quantile(0.96).unwrap() > Duration::from_secs(80));
    }
}
