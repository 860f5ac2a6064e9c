//! The bound on open files.
//!
//! Systems start programs with room for 256 (macOS) or 1,024 files (Linux), for the sake of ones that use `select`. The
//! gateway alone takes up to 1,024 connections and 10,000 WebSockets, and without room a database cannot open its files.

/// Room for all connections and sockets of the gateway, the databases, and the pipes of modules.
#[cfg(unix)]
const OPEN_FILES: u64 = 16_384;

/// Raises the bound of this process as far as it is needed and allowed.
#[cfg(unix)]
pub(crate) fn make_room() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        tracing::warn!(%error, ?current, wanted, "the bound on open files stays as it is");
    }
}

/// Windows has no such bound.
#[cfg(not(unix))]
pub(crate) fn make_room() {}
