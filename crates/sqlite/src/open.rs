//! Opening files: version check, pragmas, migrations.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig};

use crate::Cause;

/// Before 3.51.3 a WAL reset could corrupt the file. Source: sqlite.org/releaselog/3_51_3.html.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// A WAL that grew past this is cut back when it is reset. Far more than it grows to as a rule: writing over blocks that
/// the file has already costs the disk less than adding new ones.
const JOURNAL_BYTES_MAX: u32 = 64 << 20;
/// What a look for damage may add to a start.
const CHECK_MAX: Duration = Duration::from_millis(100);
/// Prepared statements kept for each connection: more than any store here has.
const STATEMENTS_CACHED: usize = 128;

/// The tables of one kind of file, as steps from nothing to now.
#[derive(Debug)]
pub struct Schema {
    /// What the file holds, for messages.
    pub name: &'static str,
    /// `migrations[i]` brings `user_version` from `i` to `i + 1`. Forward only, and additive, so that a binary one
    /// version older still works on the file.
    pub migrations: &'static [&'static str],
}

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite that was linked has a known bug that corrupts files.
    #[error("SQLite {found} is too old: versions before 3.51.3 can corrupt files")]
    SqliteTooOld {
        /// Its version.
        found: &'static str,
    },
    /// The directory could not be made.
    #[error("cannot make the directory {}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused the file.
    #[error("cannot open {}", .path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A step of the schema failed; the file is as it was.
    #[error("cannot bring {} to version {version} of the {schema} schema", .path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Which schema.
        schema: &'static str,
        /// The version that could not be reached.
        version: usize,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The last run ended without closing the file, and what it left is not sound.
    #[error("{} is damaged: {finding}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found first.
        finding: String,
    },
    /// What the last run left in the log could not be brought to the disk.
    #[error("cannot write the log of {}", .path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The writer thread could not be started.
    #[error("cannot start the writer thread of {}", .path.display())]
    Thread {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl OpenError {
    /// What it says about the file; `None` if it says nothing.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::SqliteTooOld { .. } | Self::Thread { .. } => None,
            Self::Damaged { .. } => Some(Cause::Damaged),
            Self::Directory { .. } | Self::Log { .. } => Some(Cause::Unreadable),
            Self::Sqlite { source, .. } | Self::Migrate { source, .. } => Some(match source.sqlite_error_code() {
                Some(
                    ErrorCode::CannotOpen
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::DiskFull
                    | ErrorCode::PermissionDenied
                    | ErrorCode::ReadOnly
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::OutOfMemory,
                ) => Cause::Unreadable,
                _ => Cause::Damaged,
            }),
        }
    }
}

/// The version of the SQLite that is linked in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// Opens the one writing connection of a file, making the file and bringing its schema up to date.
///
/// # Errors
/// See [`OpenError`]; a failed migration leaves the file as it was.
pub fn open_writer(path: &Path, schema: &Schema) -> Result<Connection, OpenError> {
    let mut connection = connect(path, create())?;
    migrate(&mut connection, path, schema)?;
    Ok(connection)
}

/// The same, and looks for damage if the file was not closed: then its log is still there. The look is bounded in
/// time, so that a start stays fast; a file that is too large for it is checked only in part.
///
/// # Errors
/// See [`OpenError`].
pub fn open_writer_checked(path: &Path, schema: &Schema) -> Result<Connection, OpenError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|source| OpenError::Directory { path: parent.to_owned(), source })?;
    }
    checked(path, schema, create())
}

/// The same, of a file that was there before: nothing is made in its place. Where a disk was taken away, there may be an
/// empty folder.
///
/// # Errors
/// See [`OpenError`].
pub fn open_writer_again(path: &Path, schema: &Schema) -> Result<Connection, OpenError> {
    let missing = |finding: &str| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        let source = rusqlite::Error::SqliteFailure(code, Some(finding.to_owned()));
        OpenError::Sqlite { path: path.to_owned(), source }
    };
    match std::fs::metadata(path) {
        Ok(file) if file.len() > 0 => checked(path, schema, OpenFlags::SQLITE_OPEN_READ_WRITE),
        Ok(_) => Err(missing("the file is empty")),
        Err(error) => Err(missing(&error.to_string())),
    }
}

fn checked(path: &Path, schema: &Schema, flags: OpenFlags) -> Result<Connection, OpenError> {
    let unclean = std::fs::metadata(wal_path(path)).is_ok_and(|log| log.len() > 0);
    if unclean {
        write_anew(&wal_path(path)).map_err(|source| OpenError::Log { path: path.to_owned(), source })?;
    }
    let mut connection = connect(path, flags)?;
    if unclean {
        let at = |source| OpenError::Sqlite { path: path.to_owned(), source };
        if let Some(finding) = quick_check(&connection, CHECK_MAX).map_err(at)? {
            leave_as_it_is(&connection);
            return Err(OpenError::Damaged { path: path.to_owned(), finding });
        }
    }
    migrate(&mut connection, path, schema).inspect_err(|_| leave_as_it_is(&connection))?;
    Ok(connection)
}

/// Writes a log over itself, and syncs it. After a sync that failed, the system may go on to show what is not on the disk,
/// and hold it for written. SQLite would take it for committed and write more behind it, all of which a power loss would take.
fn write_anew(log: &Path) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom, Write};
    let mut file = std::fs::File::options().read(true).write(true).open(log)?;
    let (mut piece, mut at) = (vec![0; 1 << 20], 0);
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return file.sync_all();
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&piece[..length])?;
        at += length as u64;
    }
}

fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Whether a file that SQLite called malformed is so when it is looked at anew, without what the first look had in memory;
/// `None` where that can't be told within `time`.
pub(crate) fn is_damaged(path: &Path, time: Duration) -> Option<bool> {
    match open_untouched(path).and_then(|connection| quick_check(&connection, time)) {
        Ok(finding) => finding.map(|_| true),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure) => None,
            _ => Some(true),
        },
    }
}

/// The first thing that is wrong with the structure of a file, as far as it can be seen within `time`.
fn quick_check(connection: &Connection, time: Duration) -> rusqlite::Result<Option<String>> {
    let handle = connection.get_interrupt_handle();
    let (ended, end) = sync_channel::<()>(0);
    let answer = std::thread::scope(|scope| {
        scope.spawn(move || {
            if end.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                handle.interrupt();
            }
        });
        let answer = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        drop(ended);
        answer
    });
    match answer {
        // A page that can't be read is no page that is wrong.
        Ok(finding) if finding.contains("error code=") => {
            let failed = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_READ);
            Err(rusqlite::Error::SqliteFailure(failed, Some(finding)))
        }
        Ok(finding) => Ok(Some(finding).filter(|finding| finding != "ok")),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

fn create() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::SqliteTooOld { found: rusqlite::version() });
    }
    let at = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags).map_err(at)?;
    configure_writer(&connection).map_err(at)?;
    Ok(connection)
}

fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    // auto_vacuum only takes effect while the file is empty, and before the WAL is turned on.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    configure_durability(connection)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}

fn configure_durability(connection: &Connection) -> rusqlite::Result<()> {
    // An acknowledged write survives power loss: NORMAL would only survive the process.
    connection.pragma_update(None, "synchronous", "FULL")?;
    if cfg!(target_os = "macos") {
        connection.pragma_update(None, "fullfsync", true)?;
    }
    // Checkpoints have a thread of their own, so that none lands inside somebody's commit.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES_MAX)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path, schema: &Schema) -> Result<(), OpenError> {
    let at = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(at)?;
    // A file from a newer version has more steps than we know; they are additive, so we may use it.
    for (done, step) in schema.migrations.iter().enumerate().skip(usize::try_from(version).unwrap_or(0)) {
        let target = done + 1;
        let run = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", target as i64)?;
            transaction.commit()
        };
        run(connection).map_err(|source| OpenError::Migrate {
            path: path.to_owned(),
            schema: schema.name,
            version: target,
            source,
        })?;
    }
    Ok(())
}

/// Opens a connection that can only read. The file must exist.
///
/// # Errors
/// SQLite's, as it is.
pub fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    // Read-write at the file level, because a WAL reader may have to recover the shared memory; `query_only` forbids
    // every change of data.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(connection)
}

/// Opens a connection that can only read, and that leaves the file and its log as they are also when it is the last to
/// close. For files that no process has open.
///
/// # Errors
/// SQLite's, as it is.
pub fn open_untouched(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open_reader(path)?;
    leave_as_it_is(&connection);
    Ok(connection)
}

/// Opens a second writing connection of an open file, which only moves pages from the log to the file.
///
/// # Errors
/// SQLite's, as it is.
pub fn open_checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure_durability(&connection)?;
    Ok(connection)
}

/// Keeps the file and its log as they are when this connection closes: they are evidence.
pub fn leave_as_it_is(connection: &Connection) {
    if let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::warn!(%error, "a file in quarantine may change when it is closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Schema = Schema { name: "test", migrations: &["CREATE TABLE a (x INTEGER) STRICT"] };
    const SECOND: Schema = Schema {
        name: "test",
        migrations: &["CREATE TABLE a (x INTEGER) STRICT", "ALTER TABLE a ADD COLUMN y INTEGER"],
    };
    const BROKEN: Schema = Schema {
        name: "test",
        migrations: &["CREATE TABLE a (x INTEGER) STRICT", "ALTER TABLE a ADD COLUMN y INTEGER; CREATE TABLE oops"],
    };

    #[test]
    fn migrations_run_once_and_an_older_binary_still_opens_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        open_writer(&path, &FIRST).unwrap().execute("INSERT INTO a VALUES (1)", []).unwrap();
        open_writer(&path, &SECOND).unwrap().execute("UPDATE a SET y = 2", []).unwrap();
        let older = open_writer(&path, &FIRST).unwrap();
        older.execute("INSERT INTO a (x) VALUES (3)", []).unwrap();
        let sum: i64 = older.query_row("SELECT sum(x) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 4);
    }

    #[test]
    fn a_failed_migration_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        drop(open_writer(&path, &FIRST).unwrap());
        assert!(matches!(open_writer(&path, &BROKEN), Err(OpenError::Migrate { version: 2, .. })));
        let connection = open_writer(&path, &FIRST).unwrap();
        let columns: i64 =
            connection.query_row("SELECT count(*) FROM pragma_table_info('a')", [], |row| row.get(0)).unwrap();
        assert_eq!(columns, 1, "the first half of the failed step must be gone");
    }

    #[test]
    fn writers_are_durable_and_readers_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let writer = open_writer(&path, &FIRST).unwrap();
        let value = |name| writer.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(value("synchronous"), 2, "FULL");
        assert_eq!(value("auto_vacuum"), 2, "INCREMENTAL");
        assert_eq!(value("wal_autocheckpoint"), 0);
        let reader = open_reader(&path).unwrap();
        assert!(reader.execute("INSERT INTO a VALUES (1)", []).is_err());
    }
}
