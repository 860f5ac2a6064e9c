//! The vault: the encrypted file, and who keeps its key, chosen once.

use std::path::{Path, PathBuf};

use crate::{
    BackEnd, PassphraseSource, Secret, VaultChoice,
    error::{OpenError, VaultError},
    keeper::{self, KeeperError},
    migrate, place,
    record::{Guard, Place, Record, RecordError, new_id},
    sealed::{SealedError, SealedFile, items::Items},
};

/// Longest name of an item.
const NAME_BYTES_MAX: usize = 200;

/// Where to look for a vault.
#[derive(Clone, Debug, Default)]
pub struct VaultOptions {
    /// The node's data directory; it must be there.
    pub data_dir: PathBuf,
    /// Which back end a new vault gets.
    pub choice: VaultChoice,
    /// Where key files lie; in the user's configuration directory without it.
    pub key_dir: Option<PathBuf>,
    /// Where systemd put this process's credentials: `$CREDENTIALS_DIRECTORY`.
    pub credentials_dir: Option<PathBuf>,
    /// Where a passphrase comes from.
    pub passphrase: PassphraseSource,
}

/// The secrets of one node. Calls block.
#[derive(Debug)]
pub struct Vault {
    pub(crate) options: VaultOptions,
    pub(crate) place: Place,
    pub(crate) keychain_refusal: Option<String>,
    /// Why something that a migration left could not be erased.
    pub(crate) leftover: Option<String>,
    sealed: SealedFile,
}

impl Vault {
    /// Opens the vault of a data directory that was used before.
    ///
    /// # Errors
    /// There is none, or the back end that has its secrets cannot be used.
    pub fn open(options: VaultOptions) -> Result<Self, OpenError> {
        Self::open_recorded(options, None)
    }

    /// Opens the vault, choosing a back end if the data directory has none yet. Of several processes that do this at
    /// once, one chooses.
    ///
    /// # Errors
    /// As [`open`](Self::open), or no back end works, or there are secrets whose record is gone.
    pub fn open_or_create(options: VaultOptions) -> Result<Self, OpenError> {
        match Self::open(options.clone()) {
            Err(OpenError::NoVault(_)) => {}
            other => return other,
        }
        let guard = Guard::take(&options.data_dir).map_err(OpenError::Record)?;
        match Self::open_recorded(options.clone(), Some(&guard)) {
            Err(OpenError::NoVault(_)) => Self::create(options),
            other => other,
        }
    }

    fn open_recorded(options: VaultOptions, guard: Option<&Guard>) -> Result<Self, OpenError> {
        let mut record = migrate::read_record(&options)?;
        let recorded = record.place().back_end;
        if let VaultChoice::Only(wanted) = options.choice
            && wanted != recorded
        {
            return Err(OpenError::OtherBackEnd { recorded, wanted });
        }
        if record.is_legacy() {
            record = migrate::upgrade(&options, guard)?;
        }
        let sealed = place::open(&options, &record.place())?;
        let leftover = if record.leftovers.is_empty() { None } else { migrate::sweep(&options, guard) };
        Ok(Self { place: record.place(), options, keychain_refusal: None, leftover, sealed })
    }

    fn create(options: VaultOptions) -> Result<Self, OpenError> {
        let id = new_id().map_err(OpenError::Record)?;
        let mut keychain_refusal = None;
        for back_end in BackEnd::ALL.into_iter().filter(|back_end| is_offered(&options, *back_end)) {
            let place = Place::first(back_end, id.clone());
            let sealed = match place::make(&options, &place) {
                Ok(sealed) => sealed,
                // The one refusal that is no mistake of a person: most servers have no keychain.
                Err(OpenError::Unavailable { source: KeeperError::Keychain(error), .. })
                    if options.choice == VaultChoice::Auto =>
                {
                    keychain_refusal = Some(error.to_string());
                    continue;
                }
                Err(error) => return Err(error),
            };
            // Last: without the record nothing of the above is in use, so a crash before it leaves a first start. What
            // it leaves is empty, and by that it is told from a vault whose record was lost: see `Record::find`.
            Record::new(place.clone()).write(&options.data_dir).map_err(OpenError::Record)?;
            return Ok(Self { options, place, keychain_refusal, leftover: None, sealed });
        }
        unreachable!("a key file is always offered, or it is the one back end that was asked for")
    }

