//! The audit log of a node: its keys from the vault, its place in the data directory, and what the node itself writes.

mod owed;
#[cfg(test)]
mod tests;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use flowork_api_types::{
    audit::{AuditList, AuditProgress, AuditQuery, AuditReport},
    event::Event,
    node::Notice,
};
use flowork_audit::{
    Actor, Audit, AuditKey, AuditOptions, Entry, Export, KEY_ITEM, OpenError, PersonalSignatures, Trouble, verify_file,
};
use flowork_control::ControlStore;
use flowork_engine::{Clock, Events, clock::wall_now};
use flowork_identity::{ITEM_OWNER_KEY, OwnerKey};
use flowork_vault::{BackEnd, Secret, Vault, VaultError};
use serde_json::{Value, json};

pub use flowork_audit::{ListError, VerifyError};
pub(crate) use owed::owe;

use crate::{Config, DataDir};

/// Why the audit log can't be had.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The vault can't be opened.
    #[error("the vault cannot be opened")]
    Open(#[source] flowork_vault::OpenError),
    /// The vault does not give or take a key.
    #[error("a key cannot be read from the vault")]
    Vault(#[source] VaultError),
    /// The key is none.
    #[error("the key {0} in the vault is damaged")]
    Key(&'static str),
    /// The vault has no key of the log.
    #[error("the vault of {} has no key of an audit log: no node has served with it yet", .0.display())]
    NoKey(PathBuf),
    /// There is no log.
    #[error("there is no audit log in {}", .0.display())]
    NoLog(PathBuf),
    /// It can't be read.
    #[error("the audit log cannot be read")]
    Read(#[source] flowork_sqlite::StoreError),
}

impl AuditError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.hint(),
            Self::NoKey(_) | Self::NoLog(_) => {
                Some("start it once with `flowork serve`, or name the right --data-dir".to_owned())
            }
            _ => None,
        }
    }
}

/// The item that says that the log has entries. It is in the vault because whoever can take the log away can write the
/// other files beside it, too. What it holds means nothing.
const BEGUN_ITEM: &str = "audit/begun";

/// What the log needs from the vault.
pub(crate) struct AuditKeys {
    key: AuditKey,
    /// An entry was written before, so there must be a log. That the key is there says less: it is made first, and a
    /// start can end in between.
    expected: bool,
    pub(crate) owner: OwnerKey,
    vault: Arc<Vault>,
}

impl AuditKeys {
    /// Reads the keys, and makes those that are not there yet. Blocks.
    pub(crate) fn get_or_make(vault: &Arc<Vault>) -> Result<Self, AuditError> {
        let expected = vault.get(BEGUN_ITEM).map_err(AuditError::Vault)?.is_some();
        let secret = |secret: zeroize::Zeroizing<Vec<u8>>| Secret::new(secret.to_vec());
        let key = vault.get_or_make(KEY_ITEM, || Ok(secret(AuditKey::generate_secret()))).map_err(AuditError::Vault)?;
        let key = AuditKey::from_secret(key.expose()).ok_or(AuditError::Key(KEY_ITEM))?;
        let owner = vault.get_or_make(ITEM_OWNER_KEY, || Ok(secret(OwnerKey::generate_secret())));
        let owner = OwnerKey::from_secret(owner.map_err(AuditError::Vault)?.expose());
        let owner = owner.map_err(|_| AuditError::Key(ITEM_OWNER_KEY))?;
        Ok(Self { key, expected, owner, vault: Arc::clone(vault) })
    }
}

/// Notes that the log has entries. A start that ends before this was noted finds a log that is there.
async fn note_begun(vault: Arc<Vault>) {
    let note =
        move || vault.get_or_make(BEGUN_ITEM, || Ok(Secret::new(AuditKey::generate_secret().to_vec()))).map(|_| ());
    match tokio::task::spawn_blocking(note).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(error = ?error, "that the audit log has begun could not be noted"),
        Err(error) => tracing::error!(%error, "noting that the audit log has begun crashed"),
    }
}

