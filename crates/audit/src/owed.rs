//! What was done with a node's secrets from the command line, on its way into the log.
//!
//! Such a command reads the vault itself, whether the node runs or not, and only the node writes the log. So it leaves a
//! note beside the log, and the node writes what the notes say: when it starts and ends, at midnight, and before anybody
//! reads the log. A note is a file of its own, complete once it has its name, so that any number of commands can leave
//! one at any time.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use flowork_api_types::{Timestamp, audit::AuditOutcome};
use flowork_sqlite::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Actor, Audit, Entry};

/// How a note is called at the end; before that, and while it is written down, it has another name.
const NOTE: &str = "note";
const TAKEN: &str = "taken";
/// The action of an entry in the place of a note that says nothing.
const UNREADABLE: &str = "note.unreadable";
/// Longer ones are none of ours.
const NOTE_BYTES_MAX: u64 = 8 << 10;
/// Notes that are written down at once.
const NOTES_MAX: usize = 500;

#[derive(Serialize, Deserialize)]
struct Note {
    at: Timestamp,
    action: String,
    detail: Value,
}

/// Leaves a note for the log at `log` that somebody at the machine did something, such as `key.export`. Blocks.
///
/// # Errors
/// It is not on disk.
pub fn leave_note(log: &Path, action: &str, detail: &Value, now: Timestamp) -> io::Result<()> {
    let directory = directory_of(log);
    make_private(&directory)?;
    give_to_owner(&directory, log)?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    // The names sort by time.
    let name = format!("{:020}-{:016x}", now.as_millis().max(0), u64::from_be_bytes(random));
    let (partial, note) = (directory.join(&name), directory.join(format!("{name}.{NOTE}")));
    let text = serde_json::to_vec(&Note { at: now, action: action.to_owned(), detail: detail.clone() })?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(&partial)?;
    let written = file.write_all(&text).and_then(|()| file.sync_all());
    let written = written.and_then(|()| give_to_owner(&partial, log)).and_then(|()| fs::rename(&partial, &note));
    if written.is_err() {
        // The error that follows says it; half a note has no reader.
        let _ = fs::remove_file(&partial);
    }
    written?;
    // Windows can't open a directory as a file; NTFS journals the rename itself.
    if cfg!(unix) { File::open(&directory)?.sync_all() } else { Ok(()) }
}

impl Audit {
    /// Writes what was noted beside the log. What can't be written is still noted.
    pub(crate) async fn collect_notes(&self) {
        let audit = self.clone();
        // To its end, whoever asked for the log and has gone since: notes that were taken are nobody else's.
        let collected = tokio::spawn(async move {
            let _one_at_a_time = audit.inner.collecting.lock().await;
            audit.collect().await;
        });
        if let Err(error) = collected.await {
            tracing::error!(%error, "notes for the audit log were not collected");
        }
    }

    async fn collect(&self) {
        let path = self.inner.options.path.clone();
        let notes = match tokio::task::spawn_blocking(move || take(&path)).await {
            Ok(Ok(notes)) => notes,
            Ok(Err(error)) => return tracing::error!(%error, "notes for the audit log can't be looked for"),
            Err(error) => return tracing::error!(%error, "notes for the audit log were not looked for"),
        };
        // Nearly always there is nothing.
        if notes.is_empty() {
            return;
        }
        let written = self.write_notes(&notes).await;
        if let Err(error) = &written {
            tracing::error!(error = ?error, "what was done from the command line is not in the audit log yet");
        }
        let done = written.is_ok();
        let settle = move || notes.iter().for_each(|(path, _)| settle(path, done));
        if let Err(error) = tokio::task::spawn_blocking(settle).await {
            tracing::error!(%error, "notes for the audit log could not be removed");
        }
    }

    async fn write_notes(&self, notes: &[(PathBuf, Option<Note>)]) -> Result<(), StoreError> {
        let entries: Vec<_> = notes
            .iter()
            .map(|(path, note)| match note {
                Some(note) => {
                    let detail = json!({"done_at": note.at, "detail": note.detail});
                    Entry::new(Actor::machine(), &*note.action).detail(&detail)
                }
                // That there was one is told, though not what it said.
                None => Entry::new(Actor::machine(), UNREADABLE)
                    .outcome(AuditOutcome::Failed)
                    .detail(&json!({"note": path.file_stem().map(|name| name.to_string_lossy())})),
            })
            .collect();
        self.record_all(entries).await.map(|_| ())
    }
}

/// Makes the place for notes, as the node's own account: somebody else's would be closed to it.
pub(crate) fn prepare(log: &Path) {
    if let Err(error) = make_private(&directory_of(log)) {
        tracing::error!(%error, "there is no place for notes for the audit log");
        return;
    }
    // Left by an end in the middle of writing them down. Better twice in the log than not at all.
    match names(log, TAKEN) {
        Ok(taken) => taken.iter().for_each(|taken| settle(taken, false)),
        Err(error) => tracing::error!(%error, "notes for the audit log can't be looked for"),
    }
}

/// Takes the oldest notes, each for this caller alone, under the names that they have meanwhile.
fn take(log: &Path) -> io::Result<Vec<(PathBuf, Option<Note>)>> {
    let mut notes = Vec::new();
    for path in names(log, NOTE)?.into_iter().take(NOTES_MAX) {
        let taken = path.with_extension(TAKEN);
        match fs::rename(&path, &taken) {
            Ok(()) => {}
            // Somebody else has taken it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                tracing::error!(%error, note = %path.display(), "a note for the audit log can't be taken");
                continue;
            }
        }
        let note = read(&taken).inspect_err(|error| {
            tracing::error!(%error, note = %path.display(), "a note for the audit log can't be read");
        });
        notes.push((taken, note.ok()));
    }
    Ok(notes)
}

fn read(path: &Path) -> io::Result<Note> {
    let mut text = Vec::new();
    File::open(path)?.take(NOTE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Forgets a note that is written down; one that is not becomes a note again.
fn settle(taken: &Path, done: bool) {
    let settled = if done { fs::remove_file(taken) } else { fs::rename(taken, taken.with_extension(NOTE)) };
    if let Err(error) = settled {
        tracing::error!(%error, note = %taken.display(), "a note for the audit log stays; it may be written again");
    }
}

/// The files of this kind, oldest first.
fn names(log: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(directory_of(log)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|own| own == extension) {
            names.push(path);
        }
    }
    names.sort();
    Ok(names)
}

/// Beside the log: `audit.owed`.
fn directory_of(log: &Path) -> PathBuf {
    log.with_extension("owed")
}

/// Whoever keeps the log must be able to read what the system's administrator left.
#[cfg(unix)]
fn give_to_owner(path: &Path, log: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let Some(home) = log.parent() else { return Ok(()) };
    let (own, owner) = (fs::metadata(path)?, fs::metadata(home)?);
    if own.uid() == owner.uid() {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))
}

/// Elsewhere a file has the rights of the folder that it is made in.
#[cfg(not(unix))]
fn give_to_owner(_path: &Path, _log: &Path) -> io::Result<()> {
    Ok(())
}

fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}
