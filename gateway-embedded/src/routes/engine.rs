//! What engines say to the node: `/v1/engine`. An engine reaches its own jobs only.

pub(crate) mod claim;
pub(crate) mod directives;
pub(crate) mod finish;
pub(crate) mod heartbeat;
pub(crate) mod release;
pub(crate) mod renew;
pub(crate) mod token;

/// Room for 64 results, or for the progress and log lines of 64 jobs.
const REPORT_BYTES_MAX: usize = 16 << 20;
/// Room for the kinds an engine runs, with their schemas.
const HEARTBEAT_BYTES_MAX: usize = 4 << 20;
/// Room for 1,024 leases.
const RELEASE_BYTES_MAX: usize = 256 << 10;
