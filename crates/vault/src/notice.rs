//! What a person should know about where the secrets are.

use crate::{BackEnd, Vault, VaultOptions, record::Place};

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

impl Vault {
    /// What a person should know about where the secrets are, and how to do better.
    pub fn notices(&self) -> Vec<VaultNotice> {
        let refusal = self.keychain_refusal.as_deref();
        let weak = (self.back_end() == BackEnd::File).then(|| key_on_disk(&self.options, &self.place, refusal));
        let exposed = (self.back_end() == BackEnd::Passphrase && self.options.passphrase.is_exposed())
            .then(|| passphrase_exposed(&self.options));
        let leftover = self.leftover.as_ref().map(|reason| leftover(reason));
        [weak.flatten(), exposed.flatten(), leftover].into_iter().flatten().collect()
    }
}

fn key_on_disk(options: &VaultOptions, place: &Place, refusal: Option<&str>) -> Option<VaultNotice> {
    let key = crate::keeper::keeper(options, place).ok()?.path()?;
    let because = refusal.map(|refusal| format!(" The OS keychain could not be used: {refusal}.")).unwrap_or_default();
    Some(VaultNotice {
        code: "VAULT_KEY_ON_DISK",
        message: format!(
            "Secrets are in an encrypted file whose key is {}: this protects copies of the data, not the \
             machine.{because}",
            key.display()
        ),
        hint: "keep that key out of backups of the data directory; to do better, stop the node and run `flowork vault \
               migrate --to keychain` on a desktop, `--to systemd` in a unit with credentials, or `--to passphrase`"
            .to_owned(),
    })
}

fn passphrase_exposed(options: &VaultOptions) -> Option<VaultNotice> {
    let path = options.passphrase.file()?.display();
    Some(VaultNotice {
        code: "VAULT_PASSPHRASE_EXPOSED",
        message: format!("Other users of this machine may read the vault's passphrase in {path}."),
        hint: format!("run: chmod 600 {path}"),
    })
}

fn leftover(reason: &str) -> VaultNotice {
    VaultNotice {
        code: "VAULT_LEFTOVER",
        message: format!("A migration left an older copy of the secrets, which cannot be erased: {reason}."),
        hint: "make that back end reachable; the next start tries again".to_owned(),
    }
}
