//! The queue through its public API, on real SQLite files.

#![allow(clippy::unwrap_used, reason = "everything here is a test, its shared parts too")]

mod abandon;
mod admission;
mod autoscale;
mod batches;
mod cancel;
mod claim_delays;
mod claims;
mod clock_steps;
mod damage;
mod failures;
mod fairness;
mod heartbeat;
mod idempotency;
mod leases;
mod limits;
mod list;
mod local;
mod logs;
mod migration;
mod model;
mod order;
mod pool;
mod quarantine;
mod redrive;
mod repair;
mod requeue;
mod restart;
mod resume;
mod retention;
mod simulation;
mod support;
mod unique;
mod wait;
mod warnings;