/// Opens the log of a node that starts, and keeps it: heads of days, and the cut of what is too old.
pub(crate) async fn start(
    config: &Config,
    data_dir: &DataDir,
    clock: &Clock,
    keys: AuditKeys,
    notices: &Arc<RwLock<Vec<Notice>>>,
    events: &Events,
) -> Result<Audit, OpenError> {
    let (clock, notices, events) = (clock.clone(), Arc::clone(notices), events.clone());
    let (owner, started) = (keys.owner.clone(), Instant::now());
    let audit = Audit::open(AuditOptions {
        path: data_dir.audit_db(),
        key: keys.key,
        expected: keys.expected,
        retention: config.audit_retention,
        now: Arc::new(move || clock.now()),
        uptime: Arc::new(move || started.elapsed()),
        signatures: Arc::new(PersonalSignatures),
        tell: Arc::new(move |trouble| {
            notices.write().unwrap_or_else(PoisonError::into_inner).push(notice_of(&trouble));
            events.publish(None, Event::NoticesChanged);
        }),
    })
    .await?;
    audit.keep(Arc::new(owner));
    let started = Entry::new(Actor::node(), "node.start").detail(&json!({"version": env!("CARGO_PKG_VERSION")}));
    match audit.record(started).await {
        Ok(_) if !keys.expected => note_begun(keys.vault).await,
        Ok(_) => {}
        Err(error) => tracing::error!(error = ?error, "an entry of the audit log could not be written"),
    }
    Ok(audit)
}

/// Writes what was done to the node while it was stopped.
pub(crate) async fn catch_up(audit: &Audit, control: &ControlStore, back_end: BackEnd) {
    if let Err(error) = owed::pay(audit, control, back_end).await {
        tracing::error!(error = ?error, "what was done while the node was stopped is not in the audit log yet");
    }
}

/// Writes what the node did by itself. That it can't be written stops nothing: it was done already.
pub(crate) async fn record(audit: &Audit, entry: Entry) {
    if let Err(error) = audit.record(entry).await {
        tracing::error!(error = ?error, "an entry of the audit log could not be written");
    }
}

/// Notes for the audit log what a program on this machine did with the node's secrets itself, whether the node runs or
/// not; the node writes it when it starts or ends, at midnight, or when somebody reads the log. Blocks.
///
/// # Errors
/// It is not on disk.
pub fn note(config: &Config, action: &str, detail: &Value) -> std::io::Result<()> {
    flowork_audit::leave_note(&DataDir::audit_db_in(&config.data_dir), action, detail, wall_now())
}

fn notice_of(trouble: &Trouble) -> Notice {
    let (code, message) = match trouble {
        Trouble::BeganAnew { kept: Some(kept), reason } => (
            "AUDIT_LOG_PUT_ASIDE",
            format!("The audit log was not what this node wrote: {reason}. It is kept as {}.", kept.display()),
        ),
        Trouble::BeganAnew { kept: None, reason } => {
            ("AUDIT_LOG_GONE", format!("A new audit log was begun: {reason}."))
        }
        Trouble::Damaged { seq } => {
            ("AUDIT_LOG_DAMAGED", format!("The audit log is not what this node wrote: see its entry {seq}."))
        }
    };
    let hint = Some("`flowork audit verify` tells more; find out who writes in the data directory".to_owned());
    Notice { code: code.to_owned(), message, hint }
}

/// The audit log of a node that does not run. Whoever has this holds the instance lock. Its calls block.
pub struct StoppedAudit {
    path: PathBuf,
    key: AuditKey,
}

impl StoppedAudit {
    /// Finds the log and its key.
    ///
    /// # Errors
    /// See [`AuditError`].
    pub fn find(config: &Config) -> Result<Self, AuditError> {
        let path = DataDir::audit_db_in(&config.data_dir);
        if !path.is_file() {
            return Err(AuditError::NoLog(config.data_dir.clone()));
        }
        let vault = Vault::open(config.vault_options()).map_err(AuditError::Open)?;
        let key = vault.get(KEY_ITEM).map_err(AuditError::Vault)?;
        let key = key.ok_or_else(|| AuditError::NoKey(config.data_dir.clone()))?;
        let key = AuditKey::from_secret(key.expose()).ok_or(AuditError::Key(KEY_ITEM))?;
        Ok(Self { path, key })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks all of it.
    ///
    /// # Errors
    /// As [`verify_file`].
    pub fn verify(
        &self,
        progress: &mut dyn FnMut(AuditProgress) -> ControlFlow<()>,
    ) -> Result<AuditReport, VerifyError> {
        verify_file(&self.path, &self.key, &PersonalSignatures, progress)
    }

    /// Gives what fits the query as CloudEvents, one a line.
    ///
    /// # Errors
    /// The log can't be read, or `take` failed.
    pub fn export(
        &self,
        query: AuditQuery,
        take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<std::io::Result<()>, AuditError> {
        Export::new(query).of_file(&self.path, &self.key, take).map_err(AuditError::Read)
    }

    /// A page of what fits the query, newest first.
    ///
    /// # Errors
    /// As [`flowork_audit::list_file`].
    pub fn list(&self, query: &AuditQuery) -> Result<AuditList, ListError> {
        flowork_audit::list_file(&self.path, &self.key, query)
    }
}
