//! Which sessions there are, and ending many at once.

use flowork_api_types::{
    SessionId, Timestamp,
    member::{KeyAddress, OWNER_SUBJECT},
};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, Row, params};

use super::session_id;
use crate::{ControlStore, pairing, store::to_the_end};

/// A session that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Names it.
    pub id: SessionId,
    /// Whose it is.
    pub subject: String,
    /// What its browser or program is called.
    pub device_name: Option<String>,
    /// The key that opened it; a link that enrolled none opens it without.
    pub key: Option<KeyAddress>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When its tokens were renewed last.
    pub last_used_at: Timestamp,
}

impl ControlStore {
    /// The sessions that are open, of one person or of all, the last used first. At most
    /// [`SESSIONS_MAX`](crate::SESSIONS_MAX).
    ///
    /// # Errors
    /// The store failed.
    pub async fn sessions(&self, subject: Option<&str>) -> Result<Vec<SessionRecord>, StoreError> {
        let subject = subject.map(str::to_owned);
        self.database
            .read(move |connection| {
                connection
                    .prepare(
                        "SELECT id, subject, device_name, key_address, created_at_ms, last_used_at_ms FROM sessions
                         WHERE ended_at_ms IS NULL AND (?1 IS NULL OR subject = ?1)
                         ORDER BY last_used_at_ms DESC, id DESC",
                    )?
                    .query_map([subject], record)?
                    .collect()
            })
            .await
    }

    /// Ends an open session, if it is this person's where one is named. Says whether there was one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_session_of(
        &self,
        id: SessionId,
        subject: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let subject = subject.map(str::to_owned);
        let ended = self.end_some(move |connection| {
            let update = "UPDATE sessions SET ended_at_ms = ?1
                          WHERE ended_at_ms IS NULL AND id = ?2 AND (?3 IS NULL OR subject = ?3) RETURNING id";
            connection
                .prepare(update)?
                .query_map(params![now.as_millis(), id.as_uuid().as_bytes(), subject], |row| session_id(row, 0))?
                .collect()
        });
        Ok(ended.await? > 0)
    }

    /// Ends every session of a person and says how many there were. Links that were made for them and that nobody has
    /// used open none any more.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_sessions_of(&self, subject: &str, now: Timestamp) -> Result<usize, StoreError> {
        let subject = subject.to_owned();
        self.end_some(move |connection| {
            pairing::forget_unused(connection, Some(&subject))?;
            let update = "UPDATE sessions SET ended_at_ms = ?1 WHERE ended_at_ms IS NULL AND subject = ?2 RETURNING id";
            connection
                .prepare(update)?
                .query_map(params![now.as_millis(), subject], |row| session_id(row, 0))?
                .collect()
        })
        .await
    }

    /// Whether the owner ever signed in, as far as that is remembered: sessions that ended are for a month.
    ///
    /// # Errors
    /// The store failed.
    pub async fn owner_has_signed_in(&self) -> Result<bool, StoreError> {
        self.database
            .read(|connection| {
                let select = "SELECT EXISTS (SELECT 1 FROM sessions WHERE subject = ?1)
                                  OR EXISTS (SELECT 1 FROM member_keys WHERE subject = ?1 AND last_used_at_ms IS NOT NULL)";
                connection.query_row(select, [OWNER_SUBJECT], |row| row.get(0))
            })
            .await
    }

    pub(super) async fn end_some(
        &self,
        end: impl FnOnce(&Connection) -> rusqlite::Result<Vec<SessionId>> + Send + 'static,
    ) -> Result<usize, StoreError> {
        let store = self.clone();
        to_the_end(async move {
            let ended = store.database.write(move |connection| end(connection)).await?;
            store.forget_sessions(&ended);
            Ok(ended.len())
        })
        .await
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<SessionRecord> {
    Ok(SessionRecord {
        id: session_id(row, 0)?,
        subject: row.get(1)?,
        device_name: row.get(2)?,
        key: row.get::<_, Option<[u8; 20]>>(3)?.map(KeyAddress),
        created_at: Timestamp(row.get(4)?),
        last_used_at: Timestamp(row.get(5)?),
    })
}
