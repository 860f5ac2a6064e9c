//! `vault.enc`: all items in one file, encrypted with a random key that lies outside the data directory.
//!
//! Layout: magic, version, check value of the key, nonce, AES-256-GCM ciphertext and tag. Everything before the nonce
//! and the vault's id are authenticated with it, and the item names are inside, so nothing can be changed, swapped or
//! taken from another vault unseen. A copy of the data directory alone opens nothing.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest, rand,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use zeroize::{Zeroize, Zeroizing};

use crate::{Secret, disk};

const MAGIC: &[u8] = b"FLOWORK-VAULT\0";
const FORMAT_VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
/// Enough to tell a wrong key from a damaged file; says nothing about a random 256-bit key.
const KEY_CHECK_BYTES: usize = 8;
const HEADER_BYTES: usize = MAGIC.len() + 1 + KEY_CHECK_BYTES;

/// Why the encrypted file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FileVaultError {
    /// The disk said no.
    #[error("cannot use {}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no place for the key.
    #[error("this account has no directory for the vault's key")]
    NoKeyDirectory,
    /// The key would be copied along with what it protects.
    #[error("the vault's key must not be inside the data directory, and {} is", .0.display())]
    KeyInsideDataDirectory(PathBuf),
    /// The secrets are there, their key is not.
    #[error("the key of the encrypted vault is missing: there is no {}", .0.display())]
    KeyMissing(PathBuf),
    /// The key's file can be read by others.
    #[error("the vault's key {} can be read by other users", .0.display())]
    KeyExposed(PathBuf),
    /// The key's file is not one of ours.
    #[error("{} does not hold a vault key", .0.display())]
    KeyUnreadable(PathBuf),
    /// The key belongs to another vault.
    #[error("{} is not the key of {}", .key.display(), .vault.display())]
    WrongKey {
        /// The key's file.
        key: PathBuf,
        /// The encrypted file.
        vault: PathBuf,
    },
    /// The encrypted file is gone, although this data directory had one.
    #[error("the encrypted vault {} is gone", .0.display())]
    Gone(PathBuf),
    /// The encrypted file was damaged or changed.
    #[error("{} was damaged or changed: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// No randomness.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// An encrypted file and the key to it.
#[derive(Debug)]
pub(crate) struct FileVault {
    vault: PathBuf,
    key_path: PathBuf,
    vault_id: String,
    key: Secret,
}

type Items = BTreeMap<String, Secret>;

impl FileVault {
    /// Makes a key and an empty vault.
    pub(crate) fn create(data_dir: &Path, key_dir: Option<&Path>, vault_id: &str) -> Result<Self, FileVaultError> {
        let key_path = key_path(data_dir, key_dir, vault_id)?;
        let directory = key_path.parent().expect("joined just above");
        disk::make_private_directory(directory)
            .map_err(|source| FileVaultError::Io { path: directory.to_owned(), source })?;
        let mut key = vec![0; KEY_BYTES];
        rand::fill(&mut key).map_err(|_| FileVaultError::NoRandomness)?;
        let key = Secret::new(key);
        let mut text = Zeroizing::new(BASE64.encode(key.expose()));
        text.push('\n');
        disk::replace(&key_path, text.as_bytes())
            .map_err(|source| FileVaultError::Io { path: key_path.clone(), source })?;
        let vault = Self { vault: vault_path(data_dir), key_path, vault_id: vault_id.to_owned(), key };
        vault.write(&Items::new())?;
        Ok(vault)
    }

    /// Opens what [`create`](Self::create) made, and reads it once to see that key and file belong together.
    pub(crate) fn open(data_dir: &Path, key_dir: Option<&Path>, vault_id: &str) -> Result<Self, FileVaultError> {
        let key_path = key_path(data_dir, key_dir, vault_id)?;
        let key = read_key(&key_path)?;
        let vault = Self { vault: vault_path(data_dir), key_path, vault_id: vault_id.to_owned(), key };
        vault.read()?;
        Ok(vault)
    }

    pub(crate) fn key_path(&self) -> &Path {
        &self.key_path
    }

    pub(crate) fn get(&self, name: &str) -> Result<Option<Secret>, FileVaultError> {
        Ok(self.read()?.remove(name))
    }

