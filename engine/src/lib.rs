//! The job queue and its workers.
//!
//! Jobs live in SQLite files, the shards; one writer thread a file commits in groups ([`store`]). What may happen to a
//! job is decided in [`jobs`]. A [`pool`] of local workers claims jobs under leases and runs their [`kind`]s; external
//! engines do the same over HTTP through the same operations. [`Engines`] is what the rest of the node holds.
//!
//! Not here: HTTP, sign-in, permissions (the gateway), and kinds that reach outside (the `flowork-kinds` crate).

mod autoscale;
pub mod clock;
pub mod engines;
pub mod events;
pub mod jobs;
pub mod kind;
pub mod kinds;
mod limits;
pub(crate) mod measures;
pub mod pool;
pub mod store;

pub use autoscale::AutoscaleOptions;
pub use clock::Clock;
pub use engines::{EngineSpec, Engines, EnginesOptions, OpenError, quarantine::ShardScrub};
pub use events::{EventFeed, Events};
pub use kind::{JobContext, JobFailure, JobKind, KindRegistry, Reporter};
pub use measures::QueueMeasures;
pub use store::{QueueDepth, Retention};
