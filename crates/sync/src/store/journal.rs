//! The writer's side: what one transaction does.
//!
//! Changes of many sessions are written together. If SQLite refuses that, each session is written for itself, so that one
//! that can't be stored costs only itself.

use std::{collections::HashMap, sync::Arc};

use flowork_api_types::SyncSessionId;
use flowork_sqlite::{Applied, Store, StoreError};
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::{
    events::{self, NewEvent},
    log_sync::LogSync,
};
use crate::{machine::Session, snapshot::Snapshot, time::Standing};

/// How long events are kept.
const EVENTS_KEPT_MS: i64 = 90 * 24 * 3_600 * 1_000;
/// Events that one transaction removes, so that none is held up.
const EVENTS_REMOVED_MAX: u32 = 500;
/// How often old events are looked for: with the first change after this many milliseconds.
const EVENTS_REMOVED_EVERY_MS: u64 = 60_000;

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
    /// Where sessions' time stands, if that has changed.
    pub(crate) standing: Option<Standing>,
}

impl Writes {
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.removed.is_empty() && self.events.is_empty() && self.standing.is_none()
    }

    /// Sessions that something is written of.
    fn ids(&self) -> impl Iterator<Item = SyncSessionId> {
        self.sessions.iter().map(|write| write.snapshot.session().id()).chain(self.removed.iter().copied())
    }
}

/// Sessions that could not be stored, and why. Nothing of them was.
pub(crate) type Failed = HashMap<SyncSessionId, StoreError>;

/// How a write ended: for the sessions that did not fail, well.
pub(crate) type Outcome = Result<Failed, StoreError>;

/// Writes with their way to answer.
pub(crate) struct Journal {
    pub(crate) writes: Writes,
    pub(crate) answer: oneshot::Sender<Outcome>,
}

/// Lets commits return once they are in the log, without waiting for the disk.
pub(crate) fn sync_later(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "NORMAL")
}

/// Writes, and sees to the sync.
pub(crate) struct Journaling {
    answers: Vec<(oneshot::Sender<Outcome>, Failed)>,
    /// The current transaction has changes.
    dirty: bool,
    sync: LogSync,
    /// Commits sync for themselves.
    syncing: bool,
    /// When old events were looked for.
    pruned_at_ms: i64,
}

impl Store for Journaling {
    type Request = Journal;

    fn apply(&mut self, connection: &Connection, request: Journal) -> Applied {
        self.dirty = true;
        match self.write(connection, &request.writes) {
            Ok(failed) => {
                self.answers.push((request.answer, failed));
                Applied::Keep
            }
            Err(error) => {
                // Whoever asked may have gone.
                let _ = request.answer.send(Err(error.clone()));
                Applied::Undo(error)
            }
        }
    }

    fn decline(request: Journal, error: StoreError) {
        // Whoever asked may have gone.
        let _ = request.answer.send(Err(error));
    }

    fn settle(&mut self, _: &Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    fn committed(&mut self, connection: &Connection, outcome: Result<(), StoreError>) {
        if outcome.is_ok() && self.dirty {
            self.sync.committed();
        }
        self.dirty = false;
        for (answer, failed) in self.answers.drain(..) {
            // Whoever asked may have gone; the change stands all the same.
            let _ = answer.send(outcome.clone().map(|()| failed));
        }
        let failing = self.sync.is_failing();
        if failing == self.syncing {
            return;
        }
        match connection.pragma_update(None, "synchronous", if failing { "FULL" } else { "NORMAL" }) {
            Ok(()) => self.syncing = failing,
            Err(error) => tracing::error!(%error, "the sync of sync sessions can't be set"),
        }
    }

    fn due_in(&self) -> Option<std::time::Duration> {
        None
    }
}

impl Journaling {
    pub(crate) fn new(sync: LogSync) -> Self {
        Self { answers: Vec::new(), dirty: false, sync, syncing: false, pruned_at_ms: 0 }
    }

    fn write(&mut self, connection: &Connection, writes: &Writes) -> Outcome {
        let failed = match within(connection, || together(connection, writes)) {
            Ok(()) => Failed::new(),
            Err(error) => {
                let error = StoreError::from(error);
                // A disk that is full or fails is so for all of them.
                let of_one = matches!(error, StoreError::Sqlite(_)) && !connection.is_autocommit();
                if !of_one || writes.ids().nth(1).is_none() {
                    return Err(error);
                }
                apart(connection, writes)?
            }
        };
        let newest_ms = writes.events.last().map_or(self.pruned_at_ms, |event| event.change.at_ms);
        // Also when time went back to a wall clock that was set back.
        if newest_ms.abs_diff(self.pruned_at_ms) >= EVENTS_REMOVED_EVERY_MS {
            self.prune(connection, newest_ms)?;
        }
        Ok(failed)
    }

