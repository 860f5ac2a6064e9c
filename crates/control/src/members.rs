//! Members: who they are, and what they may do.
//!
//! The owner is always one of them and can't be kept out, given another role or removed. Whatever changes members or
//! their keys makes the version of the list grow, which is how engines learn of it. What a change does to sessions is
//! in the same transaction: a member who is kept out or removed has none.

pub(crate) mod keys;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{PoisonError, RwLockReadGuard},
};

use flowork_api_types::{
    SessionId, Timestamp,
    auth::Role,
    member::{
        AllowList, KEYS_PER_MEMBER_MAX, KeyAddress, KeyKind, MEMBER_PREFIX, MEMBERS_MAX, NAME_CHARS_MAX, OWNER_SUBJECT,
    },
};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    ControlStore,
    store::{new_uuid, to_the_end},
};

/// The tables, and the owner in them.
pub(crate) const TABLES: &str = "
CREATE TABLE members (
    subject TEXT PRIMARY KEY CHECK (subject = 'owner' OR (length(subject) = 34 AND subject LIKE 'm\\_%' ESCAPE '\\')),
    name TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    role TEXT NOT NULL CHECK (role IN ('owner', 'operator', 'member', 'viewer')),
    created_at_ms INTEGER NOT NULL,
    disabled_at_ms INTEGER,
    CHECK ((subject = 'owner') = (role = 'owner')),
    CHECK (subject <> 'owner' OR disabled_at_ms IS NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO members (subject, name, role, created_at_ms)
VALUES ('owner', 'Owner', 'owner', CAST(unixepoch('subsec') * 1000 AS INTEGER));

CREATE TABLE member_keys (
    address BLOB PRIMARY KEY CHECK (length(address) = 20),
    subject TEXT NOT NULL REFERENCES members (subject),
    kind TEXT NOT NULL CHECK (kind IN ('wallet', 'device')),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    created_at_ms INTEGER NOT NULL,
    last_used_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX member_keys_by_subject ON member_keys (subject, created_at_ms);
-- Whose key opened the session; NULL for a session of a link that enrolled none.
ALTER TABLE sessions ADD COLUMN key_address BLOB CHECK (length(key_address) = 20);
CREATE INDEX sessions_by_subject ON sessions (subject) WHERE ended_at_ms IS NULL;

-- Who may enqueue jobs of a kind, where the owner decided so: role names with commas between them.
CREATE TABLE kind_grants (
    kind TEXT PRIMARY KEY CHECK (length(kind) BETWEEN 1 AND 128),
    roles TEXT NOT NULL,
    set_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE engines ADD COLUMN old_token_hash BLOB CHECK (length(old_token_hash) = 32);
ALTER TABLE engines ADD COLUMN old_token_until_ms INTEGER;
ALTER TABLE engines ADD COLUMN token_changed_at_ms INTEGER;
-- Grows when a token stops at once. What was exchanged for one counts only with the number of its time.
ALTER TABLE engines ADD COLUMN token_generation INTEGER NOT NULL DEFAULT 0;
";

/// A person of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// Names them everywhere: `owner`, or `m_` and 32 hexadecimal digits.
    pub subject: String,
    /// For people; no two have the same.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created_at: Timestamp,
    /// Since when they are kept out.
    pub disabled_at: Option<Timestamp>,
}

/// A key that a member signs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberKeyRecord {
    /// The account it signs for.
    pub address: KeyAddress,
    /// Whose it is.
    pub subject: String,
    /// Where it is kept.
    pub kind: KeyKind,
    /// For a person.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When somebody signed in with it last.
    pub last_used_at: Option<Timestamp>,
}

/// What to change about a member; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct MemberChange {
    /// Another name.
    pub name: Option<String>,
    /// Another role.
    pub role: Option<Role>,
    /// Kept out, or let in again.
    pub disabled: Option<bool>,
}

/// Why members stay as they were.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// There is nobody of this subject.
    #[error("there is no member {subject:?}")]
    Unknown {
        /// As it was asked for.
        subject: String,
    },
    /// The name is empty, too long or has control characters.
    #[error("a name has 1 to {NAME_CHARS_MAX} characters, none of them a control character")]
    InvalidName,
    /// Somebody else has this name.
    #[error("there is a member named {name:?}")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Members can't have this role.
    #[error("a member's role is operator, member or viewer, not {}", .role.as_str())]
    InvalidRole {
        /// The role.
        role: Role,
    },
    /// The owner stays the owner.
    #[error("the owner can't be kept out, given another role or removed")]
    OwnerStays,
    /// There are as many members as may be.
    #[error("there are {MEMBERS_MAX} members, and no more may be")]
    TooMany,
    /// Some member, maybe this one, has this address.
    #[error("the address {address} is a member's already")]
    AddressTaken {
        /// The address.
        address: KeyAddress,
    },
    /// The member has as many keys as may be.
    #[error("this member has {KEYS_PER_MEMBER_MAX} keys, and no more may be")]
    TooManyKeys,
    /// No member has this address.
    #[error("no member has the address {address}")]
    UnknownKey {
        /// As it was asked for.
        address: KeyAddress,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Members and keys as they are in the file.
#[derive(Default)]
pub(crate) struct KnownMembers {
    version: u64,
    members: BTreeMap<String, MemberRecord>,
    keys: HashMap<KeyAddress, MemberKeyRecord>,
}

impl ControlStore {
    /// All members, the owner first, then by name.
    pub fn members(&self) -> Vec<MemberRecord> {
        let mut records: Vec<_> = self.known_members().members.values().cloned().collect();
        records.sort_by_cached_key(|member| (member.role != Role::Owner, member.name.to_lowercase()));
        records
    }

    /// The member of this subject, also one who is kept out.
    pub fn member(&self, subject: &str) -> Option<MemberRecord> {
        self.known_members().members.get(subject).cloned()
    }

    /// What this member may do; `None` for who is none, or is kept out. What every request asks.
    pub fn role_of(&self, subject: &str) -> Option<Role> {
        self.known_members()
            .members
            .get(subject)
            .filter(|member| member.disabled_at.is_none())
            .map(|member| member.role)
    }

    /// Grows whenever a member or a key is added, changed or removed, also over restarts.
    pub fn allow_list_version(&self) -> u64 {
        self.known_members().version
    }

    /// The members who are not kept out.
    pub fn allow_list(&self) -> AllowList {
        let known = self.known_members();
        let active = known.members.values().filter(|member| member.disabled_at.is_none());
        AllowList { version: known.version, subjects: active.map(|member| member.subject.clone()).collect() }
    }

    /// The version of the list, each time it grows.
    pub fn allow_list_changes(&self) -> watch::Receiver<u64> {
        self.memory.member_versions.subscribe()
    }

    /// Adds a member, who has no key yet.
    ///
    /// # Errors
    /// See [`MemberError`]; nothing changed.
    pub async fn create_member(&self, name: &str, role: Role, now: Timestamp) -> Result<MemberRecord, MemberError> {
        let subject = format!("{MEMBER_PREFIX}{}", new_uuid(now).simple());
        let record = MemberRecord {
            subject,
            name: checked_name(name)?,
            role: given_role(role)?,
            created_at: now,
            disabled_at: None,
        };
        self.change_members(move |connection| {
            if count(connection, "SELECT count(*) FROM members")? >= MEMBERS_MAX {
                return Ok(Err(MemberError::TooMany));
            }
            if name_is_taken(connection, &record.name, &record.subject)? {
                return Ok(Err(MemberError::NameTaken { name: record.name }));
            }
            connection.execute(
                "INSERT INTO members (subject, name, role, created_at_ms) VALUES (?1, ?2, ?3, ?4)",
                params![record.subject, record.name, record.role.as_str(), now.as_millis()],
            )?;
            Ok(Ok((record, Vec::new())))
        })
        .await
    }

    /// Changes a member. One who is kept out loses all sessions at once.
    ///
    /// # Errors
    /// See [`MemberError`]; nothing changed.
    pub async fn update_member(
        &self,
        subject: &str,
        change: MemberChange,
        now: Timestamp,
    ) -> Result<MemberRecord, MemberError> {
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let subject = subject.to_owned();
        self.change_members(move |connection| {
            let Some(mut record) = select_member(connection, &subject)? else {
                return Ok(Err(MemberError::Unknown { subject }));
            };
            let is_owner = subject == OWNER_SUBJECT;
            match change.role {
                Some(role) if role == record.role => {}
                Some(_) if is_owner => return Ok(Err(MemberError::OwnerStays)),
                Some(role) => match given_role(role) {
                    Ok(role) => record.role = role,
                    Err(error) => return Ok(Err(error)),
                },
                None => {}
            }
            if is_owner && change.disabled == Some(true) {
                return Ok(Err(MemberError::OwnerStays));
            }
            if let Some(name) = name {
                if name_is_taken(connection, &name, &subject)? {
                    return Ok(Err(MemberError::NameTaken { name }));
                }
                record.name = name;
            }
            record.disabled_at = match change.disabled {
                Some(true) => record.disabled_at.or(Some(now)),
                Some(false) => None,
                None => record.disabled_at,
            };
            connection.execute(
                "UPDATE members SET name = ?2, role = ?3, disabled_at_ms = ?4 WHERE subject = ?1",
                params![subject, record.name, record.role.as_str(), record.disabled_at.map(Timestamp::as_millis)],
            )?;
            let ended =
                if record.disabled_at.is_some() { end_sessions(connection, &subject, now)? } else { Vec::new() };
            Ok(Ok((record, ended)))
        })
        .await
    }

    /// Removes a member with all keys and sessions. What they made stays, under their subject, which nobody else gets.
    ///
    /// # Errors
    /// See [`MemberError`]; nothing changed.
    pub async fn delete_member(&self, subject: &str, now: Timestamp) -> Result<(), MemberError> {
        if subject == OWNER_SUBJECT {
            return Err(MemberError::OwnerStays);
        }
        let subject = subject.to_owned();
        self.change_members(move |connection| {
            connection.execute("DELETE FROM member_keys WHERE subject = ?1", [&subject])?;
            if connection.execute("DELETE FROM members WHERE subject = ?1", [&subject])? == 0 {
                return Ok(Err(MemberError::Unknown { subject }));
            }
            let ended = end_sessions(connection, &subject, now)?;
            Ok(Ok(((), ended)))
        })
        .await
    }

    fn known_members(&self) -> RwLockReadGuard<'_, KnownMembers> {
        self.memory.members.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change in the file, and then in memory what the file has. The change also says which sessions it ended.
    pub(crate) async fn change_members<T, E>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<Result<(T, Vec<SessionId>), E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        to_the_end(async move {
            let _in_turn = store.memory.member_changes.lock().await;
            let changed = store
                .database
                .write(move |connection| match change(connection)? {
                    Ok(done) => {
                        grow_version(connection)?;
                        Ok(Ok((done, select_known(connection)?)))
                    }
                    Err(refusal) => Ok(Err(refusal)),
                })
                .await?;
            let ((done, ended), known) = changed?;
            let version = known.version;
            *store.memory.members.write().unwrap_or_else(PoisonError::into_inner) = known;
            store.forget_sessions(&ended);
            store.memory.member_versions.send_replace(version);
            store.tell_access_changed();
            Ok(done)
        })
        .await
    }

    pub(crate) async fn load_members(&self) -> Result<(), StoreError> {
        let known = self.database.read(select_known).await?;
        self.memory.member_versions.send_replace(known.version);
        *self.memory.members.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }
}

pub(crate) fn checked_name(name: &str) -> Result<String, MemberError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(MemberError::InvalidName);
    }
    Ok(name.to_owned())
}

