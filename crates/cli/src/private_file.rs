//! Files that a command makes for its caller alone: readable by nobody else from the first byte on, and whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::exit::{Exit, Failure};

/// Makes a file that is nobody else's, and was not there before.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A file on its way: it has its name once [`finish`](Self::finish) says so. Dropped before that, it leaves nothing.
pub(crate) struct PrivateFile<'a> {
    output: &'a Path,
    partial: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl<'a> PrivateFile<'a> {
    /// Begins a file that will be `output`.
    pub(crate) fn begin(output: &'a Path) -> Result<Self, Failure> {
        let mut partial = output.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = create_new(&partial).map_err(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return write_failure(&error);
            }
            let message = format!("{} is there already", partial.display());
            Failure::new(Exit::Failed, "OUTPUT", message).hint(
                "another export writes it, or one was stopped; if none runs, remove it and run this again".to_owned(),
            )
        })?;
        Ok(Self { output, partial, writer: Some(BufWriter::new(file)) })
    }

    /// Puts it on disk and gives it its name, in place of a file that has it.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let done = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&self.partial, self.output));
        if done.is_err() {
            self.remove();
        }
        done.map_err(|error| write_failure(&error))
    }

    /// It is of no use. That it stays, where it does, is said by the next one.
    fn remove(&self) {
        let _ = fs::remove_file(&self.partial);
    }
}

impl Write for PrivateFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.as_mut().map_or(Ok(0), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for PrivateFile<'_> {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            self.remove();
        }
    }
}

/// What went wrong with an output, whether a file or standard output.
pub(crate) fn write_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::nobody_reads(),
        _ => Failure::from_error(Exit::Failed, "OUTPUT", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_whole_or_not_there_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("audit.jsonl");
        let partial = directory.path().join("audit.jsonl.partial");
        let mut file = PrivateFile::begin(&output).unwrap();
        file.write_all(b"half").unwrap();
        let Err(taken) = PrivateFile::begin(&output) else { panic!("two at once") };
        assert!(taken.as_json().contains("remove it"));
        drop(file);
        assert!(!output.exists() && !partial.exists());

        let mut file = PrivateFile::begin(&output).unwrap();
        file.write_all(b"all").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&output).unwrap(), b"all");
        assert!(!partial.exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(output.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
