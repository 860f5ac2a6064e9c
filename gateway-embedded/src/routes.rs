//! The handlers. Each file is named as the last part of its path, and each handler extracts, calls, converts.

pub(crate) mod admin_tokens;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod autoscaler;
pub(crate) mod drain;
pub(crate) mod engine;
pub(crate) mod engines;
pub(crate) mod events;
pub(crate) mod guests;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod kinds;
pub(crate) mod limits;
pub(crate) mod members;
pub(crate) mod openapi;
pub(crate) mod queues;
pub(crate) mod schedules;
pub(crate) mod sessions;
pub(crate) mod status;
pub(crate) mod time;
pub(crate) mod ws;

/// A body that holds a name or a code.
const SMALL_BODY_BYTES_MAX: usize = 16 << 10;
