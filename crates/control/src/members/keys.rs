//! The keys that members sign in with.

use std::{collections::HashMap, sync::PoisonError};

use flowork_api_types::{
    SessionId, Timestamp,
    member::{KEYS_PER_MEMBER_MAX, KeyAddress, KeyKind},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{MemberError, MemberKeyRecord, MemberRecord, checked_name, ended_id, select_member};
use crate::ControlStore;

impl ControlStore {
    /// A member's keys, the oldest first.
    pub fn member_keys(&self, subject: &str) -> Vec<MemberKeyRecord> {
        let mut keys: Vec<_> =
            self.known_members().keys.values().filter(|key| key.subject == subject).cloned().collect();
        keys.sort_by_key(|key| (key.created_at, key.address));
        keys
    }

    /// Whose address this is, also of a member who is kept out.
    pub fn member_of_address(&self, address: KeyAddress) -> Option<MemberRecord> {
        let known = self.known_members();
        known.members.get(&known.keys.get(&address)?.subject).cloned()
    }

    /// Lets a member sign in with one more key.
    ///
    /// # Errors
    /// See [`MemberError`]; nothing changed.
    pub async fn add_member_key(
        &self,
        subject: &str,
        address: KeyAddress,
        kind: KeyKind,
        name: &str,
        now: Timestamp,
    ) -> Result<MemberKeyRecord, MemberError> {
        let key = MemberKeyRecord {
            address,
            subject: subject.to_owned(),
            kind,
            name: checked_name(name)?,
            created_at: now,
            last_used_at: None,
        };
        self.change_members(move |connection| Ok(insert(connection, &key)?.map(|()| (key, Vec::new())))).await
    }

    /// Takes a key from the member who has it, and ends the sessions that were opened with it.
    ///
    /// # Errors
    /// See [`MemberError`]; nothing changed.
    pub async fn remove_member_key(&self, address: KeyAddress, now: Timestamp) -> Result<(), MemberError> {
        self.change_members(move |connection| {
            if connection.execute("DELETE FROM member_keys WHERE address = ?1", [address.0])? == 0 {
                return Ok(Err(MemberError::UnknownKey { address }));
            }
            let ended = end_sessions_of_key(connection, address, now)?;
            Ok(Ok(((), ended)))
        })
        .await
    }

    /// In memory, what a sign-in with the key has changed in the file. The list of members stays as it is.
    pub(crate) fn note_key_used(&self, address: KeyAddress, now: Timestamp) {
        let mut known = self.memory.members.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.keys.get_mut(&address) {
            key.last_used_at = Some(now);
        }
    }
}

/// Adds the key of a device that a link was opened on, unless its member has it. Where the member has as many keys as
/// may be, the device key that was not used for longest makes room; the sessions that it opened end and are named.
pub(crate) fn enroll(
    connection: &Connection,
    key: &MemberKeyRecord,
) -> rusqlite::Result<Result<Vec<SessionId>, MemberError>> {
    let select = "SELECT 1 FROM member_keys WHERE address = ?1 AND subject = ?2";
    if connection.query_row(select, params![key.address.0, key.subject], |_| Ok(())).optional()?.is_some() {
        return Ok(Ok(Vec::new()));
    }
    match insert(connection, key)? {
        Err(MemberError::TooManyKeys) => {}
        other => return Ok(other.map(|()| Vec::new())),
    }
    let delete = "DELETE FROM member_keys WHERE address = (
                      SELECT address FROM member_keys WHERE subject = ?1 AND kind = 'device'
                      ORDER BY coalesce(last_used_at_ms, created_at_ms) LIMIT 1) RETURNING address";
    let removed = connection.query_row(delete, [&key.subject], |row| row.get(0).map(KeyAddress)).optional()?;
    let Some(removed) = removed else { return Ok(Err(MemberError::TooManyKeys)) };
    let ended = end_sessions_of_key(connection, removed, key.created_at)?;
    Ok(insert(connection, key)?.map(|()| ended))
}

fn end_sessions_of_key(
    connection: &Connection,
    address: KeyAddress,
    now: Timestamp,
) -> rusqlite::Result<Vec<SessionId>> {
    connection
        .prepare("UPDATE sessions SET ended_at_ms = ?2 WHERE key_address = ?1 AND ended_at_ms IS NULL RETURNING id")?
        .query_map(params![address.0, now.as_millis()], ended_id)?
        .collect()
}

/// Adds the key if its member exists, has room for it and nobody has the address. For use within a transaction of
/// members' changes.
pub(crate) fn insert(connection: &Connection, key: &MemberKeyRecord) -> rusqlite::Result<Result<(), MemberError>> {
    if select_member(connection, &key.subject)?.is_none() {
        return Ok(Err(MemberError::Unknown { subject: key.subject.clone() }));
    }
    let select = "SELECT 1 FROM member_keys WHERE address = ?1";
    if connection.query_row(select, [key.address.0], |_| Ok(())).optional()?.is_some() {
        return Ok(Err(MemberError::AddressTaken { address: key.address }));
    }
    let select = "SELECT count(*) FROM member_keys WHERE subject = ?1";
    let held: i64 = connection.query_row(select, [&key.subject], |row| row.get(0))?;
    if held as usize >= KEYS_PER_MEMBER_MAX {
        return Ok(Err(MemberError::TooManyKeys));
    }
    connection.execute(
        "INSERT INTO member_keys (address, subject, kind, name, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![key.address.0, key.subject, key.kind.as_str(), key.name, key.created_at.as_millis()],
    )?;
    Ok(Ok(()))
}

pub(super) fn select_all(connection: &Connection) -> rusqlite::Result<HashMap<KeyAddress, MemberKeyRecord>> {
    connection
        .prepare("SELECT address, subject, kind, name, created_at_ms, last_used_at_ms FROM member_keys")?
        .query_map([], key)?
        .map(|record| record.map(|record| (record.address, record)))
        .collect()
}

fn key(row: &Row<'_>) -> rusqlite::Result<MemberKeyRecord> {
    let kind: String = row.get(2)?;
    let kind = KeyKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(|| {
        let reason = format!("{kind:?} is not a kind of key").into();
        rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, reason)
    })?;
    Ok(MemberKeyRecord {
        address: KeyAddress(row.get(0)?),
        subject: row.get(1)?,
        kind,
        name: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
        last_used_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
    })
}
