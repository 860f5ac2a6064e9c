//! Schedules: `/v1/schedules`.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod preview;
pub(crate) mod run;
pub(crate) mod update;

use flowork_api_types::schedule::SCHEDULE_JOB_BYTES_MAX;

/// The job, also when it is written with line breaks and escapes, and 16 KiB for everything else. The job itself is
/// measured once it is read.
const BODY_BYTES_MAX: usize = 2 * SCHEDULE_JOB_BYTES_MAX + (16 << 10);