    /// Removes old events. That it can't costs nobody their change.
    fn prune(&mut self, connection: &Connection, now_ms: i64) -> Result<(), StoreError> {
        let pruned = within(connection, || events::prune(connection, now_ms - EVENTS_KEPT_MS, EVENTS_REMOVED_MAX));
        match pruned {
            // More of them are left for the next change.
            Ok(removed) if removed == EVENTS_REMOVED_MAX as usize => {}
            Ok(_) => self.pruned_at_ms = now_ms,
            Err(error) if connection.is_autocommit() => return Err(error.into()),
            Err(error) => {
                tracing::error!(%error, "old events of sync sessions could not be removed");
                self.pruned_at_ms = now_ms;
            }
        }
        Ok(())
    }
}

/// Does something of which nothing is left if it fails, unless that ended the whole transaction.
fn within<T>(connection: &Connection, work: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let run = |sql| connection.prepare_cached(sql)?.execute([]);
    run("SAVEPOINT part")?;
    let outcome = work();
    if outcome.is_err() && !connection.is_autocommit() {
        run("ROLLBACK TO part")?;
    }
    if !connection.is_autocommit() {
        run("RELEASE part")?;
    }
    outcome
}

fn together(connection: &Connection, writes: &Writes) -> rusqlite::Result<()> {
    for write in &writes.sessions {
        save(connection, write)?;
    }
    for id in &writes.removed {
        remove(connection, *id)?;
    }
    for event in &writes.events {
        events::insert(connection, event)?;
    }
    set_standing(connection, writes)
}

/// Writes each session for itself. An error is one of all of them.
fn apart(connection: &Connection, writes: &Writes) -> Outcome {
    let mut failed = Failed::new();
    for id in writes.ids() {
        let of_session = || -> rusqlite::Result<()> {
            for write in writes.sessions.iter().filter(|write| write.snapshot.session().id() == id) {
                save(connection, write)?;
            }
            for id in writes.removed.iter().filter(|removed| **removed == id) {
                remove(connection, *id)?;
            }
            for event in writes.events.iter().filter(|event| event.session_id == id) {
                events::insert(connection, event)?;
            }
            Ok(())
        };
        if let Err(error) = within(connection, of_session) {
            let error = StoreError::from(error);
            if connection.is_autocommit() {
                return Err(error);
            }
            failed.insert(id, error);
        }
    }
    set_standing(connection, writes)?;
    // Then it is hardly about one of them.
    let all = writes.ids().all(|id| failed.contains_key(&id));
    match failed.values().next() {
        Some(error) if all => Err(error.clone()),
        _ => Ok(failed),
    }
}

fn set_standing(connection: &Connection, writes: &Writes) -> rusqlite::Result<()> {
    let Some(Standing { ahead_ms, boot }) = &writes.standing else { return Ok(()) };
    let (boot, offset_ms) = boot.as_ref().map(|since| (&*since.boot, since.offset_ms)).unzip();
    let sql = "UPDATE session_time SET ahead_ms = ?1, boot = ?2, offset_ms = ?3 WHERE id = 1";
    connection.prepare_cached(sql)?.execute(params![ahead_ms, boot, offset_ms]).map(|_| ())
}

fn remove(connection: &Connection, id: SyncSessionId) -> rusqlite::Result<()> {
    let id = id.as_uuid().into_bytes();
    connection.prepare_cached("DELETE FROM participant WHERE session_id = ?1")?.execute([id])?;
    connection.prepare_cached("DELETE FROM session WHERE session_id = ?1")?.execute([id])?;
    Ok(())
}

fn save(connection: &Connection, write: &SessionWrite) -> rusqlite::Result<()> {
    let session = write.snapshot.session();
    let id = session.id().as_uuid().into_bytes();
    let mut update = connection.prepare_cached(
        "UPDATE session SET status = ?2, version = ?3, active = ?4, used_ms = ?5, cycle_ms = ?6, since_ms = ?7,
             started_at_ms = ?8, ended_at_ms = ?9, updated_at_ms = ?10, alone_ms = ?11
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
        session.alone_ms,
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
             ended_at_ms, created_at_ms, updated_at_ms, alone_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
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
        session.alone_ms,
    ])?;
    Ok(())
}