    /// Changes the items. The caller holds the vault's guard.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Items)) -> Result<(), FileVaultError> {
        let mut items = self.read()?;
        change(&mut items);
        self.write(&items)
    }

    pub(crate) fn names(&self) -> Result<Vec<String>, FileVaultError> {
        Ok(self.read()?.into_keys().collect())
    }

    fn read(&self) -> Result<Items, FileVaultError> {
        let mut bytes = fs::read(&self.vault).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                FileVaultError::Gone(self.vault.clone())
            } else {
                FileVaultError::Io { path: self.vault.clone(), source }
            }
        })?;
        let damaged = |reason| FileVaultError::Damaged { path: self.vault.clone(), reason };
        if bytes.len() < HEADER_BYTES + NONCE_LEN {
            return Err(damaged("it is too short"));
        }
        if !bytes.starts_with(MAGIC) {
            return Err(damaged("it does not begin as a vault does"));
        }
        if bytes[MAGIC.len()] != FORMAT_VERSION {
            return Err(damaged("its format is not one this version knows"));
        }
        if bytes[..HEADER_BYTES] != self.header()[..] {
            return Err(FileVaultError::WrongKey { key: self.key_path.clone(), vault: self.vault.clone() });
        }
        let nonce = Nonce::try_assume_unique_for_key(&bytes[HEADER_BYTES..HEADER_BYTES + NONCE_LEN])
            .expect("the slice has the length of a nonce");
        let sealed = &mut bytes[HEADER_BYTES + NONCE_LEN..];
        let plain = self
            .cipher()
            .open_in_place(nonce, self.bound(), sealed)
            .map_err(|_| damaged("its content does not match its tag"))?;
        let items = decode(plain).ok_or_else(|| damaged("its content is not a list of items"));
        plain.zeroize();
        items
    }

    fn write(&self, items: &Items) -> Result<(), FileVaultError> {
        let mut sealed = encode(items);
        let nonce = self
            .cipher()
            .seal_in_place_append_tag(self.bound(), &mut *sealed)
            .map_err(|_| FileVaultError::NoRandomness)?;
        let mut bytes = self.header();
        bytes.extend_from_slice(nonce.as_ref());
        bytes.extend_from_slice(&sealed);
        disk::replace(&self.vault, &bytes).map_err(|source| FileVaultError::Io { path: self.vault.clone(), source })
    }

    fn cipher(&self) -> RandomizedNonceKey {
        RandomizedNonceKey::new(&AES_256_GCM, self.key.expose()).expect("the key has 256 bits")
    }

    fn header(&self) -> Vec<u8> {
        let mut digest = digest::Context::new(&digest::SHA256);
        digest.update(b"flowork vault key check\0");
        digest.update(self.key.expose());
        let mut header = MAGIC.to_vec();
        header.push(FORMAT_VERSION);
        header.extend_from_slice(&digest.finish().as_ref()[..KEY_CHECK_BYTES]);
        header
    }

    fn bound(&self) -> Aad<Vec<u8>> {
        let mut bound = self.header();
        bound.extend_from_slice(self.vault_id.as_bytes());
        Aad::from(bound)
    }
}

fn vault_path(data_dir: &Path) -> PathBuf {
    data_dir.join("vault.enc")
}

fn key_path(data_dir: &Path, key_dir: Option<&Path>, vault_id: &str) -> Result<PathBuf, FileVaultError> {
    let key_dir = match key_dir {
        Some(dir) => dir.to_owned(),
        // Beside `flowork`, not inside: on some systems that is the data directory itself.
        None => dirs::config_dir().ok_or(FileVaultError::NoKeyDirectory)?.join("flowork-vault-keys"),
    };
    if resolved(&key_dir).starts_with(resolved(data_dir)) {
        return Err(FileVaultError::KeyInsideDataDirectory(key_dir));
    }
    Ok(key_dir.join(format!("{vault_id}.key")))
}

/// Where a path really leads, through `..` and links; what is not there yet is taken as written.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => resolved(parent).join(name),
        _ => path,
    }
}

fn read_key(path: &Path) -> Result<Secret, FileVaultError> {
    let text = match fs::read(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(FileVaultError::KeyMissing(path.to_owned()));
        }
        Err(source) => return Err(FileVaultError::Io { path: path.to_owned(), source }),
    };
    if disk::is_open_to_others(path).map_err(|source| FileVaultError::Io { path: path.to_owned(), source })? {
        return Err(FileVaultError::KeyExposed(path.to_owned()));
    }
    let key = BASE64.decode(text.trim_ascii()).map(Secret::new);
    key.ok().filter(|key| key.expose().len() == KEY_BYTES).ok_or_else(|| FileVaultError::KeyUnreadable(path.to_owned()))
}

/// Items as `name length, name, value length, value`, lengths as 32 bits: no escaping, hence no copies to erase.
fn encode(items: &Items) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(
        items.iter().map(|(name, secret)| 8 + name.len() + secret.expose().len()).sum::<usize>()
            + AES_256_GCM.tag_len(),
    ));
    for (name, secret) in items {
        for part in [name.as_bytes(), secret.expose()] {
            plain.extend_from_slice(&(part.len() as u32).to_le_bytes());
            plain.extend_from_slice(part);
        }
    }
    plain
}

fn decode(mut plain: &[u8]) -> Option<Items> {
    let mut part = || -> Option<Option<Vec<u8>>> {
        if plain.is_empty() {
            return Some(None);
        }
        let (length, rest) = plain.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        plain = rest;
        Some(Some(part.to_vec()))
    };
    let mut items = Items::new();
    while let Some(name) = part()? {
        items.insert(String::from_utf8(name).ok()?, Secret::new(part()??));
    }
    Some(items)
}
