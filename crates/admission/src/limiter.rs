//! Token buckets for any number of callers in a table of fixed size.
//!
//! A bucket is one number, the time at which it will be full again (the generic cell rate algorithm, ITU-T I.371), so
//! nothing has to be filled up in the background. The table is a set-associative cache: a key belongs to one set of
//! [`WAYS`] places, chosen by a hash that nobody outside can foresee.
//!
//! A bucket is never dropped before it is full again. A full bucket is the same as none, so whoever finds no bucket
//! gets what a newcomer gets, and no flood of made-up keys resets a bucket or takes one away. Where all places of a set
//! are in use, newcomers to that set share one more bucket of the same size until a place is full again: they are
//! slowed together, nobody ever gets more than the rate, and those who have a place don't notice.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    marker::PhantomData,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::Rate;

/// Places of a set. With eight, a table that is half used has a full set once in some hundreds.
const WAYS: usize = 8;

/// Token buckets by key. What time it is comes with each call, counted from any fixed moment by a clock that never
/// goes back.
pub struct Limiter<K> {
    rate: Rate,
    /// After this long one more is free.
    interval_ns: u64,
    window_ns: u64,
    sets: Box<[Mutex<Set>]>,
    hasher: RandomState,
    keys: PhantomData<fn(&K)>,
}

/// When a bucket will be full again; one that was never used has been full for ever.
type FullAt = u64;

#[derive(Clone, Default)]
struct Set {
    /// Of what key each place is; 0 is nobody's.
    tags: [u64; WAYS],
    full_at: [FullAt; WAYS],
    /// Shared by those who find no place.
    overflow: FullAt,
}

/// How a request stands with its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may pass.
    pub allowed: bool,
    /// What the budget is.
    pub rate: Rate,
    /// How many more may pass at once.
    pub remaining: u32,
    /// When one more may pass; zero if it may now.
    pub retry_in: Duration,
    /// When all of the budget is there again, if nobody asks until then.
    pub full_in: Duration,
}

impl<K: Hash> Limiter<K> {
    /// A table for at least `keys` callers that have used some of their budget.
    pub fn new(rate: Rate, keys: usize) -> Self {
        let sets = keys.div_ceil(WAYS).next_power_of_two();
        let window_ns = rate.window().as_nanos() as u64;
        Self {
            rate,
            interval_ns: window_ns / u64::from(rate.quota()),
            window_ns,
            sets: std::iter::repeat_with(Mutex::default).take(sets).collect(),
            hasher: RandomState::new(),
            keys: PhantomData,
        }
    }

    /// What every key may use.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Memory of the table in bytes; it stays the same.
    pub fn bytes(&self) -> usize {
        std::mem::size_of_val(&*self.sets)
    }

    /// Takes one from the key's bucket if there is one.
    pub fn take(&self, key: &K, now: Duration) -> Verdict {
        self.decide(key, now, true)
    }

    /// Says what [`take`](Self::take) would, and takes nothing.
    pub fn look(&self, key: &K, now: Duration) -> Verdict {
        self.decide(key, now, false)
    }

    fn decide(&self, key: &K, now: Duration, take: bool) -> Verdict {
        let hash = self.hasher.hash_one(key);
        // The places of a set are told apart by the whole hash: two keys share a bucket once in 2^64.
        let (tag, index) = (hash | 1, (hash >> 1) as usize & (self.sets.len() - 1));
        let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX / 2);
        let mut set = self.sets[index].lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = set.bucket(tag, now_ns, take);
        let full_at = (*bucket).max(now_ns);
        let (verdict, taken) = self.weigh(full_at, now_ns);
        if take && verdict.allowed {
            *bucket = taken;
        }
        verdict
    }

    /// Whether one more may go out of a bucket that is full at `full_at`, and when it is full after that.
    fn weigh(&self, full_at: FullAt, now_ns: u64) -> (Verdict, FullAt) {
        let taken = full_at + self.interval_ns;
        let over = (taken - now_ns).saturating_sub(self.window_ns);
        let allowed = over == 0;
        let after = if allowed { taken } else { full_at };
        let owed = after - now_ns;
        let verdict = Verdict {
            allowed,
            rate: self.rate,
            remaining: (self.window_ns.saturating_sub(owed) / self.interval_ns) as u32,
            retry_in: Duration::from_nanos(over),
            full_in: Duration::from_nanos(owed),
        };
        (verdict, taken)
    }
}

