//! How many jobs a claimer takes: slots that the shards of an engine share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many more jobs a claimer takes, over all shards of its engine.
///
/// A shard takes slots before it claims, so that a claimer registered with many shards never gets more than it asked
/// for. `starved` tells that a shard had jobs and found no slot, so that whoever frees one knows to wake the shards.
#[derive(Debug)]
pub(crate) struct Budget {
    /// How many slots there are. May shrink below what is taken; then nothing is handed out until enough came back.
    total: AtomicU64,
    /// Slots that are taken; the top bit says that the budget is closed. One word, so that closing and taking cannot
    /// interleave.
    taken: AtomicU64,
    starved: AtomicBool,
}

impl Budget {
    const CLOSED: u64 = 1 << 63;

    pub(crate) fn new(slots: u64) -> Self {
        Self { total: AtomicU64::new(slots), taken: AtomicU64::new(0), starved: AtomicBool::new(false) }
    }

    /// How many of `wanted` slots are free, without taking them.
    ///
    /// A shard that finds too few says so first and then looks again, and whoever frees a slot, by giving one back or
    /// by making the budget larger, does that first and then asks [`take_starved`](Self::take_starved): one of the two
    /// always sees the other. That needs one order of all four steps, hence `SeqCst` throughout.
    pub(crate) fn offer(&self, wanted: u64) -> u64 {
        let mut free = self.free();
        if free < wanted {
            self.starved.store(true, Ordering::SeqCst);
            free = self.free();
        }
        free.min(wanted)
    }

