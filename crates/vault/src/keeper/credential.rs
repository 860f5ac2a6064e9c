//! systemd credentials: files that systemd decrypts for one unit, below `$CREDENTIALS_DIRECTORY`.
//!
//! They are read-only, and a node makes secrets of its own, so what systemd gives is the key to the encrypted file
//! ([`KEY_NAME`]). Keys that other people issue, such as those of providers, can come from systemd one by one
//! ([`given`]): `provider/openai` is the credential `flowork.provider.openai`.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

use super::{KeeperError, KeyKeeper};
use crate::{
    Secret, VaultOptions,
    disk::{self, Whom},
    sealed::{KEY_BYTES, header::KeyKind},
};

/// The credential that the file's key is made from.
const KEY_NAME: &str = "flowork-vault-key";
/// systemd allows no larger credential.
const CREDENTIAL_BYTES_MAX: usize = 1 << 20;
/// What all credentials of single items begin with.
const ITEM_PREFIX: &str = "flowork.";
/// Items that others issue. What the node makes itself it must be able to replace.
const GIVEN: [&str; 3] = ["provider", "engine", "tunnel"];

/// Why a credential cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// This process was not started by a unit with credentials.
    #[error("systemd gave this process no credentials: $CREDENTIALS_DIRECTORY is not set")]
    NoDirectory,
    /// There are credentials, and the key is not among them.
    #[error("there is no credential {KEY_NAME} in {}", .0.display())]
    NoKey(PathBuf),
    /// The disk said no.
    #[error("cannot read {}", .path.display())]
    Io {
        /// The credential.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is too easy to guess.
    #[error("{} holds {found} bytes; a key has {KEY_BYTES} or more", .path.display())]
    TooShort {
        /// The credential.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
    /// Everybody on the machine may read it.
    #[error("{} can be read by other users", .0.display())]
    Exposed(PathBuf),
    /// It would be copied along with what it protects.
    #[error("credentials must not be inside the data directory, and {} is", .0.display())]
    InsideDataDirectory(PathBuf),
}

impl CredentialError {
    pub(crate) fn hint(&self) -> Option<String> {
        const GIVE: &str = "give the unit LoadCredentialEncrypted=flowork-vault-key:/etc/credstore.encrypted/\
                            flowork-vault-key; a command gets it by `systemd-run --pipe --wait -p \
                            LoadCredentialEncrypted=… flowork …`";
        Some(match self {
            Self::NoDirectory | Self::NoKey(_) => GIVE.to_owned(),
            Self::TooShort { .. } => "make one with: head -c 32 /dev/urandom | systemd-creds encrypt \
                                      --name=flowork-vault-key - /etc/credstore.encrypted/flowork-vault-key"
                .to_owned(),
            Self::Exposed(path) => format!("run: chmod 400 {}", path.display()),
            Self::InsideDataDirectory(_) => "set CREDENTIALS_DIRECTORY to a directory elsewhere".to_owned(),
            Self::Io { .. } => return None,
        })
    }
}

/// The key that systemd gives.
#[derive(Debug)]
pub(super) struct Credential {
    directory: Option<PathBuf>,
    data_dir: PathBuf,
    vault_id: String,
}

impl Credential {
    pub(super) fn new(options: &VaultOptions, vault_id: &str) -> Self {
        Self {
            directory: options.credentials_dir.clone(),
            data_dir: options.data_dir.clone(),
            vault_id: vault_id.to_owned(),
        }
    }

    /// Whether there is one that can be used.
    pub(super) fn check(&self) -> Result<(), CredentialError> {
        self.key().map(|_| ())
    }

    fn key(&self) -> Result<Secret, CredentialError> {
        let directory = self.directory.as_deref().ok_or(CredentialError::NoDirectory)?;
        if disk::is_inside(directory, &self.data_dir) {
            return Err(CredentialError::InsideDataDirectory(directory.to_owned()));
        }
        let given = read(directory, KEY_NAME)?.ok_or_else(|| CredentialError::NoKey(directory.to_owned()))?;
        if given.expose().len() < KEY_BYTES {
            return Err(CredentialError::TooShort { path: directory.join(KEY_NAME), found: given.expose().len() });
        }
        Ok(derive(&given, &self.vault_id))
    }
}

impl KeyKeeper for Credential {
    fn make(&self) -> Result<(KeyKind, Secret), KeeperError> {
        Ok((KeyKind::Credential, self.key().map_err(KeeperError::Credential)?))
    }

    fn recall(&self, kind: &KeyKind) -> Result<Secret, KeeperError> {
        match kind {
            KeyKind::Credential => self.key().map_err(KeeperError::Credential),
            _ => Err(KeeperError::OtherKind),
        }
    }

    /// The credential is systemd's.
    fn forget(&self) -> Result<(), KeeperError> {
        Ok(())
    }

    fn path(&self) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(KEY_NAME))
    }
}

