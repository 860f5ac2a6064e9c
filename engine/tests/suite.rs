//! The queue through its public API, on real SQLite files.

#![allow(clippy::unwrap_used, reason = "everything here is a test, its shared parts too")]

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
