//! Sessions: one sign-in, one family of refresh tokens. What opens them is in `sign_in`.
//!
//! A refresh token works once and gives the next one. A token that comes a second time was copied by somebody, and it
//! can't be told by whom, so the whole family ends. Source: RFC 9700, section 4.14.2. An answer can be lost on its way,
//! though: for a short while a token may come again whose successor nobody has used. It gives another one, and the first
//! successor counts as used up from then on, so that of two who have the family's tokens only one can go on.

mod list;
mod reset;

use std::time::Duration;

use flowork_api_types::{
    SessionId, Timestamp,
    auth::Role,
    member::{KeyAddress, OWNER_SUBJECT},
};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::watch;
use uuid::Uuid;

pub use list::SessionRecord;
pub use reset::{AccessReset, Forget};

use crate::{
    ControlStore,
    secret::{SecretHash, SecretText, hash, random_hex},
    store::to_the_end,
};

/// A session ends when its refresh token was not used for this long.
pub const REFRESH_IDLE_TTL: Duration = Duration::from_hours(30 * 24);
/// Sessions at a time. One more ends the one that was not used for longest, of those that are not the owner's.
pub const SESSIONS_MAX: usize = 1_000;
/// Sessions of one person at a time. One more ends their own that was not used for longest.
pub const SESSIONS_PER_SUBJECT_MAX: usize = 50;
/// How long a refresh token may come again, as long as nobody has used the one that it gave.
pub const REFRESH_AGAIN_WITHIN: Duration = Duration::from_secs(30);

/// Used-up tokens remembered for each session, to notice that one comes again. A month of refreshes every ten minutes.
const REMEMBERED_TOKENS_MAX: i64 = 4_500;
pub(crate) const REFRESH_PURPOSE: &str = "flowork refresh token";
const REFRESH_PREFIX: &str = "flr_";

/// What a token gave, for the time in which it may come again.
pub(crate) const SUCCESSORS: &str = "
ALTER TABLE refresh_tokens ADD COLUMN successor_hash BLOB CHECK (length(successor_hash) = 32);
";

/// A session that was opened or continued.
#[derive(Clone, Debug)]
pub struct OpenedSession {
    /// Names it.
    pub id: SessionId,
    /// Whose it is.
    pub subject: String,
    /// What they may do.
    pub role: Role,
    /// Works once, for the next refresh.
    pub refresh_token: SecretText,
}

/// Why a refresh token gave no new one.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// No such token.
    #[error("this refresh token is not known here")]
    Unknown,
    /// It was used before; its session has been ended.
    #[error("this refresh token was used before, so the session has been ended")]
    Reused {
        /// The session that was ended.
        session_id: SessionId,
    },
    /// Its session ended before.
    #[error("this session has ended")]
    Ended,
    /// It was not used for too long.
    #[error("this session was not used for 30 days and has ended")]
    Expired,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

enum Rotated {
    Yes { id: SessionId, person: SessionPerson },
    Unknown,
    Reused { id: SessionId },
    Ended,
    Expired { id: SessionId },
}

/// Whose session it is.
pub(crate) struct SessionPerson {
    pub(crate) subject: String,
    pub(crate) role: Role,
}

struct TokenRow {
    session_id: SessionId,
    used_at_ms: Option<i64>,
    /// What it gave, if nobody has used that.
    unused_successor: Option<Vec<u8>>,
    person: SessionPerson,
    last_used_at_ms: i64,
    ended: bool,
}

impl ControlStore {
    /// Uses a refresh token up and gives the next one.
    ///
    /// # Errors
    /// See [`RefreshError`].
    pub async fn refresh_session(&self, refresh_token: &str, now: Timestamp) -> Result<OpenedSession, RefreshError> {
        let old = hash(REFRESH_PURPOSE, refresh_token);
        let next_token = new_refresh_token();
        let next = hash(REFRESH_PURPOSE, next_token.expose());
        let store = self.clone();
        to_the_end(async move {
            let rotated = store.database.write(move |connection| rotate(connection, &old, &next, now)).await?;
            match rotated {
                Rotated::Yes { id, person } => {
                    Ok(OpenedSession { id, subject: person.subject, role: person.role, refresh_token: next_token })
                }
                Rotated::Unknown => Err(RefreshError::Unknown),
                Rotated::Ended => Err(RefreshError::Ended),
                Rotated::Reused { id } => {
                    store.forget_sessions(&[id]);
                    Err(RefreshError::Reused { session_id: id })
                }
                Rotated::Expired { id } => {
                    store.forget_sessions(&[id]);
                    Err(RefreshError::Expired)
                }
            }
        })
        .await
    }

