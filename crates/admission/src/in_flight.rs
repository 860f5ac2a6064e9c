//! How much one caller does at a time.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts what each key has in flight, up to a bound for each. Its memory is bounded by what is in flight in all, which
/// is for somebody else to bound. Cheap to clone.
pub struct InFlight<K: Eq + Hash> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
    max: usize,
}

/// One of a key's places; dropping it gives it back.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash + Clone> InFlight<K> {
    /// At most `max` at a time for each key.
    pub fn new(max: usize) -> Self {
        Self { counts: Arc::default(), max }
    }

    /// The bound.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Takes a place; `None` if the key has all of its places in use.
    pub fn enter(&self, key: K) -> Option<Place<K>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place { counts: Arc::clone(&self.counts), key })
    }

    /// Keys that have something in flight.
    pub fn keys(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl<K: Eq + Hash> Clone for InFlight<K> {
    fn clone(&self) -> Self {
        Self { counts: Arc::clone(&self.counts), max: self.max }
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_and_are_forgotten() {
        let in_flight = InFlight::new(2);
        let (one, two) = (in_flight.enter("a").unwrap(), in_flight.enter("a").unwrap());
        assert!(in_flight.enter("a").is_none());
        assert!(in_flight.enter("b").is_some(), "another key has its own");
        drop(one);
        let three = in_flight.enter("a").unwrap();
        drop((two, three));
        assert_eq!(in_flight.keys(), 0, "nothing stays behind");
    }
}
