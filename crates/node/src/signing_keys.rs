//! The keys that sign tokens, as the vault keeps them: one item for each set.

use std::sync::Arc;

use flowork_api_types::admin::TokenSet;
use flowork_tokens::{KeyStore, KeyStoreError};
use flowork_vault::{Secret, Vault};
use zeroize::Zeroizing;

/// The vault as a place for keys.
pub(crate) struct VaultKeys(pub(crate) Arc<Vault>);

impl KeyStore for VaultKeys {
    fn load(&self, set: TokenSet) -> Result<Option<Zeroizing<Vec<u8>>>, KeyStoreError> {
        let item = self.0.get(item(set))?;
        Ok(item.map(|document| Zeroizing::new(document.expose().to_vec())))
    }

    fn save(&self, set: TokenSet, document: &[u8]) -> Result<(), KeyStoreError> {
        Ok(self.0.set(item(set), &Secret::new(document.to_vec()))?)
    }
}

/// The name of a set's item.
pub(crate) const fn item(set: TokenSet) -> &'static str {
    match set {
        TokenSet::User => flowork_vault::ITEM_USER_KEY,
        TokenSet::Engine => "jwt/engine",
        TokenSet::Admin => "jwt/admin",
    }
}
