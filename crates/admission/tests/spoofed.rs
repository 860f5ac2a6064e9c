//! A flood of made-up addresses: the table stays as large as it was, and no bucket is reset or taken away.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use flowork_admission::{Limiter, Network, Rate};
use proptest::prelude::*;

const ADDRESSES: u64 = 1_000_000;
const KEYS: usize = 1 << 14;

/// Something that says whether a request may pass.
trait Admit {
    fn admit(&mut self, key: Network, now: Duration) -> bool;
}

impl Admit for Limiter<Network> {
    fn admit(&mut self, key: Network, now: Duration) -> bool {
        self.take(&key, now).allowed
    }
}

/// The control: exact buckets in a bounded map that drops the oldest.
struct OldestOut {
    used: HashMap<Network, u32>,
    order: VecDeque<Network>,
    quota: u32,
}

impl Admit for OldestOut {
    fn admit(&mut self, key: Network, _now: Duration) -> bool {
        if !self.used.contains_key(&key) {
            if self.used.len() == KEYS {
                self.used.remove(&self.order.pop_front().unwrap());
            }
            self.order.push_back(key);
        }
        let used = self.used.entry(key).or_default();
        *used += 1;
        *used <= self.quota
    }
}

fn made_up(n: u64) -> Network {
    IpAddr::V6(Ipv6Addr::from((0x2001_0db8_0000_0000 + u128::from(n)) << 64 | 1)).into()
}

fn rate() -> Rate {
    "60/h".parse().unwrap()
}

/// Uses up one bucket, floods, and counts what the same address gets after it.
fn passes_after_flood(table: &mut impl Admit) -> usize {
    let attacker = made_up(u64::MAX >> 8);
    let now = Duration::from_secs(1);
    let before = (0..100).filter(|_| table.admit(attacker, now)).count();
    assert_eq!(before, 60);
    for n in 0..ADDRESSES {
        table.admit(made_up(n), now);
    }
    (0..100).filter(|_| table.admit(attacker, now)).count()
}

#[test]
fn a_million_addresses_reset_no_bucket() {
    assert_eq!(passes_after_flood(&mut Limiter::new(rate(), KEYS)), 0);
}

#[test]
fn a_map_that_drops_the_oldest_fails_the_same_test() {
    let mut control = OldestOut { used: HashMap::new(), order: VecDeque::new(), quota: 60 };
    assert_eq!(passes_after_flood(&mut control), 60, "the flood reset the bucket");
}

#[test]
fn a_million_addresses_leave_the_table_as_large_as_it_was() {
    let limiter = Limiter::new(rate(), KEYS);
    let before = limiter.bytes();
    for n in 0..ADDRESSES {
        limiter.take(&made_up(n), Duration::ZERO);
    }
    assert_eq!(limiter.bytes(), before);
    assert!(before <= KEYS * 32, "{before} bytes for {KEYS} keys");
}

#[test]
fn somebody_who_was_there_before_the_flood_keeps_the_whole_budget() {
    let limiter = Limiter::new(rate(), KEYS);
    let guest = made_up(u64::MAX >> 8);
    assert!(limiter.take(&guest, Duration::ZERO).allowed);
    let passed = (0..ADDRESSES).filter(|n| {
        limiter.take(&made_up(*n), Duration::from_secs(1));
        // Every ten-thousandth of the flood, the guest asks again.
        n % 20_000 == 0 && limiter.take(&guest, Duration::from_secs(1)).allowed
    });
    assert_eq!(passed.count(), 50, "all fifty passed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever others do, a key never gets more than its quota and what came back in the meantime.
    #[test]
    fn nobody_gets_more_than_the_rate(steps in proptest::collection::vec((0_u64..40, 0_u64..200), 1..2_000)) {
        let limiter = Limiter::new("20/s".parse().unwrap(), 8);
        let mut now = Duration::ZERO;
        let mut passed: HashMap<u64, u32> = HashMap::new();
        for (key, wait_ms) in steps {
            now += Duration::from_millis(wait_ms / 20);
            if limiter.take(&key, now).allowed {
                *passed.entry(key).or_default() += 1;
            }
        }
        let most = 20.0 + now.as_secs_f64() * 20.0 + 1.0;
        for (key, count) in passed {
            prop_assert!(f64::from(count) <= most, "{key} got {count} in {now:?}");
        }
    }
}
