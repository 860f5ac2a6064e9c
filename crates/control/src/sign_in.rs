//! Opening sessions: with a link, with a key, or with a link that enrolls a key.
//!
//! Whoever opens one is looked up in the same transaction, so that a member who is kept out at that very moment is kept
//! out.

use flowork_api_types::{
    SessionId, Timestamp,
    member::{KeyAddress, KeyKind, NAME_CHARS_MAX},
};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    ControlStore, MemberError, MemberKeyRecord,
    members::keys,
    pairing::{self, OpenSessionError},
    secret::{SecretHash, SecretText, hash},
    sessions::{NewSession, OpenedSession, REFRESH_PURPOSE, SessionPerson, insert_session, new_refresh_token},
    store::{new_uuid, to_the_end},
};

const DEVICE_NAME_CHARS_MAX: usize = 200;
/// What a key is called whose device has no name.
const NAMELESS_DEVICE: &str = "A browser";

/// Why a key that was proved opens no session. Only the log and the audit tell these apart.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No member has this address.
    #[error("no member has the address {address}")]
    NotMember {
        /// The address.
        address: KeyAddress,
    },
    /// Its member is kept out.
    #[error("the member {subject} is kept out")]
    Disabled {
        /// The member.
        subject: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The parts of a session that is about to be opened.
struct Opening {
    id: SessionId,
    refresh_token: SecretText,
    refresh_hash: SecretHash,
    device_name: Option<String>,
    now: Timestamp,
}

impl ControlStore {
    /// Opens a session for the member who has this address. That the caller has its key was proved before.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn sign_in(
        &self,
        address: KeyAddress,
        device_name: Option<&str>,
        now: Timestamp,
    ) -> Result<OpenedSession, SignInError> {
        let opening = Opening::new(device_name, now);
        let (id, refresh_token) = (opening.id, opening.refresh_token.clone());
        self.with_live(id, |store| async move {
            let _in_turn = store.memory.member_changes.lock().await;
            let opened = store.database.write(move |connection| opening.with_key(connection, address)).await?;
            let (person, displaced) = opened?;
            store.forget_sessions(&displaced);
            store.note_key_used(address, now);
            Ok(OpenedSession { id, subject: person.subject, role: person.role, refresh_token })
        })
        .await
    }

    /// Uses a code up and opens its member's session, in one transaction: of any number of calls with one code at most
    /// one succeeds.
    ///
    /// # Errors
    /// See [`OpenSessionError`].
    pub async fn open_session(
        &self,
        code: &str,
        device_name: Option<&str>,
        now: Timestamp,
    ) -> Result<OpenedSession, OpenSessionError> {
        let code_hash = pairing::hash_of(code);
        let opening = Opening::new(device_name, now);
        let (id, refresh_token) = (opening.id, opening.refresh_token.clone());
        self.with_live(id, |store| async move {
            let opened = store.database.write(move |connection| opening.with_code(connection, &code_hash)).await?;
            let (person, displaced) = opened?;
            store.forget_sessions(&displaced);
            Ok(OpenedSession { id, subject: person.subject, role: person.role, refresh_token })
        })
        .await
    }

    /// As [`open_session`](Self::open_session), and enrolls the key that the device made, for the code's member. That
    /// the caller has the key was proved before. Where the member has as many keys as may be, the device key that was
    /// not used for longest makes room, with its sessions.
    ///
    /// # Errors
    /// See [`OpenSessionError`]; the code can then be used again.
    pub async fn open_session_with_device(
        &self,
        code: &str,
        device_key: KeyAddress,
        device_name: Option<&str>,
        now: Timestamp,
    ) -> Result<OpenedSession, OpenSessionError> {
        let code_hash = pairing::hash_of(code);
        let opening = Opening::new(device_name, now);
        let (id, refresh_token) = (opening.id, opening.refresh_token.clone());
        self.with_live(id, |store| async move {
            let enroll =
                move |connection: &Connection| opening.with_code_and_device(connection, &code_hash, device_key);
            let person = store.change_members(enroll).await?;
            Ok(OpenedSession { id, subject: person.subject, role: person.role, refresh_token })
        })
        .await
    }

    /// Runs what opens the session, to its end. It is live before it is stored: nobody has a token of it yet, and a
    /// later session that displaces this one must find it to remove it.
    async fn with_live<T, E, F>(&self, id: SessionId, open: impl FnOnce(Self) -> F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let store = self.clone();
        let opening = open(self.clone());
        to_the_end(async move {
            store.memory.live_sessions_mut().insert(id);
            let opened = opening.await;
            if opened.is_err() {
                store.memory.live_sessions_mut().remove(&id);
            }
            opened
        })
        .await
    }
}

