//! Sync sessions: the machine against the contract and against a slow model, then the sessions of a node.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod alone;
mod contract;
mod events;
mod limits;
mod machine;
mod model;
mod races;
mod restart;
mod timers;
mod world;
