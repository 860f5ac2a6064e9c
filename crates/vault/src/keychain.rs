//! The OS keychain: Keychain Services, Credential Manager, or the Secret Service on D-Bus.
//!
//! Its calls can block for as long as a person takes to type a password, so each runs on a thread of its own and is
//! given up after [`CALL_TIMEOUT`].

use std::{sync::mpsc, thread, time::Duration};

use keyring::{Entry, Error};

use crate::Secret;

/// The name all entries of Flowork carry in the keychain.
const SERVICE: &str = "flowork";
/// How long a call may take. Long enough for a slow bus, short enough that a start without a person goes on.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the keychain gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum KeychainError {
    /// There is none, it is locked, or it refused.
    #[error("{0}")]
    Refused(String),
    /// It did not answer; it may be waiting for a person to unlock it.
    #[error("it did not answer within {} s; it may be waiting for someone to unlock it", CALL_TIMEOUT.as_secs())]
    NoAnswer,
}

/// The entries of one vault in the OS keychain.
#[derive(Clone, Debug)]
pub(crate) struct Keychain {
    vault_id: String,
}

impl Keychain {
    /// Entries of the vault with this id; asks nothing yet.
    pub(crate) fn new(vault_id: &str) -> Self {
        Self { vault_id: vault_id.to_owned() }
    }

    /// Finds out whether the keychain keeps what it is given.
    pub(crate) fn probe(&self) -> Result<(), KeychainError> {
        let user = self.user("probe");
        call(move || {
            if let Err(error) = Entry::store_status() {
                return Err(KeychainError::Refused(error.to_string()));
            }
            let entry = Entry::new(SERVICE, &user).map_err(refused)?;
            entry.set_secret(b"probe").map_err(refused)?;
            let kept = entry.get_secret().map_err(refused)?;
            entry.delete_credential().map_err(refused)?;
            if kept == b"probe" {
                Ok(())
            } else {
                Err(KeychainError::Refused("it did not give back what it was given".to_owned()))
            }
        })
    }

    pub(crate) fn get(&self, name: &str) -> Result<Option<Secret>, KeychainError> {
        let user = self.user(name);
        call(move || match entry(&user)?.get_secret() {
            Ok(bytes) => Ok(Some(Secret::new(bytes))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(refused(error)),
        })
    }

    pub(crate) fn set(&self, name: &str, secret: &Secret) -> Result<(), KeychainError> {
        let (user, secret) = (self.user(name), secret.clone());
        call(move || entry(&user)?.set_secret(secret.expose()).map_err(refused))
    }

    pub(crate) fn delete(&self, name: &str) -> Result<(), KeychainError> {
        let user = self.user(name);
        call(move || match entry(&user)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(refused(error)),
        })
    }

    fn user(&self, name: &str) -> String {
        format!("{}/{name}", self.vault_id)
    }
}

fn entry(user: &str) -> Result<Entry, KeychainError> {
    match Entry::store_status() {
        Ok(()) => Entry::new(SERVICE, user).map_err(refused),
        Err(error) => Err(KeychainError::Refused(error.to_string())),
    }
}

// By value, to be given to `map_err`. Some variants carry the secret's bytes; none of them prints it.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn refused(error: Error) -> KeychainError {
    KeychainError::Refused(error.to_string())
}

/// Runs the call on a thread of its own. A call that hangs keeps its thread; there is no way to stop it.
fn call<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, KeychainError> + Send + 'static,
) -> Result<T, KeychainError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("vault-keychain".to_owned())
        .spawn(move || {
            // Nobody listens after the time-out.
            let _ = sender.send(run());
        })
        .map_err(|error| KeychainError::Refused(format!("no thread to ask it on: {error}")))?;
    match receiver.recv_timeout(CALL_TIMEOUT) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(KeychainError::NoAnswer),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(KeychainError::Refused("the call to it panicked".to_owned())),
    }
}
