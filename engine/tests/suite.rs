//! The queue through its public API, on real SQLite files.

mod abandon;
mod admission;
mod cancel;
mod claims;
mod damage;
mod failures;
mod idempotency;
mod leases;
mod list;
mod local;
mod model;
mod order;
mod requeue;
mod restart;
mod support;
mod wait;
