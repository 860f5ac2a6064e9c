//! The `flowork` binary from outside: what it prints, what it returns, how it starts and stops.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod config;
mod engine;
mod jobs;
mod modules;
mod policies;
mod serve;
mod token;
mod world;
