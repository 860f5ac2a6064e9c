//! The machine against the contract, and against a slow model.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod contract;
mod model;