fn given_role(role: Role) -> Result<Role, MemberError> {
    match role {
        Role::Operator | Role::Member | Role::Viewer => Ok(role),
        _ => Err(MemberError::InvalidRole { role }),
    }
}

fn name_is_taken(connection: &Connection, name: &str, subject: &str) -> rusqlite::Result<bool> {
    let select = "SELECT 1 FROM members WHERE name = ?1 AND subject <> ?2";
    connection.query_row(select, [name, subject], |_| Ok(())).optional().map(|row| row.is_some())
}

fn count(connection: &Connection, select: &str) -> rusqlite::Result<usize> {
    connection.query_row(select, [], |row| row.get::<_, i64>(0)).map(|count| count as usize)
}

fn end_sessions(connection: &Connection, subject: &str, now: Timestamp) -> rusqlite::Result<Vec<SessionId>> {
    connection
        .prepare("UPDATE sessions SET ended_at_ms = ?2 WHERE subject = ?1 AND ended_at_ms IS NULL RETURNING id")?
        .query_map(params![subject, now.as_millis()], ended_id)?
        .collect()
}

fn ended_id(row: &Row<'_>) -> rusqlite::Result<SessionId> {
    row.get(0).map(Uuid::from_bytes).map(SessionId::from_uuid)
}

fn grow_version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.execute(
        "INSERT INTO settings (name, value) VALUES ('allow_list_version', '1')
         ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
        [],
    )
}

fn select_known(connection: &Connection) -> rusqlite::Result<KnownMembers> {
    let version = connection
        .query_row("SELECT value FROM settings WHERE name = 'allow_list_version'", [], |row| row.get::<_, String>(0))
        .optional()?
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    let members = connection
        .prepare(&format!("{SELECT_MEMBER} ORDER BY subject"))?
        .query_map([], member)?
        .map(|record| record.map(|record| (record.subject.clone(), record)))
        .collect::<rusqlite::Result<_>>()?;
    Ok(KnownMembers { version, members, keys: keys::select_all(connection)? })
}

const SELECT_MEMBER: &str = "SELECT subject, name, role, created_at_ms, disabled_at_ms FROM members";

fn select_member(connection: &Connection, subject: &str) -> rusqlite::Result<Option<MemberRecord>> {
    connection.query_row(&format!("{SELECT_MEMBER} WHERE subject = ?1"), [subject], member).optional()
}

fn member(row: &Row<'_>) -> rusqlite::Result<MemberRecord> {
    Ok(MemberRecord {
        subject: row.get(0)?,
        name: row.get(1)?,
        role: crate::sessions::role(row, 2)?,
        created_at: Timestamp(row.get(3)?),
        disabled_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
    })
}
