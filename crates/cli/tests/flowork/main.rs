//! The `flowork` binary from outside: what it prints, what it returns, how it starts and stops.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod config;
mod engine;
mod jobs;
mod modules;
mod policies;
mod schedules;
mod serve;
mod shard;
mod token;
mod world;
