//! A passphrase: from a file, from an open descriptor, or typed on the terminal; argon2id makes the key of it.

use std::{
    fs::File,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::{KeeperError, KeyKeeper};
use crate::{
    Secret, VaultOptions,
    disk::{self, Whom},
    sealed::{
        KEY_BYTES,
        header::{Cost, KeyKind},
    },
};

/// Memory of a new key in KiB: 64 MiB, the second recommendation of RFC 9106.
const MEMORY_KIB: u32 = 64 << 10;
/// Passes over it, from there.
const PASSES: u32 = 3;
/// Lanes, from there.
const LANES: u32 = 4;
/// The fewest characters of a new passphrase.
const CHARS_MIN: usize = 10;
/// The most bytes.
const BYTES_MAX: usize = 4 << 10;

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Nobody can be asked, and nothing names one.
    #[error("there is no passphrase: none is configured, and there is no terminal to ask on")]
    NotGiven,
    /// The file cannot be read.
    #[error("cannot read the passphrase from {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It would be copied along with what it protects.
    #[error("the passphrase must not be inside the data directory, and {} is", .0.display())]
    InsideDataDirectory(PathBuf),
    /// The descriptor cannot be read.
    #[error("cannot read the passphrase from file descriptor {number}")]
    Descriptor {
        /// Its number.
        number: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The terminal cannot be read.
    #[error("cannot read the passphrase from the terminal")]
    Terminal(#[source] io::Error),
    /// There is nothing in it.
    #[error("the passphrase is empty")]
    Empty,
    /// It is too easy to guess.
    #[error("a new passphrase needs {CHARS_MIN} characters or more")]
    TooShort,
    /// What was typed the second time is something else.
    #[error("the two passphrases are not the same")]
    Differ,
    /// It opens nothing.
    #[error("the passphrase does not open {}, or the beginning of that file was changed", .0.display())]
    Wrong(PathBuf),
    /// Argon2id got no memory.
    #[error("there is not enough memory to make the key from the passphrase")]
    NoMemory,
}

impl PassphraseError {
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotGiven => "name a file with FLOWORK_VAULT_PASSPHRASE_FILE or an open descriptor with \
                               FLOWORK_VAULT_PASSPHRASE_FD, or start on a terminal"
                .to_owned(),
            Self::InsideDataDirectory(_) => {
                "name a file outside the data directory with FLOWORK_VAULT_PASSPHRASE_FILE".to_owned()
            }
            Self::Empty | Self::TooShort => "take some words that nobody guesses; length counts most".to_owned(),
            Self::Wrong(_) => "try again, or restore the file from a backup; a forgotten passphrase cannot be \
                               recovered"
                .to_owned(),
            Self::Descriptor { .. } => {
                "open it for the program, such as: FLOWORK_VAULT_PASSPHRASE_FD=3 flowork serve 3< FILE".to_owned()
            }
            Self::File { .. } | Self::Terminal(_) | Self::Differ | Self::NoMemory => return None,
        })
    }
}

/// Where a passphrase comes from. Copies share what was read, so that nobody is asked twice and a descriptor is read
/// once.
#[derive(Clone, Debug, Default)]
pub struct PassphraseSource {
    file: Option<PathBuf>,
    descriptor: Option<u32>,
    kept: Arc<Mutex<Option<Secret>>>,
}

/// For what a passphrase is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A vault is made.
    New,
    /// One is opened.
    Open,
}

impl PassphraseSource {
    /// The file if one is named, else the open file descriptor of that number, else the terminal.
    pub fn new(file: Option<PathBuf>, descriptor: Option<u32>) -> Self {
        Self { file, descriptor, kept: Arc::default() }
    }

    /// Whether it comes from somewhere without asking a person.
    pub fn is_configured(&self) -> bool {
        self.file.is_some() || self.descriptor.is_some()
    }

    /// The file it comes from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether other accounts may read the file it comes from.
    pub fn is_exposed(&self) -> bool {
        self.file.as_ref().is_some_and(|file| disk::is_open_to(Whom::Others, file).unwrap_or_default())
    }

    /// Whether a new vault could be made with it.
    pub(super) fn check(&self, data_dir: &Path) -> Result<(), PassphraseError> {
        if self.file.is_some() {
            return self.read(Purpose::New, data_dir).map(|_| ());
        }
        if self.descriptor.is_some() || io::stdin().is_terminal() { Ok(()) } else { Err(PassphraseError::NotGiven) }
    }

    pub(super) fn read(&self, purpose: Purpose, data_dir: &Path) -> Result<Secret, PassphraseError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let passphrase = match &*kept {
            Some(passphrase) => passphrase.clone(),
            None => self.fetch(purpose, data_dir)?,
        };
        if passphrase.expose().is_empty() {
            return Err(PassphraseError::Empty);
        }
        let chars = String::from_utf8_lossy(passphrase.expose()).chars().count();
        if purpose == Purpose::New && chars < CHARS_MIN {
            return Err(PassphraseError::TooShort);
        }
        *kept = Some(passphrase.clone());
        Ok(passphrase)
    }

    /// It was wrong: whoever tries again is asked again.
    pub(crate) fn discard(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn fetch(&self, purpose: Purpose, data_dir: &Path) -> Result<Secret, PassphraseError> {
        match (&self.file, self.descriptor) {
            (Some(path), _) if disk::is_inside(path, data_dir) => {
                Err(PassphraseError::InsideDataDirectory(path.clone()))
            }
            (Some(path), _) => File::open(path)
                .and_then(|file| disk::read_small(file, BYTES_MAX))
                .map(|bytes| one_line(&bytes))
                .map_err(|source| PassphraseError::File { path: path.clone(), source }),
            (None, Some(number)) => from_descriptor(number)
                .map(|bytes| one_line(&bytes))
                .map_err(|source| PassphraseError::Descriptor { number, source }),
            (None, None) => typed(purpose),
        }
    }
}