    /// Ends a session; its access tokens stop working at once. Ending one that has ended changes nothing.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_session(&self, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
        let store = self.clone();
        to_the_end(async move {
            store.database.write(move |connection| mark_ended(connection, id, now)).await?;
            store.forget_sessions(&[id]);
            Ok(())
        })
        .await
    }

    /// Says whether the session is open. Does not touch the file.
    pub fn session_is_live(&self, id: SessionId) -> bool {
        self.memory.live_sessions().contains(&id)
    }

    /// Changes whenever a session ends, and whenever members or what guests may do change.
    pub fn session_ends(&self) -> watch::Receiver<u64> {
        self.memory.session_ends.subscribe()
    }

    pub(crate) fn tell_access_changed(&self) {
        self.memory.session_ends.send_modify(|count| *count += 1);
    }

    pub(crate) fn forget_sessions(&self, ids: &[SessionId]) {
        if ids.is_empty() {
            return;
        }
        let mut sessions = self.memory.live_sessions_mut();
        for id in ids {
            sessions.remove(id);
        }
        drop(sessions);
        self.memory.session_ends.send_modify(|count| *count += 1);
    }

    pub(crate) async fn load_sessions(&self) -> Result<(), StoreError> {
        let rows = self
            .database
            .read(|connection| {
                connection
                    .prepare("SELECT id FROM sessions WHERE ended_at_ms IS NULL")?
                    .query_map([], |row| session_id(row, 0))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        self.memory.live_sessions_mut().extend(rows);
        Ok(())
    }
}

pub(crate) fn new_refresh_token() -> SecretText {
    SecretText::from_text(format!("{REFRESH_PREFIX}{}", random_hex()))
}

/// A session to store.
pub(crate) struct NewSession<'a> {
    pub(crate) id: SessionId,
    pub(crate) person: &'a SessionPerson,
    pub(crate) device_name: Option<&'a str>,
    /// The key that opened it.
    pub(crate) key: Option<KeyAddress>,
    pub(crate) refresh_hash: &'a SecretHash,
}

/// Adds a session and says which ones had to make room for it.
pub(crate) fn insert_session(
    connection: &Connection,
    new: &NewSession<'_>,
    now: Timestamp,
) -> rusqlite::Result<Vec<SessionId>> {
    let oldest_sensible_ms = now.as_millis() - REFRESH_IDLE_TTL.as_millis() as i64;
    connection
        .execute("DELETE FROM sessions WHERE ended_at_ms IS NOT NULL AND ended_at_ms < ?1", [oldest_sensible_ms])?;
    let displaced = connection
        .prepare(
            // The owner's are bounded by themselves, so nobody else's sign-ins can end them.
            "UPDATE sessions SET ended_at_ms = ?1
             WHERE ended_at_ms IS NULL AND (last_used_at_ms < ?2 OR id IN (
                 SELECT id FROM sessions WHERE ended_at_ms IS NULL AND subject = ?4
                 ORDER BY last_used_at_ms DESC LIMIT -1 OFFSET ?5
             ) OR id IN (
                 SELECT id FROM sessions WHERE ended_at_ms IS NULL AND subject <> ?6
                 ORDER BY last_used_at_ms DESC LIMIT -1 OFFSET ?3))
             RETURNING id",
        )?
        .query_map(
            params![
                now.as_millis(),
                oldest_sensible_ms,
                (SESSIONS_MAX - SESSIONS_PER_SUBJECT_MAX) as i64 - i64::from(new.person.subject != OWNER_SUBJECT),
                new.person.subject,
                SESSIONS_PER_SUBJECT_MAX as i64 - 1,
                OWNER_SUBJECT,
            ],
            |row| session_id(row, 0),
        )?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    connection.execute(
        "INSERT INTO sessions (id, subject, role, device_name, key_address, created_at_ms, last_used_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        params![
            new.id.as_uuid().as_bytes(),
            new.person.subject,
            new.person.role.as_str(),
            new.device_name,
            new.key.map(|key| key.0),
            now.as_millis()
        ],
    )?;
    insert_token(connection, new.id, new.refresh_hash, now)?;
    Ok(displaced)
}

