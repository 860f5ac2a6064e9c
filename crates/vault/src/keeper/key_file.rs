//! A random key in a file outside the data directory: works anywhere, and protects copies of the data only.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use zeroize::Zeroizing;

use super::{KeeperError, KeyKeeper, random_key};
use crate::{
    Secret, VaultOptions,
    disk::{self, Whom},
    sealed::{KEY_BYTES, header::KeyKind},
};

/// A key as text is far shorter.
const FILE_BYTES_MAX: usize = 1 << 10;

/// Why the key's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The disk said no.
    #[error("cannot use {}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no place for it.
    #[error("this account has no directory for the vault's key")]
    NoDirectory,
    /// It would be copied along with what it protects.
    #[error("the vault's key must not be inside the data directory, and {} is", .0.display())]
    InsideDataDirectory(PathBuf),
    /// The secrets are there, their key is not.
    #[error("the key of the encrypted vault is missing: there is no {}", .0.display())]
    Missing(PathBuf),
    /// It can be read by others.
    #[error("the vault's key {} can be read by other users", .0.display())]
    Exposed(PathBuf),
    /// It is not one of ours.
    #[error("{} does not hold a vault key", .0.display())]
    Unreadable(PathBuf),
}

impl KeyFileError {
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoDirectory => "name one with FLOWORK_VAULT_KEY_DIR, outside the data directory".to_owned(),
            Self::InsideDataDirectory(_) => {
                "name a directory outside the data directory with FLOWORK_VAULT_KEY_DIR".to_owned()
            }
            Self::Missing(path) | Self::Unreadable(path) => {
                format!("restore {} from a backup, or name its directory with FLOWORK_VAULT_KEY_DIR", path.display())
            }
            Self::Exposed(path) => format!("run: chmod 600 {}", path.display()),
            Self::Io { .. } => return None,
        })
    }
}

/// The key file of one vault.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    pub(super) fn new(options: &VaultOptions, vault_id: &str) -> Result<Self, KeyFileError> {
        let directory = match &options.key_dir {
            Some(directory) => directory.clone(),
            // Beside `flowork`, not inside: on some systems that is the data directory itself.
            None => dirs::config_dir().ok_or(KeyFileError::NoDirectory)?.join("flowork-vault-keys"),
        };
        if disk::is_inside(&directory, &options.data_dir) {
            return Err(KeyFileError::InsideDataDirectory(directory));
        }
        Ok(Self { path: directory.join(format!("{vault_id}.key")) })
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
        |source| KeyFileError::Io { path: path.to_owned(), source }
    }

    fn write(&self, key: &Secret) -> Result<(), KeyFileError> {
        let directory = self.path.parent().expect("joined in new");
        disk::make_private_directory(directory).map_err(Self::io(directory))?;
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES));
        BASE64.encode_string(key.expose(), &mut text);
        text.push('\n');
        disk::replace(&self.path, text.as_bytes()).map_err(Self::io(&self.path))
    }

    fn read(&self) -> Result<Secret, KeyFileError> {
        let file = File::open(&self.path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => KeyFileError::Missing(self.path.clone()),
            _ => KeyFileError::Io { path: self.path.clone(), source },
        })?;
        let text = disk::read_small(file, FILE_BYTES_MAX).map_err(Self::io(&self.path))?;
        if disk::is_open_to(Whom::GroupAndOthers, &self.path).map_err(Self::io(&self.path))? {
            return Err(KeyFileError::Exposed(self.path.clone()));
        }
        parse_key(&text).ok_or_else(|| KeyFileError::Unreadable(self.path.clone()))
    }
}

/// A key as it stands in its file.
pub(crate) fn parse_key(text: &[u8]) -> Option<Secret> {
    let key = Secret::new(BASE64.decode(text.trim_ascii()).ok()?);
    (key.expose().len() == KEY_BYTES).then_some(key)
}

impl KeyKeeper for KeyFile {
    fn make(&self) -> Result<(KeyKind, Secret), KeeperError> {
        let key = random_key()?;
        self.write(&key).map_err(KeeperError::KeyFile)?;
        Ok((KeyKind::KeyFile, key))
    }

    fn recall(&self, kind: &KeyKind) -> Result<Secret, KeeperError> {
        match kind {
            KeyKind::KeyFile => self.read().map_err(KeeperError::KeyFile),
            _ => Err(KeeperError::OtherKind),
        }
    }

    fn forget(&self) -> Result<(), KeeperError> {
        disk::erase(&self.path).map_err(Self::io(&self.path)).map_err(KeeperError::KeyFile)
    }

    fn path(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }
}
