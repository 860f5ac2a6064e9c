//! Who keeps the key of the encrypted file: the one seam between the back ends.

mod credential;
mod key_file;
mod keychain;
mod passphrase;

use std::path::PathBuf;

use aws_lc_rs::rand;

pub use credential::CredentialError;
pub(crate) use credential::{given, given_names, has_key as has_key_credential};
pub use key_file::KeyFileError;
pub(crate) use key_file::parse_key;
pub use keychain::KeychainError;
pub(crate) use keychain::LegacyItems;
pub use passphrase::{PassphraseError, PassphraseSource};

use crate::{
    BackEnd, Secret, VaultOptions,
    record::Place,
    sealed::{KEY_BYTES, header::KeyKind},
};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The keychain has the key, or is to have it.
    #[error("the OS keychain cannot be used")]
    Keychain(#[source] KeychainError),
    /// systemd has the key.
    #[error("systemd's credentials cannot be used")]
    Credential(#[source] CredentialError),
    /// A person has the passphrase.
    #[error("the passphrase cannot be used")]
    Passphrase(#[source] PassphraseError),
    /// The key is in a file.
    #[error("the key file cannot be used")]
    KeyFile(#[source] KeyFileError),
    /// The file was sealed with a key of another kind than the record says.
    #[error("the encrypted vault wants a key of another kind than its record says")]
    OtherKind,
    /// No randomness.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// Keeps the key of one vault. Calls block.
pub(crate) trait KeyKeeper {
    /// Makes the key of a new vault and keeps it.
    fn make(&self) -> Result<(KeyKind, Secret), KeeperError>;

    /// Gives the key of a vault that is there, whose file names this kind.
    fn recall(&self, kind: &KeyKind) -> Result<Secret, KeeperError>;

    /// Erases what only this vault used; fine if there is nothing.
    fn forget(&self) -> Result<(), KeeperError>;

    /// The key's file, for messages.
    fn path(&self) -> Option<PathBuf> {
        None
    }
}

/// The keeper that a place names. Asks nothing yet.
pub(crate) fn keeper(options: &VaultOptions, place: &Place) -> Result<Box<dyn KeyKeeper>, KeeperError> {
    let id = place.id.as_str();
    Ok(match place.back_end {
        BackEnd::Keychain => Box::new(keychain::Keychain::new(id)),
        BackEnd::Systemd => Box::new(credential::Credential::new(options, id)),
        BackEnd::Passphrase => Box::new(passphrase::Passphrase::new(options)),
        BackEnd::File => Box::new(key_file::KeyFile::new(options, id).map_err(KeeperError::KeyFile)?),
    })
}

/// Whether a new vault could be made with this back end now, without making one.
pub(crate) fn check(options: &VaultOptions, back_end: BackEnd, vault_id: &str) -> Result<(), KeeperError> {
    match back_end {
        BackEnd::Keychain => keychain::Keychain::new(vault_id).probe().map_err(KeeperError::Keychain),
        BackEnd::Systemd => credential::Credential::new(options, vault_id).check().map_err(KeeperError::Credential),
        BackEnd::Passphrase => options.passphrase.check(&options.data_dir).map_err(KeeperError::Passphrase),
        BackEnd::File => key_file::KeyFile::new(options, vault_id).map(|_| ()).map_err(KeeperError::KeyFile),
    }
}

fn random_key() -> Result<Secret, KeeperError> {
    let mut key = vec![0; KEY_BYTES];
    rand::fill(&mut key).map_err(|_| KeeperError::NoRandomness)?;
    Ok(Secret::new(key))
}
