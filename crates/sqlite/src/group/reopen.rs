//! The life of a writer thread: while its file can be used it serves, and while the disk fails it refuses and tries to open
//! the file again.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{End, File, Loop, Message, Open, Store};
use crate::{Cause, Health, OpenError, StoreError, open::leave_as_it_is};

/// Waits before the file is opened again; the last one repeats. A disk that is back is noticed within ten seconds, of which
/// this leaves some for the work itself.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Serves requests until the writer is closed. A file that was not opened is opened first.
pub(super) fn serve<S: Store>(
    mut file: Option<File<S>>,
    mut open: Option<Open<S>>,
    receiver: &Receiver<Message<S::Request>>,
    health: &Health,
) {
    loop {
        if let Some(file) = file.take() {
            let serving = Loop { file, receiver, health: health.clone(), failed: false };
            if serving.run() == End::Closed {
                return;
            }
        }
        file = wait_for_disk(open.as_mut(), receiver, health);
        if file.is_none() {
            return;
        }
    }
}

/// Answers whoever asks that the file is left alone, until it can be opened again; `None` once the writer is closed.
fn wait_for_disk<S: Store>(
    mut open: Option<&mut Open<S>>,
    receiver: &Receiver<Message<S::Request>>,
    health: &Health,
) -> Option<File<S>> {
    let mut waits = AGAIN.into_iter();
    let mut pause = || waits.next().unwrap_or(AGAIN[AGAIN.len() - 1]);
    let mut next = Instant::now() + pause();
    // A disk that is not quite back yet may make a file look damaged.
    let mut looked_damaged = false;
    loop {
        let may_come_back = health.quarantine().is_some_and(|quarantine| quarantine.cause == Cause::Unreadable);
        let open = open.as_mut().filter(|_| may_come_back);
        let message = match open {
            // Looked at first: with requests enough, waiting for one never takes long.
            Some(open) if next <= Instant::now() => {
                match reopen(open, health) {
                    Ok(file) if health.came_back() => return Some(file),
                    // Somebody who read has found damage meanwhile.
                    Ok(file) => file.leave(),
                    Err(error) => {
                        tracing::debug!(error = ?error, file = %health.path().display(), "a file is not back yet");
                        let looks_damaged = error.cause() == Some(Cause::Damaged);
                        if looks_damaged && looked_damaged {
                            health.condemn(Cause::Damaged, reason(&error));
                        }
                        looked_damaged = looks_damaged;
                    }
                }
                next = Instant::now() + pause();
                continue;
            }
            Some(_) => receiver.recv_timeout(next.saturating_duration_since(Instant::now())),
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(Message::Request(request)) => {
                S::decline(request, health.check().err().unwrap_or(StoreError::Closed));
            }
            Ok(Message::Look) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

fn reopen<S: Store>(open: &mut Open<S>, health: &Health) -> Result<File<S>, OpenError> {
    let (connection, store) = open()?;
    if let Err(source) = prove_writable(&connection) {
        leave_as_it_is(&connection);
        drop(store);
        return Err(OpenError::Sqlite { path: health.path().to_owned(), source });
    }
    File::new(connection, store, health)
}

/// A disk that can be read may not take writes yet: one page is written again as it is, and synced with the commit.
pub(super) fn prove_writable(connection: &Connection) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version)
}

/// An error and what it is from, for people.
fn reason(error: &OpenError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
