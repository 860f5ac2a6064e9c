//! The writer's side: what one transaction does, and the sync that follows within a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use flowork_api_types::SyncSessionId;
use flowork_sqlite::{Applied, Store, StoreError};
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::events::{self, NewEvent};
use crate::{machine::Session, snapshot::Snapshot};

/// How long a change may wait for its sync. Two of them and the sync itself stay within the promised second.
const SYNC_AFTER: Duration = Duration::from_millis(400);
/// How long events are kept.
const EVENTS_KEPT_MS: i64 = 90 * 24 * 3_600 * 1_000;
/// Events that one transaction removes, so that none is held up.
const EVENTS_REMOVED_MAX: u32 = 500;
/// How often old events are looked for: with the first change after this many milliseconds.
const EVENTS_REMOVED_EVERY_MS: i64 = 60_000;

/// A session as it is to be stored.
pub(crate) struct SessionWrite {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Positions of the participants that changed.
    pub(crate) touched: Vec<usize>,
}

/// What belongs into one transaction.
#[derive(Default)]
pub(crate) struct Writes {
    pub(crate) sessions: Vec<SessionWrite>,
    pub(crate) removed: Vec<SyncSessionId>,
    /// In their order.
    pub(crate) events: Vec<NewEvent>,
}

impl Writes {
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.removed.is_empty() && self.events.is_empty()
    }
}

/// Writes with their way to answer.
pub(crate) struct Journal {
    pub(crate) writes: Writes,
    pub(crate) answer: oneshot::Sender<Result<(), StoreError>>,
}

/// Lets commits return once they are in the log, without waiting for the disk.
pub(crate) fn sync_later(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "NORMAL")
}

/// SQLite syncs the whole log with a commit under `FULL`, also what earlier commits left unsynced.
fn sync_with_next_commit(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")
}

/// Writes, and sees to the sync.
#[derive(Default)]
pub(crate) struct Journaling {
    answers: Vec<oneshot::Sender<Result<(), StoreError>>>,
    /// The current transaction has changes.
    dirty: bool,
    /// When the first change was committed that is not synced.
    unsynced_since: Option<Instant>,
    /// The next commit syncs.
    syncing: bool,
    /// When old events were looked for.
    pruned_at_ms: i64,
}

impl Store for Journaling {
    type Request = Journal;

    fn apply(&mut self, connection: &Connection, request: Journal) -> Applied {
        self.dirty = true;
        match self.write(connection, &request.writes) {
            Ok(()) => {
                self.answers.push(request.answer);
                Applied::Keep
            }
            Err(error) => {
                let error = StoreError::from(error);
                // Whoever asked may have gone.
                let _ = request.answer.send(Err(error.clone()));
                Applied::Undo(error)
            }
        }
    }

    fn refuse(&mut self, request: Journal, error: StoreError) {
        // Whoever asked may have gone.
        let _ = request.answer.send(Err(error));
    }

    fn settle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.syncing {
            // Without a page to write there would be no commit, and so no sync.
            connection.prepare_cached("UPDATE synced SET times = times + 1 WHERE id = 1")?.execute([])?;
        }
        Ok(())
    }

    fn committed(&mut self, connection: &Connection, outcome: Result<(), StoreError>) {
        if outcome.is_ok() && self.dirty && self.unsynced_since.is_none() {
            self.unsynced_since = Some(Instant::now());
        }
        self.dirty = false;
        for answer in self.answers.drain(..) {
            // Whoever asked may have gone; the change stands all the same.
            let _ = answer.send(outcome.clone());
        }
        if outcome.is_ok() && self.syncing {
            self.unsynced_since = None;
        }
        let due = self.unsynced_since.is_some_and(|since| since.elapsed() >= SYNC_AFTER);
        if due == self.syncing {
            return;
        }
        match if due { sync_with_next_commit(connection) } else { sync_later(connection) } {
            Ok(()) => self.syncing = due,
            Err(error) => tracing::error!(%error, "the sync of sync sessions can't be set"),
        }
    }

    fn due_in(&self) -> Option<Duration> {
        if self.syncing {
            return Some(Duration::ZERO);
        }
        self.unsynced_since.map(|since| SYNC_AFTER.saturating_sub(since.elapsed()))
    }
}

