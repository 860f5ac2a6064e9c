//! Small files that are replaced whole or not at all, and that only their owner can read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

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

/// Overwrites a file and removes it; fine if there is none. What a disk keeps of old blocks is out of reach.
pub(crate) fn erase(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(mut file) => {
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(ERASED_AT_ONCE);
            file.write_all(&vec![0; length])?;
            file.sync_all()?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    fs::remove_file(path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// No file of a vault comes near it.
const ERASED_AT_ONCE: usize = 64 << 20;

/// Reads a small secret, and refuses one of more than `bytes_max`. The buffer never moves, so that no copy stays behind.
pub(crate) fn read_small(source: impl Read, bytes_max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    let mut chunk = Zeroizing::new([0; 512]);
    let mut source = source.take(bytes_max as u64 + 1);
    loop {
        match source.read(&mut *chunk) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if bytes.len() > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// Makes a directory that only its owner can enter.
pub(crate) fn make_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whose rights to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom {
    /// The file's group and everybody else.
    GroupAndOthers,
    /// Everybody else: where access lists are in use, the group's bits tell of them instead.
    Others,
}

/// Whether somebody but the owner may use the file. Windows keeps profile directories private by itself.
pub(crate) fn is_open_to(whom: Whom, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let bits = match whom {
            Whom::GroupAndOthers => 0o077,
            Whom::Others => 0o007,
        };
        Ok(fs::metadata(path)?.permissions().mode() & bits != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = whom;
        fs::metadata(path).map(|_| false)
    }
}

/// Whether the path leads into the data directory, so that it would be copied along with what it opens.
pub(crate) fn is_inside(path: &Path, data_dir: &Path) -> bool {
    resolved(path).starts_with(resolved(data_dir))
}

/// Where a path really leads, through `..` and links; what is not there yet is taken as written.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => resolved(parent).join(name),
        _ => path,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_refused_and_the_most_is_taken() {
        assert_eq!(*read_small(&[7; 1_000][..], 1_000).unwrap(), vec![7; 1_000]);
        assert_eq!(read_small(&[7; 1_001][..], 1_000).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn erased_file_is_gone_and_erasing_nothing_is_fine() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, "secret").unwrap();
        // A second name of the same blocks shows what the erasing left in them.
        let other = directory.path().join("other");
        fs::hard_link(&path, &other).unwrap();
        erase(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read(&other).unwrap(), [0; 6]);
        erase(&path).unwrap();
    }
}