/// Who opened the session, and the sessions that had to make room.
type Opened<E> = Result<(SessionPerson, Vec<SessionId>), E>;

impl Opening {
    fn new(device_name: Option<&str>, now: Timestamp) -> Self {
        let refresh_token = new_refresh_token();
        Self {
            id: SessionId::from_uuid(new_uuid(now)),
            refresh_hash: hash(REFRESH_PURPOSE, refresh_token.expose()),
            refresh_token,
            device_name: device_name.map(|name| shown(name, DEVICE_NAME_CHARS_MAX)).filter(|name| !name.is_empty()),
            now,
        }
    }

    fn with_key(&self, connection: &Connection, address: KeyAddress) -> rusqlite::Result<Opened<SignInError>> {
        let select = "SELECT m.subject, m.role, m.disabled_at_ms IS NOT NULL
                      FROM member_keys k JOIN members m ON m.subject = k.subject WHERE k.address = ?1";
        let row = connection
            .query_row(select, [address.0], |row| {
                Ok((row.get::<_, String>(0)?, crate::sessions::role(row, 1)?, row.get::<_, bool>(2)?))
            })
            .optional()?;
        let (subject, role) = match row {
            None => return Ok(Err(SignInError::NotMember { address })),
            Some((subject, _, true)) => return Ok(Err(SignInError::Disabled { subject })),
            Some((subject, role, false)) => (subject, role),
        };
        let person = SessionPerson { subject, role };
        let displaced = self.insert(connection, &person, Some(address))?;
        mark_key_used(connection, address, self.now)?;
        Ok(Ok((person, displaced)))
    }

    fn with_code(&self, connection: &Connection, code: &SecretHash) -> rusqlite::Result<Opened<OpenSessionError>> {
        let person = match pairing::find(connection, code, self.now)? {
            Ok(person) => person,
            Err(refusal) => return Ok(Err(refusal)),
        };
        pairing::mark_used(connection, code, self.now)?;
        let displaced = self.insert(connection, &person, None)?;
        Ok(Ok((person, displaced)))
    }

    fn with_code_and_device(
        &self,
        connection: &Connection,
        code: &SecretHash,
        device_key: KeyAddress,
    ) -> rusqlite::Result<Opened<OpenSessionError>> {
        let person = match pairing::find(connection, code, self.now)? {
            Ok(person) => person,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let name =
            self.device_name.as_deref().map_or_else(|| NAMELESS_DEVICE.to_owned(), |name| shown(name, NAME_CHARS_MAX));
        let key = MemberKeyRecord {
            address: device_key,
            subject: person.subject.clone(),
            kind: KeyKind::Device,
            name,
            created_at: self.now,
            last_used_at: Some(self.now),
        };
        let mut ended = match keys::enroll(connection, &key)? {
            Ok(ended) => ended,
            Err(MemberError::Store(error)) => return Ok(Err(error.into())),
            Err(refusal) => return Ok(Err(OpenSessionError::Key(refusal))),
        };
        pairing::mark_used(connection, code, self.now)?;
        ended.extend(self.insert(connection, &person, Some(device_key))?);
        mark_key_used(connection, device_key, self.now)?;
        Ok(Ok((person, ended)))
    }

    fn insert(
        &self,
        connection: &Connection,
        person: &SessionPerson,
        key: Option<KeyAddress>,
    ) -> rusqlite::Result<Vec<SessionId>> {
        let device_name = self.device_name.as_deref();
        let session = NewSession { id: self.id, person, device_name, key, refresh_hash: &self.refresh_hash };
        insert_session(connection, &session, self.now)
    }
}

fn mark_key_used(connection: &Connection, address: KeyAddress, now: Timestamp) -> rusqlite::Result<usize> {
    let update = "UPDATE member_keys SET last_used_at_ms = ?2 WHERE address = ?1";
    connection.execute(update, params![address.0, now.as_millis()])
}

/// Text that a stranger gave, fit to be shown in a list.
fn shown(text: &str, chars_max: usize) -> String {
    let clean: String = text.chars().filter(|char| !char.is_control()).take(chars_max).collect();
    clean.trim().to_owned()
}