impl Journaling {
    fn write(&mut self, connection: &Connection, writes: &Writes) -> rusqlite::Result<()> {
        for write in &writes.sessions {
            save(connection, write)?;
        }
        for id in &writes.removed {
            let id = id.as_uuid().into_bytes();
            connection.prepare_cached("DELETE FROM participant WHERE session_id = ?1")?.execute([id])?;
            connection.prepare_cached("DELETE FROM session WHERE session_id = ?1")?.execute([id])?;
        }
        for event in &writes.events {
            events::insert(connection, event)?;
        }
        let newest_ms = writes.events.last().map_or(0, |event| event.change.at_ms);
        if newest_ms - self.pruned_at_ms >= EVENTS_REMOVED_EVERY_MS {
            let removed = events::prune(connection, newest_ms - EVENTS_KEPT_MS, EVENTS_REMOVED_MAX)?;
            // More of them are left for the next change.
            if removed < EVENTS_REMOVED_MAX as usize {
                self.pruned_at_ms = newest_ms;
            }
        }
        Ok(())
    }
}

fn save(connection: &Connection, write: &SessionWrite) -> rusqlite::Result<()> {
    let session = write.snapshot.session();
    let id = session.id().as_uuid().into_bytes();
    let mut update = connection.prepare_cached(
        "UPDATE session SET status = ?2, version = ?3, active = ?4, used_ms = ?5, cycle_ms = ?6, since_ms = ?7,
             started_at_ms = ?8, ended_at_ms = ?9, updated_at_ms = ?10
         WHERE session_id = ?1",
    )?;
    let updated = update.execute(params![
        id,
        session.status.as_str(),
        session.version as i64,
        session.active.map(|position| position as i64),
        session.used_ms,
        session.cycle_ms,
        session.since_ms,
        session.started_at_ms,
        session.ended_at_ms,
        session.updated_at_ms,
    ])?;
    if updated == 0 {
        insert(connection, session)?;
    }
    let mut row = connection.prepare_cached(
        "INSERT INTO participant (session_id, position, participant_id, participant_index, group_id, balance_ms,
             used_ms, cycle_count, overran)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (session_id, position) DO UPDATE SET balance_ms = excluded.balance_ms,
             used_ms = excluded.used_ms, cycle_count = excluded.cycle_count, overran = excluded.overran",
    )?;
    let touched: Vec<usize> = if updated == 0 { (0..session.accounts.len()).collect() } else { write.touched.clone() };
    for position in touched {
        let (member, account) = (&session.rules.roster[position], &session.accounts[position]);
        row.execute(params![
            id,
            position as i64,
            member.id.as_uuid().into_bytes(),
            member.index,
            member.group.map(|group| group.as_uuid().into_bytes()),
            session.balance_ms(position),
            account.used_ms,
            account.cycles as i64,
            account.overran,
        ])?;
    }
    Ok(())
}

fn insert(connection: &Connection, session: &Session) -> rusqlite::Result<()> {
    let rules = &*session.rules;
    let mut insert = connection.prepare_cached(
        "INSERT INTO session (session_id, owner, sync_mode, status, version, active, total_time_ms, time_per_cycle_ms,
             increment_ms, max_time_ms, action_on_timeout, metadata, used_ms, cycle_ms, since_ms, started_at_ms,
             ended_at_ms, created_at_ms, updated_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?;
    insert.execute(params![
        rules.id.as_uuid().into_bytes(),
        &*rules.owner,
        rules.mode.as_str(),
        session.status.as_str(),
        session.version as i64,
        session.active.map(|position| position as i64),
        rules.total_ms,
        rules.per_cycle_ms,
        rules.increment_ms,
        rules.max_ms,
        rules.on_timeout.as_str(),
        rules.metadata.as_ref().map(ToString::to_string),
        session.used_ms,
        session.cycle_ms,
        session.since_ms,
        session.started_at_ms,
        session.ended_at_ms,
        rules.created_at_ms,
        session.updated_at_ms,
    ])?;
    Ok(())
}
