//! Putting the new file in the old one's place, in steps that survive a crash between any two of them.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use flowork_api_types::Timestamp;

use super::{FINISHED_SUFFIX, WORK_SUFFIX};
use crate::{
    engines::quarantine,
    store::inspect::{InspectError, beside, io_at},
};

/// The files of one repair.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) file: PathBuf,
    pub(super) work: PathBuf,
    pub(super) finished: PathBuf,
    pub(super) damaged: PathBuf,
}

impl Places {
    pub(super) fn new(file: &Path, now: Timestamp) -> Self {
        let time: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        Self {
            file: file.to_owned(),
            work: beside(file, WORK_SUFFIX),
            finished: beside(file, FINISHED_SUFFIX),
            damaged: beside(file, &format!(".damaged-{time}")),
        }
    }

    /// Of a repair that an earlier run began: where that run wanted the damaged file is in a note.
    pub(super) fn resumed(mut self) -> Self {
        if let Ok(damaged) = fs::read_to_string(self.note()) {
            self.damaged = self.file.with_file_name(damaged.trim());
        }
        self
    }

    fn note(&self) -> PathBuf {
        beside(&self.finished, ".note")
    }

    /// Keeps a report beside the damaged file.
    pub(super) fn keep_report(&self, report: &[u8]) -> Result<(), InspectError> {
        write(&beside(&self.damaged, ".json"), report)
    }

    /// From here on the new file counts: it is whole and on disk.
    pub(super) fn finish(&self) -> Result<(), InspectError> {
        let name = self.damaged.file_name().unwrap_or_default().to_string_lossy().into_owned();
        write(&self.note(), name.as_bytes())?;
        sync(&self.work)?;
        fs::rename(&self.work, &self.finished).map_err(io_at(&self.work))?;
        self.sync_directory()
    }

    /// Moves the old file out of the way and the new one in. Doing it twice does no harm.
    pub(super) fn put_in_place(&self) -> Result<(), InspectError> {
        if self.file.exists() && !self.damaged.exists() {
            // The old file keeps its name until the new one takes it: it is never not there.
            fs::hard_link(&self.file, &self.damaged)
                .or_else(|_| fs::copy(&self.file, &self.damaged).map(|_| ()))
                .map_err(io_at(&self.damaged))?;
            sync(&self.damaged)?;
        }
        // The old log must not meet the new file: SQLite would play it back.
        for suffix in ["-wal", "-shm"] {
            match fs::rename(beside(&self.file, suffix), beside(&self.damaged, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(&self.file)(error)),
                _ => {}
            }
        }
        self.sync_directory()?;
        fs::rename(&self.finished, &self.file).map_err(io_at(&self.finished))?;
        self.sync_directory()?;
        for left in [self.note(), quarantine::marker_path(&self.file)] {
            remove(&left)?;
        }
        self.sync_directory()
    }

    fn sync_directory(&self) -> Result<(), InspectError> {
        let Some(directory) = self.file.parent().filter(|_| cfg!(unix)) else { return Ok(()) };
        sync(directory)
    }
}

/// Removes what a run left that did not get far.
pub(super) fn remove_left(work: &Path) -> Result<(), InspectError> {
    for suffix in ["", "-wal", "-shm"] {
        remove(&beside(work, suffix))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), InspectError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_at(path)(error)),
        _ => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), InspectError> {
    let mut file = File::create(path).map_err(io_at(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_at(path))
}

fn sync(path: &Path) -> Result<(), InspectError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io_at(path))
}