fn rotate(connection: &Connection, old: &SecretHash, next: &SecretHash, now: Timestamp) -> rusqlite::Result<Rotated> {
    let Some(token) = find_token(connection, old)? else { return Ok(Rotated::Unknown) };
    let id = token.session_id;
    if token.ended {
        return Ok(Rotated::Ended);
    }
    if let Some(used_at_ms) = token.used_at_ms {
        let lately = (0..=REFRESH_AGAIN_WITHIN.as_millis() as i64).contains(&(now.as_millis() - used_at_ms));
        match token.unused_successor.filter(|_| lately) {
            Some(lost) => connection.execute(
                "UPDATE refresh_tokens SET used_at_ms = ?2 WHERE token_hash = ?1",
                params![lost, now.as_millis()],
            )?,
            None => {
                mark_ended(connection, id, now)?;
                return Ok(Rotated::Reused { id });
            }
        };
    }
    if token.last_used_at_ms + (REFRESH_IDLE_TTL.as_millis() as i64) < now.as_millis() {
        mark_ended(connection, id, now)?;
        return Ok(Rotated::Expired { id });
    }
    connection.execute(
        // The first use counts, so that coming again does not make the while longer.
        "UPDATE refresh_tokens SET used_at_ms = coalesce(used_at_ms, ?2), successor_hash = ?3 WHERE token_hash = ?1",
        params![old.as_bytes(), now.as_millis(), next.as_bytes()],
    )?;
    connection.execute(
        "DELETE FROM refresh_tokens WHERE token_hash IN (
             SELECT token_hash FROM refresh_tokens WHERE session_id = ?1
             ORDER BY created_at_ms DESC LIMIT -1 OFFSET ?2)",
        params![id.as_uuid().as_bytes(), REMEMBERED_TOKENS_MAX],
    )?;
    insert_token(connection, id, next, now)?;
    connection.execute(
        "UPDATE sessions SET last_used_at_ms = ?2 WHERE id = ?1",
        params![id.as_uuid().as_bytes(), now.as_millis()],
    )?;
    Ok(Rotated::Yes { id, person: token.person })
}

fn find_token(connection: &Connection, token_hash: &SecretHash) -> rusqlite::Result<Option<TokenRow>> {
    connection
        .query_row(
            // The role is the member's of today; a session of nobody, or of somebody who is kept out, has ended.
            "SELECT t.session_id, t.used_at_ms, s.subject, coalesce(m.role, s.role), s.last_used_at_ms,
                    s.ended_at_ms IS NOT NULL OR m.subject IS NULL, n.token_hash
             FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
             LEFT JOIN refresh_tokens n ON n.token_hash = t.successor_hash AND n.used_at_ms IS NULL
             LEFT JOIN members m ON m.subject = s.subject AND m.disabled_at_ms IS NULL
             WHERE t.token_hash = ?1",
            [token_hash.as_bytes()],
            |row| {
                Ok(TokenRow {
                    session_id: session_id(row, 0)?,
                    used_at_ms: row.get(1)?,
                    unused_successor: row.get(6)?,
                    person: SessionPerson { subject: row.get(2)?, role: role(row, 3)? },
                    last_used_at_ms: row.get(4)?,
                    ended: row.get(5)?,
                })
            },
        )
        .optional()
}

fn insert_token(
    connection: &Connection,
    session: SessionId,
    token_hash: &SecretHash,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    connection.execute(
        "INSERT INTO refresh_tokens (token_hash, session_id, created_at_ms) VALUES (?1, ?2, ?3)",
        params![token_hash.as_bytes(), session.as_uuid().as_bytes(), now.as_millis()],
    )
}

fn mark_ended(connection: &Connection, id: SessionId, now: Timestamp) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE sessions SET ended_at_ms = ?2 WHERE id = ?1 AND ended_at_ms IS NULL",
        params![id.as_uuid().as_bytes(), now.as_millis()],
    )
}

pub(crate) fn session_id(row: &Row<'_>, column: usize) -> rusqlite::Result<SessionId> {
    Ok(SessionId::from_uuid(Uuid::from_bytes(row.get(column)?)))
}

pub(crate) fn role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let text: String = row.get(column)?;
    Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
        let reason = format!("{text:?} is not a role").into();
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, reason)
    })
}
