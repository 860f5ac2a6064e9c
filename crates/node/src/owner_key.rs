//! The owner's own key: made at the first start, kept in the vault, replaced while no node runs.
//!
//! Its address is enrolled for the owner once. Whoever takes it away from the owner's keys finds it gone after the next
//! start, too; a key that was put in its place is enrolled again.

use flowork_api_types::{
    Timestamp,
    member::{KeyAddress, KeyKind, OWNER_SUBJECT},
};
use flowork_control::{ControlStore, MemberError};
use flowork_identity::{ITEM_OWNER_KEY, OwnerKey, OwnerKeyError, checksummed};
use flowork_vault::{Secret, Vault, VaultError};
use serde_json::json;

use crate::{Config, DataDir, DataDirError, InstanceLock, LockError, audit};

/// What the key is called in the list of the owner's keys.
const NAME: &str = "This node's own key";

/// Why the owner's key can't be had or replaced.
#[derive(Debug, thiserror::Error)]
pub enum OwnerKeyAccessError {
    /// The vault can't be opened.
    #[error("the vault cannot be opened")]
    Open(#[source] flowork_vault::OpenError),
    /// The vault does not give or take it.
    #[error("the owner's key cannot be read from the vault or put there")]
    Vault(#[source] VaultError),
    /// The vault has none.
    #[error("the vault of {} has no key of the owner: no node has served with it yet", .0.display())]
    NoKey(std::path::PathBuf),
    /// What the vault has is no key.
    #[error("the owner's key in the vault is damaged")]
    Damaged(#[source] OwnerKeyError),
    /// The data directory can't be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A node runs, and only that one may write its files.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The control store can't be opened.
    #[error("the control store cannot be opened")]
    Control(#[source] flowork_control::OpenError),
    /// The owner can't have this key.
    #[error("the key cannot be enrolled for the owner")]
    Enroll(#[source] MemberError),
    /// The control store failed.
    #[error("the control store failed")]
    Store(#[source] flowork_control::StoreError),
}

impl OwnerKeyAccessError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.hint(),
            Self::NoKey(_) => Some("start it once with `flowork serve`, or name the right --data-dir".to_owned()),
            Self::Damaged(_) => Some("put a copy of it back with `flowork key import`".to_owned()),
            Self::DataDir(error) => Some(error.hint()),
            Self::Lock(_) => Some("stop the node first; it holds the key in memory".to_owned()),
            Self::Enroll(MemberError::AddressTaken { .. }) => {
                Some("another member signs in with this key; remove it from them first".to_owned())
            }
            Self::Enroll(MemberError::TooManyKeys) => Some("remove one of the owner's keys first".to_owned()),
            Self::Vault(_) | Self::Control(_) | Self::Enroll(_) | Self::Store(_) => None,
        }
    }
}

/// Reads the owner's key of the node that uses this configuration. Blocks.
///
/// # Errors
/// See [`OwnerKeyAccessError`].
pub fn read(config: &Config) -> Result<OwnerKey, OwnerKeyAccessError> {
    let vault = Vault::open(config.vault_options()).map_err(OwnerKeyAccessError::Open)?;
    let secret = vault.get(ITEM_OWNER_KEY).map_err(OwnerKeyAccessError::Vault)?;
    let secret = secret.ok_or_else(|| OwnerKeyAccessError::NoKey(config.data_dir.clone()))?;
    OwnerKey::from_secret(secret.expose()).map_err(OwnerKeyAccessError::Damaged)
}

/// Puts another key in the place of the owner's, while no node runs, and says which address the one before had.
///
/// # Errors
/// See [`OwnerKeyAccessError`]. Where the vault refuses, the new address stays enrolled; it is the owner's, too.
pub async fn replace(
    config: &Config,
    key: &OwnerKey,
    now: Timestamp,
) -> Result<Option<KeyAddress>, OwnerKeyAccessError> {
    let data_dir = DataDir::prepare(&config.data_dir)?;
    let _lock = InstanceLock::take(data_dir.path(), now)?;
    let vault = Vault::open_or_create(config.vault_options()).map_err(OwnerKeyAccessError::Open)?;
    let control = ControlStore::open(&data_dir.control_db()).await.map_err(OwnerKeyAccessError::Control)?;
    let replaced = replace_in(&vault, &control, key, now).await;
    control.close().await;
    replaced
}

async fn replace_in(
    vault: &Vault,
    control: &ControlStore,
    key: &OwnerKey,
    now: Timestamp,
) -> Result<Option<KeyAddress>, OwnerKeyAccessError> {
    let old = vault.get(ITEM_OWNER_KEY).map_err(OwnerKeyAccessError::Vault)?;
    let old = old.and_then(|secret| OwnerKey::from_secret(secret.expose()).ok()).map(|key| key.address());
    add(control, key.address(), now).await.map_err(OwnerKeyAccessError::Enroll)?;
    let secret = Secret::new(key.to_secret().to_vec());
    vault.set(ITEM_OWNER_KEY, &secret).map_err(OwnerKeyAccessError::Vault)?;
    if let Some(old) = old.filter(|old| *old != key.address()) {
        match control.remove_member_key(old, now).await {
            // Somebody took it away before.
            Ok(()) | Err(MemberError::UnknownKey { .. }) => {}
            Err(error) => return Err(OwnerKeyAccessError::Enroll(error)),
        }
    }
    control.note_own_key(key.address()).await.map_err(OwnerKeyAccessError::Store)?;
    let detail = json!({"from": old.map(checksummed), "to": checksummed(key.address())});
    audit::owe(control, "key.import", detail, now).await.map_err(OwnerKeyAccessError::Store)?;
    Ok(old)
}

/// Enrolls the key for the owner, unless that was done before.
///
/// # Errors
/// The control store failed. An owner with too many keys has a line in the log and signs in with another.
pub(crate) async fn enroll(
    control: &ControlStore,
    address: KeyAddress,
    now: Timestamp,
) -> Result<(), flowork_control::StoreError> {
    if control.own_key().await? == Some(address) {
        return Ok(());
    }
    match add(control, address, now).await {
        Ok(()) => control.note_own_key(address).await,
        Err(MemberError::Store(error)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "the owner's own key could not be enrolled");
            Ok(())
        }
    }
}

async fn add(control: &ControlStore, address: KeyAddress, now: Timestamp) -> Result<(), MemberError> {
    if control.member_of_address(address).is_some_and(|member| member.subject == OWNER_SUBJECT) {
        return Ok(());
    }
    control.add_member_key(OWNER_SUBJECT, address, KeyKind::Wallet, NAME, now).await.map(|_| ())
}
