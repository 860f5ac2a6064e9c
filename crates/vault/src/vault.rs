//! The vault: one of its back ends, chosen once.

use std::path::PathBuf;

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};

use crate::{
    Secret,
    error::{OpenError, VaultError},
    file::FileVault,
    keychain::Keychain,
    record::{Guard, Record, RecordError},
};

/// Longest name of an item.
const NAME_BYTES_MAX: usize = 200;

/// Where secrets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackEnd {
    /// The keychain of the operating system.
    Keychain,
    /// A file encrypted with a random key that lies outside the data directory.
    File,
}

impl BackEnd {
    /// The name people see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keychain => "keychain",
            Self::File => "file",
        }
    }
}

/// Which back end a person wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VaultChoice {
    /// The keychain, or the file where there is none.
    #[default]
    Auto,
    /// The keychain or nothing.
    Keychain,
    /// The file.
    File,
}

/// Where to look for a vault.
#[derive(Clone, Debug)]
pub struct VaultOptions {
    /// The node's data directory; it must be there.
    pub data_dir: PathBuf,
    /// Which back end a new vault gets.
    pub choice: VaultChoice,
    /// Where the key of the encrypted file lies; in the user's configuration directory without it.
    pub key_dir: Option<PathBuf>,
}

/// What a person should know about the back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultNotice {
    /// Stable, in `UPPER_SNAKE`.
    pub code: &'static str,
    /// For a person.
    pub message: String,
    /// How to do better.
    pub hint: String,
}

#[derive(Debug)]
enum Store {
    Keychain(Keychain),
    File(FileVault),
}

/// The secrets of one node. Calls block.
#[derive(Debug)]
pub struct Vault {
    options: VaultOptions,
    store: Store,
    keychain_refusal: Option<String>,
}

impl Vault {
    /// Opens the vault of a data directory that was used before.
    ///
    /// # Errors
    /// There is none, or the back end that has its secrets cannot be used.
    pub fn open(options: VaultOptions) -> Result<Self, OpenError> {
        let record = Record::read(&options.data_dir).map_err(OpenError::Record)?;
        let record = record.ok_or_else(|| OpenError::NoVault(options.data_dir.clone()))?;
        let wanted = match options.choice {
            VaultChoice::Auto => record.backend,
            VaultChoice::Keychain => BackEnd::Keychain,
            VaultChoice::File => BackEnd::File,
        };
        if wanted != record.backend {
            return Err(OpenError::OtherBackEnd { recorded: record.backend, wanted });
        }
        let store = match record.backend {
            BackEnd::Keychain => Store::Keychain(open_keychain(&record)?),
            BackEnd::File => {
                let file = FileVault::open(&options.data_dir, options.key_dir.as_deref(), &record.id);
                Store::File(file.map_err(OpenError::File)?)
            }
        };
        Ok(Self { options, store, keychain_refusal: None })
    }

    /// Opens the vault, choosing a back end if the data directory has none yet. Of several processes that do this at
    /// once, one chooses.
    ///
    /// # Errors
    /// As [`open`](Self::open), or no back end works.
    pub fn open_or_create(options: VaultOptions) -> Result<Self, OpenError> {
        match Self::open(options.clone()) {
            Err(OpenError::NoVault(_)) => {}
            other => return other,
        }
        let _guard = Guard::take(&options.data_dir).map_err(OpenError::Record)?;
        match Self::open(options.clone()) {
            Err(OpenError::NoVault(_)) => Self::create(options),
            other => other,
        }
    }

    fn create(options: VaultOptions) -> Result<Self, OpenError> {
        let id = new_id()?;
        let mut keychain_refusal = None;
        let mut store = None;
        if options.choice != VaultChoice::File {
            let keychain = Keychain::new(&id);
            match keychain.probe() {
                Ok(()) => store = Some(Store::Keychain(keychain)),
                Err(error) if options.choice == VaultChoice::Keychain => return Err(OpenError::NoKeychain(error)),
                Err(error) => keychain_refusal = Some(error.to_string()),
            }
        }
        let store = if let Some(store) = store {
            store
        } else {
            let file = FileVault::create(&options.data_dir, options.key_dir.as_deref(), &id);
            Store::File(file.map_err(OpenError::File)?)
        };
        let vault = Self { options, store, keychain_refusal };
        // Last: without the record nothing of the above is in use, so a crash before it leaves a first start.
        Record::new(vault.back_end(), id).write(&vault.options.data_dir).map_err(OpenError::Record)?;
        Ok(vault)
    }

    /// Where the secrets are.
    pub fn back_end(&self) -> BackEnd {
        match self.store {
            Store::Keychain(_) => BackEnd::Keychain,
            Store::File(_) => BackEnd::File,
        }
    }

