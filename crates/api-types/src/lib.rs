//! The shapes that cross a process boundary: ids, jobs, engines, events, errors.
//!
//! Everything a client sends or receives is defined here once, and the OpenAPI document is made from it. It holds no
//! behavior beyond parsing and printing. Start with [`job`]; ids are all in [`ids`].

pub mod admin;
pub mod audit;
pub mod auth;
pub mod autoscale;
pub mod drain;
pub mod engine;
pub mod error;
pub mod event;
pub mod ids;
pub mod job;
pub mod kind;
pub mod limit;
pub mod member;
pub mod node;
pub mod queue;
pub mod schedule;
pub mod session;
pub mod time;

pub use ids::{BatchId, EngineId, GroupId, JobId, ParticipantId, ScheduleId, SessionId, ShardNumber, SyncSessionId};
pub use time::Timestamp;
