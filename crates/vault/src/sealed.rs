//! The encrypted file: all items in one, sealed with a key that is kept elsewhere.
//!
//! Layout: [header](header), nonce, AES-256-GCM ciphertext and tag. Header and the vault's id are authenticated with the
//! content, and the names of the items are inside, so nothing can be changed, swapped or taken from another vault
//! unseen. A copy of the file alone opens nothing.

pub(crate) mod header;
pub(crate) mod items;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

use crate::{Secret, disk};
use header::{Header, KeyKind};
use items::Items;

/// Length of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// Far more than all secrets of a node come to.
const FILE_BYTES_MAX: usize = 8 << 20;

/// Why the encrypted file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// The disk said no.
    #[error("cannot use {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
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
    /// The key belongs to another file.
    #[error("the key does not open {}", .0.display())]
    WrongKey(PathBuf),
    /// No randomness.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// An encrypted file and the key to it.
#[derive(Debug)]
pub(crate) struct SealedFile {
    path: PathBuf,
    vault_id: String,
    header: Header,
    key: Secret,
}

impl SealedFile {
    /// Makes an empty one.
    pub(crate) fn create(path: PathBuf, vault_id: &str, kind: KeyKind, key: Secret) -> Result<Self, SealedError> {
        let header = Header::new(kind, &key);
        let file = Self { path, vault_id: vault_id.to_owned(), header, key };
        file.write(&Items::new())?;
        Ok(file)
    }

    /// Opens one, asking for the key that its header names, and reads it once to see that key and file belong together.
    pub(crate) fn open<E: From<SealedError>>(
        path: PathBuf,
        vault_id: &str,
        key: impl FnOnce(&KeyKind) -> Result<Secret, E>,
    ) -> Result<Self, E> {
        let bytes = read(&path)?;
        let (header, _) = split(&path, &bytes)?;
        let key = key(header.kind())?;
        let file = Self { path, vault_id: vault_id.to_owned(), header, key };
        file.read()?;
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All items.
    pub(crate) fn read(&self) -> Result<Items, SealedError> {
        let mut bytes = read(&self.path)?;
        let (header, length) = split(&self.path, &bytes)?;
        if !header.fits(&self.key) {
            return Err(SealedError::WrongKey(self.path.clone()));
        }
        let damaged = |reason| SealedError::Damaged { path: self.path.clone(), reason };
        let bound = self.bound(&bytes[..length]);
        let Some((nonce, sealed)) = bytes[length..].split_at_mut_checked(NONCE_LEN) else {
            return Err(damaged("it is too short"));
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce).expect("the slice has the length of a nonce");
        let plain = self
            .cipher()
            .open_in_place(nonce, bound, sealed)
            .map_err(|_| damaged("its content does not match its tag"))?;
        items::decode(plain).ok_or_else(|| damaged("its content is not a list of items"))
    }

    /// Replaces all items.
    pub(crate) fn write(&self, items: &Items) -> Result<(), SealedError> {
        let mut bytes = self.header.to_bytes();
        let mut sealed = items::encode(items, AES_256_GCM.tag_len());
        let nonce = self
            .cipher()
            .seal_in_place_append_tag(self.bound(&bytes), &mut *sealed)
            .map_err(|_| SealedError::NoRandomness)?;
        bytes.extend_from_slice(nonce.as_ref());
        bytes.extend_from_slice(&sealed);
        disk::replace(&self.path, &bytes).map_err(|source| SealedError::Io { path: self.path.clone(), source })
    }

    fn cipher(&self) -> RandomizedNonceKey {
        RandomizedNonceKey::new(&AES_256_GCM, self.key.expose()).expect("the key has 256 bits")
    }

    fn bound(&self, header: &[u8]) -> Aad<Vec<u8>> {
        Aad::from([header, self.vault_id.as_bytes()].concat())
    }
}

/// Whether a file has items, which its length tells without its key; `true` for one that is not as we write it, and
/// `false` for one that is not there.
pub(crate) fn may_hold_items(path: &Path) -> io::Result<bool> {
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(SealedError::Gone(_)) => return Ok(false),
        Err(SealedError::Io { source, .. }) => return Err(source),
        Err(_) => return Ok(true),
    };
    Ok(split(path, &bytes).map_or(true, |(_, length)| bytes.len() != length + NONCE_LEN + AES_256_GCM.tag_len()))
}

/// The whole file, in a buffer that is erased: once opened in place, it is the secrets.
fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, SealedError> {
    let io = |source: io::Error| {
        if source.kind() == io::ErrorKind::NotFound {
            SealedError::Gone(path.to_owned())
        } else {
            SealedError::Io { path: path.to_owned(), source }
        }
    };
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    if length > FILE_BYTES_MAX as u64 {
        return Err(SealedError::Damaged { path: path.to_owned(), reason: "it is far too long" });
    }
    disk::read_small(file, length as usize).map_err(io)
}

fn split(path: &Path, bytes: &[u8]) -> Result<(Header, usize), SealedError> {
    header::parse(bytes).map_err(|error| SealedError::Damaged { path: path.to_owned(), reason: error.reason() })
}
