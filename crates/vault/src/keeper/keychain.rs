//! The OS keychain: Keychain Services, Credential Manager, or the Secret Service on D-Bus. It keeps one entry a vault:
//! the key of the encrypted file.
//!
//! Its calls can block for as long as a person takes to type a password, so each runs on a thread of its own and is
//! given up after [`CALL_TIMEOUT`]. Each makes a connection of its own: there are few, and a keychain that was
//! restarted or unlocked in between is simply there again.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use keyring::{CredentialStore, Error};
use zeroize::Zeroizing;

use super::{KeeperError, KeyKeeper, key_file::parse_key, random_key};
use crate::{Secret, record::Place, sealed::header::KeyKind};

/// The name all entries of Flowork carry in the keychain.
const SERVICE: &str = "flowork";
/// The entry of a vault's key, after the vault's id.
const KEY: &str = "key";
/// How long a call may take. Long enough for a slow bus, short enough that a start without a person goes on.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the keychain gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum KeychainError {
    /// There is none, or it refused.
    #[error("{0}")]
    Refused(String),
    /// It is there, and nobody has unlocked it.
    #[error("it is locked: {0}")]
    Locked(String),
    /// It did not answer; it may be waiting for a person to unlock it.
    #[error("it did not answer within {} s; it may be waiting for someone to unlock it", CALL_TIMEOUT.as_secs())]
    NoAnswer,
    /// It works, and the key is not there.
    #[error("it no longer has the key of this vault")]
    Gone,
    /// What it has is no key.
    #[error("its entry for this vault is not a key")]
    Unreadable,
}

impl KeychainError {
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Locked(_) | Self::NoAnswer => "unlock the keychain, then try again".to_owned(),
            Self::Refused(_) => "start from the desktop session (or with its DBUS_SESSION_BUS_ADDRESS) in which the \
                                 node was first started"
                .to_owned(),
            Self::Gone | Self::Unreadable => "restore the keychain from a backup".to_owned(),
        }
    }
}

/// The key of one vault in the OS keychain.
#[derive(Clone, Debug)]
pub(super) struct Keychain {
    vault_id: String,
}

impl Keychain {
    /// Asks nothing yet.
    pub(super) fn new(vault_id: &str) -> Self {
        Self { vault_id: vault_id.to_owned() }
    }

    /// Finds out whether the keychain keeps what it is given.
    pub(super) fn probe(&self) -> Result<(), KeychainError> {
        let user = self.user("probe");
        call(move |store| {
            let entry = store.build(SERVICE, &user, None)?;
            entry.set_secret(b"probe")?;
            let kept = entry.get_secret()?;
            entry.delete_credential()?;
            Ok(kept == b"probe")
        })
        .and_then(|kept| if kept { Ok(()) } else { Err(forgetful()) })
    }

    fn keep(&self, key: &Secret) -> Result<(), KeychainError> {
        let user = self.user(KEY);
        let mut text = Zeroizing::new(String::with_capacity(64));
        BASE64.encode_string(key.expose(), &mut text);
        call(move |store| {
            let entry = store.build(SERVICE, &user, None)?;
            entry.set_secret(text.as_bytes())?;
            Ok(Zeroizing::new(entry.get_secret()?) == Zeroizing::new(text.as_bytes().to_vec()))
        })
        .and_then(|kept| if kept { Ok(()) } else { Err(forgetful()) })
    }

    fn read(&self) -> Result<Secret, KeychainError> {
        let text = read(&self.user(KEY))?.ok_or(KeychainError::Gone)?;
        parse_key(text.expose()).ok_or(KeychainError::Unreadable)
    }

    fn user(&self, name: &str) -> String {
        format!("{}/{name}", self.vault_id)
    }
}

impl KeyKeeper for Keychain {
    fn make(&self) -> Result<(KeyKind, Secret), KeeperError> {
        let key = random_key()?;
        self.keep(&key).map_err(KeeperError::Keychain)?;
        Ok((KeyKind::Keychain, key))
    }

    fn recall(&self, kind: &KeyKind) -> Result<Secret, KeeperError> {
        match kind {
            KeyKind::Keychain => self.read().map_err(KeeperError::Keychain),
            _ => Err(KeeperError::OtherKind),
        }
    }

    fn forget(&self) -> Result<(), KeeperError> {
        delete(&self.user(KEY)).map_err(KeeperError::Keychain)
    }
}

/// The entries of a vault from before there was a file: each item was one.
pub(crate) struct LegacyItems<'a>(pub(crate) &'a Place);

impl LegacyItems<'_> {
    /// Reads all of them.
    pub(crate) fn read(&self) -> Result<BTreeMap<String, Secret>, KeeperError> {
        let read = |name: &String| Ok(read(&self.user(name))?.map(|secret| (name.clone(), secret)));
        self.0
            .items
            .iter()
            .filter_map(|name| read(name).transpose())
            .collect::<Result<_, _>>()
            .map_err(KeeperError::Keychain)
    }

    /// Deletes all of them.
    pub(crate) fn delete(&self) -> Result<(), KeeperError> {
        self.0.items.iter().try_for_each(|name| delete(&self.user(name))).map_err(KeeperError::Keychain)
    }

    fn user(&self, name: &str) -> String {
        format!("{}/{name}", self.0.id)
    }
}

fn read(user: &str) -> Result<Option<Secret>, KeychainError> {
    let user = user.to_owned();
    call(move |store| match store.build(SERVICE, &user, None)?.get_secret() {
        Ok(bytes) => Ok(Some(Secret::new(bytes))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error),
    })
}

fn delete(user: &str) -> Result<(), KeychainError> {
    let user = user.to_owned();
    call(move |store| match store.build(SERVICE, &user, None)?.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(error),
    })
}

fn forgetful() -> KeychainError {
    KeychainError::Refused("it did not give back what it was given".to_owned())
}

// Some variants carry the secret's bytes; none of them prints it.
fn refused(error: Error) -> KeychainError {
    match error {
        Error::NoStorageAccess(cause) => KeychainError::Locked(cause.to_string()),
        error => KeychainError::Refused(error.to_string()),
    }
}

#[cfg(target_os = "macos")]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(target_os = "windows")]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(all(unix, not(target_os = "macos")))]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

/// Runs the call on a thread of its own. A call that hangs keeps its thread; there is no way to stop it.
fn call<T: Send + 'static>(
    run: impl FnOnce(&CredentialStore) -> Result<T, Error> + Send + 'static,
) -> Result<T, KeychainError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("vault-keychain".to_owned())
        .spawn(move || {
            // Nobody listens after the time-out.
            let _ = sender.send(store().and_then(|store| run(&*store)).map_err(refused));
        })
        .map_err(|error| KeychainError::Refused(format!("no thread to ask it on: {error}")))?;
    match receiver.recv_timeout(CALL_TIMEOUT) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(KeychainError::NoAnswer),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(KeychainError::Refused("the call to it panicked".to_owned())),
    }
}
