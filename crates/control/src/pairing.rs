//! Pairing codes: a link that signs one browser in, once.

use std::time::Duration;

use flowork_api_types::{SessionId, Timestamp, auth::Role};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    ControlStore,
    secret::{SecretHash, SecretText, hash, random_hex},
    sessions::{OpenedSession, REFRESH_PURPOSE, SessionPerson, insert_session, new_refresh_token},
    store::{new_uuid, to_the_end},
};

/// How long a link works.
pub const PAIRING_CODE_TTL: Duration = Duration::from_mins(10);

/// How long a code that can't be used any more is remembered, so that its holder learns why.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
const CODE_PURPOSE: &str = "flowork pairing code";
/// Whoever holds the link is the owner: it is made on the node's own machine.
const OWNER_SUBJECT: &str = "owner";
const DEVICE_NAME_CHARS_MAX: usize = 200;

/// A fresh code.
#[derive(Clone, Debug)]
pub struct PairingCode {
    /// Goes into the link's fragment.
    pub code: SecretText,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Why a code opened no session.
#[derive(Debug, thiserror::Error)]
pub enum OpenSessionError {
    /// No such code, or it was forgotten long ago.
    #[error("this link is not known here")]
    UnknownCode,
    /// It was used before.
    #[error("this link was used already; each works once")]
    UsedCode,
    /// Its ten minutes are over.
    #[error("this link has expired; links work for 10 minutes")]
    ExpiredCode,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

enum Redeemed {
    Yes { displaced: Vec<SessionId> },
    Unknown,
    Used,
    Expired,
}

impl ControlStore {
    /// Makes a code that works once, within [`PAIRING_CODE_TTL`].
    ///
    /// # Errors
    /// The store failed.
    pub async fn create_pairing_code(&self, now: Timestamp) -> Result<PairingCode, StoreError> {
        let code = SecretText::from_text(random_hex());
        let code_hash = hash(CODE_PURPOSE, code.expose());
        let expires_at = Timestamp(now.as_millis() + PAIRING_CODE_TTL.as_millis() as i64);
        self.database
            .write(move |connection| {
                connection
                    .execute("DELETE FROM pairing_codes WHERE expires_at_ms < ?1", [now.as_millis() - REMEMBERED_MS])?;
                connection.execute(
                    "INSERT INTO pairing_codes (code_hash, created_at_ms, expires_at_ms) VALUES (?1, ?2, ?3)",
                    params![code_hash.as_bytes(), now.as_millis(), expires_at.as_millis()],
                )
            })
            .await?;
        Ok(PairingCode { code, expires_at })
    }

    /// Uses a code up and opens the owner's session with it, in one transaction: of any number of calls with one code
    /// at most one succeeds.
    ///
    /// # Errors
    /// See [`OpenSessionError`].
    pub async fn open_session(
        &self,
        code: &str,
        device_name: Option<&str>,
        now: Timestamp,
    ) -> Result<OpenedSession, OpenSessionError> {
        let code_hash = hash(CODE_PURPOSE, code);
        let id = SessionId::from_uuid(new_uuid(now));
        let refresh_token = new_refresh_token();
        let refresh_hash = hash(REFRESH_PURPOSE, refresh_token.expose());
        let device_name = device_name.map(|name| name.chars().take(DEVICE_NAME_CHARS_MAX).collect::<String>());
        let store = self.clone();
        to_the_end(async move {
            // Live before it is stored: nobody has a token of it yet, and a later session that displaces this one must
            // find it here to remove it.
            store.memory.live_sessions_mut().insert(id);
            let redeemed = store
                .database
                .write(move |connection| {
                    let used = use_up(connection, &code_hash, now)?;
                    let Redeemed::Yes { .. } = used else { return Ok(used) };
                    let owner = SessionPerson { subject: OWNER_SUBJECT.to_owned(), role: Role::Owner };
                    let displaced = insert_session(connection, id, &owner, device_name.as_deref(), &refresh_hash, now)?;
                    Ok(Redeemed::Yes { displaced })
                })
                .await;
            if !matches!(redeemed, Ok(Redeemed::Yes { .. })) {
                store.memory.live_sessions_mut().remove(&id);
            }
            match redeemed? {
                Redeemed::Yes { displaced } => {
                    store.forget_sessions(&displaced);
                    Ok(OpenedSession { id, subject: OWNER_SUBJECT.to_owned(), role: Role::Owner, refresh_token })
                }
                Redeemed::Unknown => Err(OpenSessionError::UnknownCode),
                Redeemed::Used => Err(OpenSessionError::UsedCode),
                Redeemed::Expired => Err(OpenSessionError::ExpiredCode),
            }
        })
        .await
    }
}

fn use_up(connection: &Connection, code_hash: &SecretHash, now: Timestamp) -> rusqlite::Result<Redeemed> {
    let row = connection
        .query_row(
            "SELECT expires_at_ms, used_at_ms FROM pairing_codes WHERE code_hash = ?1",
            [code_hash.as_bytes()],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)),
        )
        .optional()?;
    match row {
        None => Ok(Redeemed::Unknown),
        Some((_, Some(_))) => Ok(Redeemed::Used),
        Some((expires_at_ms, None)) if expires_at_ms <= now.as_millis() => Ok(Redeemed::Expired),
        Some((_, None)) => {
            connection.execute(
                "UPDATE pairing_codes SET used_at_ms = ?2 WHERE code_hash = ?1",
                params![code_hash.as_bytes(), now.as_millis()],
            )?;
            Ok(Redeemed::Yes { displaced: Vec::new() })
        }
    }
}
