//! Sync sessions: the sessions of a node.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod alone;
mod contract;
mod events;
mod limits;
mod races;
mod restart;
mod timers;
mod world;
