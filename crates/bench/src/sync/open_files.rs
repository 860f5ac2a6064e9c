//! A socket is a file, and systems start programs with room for few.

use anyhow::ensure;

/// Makes room for so many files, or says how a person can.
#[cfg(unix)]
pub(super) fn make_room(files: usize) -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = files as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    ensure!(
        maximum.is_none_or(|maximum| maximum >= wanted),
        "this shell allows {maximum:?} open files and {files} are needed; `ulimit -Hn` says how many it may allow"
    );
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })?;
    Ok(())
}

/// Windows has no such bound.
#[cfg(not(unix))]
pub(super) fn make_room(files: usize) -> anyhow::Result<()> {
    ensure!(files > 0, "no files are wanted");
    Ok(())
}
