//! Small files that are replaced whole or not at all, and that only their owner can read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// Replaces the file; after a crash it has the old content or the new, and nobody else could read it in between.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or_else(|| io::Error::other("the path has no directory"))?;
    let mut staged_name = std::ffi::OsString::from(".");
    staged_name.push(path.file_name().unwrap_or_default());
    staged_name.push(format!(".{}.new", std::process::id()));
    let staged = directory.join(staged_name);
    let written = write_private(&staged, bytes).and_then(|()| fs::rename(&staged, path));
    if written.is_err() {
        // What failed is reported; a leftover has no reader.
        let _ = fs::remove_file(&staged);
    }
    written?;
    sync_directory(directory)
}

/// Makes a directory that only its owner can enter.
pub(crate) fn make_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether somebody but the owner may read the file. Windows keeps profile directories private by itself.
pub(crate) fn is_open_to_others(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        fs::metadata(path).map(|_| false)
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    // Windows cannot open a directory as a file; NTFS journals the rename itself.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
