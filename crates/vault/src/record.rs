//! `vault.json`: which back end holds the secrets of a data directory. It holds names, never secrets.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{disk, vault::BackEnd};

/// The format of `vault.json` that this version writes and reads.
const RECORD_VERSION: u32 = 1;

/// What `vault.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    version: u32,
    /// Where the secrets are.
    pub(crate) backend: BackEnd,
    /// Tells this vault from others on the machine, also after the data directory was moved.
    pub(crate) id: String,
    /// Names of the items, for back ends that can't list theirs.
    #[serde(default)]
    pub(crate) items: BTreeSet<String>,
}

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk said no.
    #[error("cannot use {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what this version writes.
    #[error("{} does not say where the secrets are: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Record {
    pub(crate) fn new(backend: BackEnd, id: String) -> Self {
        Self { version: RECORD_VERSION, backend, id, items: BTreeSet::new() }
    }

    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("vault.json")
    }

    /// Reads the record; `None` where there is none yet.
    pub(crate) fn read(data_dir: &Path) -> Result<Option<Self>, RecordError> {
        let path = Self::path(data_dir);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RecordError::Io { path, source }),
        };
        let record: Self = serde_json::from_slice(&text)
            .map_err(|error| RecordError::Unreadable { path: path.clone(), reason: error.to_string() })?;
        if record.version != RECORD_VERSION {
            let reason = format!("its version is {}, this Flowork knows {RECORD_VERSION}", record.version);
            return Err(RecordError::Unreadable { path, reason });
        }
        // The id becomes part of a file name, so it must be what we make.
        if record.id.len() != 32 || !record.id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(RecordError::Unreadable { path, reason: "its id is not 32 hexadecimal digits".to_owned() });
        }
        Ok(Some(record))
    }

    pub(crate) fn write(&self, data_dir: &Path) -> Result<(), RecordError> {
        let path = Self::path(data_dir);
        let mut text = serde_json::to_vec_pretty(self).expect("a struct of strings is valid JSON");
        text.push(b'\n');
        disk::replace(&path, &text).map_err(|source| RecordError::Io { path, source })
    }
}

/// Keeps other processes from changing the vault; released when dropped.
pub(crate) struct Guard {
    _file: File,
}

impl Guard {
    pub(crate) fn take(data_dir: &Path) -> Result<Self, RecordError> {
        let path = data_dir.join("vault.lock");
        let locked = File::options().create(true).truncate(false).write(true).open(&path).and_then(|file| {
            file.lock()?;
            Ok(file)
        });
        locked.map(|file| Self { _file: file }).map_err(|source| RecordError::Io { path, source })
    }
}