    /// Who keeps the key to the secrets.
    pub fn back_end(&self) -> BackEnd {
        self.place.back_end
    }

    /// The encrypted file.
    pub fn file(&self) -> &Path {
        self.sealed.path()
    }

    /// Reads an item.
    ///
    /// # Errors
    /// The encrypted file cannot be used, or a credential that systemd gives for it.
    pub fn get(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        check_name(name)?;
        if let Some(given) = self.given(name)? {
            return Ok(Some(given));
        }
        Ok(self.items()?.remove(name))
    }

    /// Stores an item, replacing the one of its name.
    ///
    /// # Errors
    /// The encrypted file cannot be used, or systemd gives the item; it is as it was.
    pub fn set(&self, name: &str, secret: &Secret) -> Result<(), VaultError> {
        self.change(name, |items| {
            items.insert(name.to_owned(), secret.clone());
        })
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
        let mut items = self.items()?;
        if let Some(secret) = items.remove(name) {
            return Ok(secret);
        }
        let secret = make().map_err(VaultError::Make)?;
        items.insert(name.to_owned(), secret.clone());
        self.sealed.write(&items).map_err(VaultError::File)?;
        Ok(secret)
    }

    /// Deletes an item; fine if there is none.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn delete(&self, name: &str) -> Result<(), VaultError> {
        self.change(name, |items| {
            items.remove(name);
        })
    }

    /// Names of all items, sorted, with those that systemd gives.
    ///
    /// # Errors
    /// The encrypted file cannot be used.
    pub fn list(&self) -> Result<Vec<String>, VaultError> {
        let mut names = keeper::given_names(self.options.credentials_dir.as_deref());
        names.retain(|name| check_name(name).is_ok());
        names.extend(self.items()?.into_keys());
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Items)) -> Result<(), VaultError> {
        check_name(name)?;
        if self.given(name)?.is_some() {
            return Err(VaultError::Given(name.to_owned()));
        }
        let _guard = self.guard()?;
        let mut items = self.items()?;
        change(&mut items);
        self.sealed.write(&items).map_err(VaultError::File)
    }

    fn given(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        keeper::given(self.options.credentials_dir.as_deref(), name).map_err(VaultError::Credential)
    }

    fn items(&self) -> Result<Items, VaultError> {
        self.sealed.read().map_err(|error| match error {
            SealedError::Gone(_) if self.was_moved() => VaultError::Moved,
            error => VaultError::File(error),
        })
    }

    /// Keeps others from changing anything, and sees that nobody moved the secrets before.
    fn guard(&self) -> Result<Guard, VaultError> {
        let guard = Guard::take(&self.options.data_dir).map_err(VaultError::Record)?;
        let record = Record::read(&self.options.data_dir).map_err(VaultError::Record)?;
        let record = record.ok_or_else(|| {
            let path = Record::path(&self.options.data_dir);
            VaultError::Record(RecordError::Unreadable { path, reason: "it is gone".to_owned() })
        })?;
        if record.place().id == self.place.id { Ok(guard) } else { Err(VaultError::Moved) }
    }

    fn was_moved(&self) -> bool {
        let record = Record::read(&self.options.data_dir).ok().flatten();
        record.is_some_and(|record| record.place().id != self.place.id)
    }
}

/// Whether a new vault may get this back end: the one that was asked for; else those that somebody set up, and those
/// that need no setting up.
fn is_offered(options: &VaultOptions, back_end: BackEnd) -> bool {
    match (options.choice, back_end) {
        (VaultChoice::Only(wanted), _) => wanted == back_end,
        (VaultChoice::Auto, BackEnd::Keychain | BackEnd::File) => true,
        (VaultChoice::Auto, BackEnd::Systemd) => keeper::has_key_credential(options),
        (VaultChoice::Auto, BackEnd::Passphrase) => options.passphrase.is_configured(),
    }
}

fn check_name(name: &str) -> Result<(), VaultError> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(fine) {
        return Err(VaultError::InvalidName(name.chars().take(80).collect()));
    }
    Ok(())
}
