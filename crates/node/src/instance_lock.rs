//! `instance.lock`: one node a data directory, and how others find it.
//!
//! The lock belongs to the open file, so it ends with the process however that ends; the content is only there to be
//! read. A node whose lock is free is not running, whatever the content says.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use flowork_api_types::Timestamp;
use serde::{Deserialize, Serialize};

/// Who asks whether a node runs holds the lock for an instant, so a start tries more than once.
const TRIES: u32 = 10;
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// The process that has a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Where it serves; `None` until it does.
    pub url: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// Its version.
    pub version: String,
}

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another node has this data directory.
    #[error("another Flowork{} uses {}", describe(.holder.as_ref()), .data_dir.display())]
    Held {
        /// The directory.
        data_dir: PathBuf,
        /// Who, where that could be read.
        holder: Option<Holder>,
    },
    /// The file could not be used.
    #[error("cannot use {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn describe(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { pid, url: Some(url), .. }) => format!(" (pid {pid}, {url})"),
        Some(Holder { pid, url: None, .. }) => format!(" (pid {pid}, still starting)"),
        None => String::new(),
    }
}

impl LockError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held { holder, .. } => {
                let stop =
                    holder.as_ref().map_or_else(|| "stop it".to_owned(), |holder| format!("stop pid {}", holder.pid));
                Some(format!("open it with `flowork link`, {stop}, or start a second node with another --data-dir"))
            }
            Self::Io { .. } => None,
        }
    }
}

/// Held for the life of the process.
#[derive(Debug)]
pub struct InstanceLock {
    _held: File,
    data_dir: PathBuf,
    holder: Holder,
}

impl InstanceLock {
    /// Takes the lock and says who holds it.
    ///
    /// # Errors
    /// Another process has it, or the file cannot be used.
    pub fn take(data_dir: &Path, started_at: Timestamp) -> Result<Self, LockError> {
        let path = locked_path(data_dir);
        let io_error = |source| LockError::Io { path: path.clone(), source };
        let held = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io_error)?;
        for attempt in 1.. {
            match held.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < TRIES => thread::sleep(TRY_AGAIN),
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { data_dir: data_dir.to_owned(), holder: read(data_dir) });
                }
                Err(TryLockError::Error(source)) => return Err(io_error(source)),
            }
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let holder = Holder { pid: std::process::id(), url: None, started_at, version };
        let mut lock = Self { _held: held, data_dir: data_dir.to_owned(), holder };
        lock.write().map_err(io_error)?;
        Ok(lock)
    }

    /// Says where the node serves.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_url(&mut self, url: &str) -> Result<(), LockError> {
        self.holder.url = Some(url.to_owned());
        self.write().map_err(|source| LockError::Io { path: content_path(&self.data_dir), source })
    }

    /// The process that has the data directory now; `None` if none has.
    ///
    /// # Errors
    /// The file is there and cannot be used.
    pub fn find(data_dir: &Path) -> Result<Option<Holder>, LockError> {
        let path = locked_path(data_dir);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(source) => return Err(LockError::Io { path, source }),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(read(data_dir)),
            Err(TryLockError::Error(source)) => Err(LockError::Io { path, source }),
        }
    }

    /// Whether the last process that had the data directory gave it back. One that was ended by force left its name behind.
    /// Only of meaning while nobody has it.
    pub fn was_given_back(data_dir: &Path) -> bool {
        read(data_dir).is_none()
    }

    /// In place and not by renaming, because the lock is on this very file.
    fn write(&mut self) -> io::Result<()> {
        let mut text = serde_json::to_vec(&self.holder).expect("a struct of strings is valid JSON");
        text.push(b'\n');
        let mut file = File::options().write(true).create(true).truncate(false).open(content_path(&self.data_dir))?;
        file.seek(io::SeekFrom::Start(0))?;
        file.write_all(&text)?;
        file.set_len(text.len() as u64)
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        // Only for the eye: without the lock the content counts for nothing.
        let _ = fs::write(content_path(&self.data_dir), "");
    }
}

fn content_path(data_dir: &Path) -> PathBuf {
    data_dir.join("instance.lock")
}

/// On Windows a locked file cannot be read by others, so there the lock is on a file beside it.
fn locked_path(data_dir: &Path) -> PathBuf {
    data_dir.join(if cfg!(windows) { "instance.lock.held" } else { "instance.lock" })
}

fn read(data_dir: &Path) -> Option<Holder> {
    let mut text = String::new();
    File::open(content_path(data_dir)).ok()?.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_lock_is_refused_and_names_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut lock = InstanceLock::take(dir.path(), Timestamp(0)).unwrap();
        lock.set_url("http://127.0.0.1:1").unwrap();
        let error = InstanceLock::take(dir.path(), Timestamp(0)).expect_err("it is held");
        let text = error.to_string();
        assert!(text.contains(&format!("pid {}, http://127.0.0.1:1", std::process::id())), "{text}");
        assert_eq!(InstanceLock::find(dir.path()).unwrap().unwrap().url.as_deref(), Some("http://127.0.0.1:1"));

        drop(lock);
        assert_eq!(InstanceLock::find(dir.path()).unwrap(), None);
        assert!(InstanceLock::was_given_back(dir.path()));
        InstanceLock::take(dir.path(), Timestamp(0)).unwrap();
    }

    #[test]
    fn content_without_a_lock_counts_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let left = r#"{"pid":1,"url":"http://127.0.0.1:1","started_at":"1970-01-01T00:00:00.000Z","version":"0"}"#;
        fs::write(dir.path().join("instance.lock"), left).unwrap();
        assert_eq!(InstanceLock::find(dir.path()).unwrap(), None);
        assert!(!InstanceLock::was_given_back(dir.path()), "its process was ended by force");
        assert_eq!(InstanceLock::find(&dir.path().join("nowhere")).unwrap(), None);
    }
}
