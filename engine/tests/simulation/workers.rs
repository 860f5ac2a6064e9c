//! Workers that are not always good ones.

use flowork_api_types::JobId;
use rand::{RngExt, rngs::StdRng};

/// What a worker will do with its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Complete,
    /// Complete late, and renew until then.
    Renew,
    Fail {
        for_good: bool,
    },
    Die,
}

/// A job as its worker remembers it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) id: JobId,
    pub(super) epoch: u32,
    pub(super) plan: Plan,
    due: i64,
}

impl Lease {
    pub(super) fn is_due(&self, now: i64) -> bool {
        self.due <= now
    }
}

#[derive(Default)]
pub(super) struct Worker {
    pub(super) lease: Option<Lease>,
}

impl Worker {
    /// Takes a job and makes a plan. Some take longer than a lease without saying so.
    pub(super) fn take(&mut self, id: JobId, epoch: u32, now: i64, chance: &mut StdRng) {
        let (plan, takes_ms) = match chance.random_range(0..20) {
            0..9 => (Plan::Complete, chance.random_range(0..5_000)),
            9 | 10 => (Plan::Complete, chance.random_range(30_000..70_000)),
            11..13 => (Plan::Renew, chance.random_range(10_000..90_000)),
            13..17 => (Plan::Fail { for_good: false }, chance.random_range(0..5_000)),
            17 => (Plan::Fail { for_good: true }, chance.random_range(0..40_000)),
            _ => (Plan::Die, 0),
        };
        self.lease = Some(Lease { id, epoch, plan, due: now + takes_ms });
    }

    /// When it has something to say.
    pub(super) fn due(&self) -> Option<i64> {
        self.lease.map(|lease| lease.due)
    }
}
