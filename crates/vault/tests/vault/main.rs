//! The vault on real files, a real keychain, and in several processes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod credentials;
mod file;
#[cfg(target_os = "linux")]
mod gnome_keyring;
mod migration;
mod order;
mod passphrase;
mod place;
