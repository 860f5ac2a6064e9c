//! The data directory: made on first start, private to its owner, checked before anything opens a file in it.

use std::{
    fs, io, iter,
    path::{Path, PathBuf},
};

/// Where everything of one node is.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Something else has its name.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// It could not be made.
    #[error("cannot make the data directory {}", .path.display())]
    Make {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing can be written in it.
    #[error("cannot write in the data directory {}", .path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DataDirError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotADirectory(_) => "name another with --data-dir or FLOWORK_DATA_DIR".to_owned(),
            Self::Make { source, .. } | Self::NotWritable { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => "make room on that disk, or name a directory on another with --data-dir",
                io::ErrorKind::ReadOnlyFilesystem => {
                    "that disk is read-only: name a directory on another with --data-dir"
                }
                _ => "give this account the right to write there, or name another directory with --data-dir",
            }
            .to_owned(),
        }
    }
}

impl DataDir {
    /// Makes the directory and those in it, where they are not there yet, and tries to write.
    ///
    /// # Errors
    /// It is something else, cannot be made, or cannot be written in.
    pub fn prepare(path: &Path) -> Result<Self, DataDirError> {
        if path.exists() && !path.is_dir() {
            return Err(DataDirError::NotADirectory(path.to_owned()));
        }
        let data_dir = Self(path.to_owned());
        let below = [data_dir.shards(), data_dir.logs(), data_dir.modules(), data_dir.run(), data_dir.module_pids()];
        for directory in iter::once(path.to_owned()).chain(below) {
            make_private(&directory).map_err(|source| match source.kind() {
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    DataDirError::NotADirectory(directory.clone())
                }
                _ if path.is_dir() => DataDirError::NotWritable { path: path.to_owned(), source },
                _ => DataDirError::Make { path: directory.clone(), source },
            })?;
        }
        let probe = path.join(format!(".write-probe-{}", std::process::id()));
        fs::write(&probe, b"x")
            .and_then(|()| fs::remove_file(&probe))
            .map_err(|source| DataDirError::NotWritable { path: path.to_owned(), source })?;
        Ok(data_dir)
    }

    /// The first of the directories in which other accounts of this machine may write. Whoever can add a module there
    /// can run programs as this account.
    pub fn open_to_others(&self) -> Option<PathBuf> {
        [self.0.clone(), self.modules()].into_iter().find(|directory| others_may_write(directory))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The control store.
    pub fn control_db(&self) -> PathBuf {
        self.0.join("control.db")
    }

    /// The audit log.
    pub fn audit_db(&self) -> PathBuf {
        Self::audit_db_in(&self.0)
    }

    /// The audit log of a directory that nobody prepared.
    pub(crate) fn audit_db_in(data_dir: &Path) -> PathBuf {
        data_dir.join("audit.db")
    }

    /// Sync sessions.
    pub fn sync_db(&self) -> PathBuf {
        self.0.join("sync.db")
    }

    /// Job stores, one directory an engine.
    pub fn shards(&self) -> PathBuf {
        self.0.join("shards")
    }

    /// Log files.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// Users' modules, one directory each.
    pub fn modules(&self) -> PathBuf {
        self.0.join("modules")
    }

    /// What runs now, for the next start to look at.
    fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// Processes of modules.
    pub fn module_pids(&self) -> PathBuf {
        self.run().join("modules")
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn others_may_write(directory: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(directory).is_ok_and(|metadata| metadata.permissions().mode() & 0o022 != 0)
}

/// On Windows a directory in a profile is private by itself, and its access list is not read here.
#[cfg(not(unix))]
fn others_may_write(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_directory_is_private_and_complete() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let data_dir = DataDir::prepare(&path).unwrap();
        assert!(data_dir.shards().is_dir() && data_dir.logs().is_dir() && data_dir.modules().is_dir());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        DataDir::prepare(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn directory_that_others_may_write_in_is_found() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let data_dir = DataDir::prepare(&root.path().join("data")).unwrap();
        assert_eq!(data_dir.open_to_others(), None);
        fs::set_permissions(data_dir.modules(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(data_dir.open_to_others(), Some(data_dir.modules()));
    }

    #[test]
    fn file_in_its_place_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("taken");
        fs::write(&path, "").unwrap();
        assert!(matches!(DataDir::prepare(&path), Err(DataDirError::NotADirectory(_))));
        assert!(matches!(DataDir::prepare(&path.join("below")), Err(DataDirError::NotADirectory(_))));
    }
}
