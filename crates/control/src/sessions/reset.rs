//! Signing everybody out at once: the way back in for the owner.

use flowork_api_types::{
    SessionId, Timestamp,
    member::{KeyAddress, OWNER_SUBJECT},
};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

use super::session_id;
use crate::{ControlStore, pairing};

/// The setting that holds the address of the node's own key, as it was enrolled for the owner.
const OWN_KEY: &str = "owner_key";

/// Which keys a reset takes away, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forget {
    /// Those that browsers made, of everybody.
    pub devices: bool,
    /// All of the owner's but the node's own.
    pub owner_keys: bool,
}

/// What a reset took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessReset {
    /// Sessions that were open.
    pub ended_sessions: usize,
    /// Keys that were enrolled.
    pub removed_keys: usize,
}

impl ControlStore {
    /// Ends every session of everybody, makes every unused link useless, and takes away the keys that are to be
    /// forgotten: all of it, or nothing.
    ///
    /// # Errors
    /// The store failed; nothing changed.
    pub async fn reset_access(&self, forget: Forget, now: Timestamp) -> Result<AccessReset, StoreError> {
        if forget == Forget::default() {
            let ended_sessions = self.end_some(move |connection| end_all(connection, now)).await?;
            return Ok(AccessReset { ended_sessions, removed_keys: 0 });
        }
        self.change_members(move |connection| {
            let ended = end_all(connection, now)?;
            let mut removed_keys = 0;
            if forget.devices {
                removed_keys += connection.execute("DELETE FROM member_keys WHERE kind = 'device'", [])?;
            }
            if forget.owner_keys {
                removed_keys += forget_owner_keys(connection)?;
            }
            Ok(Ok((AccessReset { ended_sessions: ended.len(), removed_keys }, ended)))
        })
        .await
    }

    /// The address of the node's own key, as it was enrolled for the owner.
    ///
    /// # Errors
    /// The store failed.
    pub async fn own_key(&self) -> Result<Option<KeyAddress>, StoreError> {
        Ok(self.setting(OWN_KEY).await?.and_then(|address| address.parse().ok()))
    }

    /// Notes that this is the node's own key, and enrolled for the owner.
    ///
    /// # Errors
    /// The store failed.
    pub async fn note_own_key(&self, address: KeyAddress) -> Result<(), StoreError> {
        self.set_setting(OWN_KEY, Some(&address.to_string())).await
    }
}

fn end_all(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<SessionId>> {
    pairing::forget_unused(connection, None)?;
    connection
        .prepare("UPDATE sessions SET ended_at_ms = ?1 WHERE ended_at_ms IS NULL RETURNING id")?
        .query_map([now.as_millis()], |row| session_id(row, 0))?
        .collect()
}

/// Takes every key from the owner but the node's own, and says how many there were.
fn forget_owner_keys(connection: &Connection) -> rusqlite::Result<usize> {
    let own = connection
        .query_row("SELECT value FROM settings WHERE name = ?1", [OWN_KEY], |row| row.get::<_, String>(0))
        .optional()?
        .and_then(|address| address.parse().ok())
        .map(|KeyAddress(address)| address);
    let delete = "DELETE FROM member_keys WHERE subject = ?1 AND (?2 IS NULL OR address <> ?2)";
    connection.execute(delete, params![OWNER_SUBJECT, own])
}