impl Set {
    /// The bucket of `tag`: its own, one that is full and so nobody's, or the shared one.
    fn bucket(&mut self, tag: u64, now_ns: u64, claim: bool) -> &mut FullAt {
        let own = self.tags.iter().position(|known| *known == tag);
        let free = || self.full_at.iter().position(|full_at| *full_at <= now_ns);
        match own.or_else(free) {
            Some(place) => {
                if claim {
                    self.tags[place] = tag;
                }
                &mut self.full_at[place]
            }
            None => &mut self.overflow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(rate: &str, keys: usize) -> Limiter<u64> {
        Limiter::new(rate.parse().unwrap(), keys)
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// How many of `tries` pass.
    fn pass(limiter: &Limiter<u64>, key: u64, now: Duration, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.take(&key, now).allowed).count()
    }

    #[test]
    fn a_burst_passes_and_the_rest_comes_back_evenly() {
        let limiter = limiter("10/s", 64);
        assert_eq!(pass(&limiter, 1, at(0), 25), 10);
        assert_eq!(pass(&limiter, 1, at(99), 5), 0);
        assert_eq!(pass(&limiter, 1, at(100), 5), 1);
        assert_eq!(pass(&limiter, 1, at(550), 25), 4);
        assert_eq!(pass(&limiter, 1, at(60_000), 25), 10, "no more than the quota gathers");
        assert_eq!(pass(&limiter, 2, at(60_000), 25), 10, "another key has its own");
    }

    #[test]
    fn a_verdict_says_when_and_how_much() {
        let limiter = limiter("4/s", 64);
        let first = limiter.take(&1, at(0));
        assert_eq!((first.allowed, first.remaining, first.retry_in, first.full_in), (true, 3, at(0), at(250)));
        pass(&limiter, 1, at(0), 3);
        let refused = limiter.take(&1, at(100));
        assert_eq!(
            (refused.allowed, refused.remaining, refused.retry_in, refused.full_in),
            (false, 0, at(150), at(900))
        );
        assert!(limiter.take(&1, at(250)).allowed, "it was free when it said");
    }

    #[test]
    fn looking_takes_nothing() {
        let limiter = limiter("2/s", 64);
        for _ in 0..10 {
            assert!(limiter.look(&1, at(0)).allowed);
        }
        assert_eq!(pass(&limiter, 1, at(0), 5), 2);
        assert!(!limiter.look(&1, at(0)).allowed);
    }

    #[test]
    fn newcomers_to_a_full_table_share_one_bucket_and_others_keep_theirs() {
        let limiter = limiter("100/s", WAYS);
        assert_eq!(limiter.sets.len(), 1);
        for key in 0..WAYS as u64 {
            assert_eq!(pass(&limiter, key, at(0), 60), 60);
        }
        let strangers: usize = (1_000..2_000).map(|key| pass(&limiter, key, at(0), 1)).sum();
        assert_eq!(strangers, 100, "all of them together get what one gets");
        for key in 0..WAYS as u64 {
            assert_eq!(pass(&limiter, key, at(0), 60), 40, "what was used is remembered, what is left is there");
        }
        assert_eq!(pass(&limiter, 5_000, at(1_000), 200), 100, "places come free once their buckets are full");
    }

    #[test]
    fn hundred_thousand_a_second_is_counted_exactly() {
        let limiter = limiter("100000/s", 64);
        assert_eq!(pass(&limiter, 1, at(0), 150_000), 100_000);
        assert_eq!(pass(&limiter, 1, at(500), 150_000), 50_000);
    }
}
