//! Why the vault gives nothing, and what to do about it.

use std::path::PathBuf;

use crate::{file::FileVaultError, keychain::KeychainError, record::RecordError, vault::BackEnd};

/// Why the vault could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// This data directory has no vault yet.
    #[error("{} has no vault: no node was started with it yet", .0.display())]
    NoVault(PathBuf),
    /// The secrets are in the keychain, and it does not answer. New ones would lock everybody out.
    #[error("the secrets of this node are in the OS keychain, which cannot be reached")]
    KeychainUnreachable(#[source] KeychainError),
    /// The keychain was asked for by name, for a new vault.
    #[error("the OS keychain cannot be used")]
    NoKeychain(#[source] KeychainError),
    /// The configuration names another back end than the one that has the secrets.
    #[error("the secrets of this node are in the {} vault, and the configuration asks for the {} vault", .recorded.as_str(), .wanted.as_str())]
    OtherBackEnd {
        /// The one that has them.
        recorded: BackEnd,
        /// The one asked for.
        wanted: BackEnd,
    },
    /// The encrypted file could not be used.
    #[error("the encrypted vault cannot be used")]
    File(#[source] FileVaultError),
    /// The record of the choice could not be used.
    #[error("the vault's record cannot be used")]
    Record(#[source] RecordError),
    /// No randomness.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoVault(_) => "start it once with `flowork serve`, or name the right --data-dir".to_owned(),
            Self::KeychainUnreachable(_) => {
                "unlock the keychain, or start the node from the desktop session (or with its \
                 DBUS_SESSION_BUS_ADDRESS) in which it was first started"
                    .to_owned()
            }
            Self::NoKeychain(_) => {
                "set vault = \"auto\" or \"file\" in config.toml (FLOWORK_VAULT) to use an encrypted file".to_owned()
            }
            Self::OtherBackEnd { recorded, .. } => {
                format!("set vault = \"auto\" or \"{}\" (FLOWORK_VAULT)", recorded.as_str())
            }
            Self::File(error) => return error.hint(),
            Self::Record(_) | Self::NoRandomness => return None,
        })
    }
}

impl FileVaultError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKeyDirectory => "name one with FLOWORK_VAULT_KEY_DIR, outside the data directory".to_owned(),
            Self::KeyInsideDataDirectory(_) => {
                "name a directory outside the data directory with FLOWORK_VAULT_KEY_DIR".to_owned()
            }
            Self::KeyMissing(path) | Self::KeyUnreadable(path) => {
                format!("restore {} from a backup, or name its directory with FLOWORK_VAULT_KEY_DIR", path.display())
            }
            Self::KeyExposed(path) => format!("run: chmod 600 {}", path.display()),
            Self::WrongKey { key, .. } => format!("restore {} from a backup", key.display()),
            Self::Gone(path) | Self::Damaged { path, .. } => format!("restore {} from a backup", path.display()),
            Self::Io { .. } | Self::NoRandomness => return None,
        })
    }
}

/// Why an item could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Names are 1 to 200 of `a-z A-Z 0-9 . _ - /`.
    #[error("{0:?} is not a name for a secret: 1 to 200 of a-z A-Z 0-9 . _ - /")]
    InvalidName(String),
    /// It was stored, and the keychain no longer has it.
    #[error("the secret {0} was deleted from the OS keychain by someone else")]
    Gone(String),
    /// The keychain does not answer.
    #[error("the OS keychain gave no answer")]
    Keychain(#[source] KeychainError),
    /// The encrypted file could not be used.
    #[error("the encrypted vault cannot be used")]
    File(#[source] FileVaultError),
    /// The record of what there is could not be used.
    #[error("the vault's record cannot be used")]
    Record(#[source] RecordError),
    /// A new secret could not be made.
    #[error("a new secret could not be made")]
    Make(#[source] crate::keys::KeyError),
}
