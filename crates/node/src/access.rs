//! Tokens for programs of this machine's owner, signed with the node's own key from the vault.
//!
//! Whoever can read the vault is the owner; being on the same machine alone gives no rights.

use std::time::Duration;

use flowork_api_types::auth::Role;
use flowork_tokens::{InvalidKeyError, TokenKeys, USER_TOKEN_TTL_MAX};
use flowork_vault::{ITEM_USER_KEY, Vault, VaultError};

use crate::Config;

/// The longest life of a token that no session stands behind, since it cannot be revoked.
pub const SCRIPT_TOKEN_TTL_MAX: Duration = USER_TOKEN_TTL_MAX;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The vault cannot be opened.
    #[error("the vault cannot be opened")]
    Open(#[source] flowork_vault::OpenError),
    /// The key cannot be read.
    #[error("the node's key cannot be read")]
    Vault(#[source] VaultError),
    /// The vault has no key.
    #[error("the vault of {} has no signing key: no node has served with it yet", .0.display())]
    NoKey(std::path::PathBuf),
    /// The key is none.
    #[error("the node's key in the vault is damaged")]
    Key(#[source] InvalidKeyError),
    /// Tokens end at whole seconds, so it would be over before it is used.
    #[error("a token lives at least 1 second")]
    TooShort,
    /// It would live too long.
    #[error("a token may live at most {} hours", SCRIPT_TOKEN_TTL_MAX.as_secs() / 3600)]
    TooLong,
}

impl AccessError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.hint(),
            Self::NoKey(_) => Some("start it once with `flowork serve`, or name the right --data-dir".to_owned()),
            Self::TooLong => Some("make a new one when it ends; tokens of scripts cannot be revoked".to_owned()),
            Self::TooShort => Some("15m is a good life for a script's token".to_owned()),
            Self::Vault(error) => error.hint(),
            Self::Key(_) => None,
        }
    }
}

/// Signs access tokens for as long as it is kept, so that the vault is asked once.
pub struct TokenSigner(pub(crate) TokenKeys);

impl TokenSigner {
    /// Reads the key of the node that uses this configuration. Blocks.
    ///
    /// # Errors
    /// There is no key, or the vault cannot be opened.
    pub fn open(config: &Config) -> Result<Self, AccessError> {
        let vault = Vault::open(config.vault_options()).map_err(AccessError::Open)?;
        let key = vault.get(ITEM_USER_KEY).map_err(AccessError::Vault)?;
        let key = key.ok_or_else(|| AccessError::NoKey(config.data_dir.clone()))?;
        TokenKeys::from_document(key.expose()).map(Self).map_err(AccessError::Key)
    }

    /// A bearer token without a session.
    ///
    /// # Errors
    /// `ttl` is shorter than a second or longer than [`SCRIPT_TOKEN_TTL_MAX`].
    pub fn sign(&self, role: Role, ttl: Duration) -> Result<String, AccessError> {
        if ttl < Duration::from_secs(1) {
            return Err(AccessError::TooShort);
        }
        if ttl > SCRIPT_TOKEN_TTL_MAX {
            return Err(AccessError::TooLong);
        }
        Ok(self.0.sign_access(role.as_str(), role, None, ttl))
    }
}
