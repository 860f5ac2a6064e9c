//! Who may enqueue jobs of a kind, where the owner decided so, and what guests may look at.

use std::{collections::BTreeMap, sync::PoisonError};

use flowork_api_types::{
    Timestamp,
    auth::Role,
    kind::default_roles,
    member::{GuestArea, GuestPolicy, KindRoles},
};
use flowork_sqlite::StoreError;
use rusqlite::{OptionalExtension, params};

use crate::{ControlStore, store::to_the_end};

/// Kinds that can have a decision of their own.
pub const KIND_GRANTS_MAX: usize = 1_000;

/// By kind. A kind that is not in it goes by what it asks for itself.
pub(crate) type KindGrants = BTreeMap<String, Vec<Role>>;

const GUESTS: &str = "guests";

/// Why a decision about a kind was not taken.
#[derive(Debug, thiserror::Error)]
pub enum KindGrantError {
    /// There are as many as may be.
    #[error("{KIND_GRANTS_MAX} kinds have a decision of their own, and no more may")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ControlStore {
    /// Who may enqueue jobs of this kind, if the owner decided so.
    pub fn kind_grant(&self, kind: &str) -> Option<Vec<Role>> {
        self.memory.kind_grants.read().unwrap_or_else(PoisonError::into_inner).get(kind).cloned()
    }

    /// Says who may enqueue jobs of this kind: by what the owner decided, else by what the kind asks for. The owner always
    /// may. A kind that no engine knows now (`reaches_machine` is `None`) is taken for one that reaches the machine.
    pub fn kind_roles(&self, kind: &str, reaches_machine: Option<bool>) -> KindRoles {
        let grant = self.kind_grant(kind);
        let decided = grant.is_some();
        let roles = match grant {
            Some(roles) => std::iter::once(Role::Owner).chain(roles).collect(),
            None => default_roles(reaches_machine.unwrap_or(true)).to_vec(),
        };
        KindRoles { kind: kind.to_owned(), roles, decided }
    }

    /// Decides who may enqueue jobs of this kind; `None` leaves it to the kind again.
    ///
    /// # Errors
    /// See [`KindGrantError`]; nothing changed.
    pub async fn set_kind_grant(
        &self,
        kind: &str,
        roles: Option<Vec<Role>>,
        now: Timestamp,
    ) -> Result<(), KindGrantError> {
        let (store, kind) = (self.clone(), kind.to_owned());
        to_the_end(async move {
            let _in_turn = store.memory.policy_changes.lock().await;
            let row = (kind.clone(), roles.as_deref().map(to_text));
            let stored = store
                .database
                .write(move |connection| {
                    let (kind, Some(roles)) = row else {
                        connection.execute("DELETE FROM kind_grants WHERE kind = ?1", [row.0])?;
                        return Ok(true);
                    };
                    let select = "SELECT count(*) FROM kind_grants WHERE kind <> ?1";
                    let others: i64 = connection.query_row(select, [&kind], |row| row.get(0))?;
                    if others as usize >= KIND_GRANTS_MAX {
                        return Ok(false);
                    }
                    connection.execute(
                        "INSERT INTO kind_grants (kind, roles, set_at_ms) VALUES (?1, ?2, ?3)
                         ON CONFLICT (kind) DO UPDATE SET roles = excluded.roles, set_at_ms = excluded.set_at_ms",
                        params![kind, roles, now.as_millis()],
                    )?;
                    Ok(true)
                })
                .await?;
            if !stored {
                return Err(KindGrantError::TooMany);
            }
            let mut grants = store.memory.kind_grants.write().unwrap_or_else(PoisonError::into_inner);
            match roles {
                Some(roles) => _ = grants.insert(kind, roles),
                None => _ = grants.remove(&kind),
            }
            drop(grants);
            Ok(())
        })
        .await
    }

    /// What guests may do.
    pub fn guest_policy(&self) -> GuestPolicy {
        self.memory.guests.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether guests are let in, and may look at this. What every request of a guest asks.
    pub fn guests_may_see(&self, area: GuestArea) -> bool {
        let guests = self.memory.guests.read().unwrap_or_else(PoisonError::into_inner);
        guests.enabled && guests.open.contains(&area)
    }

    /// Decides what guests may do.
    ///
    /// # Errors
    /// The store failed; nothing changed.
    pub async fn set_guest_policy(&self, policy: GuestPolicy) -> Result<(), StoreError> {
        let store = self.clone();
        to_the_end(async move {
            let _in_turn = store.memory.policy_changes.lock().await;
            let text = serde_json::to_string(&policy).expect("a policy is plain data");
            store.set_setting(GUESTS, Some(&text)).await?;
            *store.memory.guests.write().unwrap_or_else(PoisonError::into_inner) = policy;
            store.tell_access_changed();
            Ok(())
        })
        .await
    }

    pub(crate) async fn load_kind_grants(&self) -> Result<(), StoreError> {
        let rows = self.database.read(|connection| {
            connection
                .prepare("SELECT kind, roles FROM kind_grants")?
                .query_map([], |row| Ok((row.get(0)?, from_text(&row.get::<_, String>(1)?))))?
                .collect::<rusqlite::Result<KindGrants>>()
        });
        let grants = rows.await?;
        *self.memory.kind_grants.write().unwrap_or_else(PoisonError::into_inner) = grants;
        Ok(())
    }

    pub(crate) async fn load_guest_policy(&self) -> Result<(), StoreError> {
        let select = "SELECT value FROM settings WHERE name = ?1";
        let text = self
            .database
            .read(move |connection| connection.query_row(select, [GUESTS], |row| row.get::<_, String>(0)).optional());
        let policy = match text.await? {
            // What can't be read lets nobody in.
            Some(text) => serde_json::from_str(&text).unwrap_or(GuestPolicy { enabled: false, open: Vec::new() }),
            None => GuestPolicy::default(),
        };
        *self.memory.guests.write().unwrap_or_else(PoisonError::into_inner) = policy;
        Ok(())
    }
}

fn to_text(roles: &[Role]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",")
}

/// A role that only a newer version knows gives nobody anything.
fn from_text(text: &str) -> Vec<Role> {
    text.split(',').filter_map(|name| Role::ALL.into_iter().find(|role| role.as_str() == name)).collect()
}
