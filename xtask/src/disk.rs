//! Whether the disk has room for what a run builds: one that runs full fails late, in places that do not say so.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace;

const GIB: u64 = 1 << 30;
/// What every suite builds and unpacks where nothing is built yet, rounded up.
const COLD_BYTES: u64 = 12 * GIB;
/// What a run adds to what an earlier one built.
const WARM_BYTES: u64 = 3 * GIB;

/// Fails where the target directory has less room than a run of the tests needs.
pub(crate) fn has_room_for_tests() -> Result<()> {
    let target = workspace::target();
    // Not the folder: the program that asks was built into it.
    let is_cold = !workspace::program("debug", "flowork-desktop").exists();
    // The first run makes the folder.
    let there = target.ancestors().find(|folder| folder.is_dir()).map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let Some(free) = free_bytes(&there)? else { return Ok(()) };
    enough(&target, free, is_cold)
}

fn enough(target: &Path, free: u64, is_cold: bool) -> Result<()> {
    let needed = if is_cold { COLD_BYTES } else { WARM_BYTES };
    if free >= needed {
        return Ok(());
    }
    let built = if is_cold { "nothing is built there yet" } else { "an earlier run built the rest" };
    bail!(
        "too little room on the disk of {}: {} are free, and the tests need {} ({built}); make room, or set \
         CARGO_TARGET_DIR to a folder on another disk",
        target.display(),
        shown(free),
        shown(needed)
    )
}

/// A size as people read it, never more than there is.
fn shown(bytes: u64) -> String {
    format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB)
}

/// Returns what whoever runs this may still write there; `None` where that cannot be asked.
#[cfg(unix)]
fn free_bytes(folder: &Path) -> Result<Option<u64>> {
    let disk = rustix::fs::statvfs(folder).with_context(|| format!("looking at the disk of {}", folder.display()))?;
    Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
}

/// Windows is not where every suite runs.
#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Result<Option<u64>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_without_room_is_refused_with_folder_free_and_needed() {
        let refused =
            |free, is_cold| enough(Path::new("/a/target"), free, is_cold).err().map(|error| error.to_string());
        assert_eq!(refused(12 * GIB, true), None, "exactly enough is enough");
        assert_eq!(refused(3 * GIB, false), None);
        let cold = refused(12 * GIB - 1, true).unwrap();
        for said in ["/a/target", "11.9 GiB are free", "need 12.0 GiB", "nothing is built"] {
            assert!(cold.contains(said), "{said} is not in {cold}");
        }
        let warm = refused(5 * GIB / 2, false).unwrap();
        for said in ["/a/target", "2.5 GiB are free", "need 3.0 GiB"] {
            assert!(warm.contains(said), "{said} is not in {warm}");
        }
        assert!(refused(0, false).unwrap().contains("0.0 GiB are free"));
    }

    #[cfg(unix)]
    #[test]
    fn disk_of_the_sources_says_what_is_free() {
        let free = free_bytes(&workspace::root()).unwrap();
        assert!(free.is_some_and(|free| free > 0), "{free:?}");
        assert!(free_bytes(Path::new("/no/such/folder")).is_err());
    }
}
