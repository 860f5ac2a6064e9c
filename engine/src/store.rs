//! The shards: SQLite files that hold jobs, one writer thread each. All SQL of the engine is below this module.
//!
//! One shard, one transaction: a job, its idempotency record, its attempts and its log never span files.
//! [`Shard`] is the handle; requests go to its writer, reads to its readers.

mod batches;
mod budget;
mod claims;
mod finish;
mod insert;
pub mod inspect;
mod prune;
mod read;
mod ready;
mod requests;
mod rows;
mod schema;
mod shard;
mod transitions;
mod writer;

pub(crate) use batches::{BatchRow, BatchSums};
pub(crate) use budget::Budget;
pub use prune::Retention;
pub(crate) use read::{DeadFilter, DeadPage, ListFilter, ListPage};
pub use requests::QueueDepth;
pub(crate) use requests::{
    ActOutcome, Actor, ClaimKinds, Claimed, Claimer, EnqueueOutcome, FinishRow, Grant, NewBatch, NewJob, RenewRow,
};
pub(crate) use rows::{JobRow, Lookup};
pub(crate) use shard::{Shard, ShardOptions};

/// Runs of a job's payload that fit in its row, in bytes. Larger ones go to a table of their own, so that the pages
/// that claims walk stay small.
const INLINE_PAYLOAD_BYTES_MAX: usize = 2 << 10;

/// How long a claim lasts without a renewal.
pub const LEASE: std::time::Duration = std::time::Duration::from_secs(30);
