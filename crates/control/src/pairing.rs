//! Pairing codes: a link that signs one browser in, once, as the member it was made for.

use std::time::Duration;

use flowork_api_types::{Timestamp, member::OWNER_SUBJECT};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    ControlStore, MemberError,
    secret::{SecretHash, SecretText, hash, random_hex},
    sessions::SessionPerson,
};

/// How long a link works.
pub const PAIRING_CODE_TTL: Duration = Duration::from_mins(10);

/// How long a code that can't be used any more is remembered, so that its holder learns why.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
const CODE_PURPOSE: &str = "flowork pairing code";

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
    /// The device's key can't be enrolled.
    #[error("the key of this device can't be enrolled")]
    Key(#[source] MemberError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose codes are. Those from before members had codes are the owner's: nobody else could make one.
pub(crate) const SUBJECTS: &str = "
ALTER TABLE pairing_codes ADD COLUMN subject TEXT NOT NULL DEFAULT 'owner';
";

impl ControlStore {
    /// Makes a code that signs the owner in once, within [`PAIRING_CODE_TTL`].
    ///
    /// # Errors
    /// The store failed.
    pub async fn create_pairing_code(&self, now: Timestamp) -> Result<PairingCode, StoreError> {
        self.new_pairing_code(OWNER_SUBJECT.to_owned(), now).await
    }

    /// Makes a code that signs this member in once. `None` for who is none, or is kept out.
    ///
    /// # Errors
    /// The store failed.
    pub async fn create_pairing_code_for(
        &self,
        subject: &str,
        now: Timestamp,
    ) -> Result<Option<PairingCode>, StoreError> {
        if self.role_of(subject).is_none() {
            return Ok(None);
        }
        self.new_pairing_code(subject.to_owned(), now).await.map(Some)
    }

    async fn new_pairing_code(&self, subject: String, now: Timestamp) -> Result<PairingCode, StoreError> {
        let code = SecretText::from_text(random_hex());
        let code_hash = hash(CODE_PURPOSE, code.expose());
        let expires_at = Timestamp(now.as_millis() + PAIRING_CODE_TTL.as_millis() as i64);
        self.database
            .write(move |connection| {
                connection
                    .execute("DELETE FROM pairing_codes WHERE expires_at_ms < ?1", [now.as_millis() - REMEMBERED_MS])?;
                connection.execute(
                    "INSERT INTO pairing_codes (code_hash, subject, created_at_ms, expires_at_ms)
                     VALUES (?1, ?2, ?3, ?4)",
                    params![code_hash.as_bytes(), subject, now.as_millis(), expires_at.as_millis()],
                )
            })
            .await?;
        Ok(PairingCode { code, expires_at })
    }
}

pub(crate) fn hash_of(code: &str) -> SecretHash {
    hash(CODE_PURPOSE, code)
}

/// Whom a code signs in, if it still does. One of a member who is kept out or is none any more is as good as none.
pub(crate) fn find(
    connection: &Connection,
    code: &SecretHash,
    now: Timestamp,
) -> rusqlite::Result<Result<SessionPerson, OpenSessionError>> {
    let row = connection
        .query_row(
            "SELECT p.expires_at_ms, p.used_at_ms IS NOT NULL, m.subject, m.role
             FROM pairing_codes p JOIN members m ON m.subject = p.subject AND m.disabled_at_ms IS NULL
             WHERE p.code_hash = ?1",
            [code.as_bytes()],
            |row| {
                let person = SessionPerson { subject: row.get(2)?, role: crate::sessions::role(row, 3)? };
                Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, person))
            },
        )
        .optional()?;
    Ok(match row {
        None => Err(OpenSessionError::UnknownCode),
        Some((_, true, _)) => Err(OpenSessionError::UsedCode),
        Some((expires_at_ms, false, _)) if expires_at_ms <= now.as_millis() => Err(OpenSessionError::ExpiredCode),
        Some((_, false, person)) => Ok(person),
    })
}

pub(crate) fn mark_used(connection: &Connection, code: &SecretHash, now: Timestamp) -> rusqlite::Result<usize> {
    let update = "UPDATE pairing_codes SET used_at_ms = ?2 WHERE code_hash = ?1";
    connection.execute(update, params![code.as_bytes(), now.as_millis()])
}

/// Makes the codes useless that nobody has used, of one member or of all.
pub(crate) fn forget_unused(connection: &Connection, subject: Option<&str>) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM pairing_codes WHERE used_at_ms IS NULL AND (?1 IS NULL OR subject = ?1)";
    connection.execute(delete, [subject])
}
