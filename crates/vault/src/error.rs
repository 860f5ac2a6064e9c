//! Why the vault gives nothing, and what to do about it.

use std::path::{Path, PathBuf};

use crate::{
    BackEnd,
    keeper::{CredentialError, KeeperError},
    record::RecordError,
    sealed::SealedError,
};

/// Why the vault could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// This data directory has no vault yet.
    #[error("{} has no vault: no node was started with it yet", .0.display())]
    NoVault(PathBuf),
    /// The secrets are there, their key is not to be had. New ones would lock everybody out.
    #[error("the secrets of this node are in the {} vault, which does not open", .back_end.as_str())]
    Closed {
        /// Who keeps the key.
        back_end: BackEnd,
        /// Why it gives none.
        #[source]
        source: KeeperError,
    },
    /// A new vault cannot be made in the way that was asked for.
    #[error("the {} vault cannot be used", .back_end.as_str())]
    Unavailable {
        /// Who was to keep the key.
        back_end: BackEnd,
        /// Why it does not.
        #[source]
        source: KeeperError,
    },
    /// The configuration names another back end than the one that has the secrets.
    #[error("the secrets of this node are in the {} vault, and the configuration asks for the {} vault", .recorded.as_str(), .wanted.as_str())]
    OtherBackEnd {
        /// The one that has them.
        recorded: BackEnd,
        /// The one asked for.
        wanted: BackEnd,
    },
    /// The key belongs to another vault.
    #[error("{} is not the key of {}", describe_key(*.back_end, .key.as_deref()), .vault.display())]
    WrongKey {
        /// Who keeps it.
        back_end: BackEnd,
        /// Its file, if it is one.
        key: Option<PathBuf>,
        /// The encrypted file.
        vault: PathBuf,
    },
    /// The encrypted file could not be used.
    #[error("the encrypted vault cannot be used")]
    File(#[from] SealedError),
    /// The record of the choice could not be used.
    #[error("the vault's record cannot be used")]
    Record(#[source] RecordError),
}

fn describe_key(back_end: BackEnd, key: Option<&Path>) -> String {
    key.map_or_else(|| format!("what the {} has", back_end.as_str()), |path| path.display().to_string())
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoVault(_) => "start it once with `flowork serve`, or name the right --data-dir".to_owned(),
            Self::Unavailable { back_end: BackEnd::Keychain, .. } => {
                "set vault = \"auto\" in config.toml (FLOWORK_VAULT) to use an encrypted file where there is no keychain"
                    .to_owned()
            }
            Self::Closed { source, .. } | Self::Unavailable { source, .. } => return source.hint(),
            Self::OtherBackEnd { recorded, wanted } => format!(
                "set vault = \"auto\" or \"{}\" (FLOWORK_VAULT), or move them: flowork vault migrate --to {}",
                recorded.as_str(),
                wanted.as_str()
            ),
            Self::WrongKey { key, vault, .. } => {
                format!("restore {} from a backup", key.as_ref().unwrap_or(vault).display())
            }
            Self::File(error) => return error.hint(),
            Self::Record(error) => return error.hint(),
        })
    }
}

impl KeeperError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Keychain(error) => Some(error.hint()),
            Self::Credential(error) => error.hint(),
            Self::Passphrase(error) => error.hint(),
            Self::KeyFile(error) => error.hint(),
            Self::OtherKind => Some("restore vault.json and the encrypted file from the same backup".to_owned()),
            Self::NoRandomness => None,
        }
    }
}

impl SealedError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Gone(path) | Self::Damaged { path, .. } | Self::WrongKey(path) => {
                Some(format!("restore {} from a backup", path.display()))
            }
            Self::Io { .. } | Self::NoRandomness => None,
        }
    }
}

/// Why an item could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Names are 1 to 200 of `a-z A-Z 0-9 . _ - /`.
    #[error("{0:?} is not a name for a secret: 1 to 200 of a-z A-Z 0-9 . _ - /")]
    InvalidName(String),
    /// systemd gives it, and only there it can be changed.
    #[error("the secret {0} is given by systemd as a credential")]
    Given(String),
    /// What systemd gives cannot be read.
    #[error("a credential of systemd cannot be used")]
    Credential(#[source] CredentialError),
    /// Somebody migrated the vault since this program opened it.
    #[error("the secrets were moved to another vault since this program started")]
    Moved,
    /// The encrypted file could not be used.
    #[error("the encrypted vault cannot be used")]
    File(#[source] SealedError),
    /// The record of where the secrets are could not be used.
    #[error("the vault's record cannot be used")]
    Record(#[source] RecordError),
    /// A new secret could not be made.
    #[error("a new secret could not be made")]
    Make(#[source] crate::keys::KeyError),
}

impl VaultError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Given(_) => Some("change the credential of the unit, or take it away from there".to_owned()),
            Self::Credential(error) => error.hint(),
            Self::Moved => Some("start this program again".to_owned()),
            Self::File(error) => error.hint(),
            Self::Record(error) => error.hint(),
            Self::InvalidName(_) | Self::Make(_) => None,
        }
    }
}
