//! Where a node's secrets rest: the OS keychain, or an encrypted file where there is none.
//!
//! The back end is chosen once, when a data directory is first used, and recorded in it ([`Vault::open_or_create`]).
//! From then on only that one is used: a keychain that cannot be reached is an error, never a reason to make new keys
//! or to fall to something weaker.
//!
//! All calls block; a keychain may even ask a person. Callers on an async runtime use a blocking thread.
//!
//! Not here: what the secrets mean, with the one exception of making the RSA key of the access tokens ([`keys`]).

pub mod keys;

mod disk;
mod error;
mod file;
mod keychain;
mod record;
mod secret;
mod vault;

pub use error::{OpenError, VaultError};
pub use secret::Secret;
pub use vault::{BackEnd, Vault, VaultChoice, VaultNotice, VaultOptions};

/// The item that holds the private key of users' access tokens: RSA, PKCS#8 DER.
pub const ITEM_USER_KEY: &str = "jwt/user";

/// The item that holds the token of this host's engine, whose node is elsewhere.
pub const ITEM_ENGINE_TOKEN: &str = "engine/token";

/// The item that holds the API key of a provider of language models.
pub fn provider_item(provider: &str) -> String {
    format!("provider/{provider}")
}
