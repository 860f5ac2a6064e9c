//! The seam of the pool: where its jobs come from, and where it says how they ended.
//!
//! The workers of a node take jobs from the shards of its local engine ([`shards`](super::shards)); an engine in a
//! process of its own takes them from a gateway, over HTTP.

use std::{sync::Arc, time::Duration};

use flowork_api_types::{
    engine::{Lease, NewLogLine},
    job::Progress,
};
use serde_json::Value;
use tokio::time::Instant;

use super::{Stop, Workers};
use crate::{JobFailure, store::Budget};

/// Where a pool takes its jobs from.
///
/// Each call is given the pool's [`Workers`]. Slots are counted on both sides: a source starts no job without one, and
/// gives it back with the attempt's end.
pub trait JobSource: Send + Sync + Sized + 'static {
    /// Starts jobs as slots and jobs come, until the pool [stops](Workers::stopping) or is [closed](Workers::closed).
    fn feed(&self, workers: &Workers<Self>) -> impl Future<Output = ()> + Send;

    /// There are free slots again, after something had looked for one and found none.
    fn look_again(&self);

    /// Stores what attempts report, in as few requests as the other side allows; `extend`: and renews every lease.
    ///
    /// Outcomes go to [`Attempts::settle`](super::Attempts::settle). A renewal that failed is no end of a lease: it
    /// holds until its deadline, at which the pool stops the attempt.
    fn renew(&self, workers: &Workers<Self>, extend: bool) -> impl Future<Output = ()> + Send;

    /// Stores how an attempt ended. Returns once that is settled; until then the lease is renewed.
    fn finish(&self, workers: &Workers<Self>, end: AttemptEnd, slot: Slot) -> impl Future<Output = ()> + Send;

    /// Gives a lease back unused: the job is ready again, and the attempt does not count.
    fn release(&self, workers: &Workers<Self>, lease: Lease, slot: Slot) -> impl Future<Output = ()> + Send;
}

/// A job under a lease, for a worker.
#[derive(Debug)]
pub struct Assigned {
    /// The right to run it.
    pub lease: Lease,
    /// What it runs.
    pub kind: String,
    /// Who enqueued it.
    pub created_by: String,
    /// What it runs on.
    pub payload: Payload,
    /// Counts from 1.
    pub attempt: u16,
    /// The longest this attempt may take.
    pub timeout: Duration,
    /// Until when the lease surely holds: counted from before the claim was asked for.
    pub lease_until: Instant,
}

/// What a job runs on, as its source has it.
#[derive(Debug)]
pub enum Payload {
    /// JSON text; parsed by the worker.
    Text(Vec<u8>),
    /// JSON.
    Value(Value),
}

/// What a renewal says of one lease.
#[derive(Debug)]
pub struct Renewal {
    /// Which.
    pub lease: Lease,
    /// How far the attempt is, if that changed.
    pub progress: Option<Progress>,
    /// Lines since the last one.
    pub logs: Vec<NewLogLine>,
}

impl Renewal {
    /// It says more than that the lease is to go on.
    pub fn has_reports(&self) -> bool {
        self.progress.is_some() || !self.logs.is_empty()
    }
}

/// One attempt that ended.
#[derive(Debug)]
pub struct AttemptEnd {
    /// Of which lease.
    pub lease: Lease,
    /// JSON text of the result, at most [`RESULT_BYTES_MAX`](crate::jobs::lease::RESULT_BYTES_MAX), or why it failed.
    pub outcome: Result<Vec<u8>, JobFailure>,
    pub(super) stop: Stop,
}

/// A worker's place in the pool. Goes back when it is dropped.
#[derive(Debug)]
pub struct Slot(Option<Arc<Budget>>);

impl Slot {
    /// A slot that was taken from the budget.
    pub(super) fn taken_from(budget: &Arc<Budget>) -> Self {
        Self(Some(Arc::clone(budget)))
    }

    /// Leaves it to a shard to give the slot back.
    pub(super) fn hand_over(mut self) -> Option<Arc<Budget>> {
        self.0.take()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(budget) = self.0.take() {
            budget.give_back(1);
        }
    }
}