/// Without the line end that editors and `echo` add.
fn one_line(bytes: &[u8]) -> Secret {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    Secret::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

/// Reads it to its end and closes it, so that no child inherits it.
#[cfg(unix)]
fn from_descriptor(number: u32) -> io::Result<Zeroizing<Vec<u8>>> {
    let bytes = File::open(format!("/dev/fd/{number}")).and_then(|file| disk::read_small(file, BYTES_MAX));
    if number > 2 && bytes.is_ok() {
        nix::unistd::close(i32::try_from(number).map_err(io::Error::other)?)?;
    }
    bytes
}

#[cfg(not(unix))]
fn from_descriptor(_: u32) -> io::Result<Zeroizing<Vec<u8>>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no numbered descriptors"))
}

fn typed(purpose: Purpose) -> Result<Secret, PassphraseError> {
    if !io::stdin().is_terminal() {
        return Err(PassphraseError::NotGiven);
    }
    let ask = |prompt: &str| {
        let typed = rpassword::prompt_password(prompt).map_err(PassphraseError::Terminal)?;
        Ok(Secret::new(typed.into_bytes()))
    };
    let passphrase = match purpose {
        Purpose::Open => ask("Passphrase of the vault (not shown): ")?,
        Purpose::New => ask("New passphrase of the vault (not shown): ")?,
    };
    if purpose == Purpose::New && ask("Once more: ")? != passphrase {
        return Err(PassphraseError::Differ);
    }
    Ok(passphrase)
}

/// Makes the key of a passphrase.
#[derive(Debug)]
pub(super) struct Passphrase {
    source: PassphraseSource,
    data_dir: PathBuf,
}

impl Passphrase {
    pub(super) fn new(options: &VaultOptions) -> Self {
        Self { source: options.passphrase.clone(), data_dir: options.data_dir.clone() }
    }
}

impl KeyKeeper for Passphrase {
    fn make(&self) -> Result<(KeyKind, Secret), KeeperError> {
        let passphrase = self.source.read(Purpose::New, &self.data_dir).map_err(KeeperError::Passphrase)?;
        let mut cost = Cost { salt: [0; 16], memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES };
        rand::fill(&mut cost.salt).map_err(|_| KeeperError::NoRandomness)?;
        let key = derive(&passphrase, &cost).map_err(KeeperError::Passphrase)?;
        Ok((KeyKind::Passphrase(cost), key))
    }

    fn recall(&self, kind: &KeyKind) -> Result<Secret, KeeperError> {
        let KeyKind::Passphrase(cost) = kind else { return Err(KeeperError::OtherKind) };
        let passphrase = self.source.read(Purpose::Open, &self.data_dir).map_err(KeeperError::Passphrase)?;
        derive(&passphrase, cost).map_err(KeeperError::Passphrase)
    }

    /// It is in a head.
    fn forget(&self) -> Result<(), KeeperError> {
        Ok(())
    }

    fn path(&self) -> Option<PathBuf> {
        self.source.file.clone()
    }
}

/// Argon2id; its memory is erased afterward.
fn derive(passphrase: &Secret, cost: &Cost) -> Result<Secret, PassphraseError> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY_BYTES))
        .map_err(|_| PassphraseError::NoMemory)?;
    let mut memory = Vec::new();
    memory.try_reserve_exact(params.block_count()).map_err(|_| PassphraseError::NoMemory)?;
    memory.resize(params.block_count(), Block::default());
    let mut memory = Zeroizing::new(memory);
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase.expose(), &cost.salt, &mut *key, &mut **memory)
        .map_err(|_| PassphraseError::NoMemory)?;
    Ok(Secret::new(key.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_that_of_the_reference_implementation() {
        // echo -n password | argon2 somesaltsomesalt -id -t 2 -m 10 -p 1 -l 32 -r
        let cost = Cost { salt: *b"somesaltsomesalt", memory_kib: 1 << 10, passes: 2, lanes: 1 };
        let key = derive(&Secret::new(b"password".to_vec()), &cost).unwrap();
        let text = key.expose().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        assert_eq!(text, "08a19ee7f6d7f589c2ab6af18d6e724172b19f7d6fd462b38430ab31ceabeaf0");
    }

    #[test]
    fn only_the_line_end_is_cut_off() {
        for (given, line) in [("a b \n", "a b "), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("\n", "")] {
            assert_eq!(one_line(given.as_bytes()).expose(), line.as_bytes(), "{given:?}");
        }
    }
}
