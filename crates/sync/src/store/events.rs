//! Events: what happened to sessions, kept when the sessions themselves are gone.

use std::sync::Arc;

use flowork_api_types::{
    ParticipantId, SyncSessionId, Timestamp,
    session::{ParticipantBalance, SessionEvent, SessionEventKind, SessionStatus},
};
use rusqlite::{Connection, Row, params, types::Type};
use uuid::Uuid;

use super::load::{named, uuid_of};
use crate::machine::Change;

/// A change that is to be written down.
pub(crate) struct NewEvent {
    pub(crate) session_id: SyncSessionId,
    pub(crate) owner: Arc<str>,
    /// Who did it; `None` for the node itself.
    pub(crate) actor: Option<Arc<str>>,
    pub(crate) change: Change,
}

/// What a row's hash is made of, besides its balances.
struct Head<'a> {
    session_id: [u8; 16],
    owner: &'a str,
    version: i64,
    at_ms: i64,
    event: &'a str,
    actor: Option<&'a str>,
    participant_id: Option<[u8; 16]>,
    status: &'a str,
    cycles: i64,
}

impl Head<'_> {
    /// Every part with its length in front, so that none can be moved into its neighbor.
    fn hash(&self, balances: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let mut add = |part: &[u8]| {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        };
        add(&self.session_id);
        add(self.owner.as_bytes());
        add(&self.version.to_le_bytes());
        add(&self.at_ms.to_le_bytes());
        add(self.event.as_bytes());
        add(&[u8::from(self.actor.is_some())]);
        add(self.actor.unwrap_or_default().as_bytes());
        add(self.participant_id.as_ref().map_or(&[][..], |id| &id[..]));
        add(self.status.as_bytes());
        add(&self.cycles.to_le_bytes());
        add(balances.as_bytes());
        hasher.finalize().into()
    }
}

pub(crate) fn insert(connection: &Connection, event: &NewEvent) -> rusqlite::Result<()> {
    let change = &event.change;
    let balances = serde_json::to_string(&change.balances)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let head = Head {
        session_id: event.session_id.as_uuid().into_bytes(),
        owner: &event.owner,
        version: change.version as i64,
        at_ms: change.at_ms,
        event: change.event.as_str(),
        actor: event.actor.as_deref(),
        participant_id: change.participant.map(|id| id.as_uuid().into_bytes()),
        status: change.status.as_str(),
        cycles: change.cycles as i64,
    };
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (session_id, owner, version, at_ms, event, actor, participant_id, status, cycles, balances,
             hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    insert.execute(params![
        head.session_id,
        head.owner,
        head.version,
        head.at_ms,
        head.event,
        head.actor,
        head.participant_id,
        head.status,
        head.cycles,
        balances,
        head.hash(&balances),
    ])?;
    Ok(())
}

/// Removes events that are older, the oldest first; says how many there were.
pub(crate) fn prune(connection: &Connection, before_ms: i64, limit: u32) -> rusqlite::Result<usize> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM event WHERE sequence IN (SELECT sequence FROM event ORDER BY sequence LIMIT ?2) AND at_ms < ?1",
    )?;
    delete.execute(params![before_ms, limit])
}

pub(crate) fn of_session(
    connection: &Connection,
    session_id: SyncSessionId,
    owner: Option<&str>,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<SessionEvent>> {
    let mut rows = connection.prepare_cached(
        "SELECT sequence, session_id, owner, version, at_ms, event, actor, participant_id, status, cycles, balances,
             hash
         FROM event
         WHERE session_id = ?1 AND sequence > ?2 AND (?3 IS NULL OR owner = ?3)
         ORDER BY sequence LIMIT ?4",
    )?;
    rows.query_map(params![session_id.as_uuid().into_bytes(), after, owner, limit], read)?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<SessionEvent> {
    let text = |column: usize| row.get::<_, String>(column);
    let (owner, event, status, balances) = (text(2)?, text(5)?, text(8)?, text(10)?);
    let actor: Option<String> = row.get(6)?;
    let head = Head {
        session_id: row.get(1)?,
        owner: &owner,
        version: row.get(3)?,
        at_ms: row.get(4)?,
        event: &event,
        actor: actor.as_deref(),
        participant_id: row.get(7)?,
        status: &status,
        cycles: row.get(9)?,
    };
    if row.get::<_, [u8; 32]>(11)? != head.hash(&balances) {
        let flipped = "this event is not what was written".to_owned();
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(flipped),
        ));
    }
    let balances: Vec<ParticipantBalance> = serde_json::from_str(&balances)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(10, Type::Text, Box::new(error)))?;
    Ok(SessionEvent {
        sequence: row.get(0)?,
        session_id: SyncSessionId::from_uuid(uuid_of(row, 1)?),
        version: head.version as u64,
        at: Timestamp(head.at_ms),
        event: named(row, 5, SessionEventKind::from_name)?,
        participant_id: head.participant_id.map(|id| ParticipantId::from_uuid(Uuid::from_bytes(id))),
        status: named(row, 8, SessionStatus::from_name)?,
        balances,
        cycles: head.cycles as u64,
        actor,
    })
}
