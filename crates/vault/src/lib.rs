//! Where a node's secrets rest: in one encrypted file, whose key is kept by the best that the machine has.
//!
//! There are four back ends, tried in this order for a new vault: the OS keychain, systemd credentials, a passphrase, and
//! a random key in a file outside the data directory. The choice is recorded when a data directory is first used
//! ([`Vault::open_or_create`]). From then on only that one is used: a keychain that cannot be reached is an error, never
//! a reason to make new keys or to fall to something weaker. [`migrate()`] moves the secrets to another.
//!
//! All calls block; a keychain may even ask a person. Callers on an async runtime use a blocking thread.
//!
//! Not here: what the secrets mean, with the one exception of making the RSA key of the access tokens ([`keys`]). To read
//! on, begin with `vault`, then `keeper`, which has the back ends, and `sealed`, which has the file.

pub mod fuzzing;
pub mod keys;

mod back_end;
mod disk;
mod error;
mod keeper;
mod migrate;
mod notice;
mod place;
mod record;
mod removal;
mod sealed;
mod secret;
mod survey;
mod vault;

pub use back_end::{BackEnd, VaultChoice};
pub use error::{OpenError, VaultError};
pub use keeper::{CredentialError, KeeperError, KeyFileError, KeychainError, PassphraseError, PassphraseSource};
pub use migrate::{MigrateError, Migrated, MigrationStep, Watch, change_passphrase, migrate};
pub use notice::VaultNotice;
pub use record::RecordError;
pub use removal::{Removal, removal, remove};
pub use sealed::SealedError;
pub use secret::Secret;
pub use survey::{Candidate, survey};
pub use vault::{Vault, VaultOptions};

/// The item that holds the private key of users' access tokens: RSA, PKCS#8 DER.
pub const ITEM_USER_KEY: &str = "jwt/user";

/// The item that holds the token of this host's engine, whose node is elsewhere.
pub const ITEM_ENGINE_TOKEN: &str = "engine/token";

/// The item that holds the API key of a provider of language models.
pub fn provider_item(provider: &str) -> String {
    format!("provider/{provider}")
}
