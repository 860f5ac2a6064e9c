//! Small files that are replaced whole or not at all. Only their owner can read those that are new.

use std::{fs, io, io::Write, path::Path};

/// Replaces a file, making its directory where there is none. After a crash it has the old content or the new.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or_else(|| io::Error::other("the path has no directory"))?;
    make_private_directory(directory)?;
    // Only its owner can read what `tempfile` makes.
    let mut staged = tempfile::NamedTempFile::new_in(directory)?;
    staged.write_all(bytes)?;
    if let Ok(before) = fs::metadata(path) {
        // Whoever let others read it has not changed their mind.
        staged.as_file().set_permissions(before.permissions())?;
    }
    staged.as_file().sync_all()?;
    staged.persist(path)?;
    sync_directory(directory)
}

fn make_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// Elsewhere a directory cannot be opened to be synced, and its entries are the file system's to keep.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