    /// What a person should know about where the secrets are.
    pub fn notice(&self) -> Option<VaultNotice> {
        let Store::File(file) = &self.store else { return None };
        let because = self.keychain_refusal.as_ref();
        let because =
            because.map(|refusal| format!(" The OS keychain could not be used: {refusal}.")).unwrap_or_default();
        Some(VaultNotice {
            code: "VAULT_KEY_ON_DISK",
            message: format!(
                "Secrets are in an encrypted file whose key is {}: this protects copies of the data, not the \
                 machine.{because}",
                file.key_path().display()
            ),
            hint: "keep that key out of backups of the data directory; on a desktop, start the first time with an \
                   unlocked keychain"
                .to_owned(),
        })
    }

    /// Reads an item.
    ///
    /// # Errors
    /// The back end cannot be used, or lost an item it had.
    pub fn get(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        check_name(name)?;
        match &self.store {
            Store::File(file) => file.get(name).map_err(VaultError::File),
            Store::Keychain(keychain) => {
                let secret = keychain.get(name).map_err(VaultError::Keychain)?;
                if secret.is_none() && self.record()?.items.contains(name) {
                    return Err(VaultError::Gone(name.to_owned()));
                }
                Ok(secret)
            }
        }
    }

    /// Stores an item, replacing the one of its name.
    ///
    /// # Errors
    /// The back end cannot be used; the item is as it was.
    pub fn set(&self, name: &str, secret: &Secret) -> Result<(), VaultError> {
        check_name(name)?;
        let _guard = self.guard()?;
        self.store(name, secret)
    }

    /// Reads an item, or makes and stores it. Of several processes that do this at once, one makes it.
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`set`](Self::set), or it could not be made.
    pub fn get_or_make(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Secret, crate::keys::KeyError>,
    ) -> Result<Secret, VaultError> {
        if let Some(secret) = self.get(name)? {
            return Ok(secret);
        }
        let _guard = self.guard()?;
        if let Some(secret) = self.get(name)? {
            return Ok(secret);
        }
        let secret = make().map_err(VaultError::Make)?;
        self.store(name, &secret)?;
        Ok(secret)
    }

    /// Deletes an item; fine if there is none.
    ///
    /// # Errors
    /// The back end cannot be used.
    pub fn delete(&self, name: &str) -> Result<(), VaultError> {
        check_name(name)?;
        let _guard = self.guard()?;
        match &self.store {
            Store::File(file) => file
                .change(|items| {
                    items.remove(name);
                })
                .map_err(VaultError::File),
            Store::Keychain(keychain) => {
                keychain.delete(name).map_err(VaultError::Keychain)?;
                let mut record = self.record()?;
                record.items.remove(name);
                record.write(&self.options.data_dir).map_err(VaultError::Record)
            }
        }
    }

    /// Names of all items, sorted.
    ///
    /// # Errors
    /// The back end cannot be used.
    pub fn list(&self) -> Result<Vec<String>, VaultError> {
        match &self.store {
            Store::File(file) => file.names().map_err(VaultError::File),
            Store::Keychain(_) => Ok(self.record()?.items.into_iter().collect()),
        }
    }

    fn store(&self, name: &str, secret: &Secret) -> Result<(), VaultError> {
        match &self.store {
            Store::File(file) => file
                .change(|items| {
                    items.insert(name.to_owned(), secret.clone());
                })
                .map_err(VaultError::File),
            Store::Keychain(keychain) => {
                keychain.set(name, secret).map_err(VaultError::Keychain)?;
                let mut record = self.record()?;
                if record.items.insert(name.to_owned()) {
                    record.write(&self.options.data_dir).map_err(VaultError::Record)?;
                }
                Ok(())
            }
        }
    }

    fn guard(&self) -> Result<Guard, VaultError> {
        Guard::take(&self.options.data_dir).map_err(VaultError::Record)
    }

    fn record(&self) -> Result<Record, VaultError> {
        let unreadable = || RecordError::Unreadable {
            path: Record::path(&self.options.data_dir),
            reason: "it was there at start and is gone".to_owned(),
        };
        let record = Record::read(&self.options.data_dir).map_err(VaultError::Record)?;
        record.ok_or_else(|| VaultError::Record(unreadable()))
    }
}

fn open_keychain(record: &Record) -> Result<Keychain, OpenError> {
    let keychain = Keychain::new(&record.id);
    // One real read: a keychain that is there but locked must be noticed now, not at the first request.
    if let Some(name) = record.items.first() {
        keychain.get(name).map_err(OpenError::KeychainUnreachable)?;
    } else {
        keychain.probe().map_err(OpenError::KeychainUnreachable)?;
    }
    Ok(keychain)
}

fn check_name(name: &str) -> Result<(), VaultError> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(fine) {
        return Err(VaultError::InvalidName(name.chars().take(80).collect()));
    }
    Ok(())
}

fn new_id() -> Result<String, OpenError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| OpenError::NoRandomness)?;
    Ok(bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}
