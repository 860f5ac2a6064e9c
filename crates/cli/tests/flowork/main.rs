//! The `flowork` binary from outside: what it prints, what it returns, how it starts and stops.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod audit_notes;
mod auth;
mod config;
mod engine;
mod jobs;
mod members;
mod modules;
mod policies;
mod schedules;
mod serve;
mod sessions;
mod shard;
mod token;
mod vault;
mod world;