/// Whether systemd gives a key, good or bad.
pub(crate) fn has_key(options: &VaultOptions) -> bool {
    options.credentials_dir.as_ref().is_some_and(|directory| directory.join(KEY_NAME).exists())
}

/// A key of its own for each vault, whatever length and shape the credential has.
fn derive(given: &Secret, vault_id: &str) -> Secret {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, vault_id.as_bytes())
        .extract(given.expose())
        .expand(&[b"flowork vault file key"], hkdf::HKDF_SHA256)
        .and_then(|derived| derived.fill(&mut *key))
        .expect("one block of output is always to be had");
    Secret::new(key.to_vec())
}

/// An item that systemd gives, which then counts instead of one in the vault.
pub(crate) fn given(directory: Option<&Path>, item: &str) -> Result<Option<Secret>, CredentialError> {
    match (directory, credential_name(item)) {
        (Some(directory), Some(name)) => read(directory, &name),
        _ => Ok(None),
    }
}

/// Names of the items that systemd gives.
pub(crate) fn given_names(directory: Option<&Path>) -> Vec<String> {
    let entries = directory.and_then(|directory| fs::read_dir(directory).ok());
    entries.into_iter().flatten().filter_map(|entry| item_name(entry.ok()?.file_name().to_str()?)).collect()
}

fn credential_name(item: &str) -> Option<String> {
    let (group, name) = item.split_once('/')?;
    (GIVEN.contains(&group) && !name.contains('/')).then(|| format!("{ITEM_PREFIX}{group}.{name}"))
}

fn item_name(credential: &str) -> Option<String> {
    let (group, name) = credential.strip_prefix(ITEM_PREFIX)?.split_once('.')?;
    (GIVEN.contains(&group) && !name.is_empty()).then(|| format!("{group}/{name}"))
}

fn read(directory: &Path, name: &str) -> Result<Option<Secret>, CredentialError> {
    let path = directory.join(name);
    let io = |source| CredentialError::Io { path: path.clone(), source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    // systemd lets the unit's user in by an access list, which shows in the group's bits.
    if disk::is_open_to(Whom::Others, &path).map_err(io)? {
        return Err(CredentialError::Exposed(path));
    }
    let length = file.metadata().map_err(io)?.len();
    if length > CREDENTIAL_BYTES_MAX as u64 {
        return Err(io(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    let bytes = disk::read_small(file, length as usize).map_err(io)?;
    Ok(Some(Secret::new(content(&bytes).to_vec())))
}

/// Text without what editors and `echo` put around it; bytes that are no text as they are.
fn content(bytes: &[u8]) -> &[u8] {
    if bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        bytes.trim_ascii()
    } else {
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_items_and_credentials_lead_to_each_other() {
        let check = |item: &str, credential: Option<&str>| {
            assert_eq!(credential_name(item).as_deref(), credential, "{item}");
            if let Some(credential) = credential {
                assert_eq!(item_name(credential).as_deref(), Some(item));
            }
        };
        check("provider/openai", Some("flowork.provider.openai"));
        check("provider/my.host", Some("flowork.provider.my.host"));
        check("tunnel/token", Some("flowork.tunnel.token"));
        check("jwt/user", None);
        check("owner/key", None);
        check("provider/a/../b", None);
        assert_eq!(item_name("flowork-vault-key"), None);
        assert_eq!(item_name("flowork.owner.key"), None);
    }

    #[test]
    fn a_line_end_is_no_part_of_text_and_every_byte_is_part_of_a_key() {
        assert_eq!(content(b" sk-1234\n"), b"sk-1234");
        assert_eq!(content(b"\x00\xffkey\n"), b"\x00\xffkey\n");
    }

    #[test]
    fn one_credential_gives_each_vault_another_key() {
        let given = Secret::new(vec![7; 40]);
        assert_eq!(derive(&given, "a"), derive(&given, "a"));
        assert_ne!(derive(&given, "a"), derive(&given, "b"));
        assert_ne!(derive(&given, "a"), derive(&Secret::new(vec![7; 41]), "a"));
    }
}