    /// Takes up to `wanted` slots; answers how many. Take no more than there are jobs for: a slot that goes back unused
    /// may have been missed by another shard meanwhile.
    ///
    /// Whoever takes while the budget shrinks may still take by the size it had a moment before.
    pub(crate) fn take(&self, wanted: u64) -> u64 {
        let mut got = 0;
        loop {
            let offered = self.offer(wanted - got);
            if offered == 0 {
                return got;
            }
            let mut now = 0;
            let outcome = self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |taken| {
                now = self.left(taken).min(offered);
                (now > 0).then(|| taken + now)
            });
            if outcome.is_ok() {
                got += now;
            }
        }
    }

    /// Gives back slots whose jobs ended, or whose grant was not committed.
    pub(crate) fn give_back(&self, slots: u64) {
        self.taken.fetch_sub(slots, Ordering::SeqCst);
    }

    /// Changes how many slots there are. Whoever makes it larger asks [`take_starved`](Self::take_starved) afterwards.
    pub(crate) fn resize(&self, slots: u64) {
        self.total.store(slots, Ordering::SeqCst);
    }

    /// How many slots there are.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::SeqCst)
    }

    /// Slots that are taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst) & !Self::CLOSED
    }

    /// Grants nothing from now on.
    pub(crate) fn close(&self) {
        self.taken.fetch_or(Self::CLOSED, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.taken.load(Ordering::SeqCst) & Self::CLOSED != 0
    }

    /// Whether a shard had to leave jobs since the last call.
    pub(crate) fn take_starved(&self) -> bool {
        self.starved.swap(false, Ordering::SeqCst)
    }

    fn free(&self) -> u64 {
        self.left(self.taken.load(Ordering::SeqCst))
    }

    /// What is free when `taken` is the word. None when closed: a closed word is larger than any total.
    fn left(&self, taken: u64) -> u64 {
        self.total.load(Ordering::SeqCst).saturating_sub(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two threads do one thing each to every budget at about the same moment; answers what each found.
    fn race(budgets: &[Budget], one: fn(&Budget) -> bool, other: fn(&Budget) -> bool) -> Vec<(bool, bool)> {
        // Both sides take turns at being early, by spinning towards the other's round.
        let round = [const { AtomicU64::new(0) }; 2];
        let run = |mine: usize, act: fn(&Budget) -> bool| {
            let turn = |(number, budget): (usize, &Budget)| {
                round[mine].store(number as u64 + 1, Ordering::SeqCst);
                let mut spins = 0;
                while round[1 - mine].load(Ordering::SeqCst) < number as u64 + 1 {
                    spins += 1;
                    // The other side may have no processor to run on.
                    if spins % 1_000 == 0 { std::thread::yield_now() } else { std::hint::spin_loop() }
                }
                act(budget)
            };
            budgets.iter().enumerate().map(turn).collect::<Vec<bool>>()
        };
        std::thread::scope(|scope| {
            let (one, other) = (scope.spawn(|| run(0, one)), scope.spawn(|| run(1, other)));
            std::iter::zip(one.join().unwrap(), other.join().unwrap()).collect()
        })
    }

    const ROUNDS: usize = 20_000;

    #[test]
    fn a_closed_budget_grants_nothing_and_still_counts_what_comes_back() {
        let budget = Budget::new(5);
        assert_eq!(budget.take(3), 3);
        budget.close();
        assert_eq!(budget.take(1), 0);
        assert_eq!(budget.taken(), 3);
        budget.give_back(2);
        assert_eq!(budget.taken(), 1);
        budget.resize(100);
        assert_eq!(budget.take(1), 0, "it stays closed, whatever its size");
    }

    #[test]
    fn a_shard_that_had_to_leave_jobs_is_remembered_once() {
        let budget = Budget::new(1);
        assert_eq!(budget.take(1), 1);
        assert!(!budget.take_starved());
        assert_eq!(budget.take(1), 0);
        assert!(budget.take_starved());
        assert!(!budget.take_starved());
    }

    #[test]
    fn a_budget_that_shrank_hands_out_nothing_until_enough_came_back() {
        let budget = Budget::new(4);
        assert_eq!(budget.take(4), 4);
        budget.resize(2);
        for taken in [4, 3, 2] {
            assert_eq!((budget.taken(), budget.take(1)), (taken, 0));
            budget.give_back(1);
        }
        assert_eq!(budget.take(5), 1, "one is taken, so one of two is free");
        budget.resize(0);
        budget.give_back(2);
        assert_eq!(budget.take(1), 0);
    }

    #[test]
    fn a_budget_that_grew_hands_out_what_it_gained_and_shows_who_waits_for_it() {
        let budget = Budget::new(1);
        assert_eq!(budget.take(3), 1);
        budget.resize(3);
        assert!(budget.take_starved(), "whoever made it larger knows to wake the shards");
        assert_eq!((budget.take(3), budget.taken()), (2, 3));
    }

    #[test]
    fn a_slot_that_is_freed_while_a_shard_looks_is_taken_or_its_hunger_is_seen() {
        let budgets: Vec<Budget> = (0..ROUNDS).map(|_| Budget::new(1)).collect();
        for budget in &budgets {
            assert_eq!(budget.take(1), 1);
        }
        let free = |budget: &Budget| {
            budget.give_back(1);
            budget.take_starved()
        };
        let missed =
            race(&budgets, free, |budget| budget.take(1) == 1).into_iter().filter(|found| *found == (false, false));
        assert_eq!(missed.count(), 0, "each is a job that waits although a slot is free");
    }

    #[test]
    fn a_slot_that_is_added_while_a_shard_looks_is_taken_or_its_hunger_is_seen() {
        let budgets: Vec<Budget> = (0..ROUNDS).map(|_| Budget::new(0)).collect();
        let grow = |budget: &Budget| {
            budget.resize(1);
            budget.take_starved()
        };
        let missed =
            race(&budgets, grow, |budget| budget.take(1) == 1).into_iter().filter(|found| *found == (false, false));
        assert_eq!(missed.count(), 0, "each is a job that waits although a slot is free");
    }

    #[test]
    fn a_slot_that_comes_back_while_the_budget_shrinks_is_not_handed_out() {
        let budgets: Vec<Budget> = (0..ROUNDS).map(|_| Budget::new(2)).collect();
        for budget in &budgets {
            assert_eq!(budget.take(2), 2);
        }
        let shrink = |budget: &Budget| {
            budget.resize(1);
            budget.take(1) == 1
        };
        let give_back = |budget: &Budget| {
            budget.give_back(1);
            true
        };
        let wrong = race(&budgets, shrink, give_back).into_iter().filter(|(taken, _)| *taken);
        assert_eq!(wrong.count(), 0, "one of one was still taken");
        assert!(budgets.iter().all(|budget| budget.taken() == 1 && budget.take(1) == 0));
    }

    #[test]
    fn sizes_that_change_all_the_time_never_let_more_be_taken_than_the_largest() {
        let budget = Budget::new(4);
        let most = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for wanted in (0..ROUNDS as u64).map(|round| round % 5 + 1) {
                        let got = budget.take(wanted);
                        most.fetch_max(budget.taken(), Ordering::SeqCst);
                        budget.give_back(got);
                    }
                });
            }
            scope.spawn(|| (0..ROUNDS as u64).for_each(|round| budget.resize(round % 5)));
        });
        assert!(most.load(Ordering::SeqCst) <= 4);
        assert_eq!(budget.taken(), 0, "all came back");
        budget.resize(3);
        assert_eq!(budget.take(9), 3);
    }
}
