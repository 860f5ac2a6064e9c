//! Jobs for people: `/v1/jobs`.

pub(crate) mod attempts;
pub(crate) mod batch;
pub(crate) mod cancel;
pub(crate) mod enqueue;
pub(crate) mod events;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod requeue;
