//! Deleting everything that Flowork keeps on this machine for one data directory, and nothing else.
//!
//! What is not known to be Flowork's stays. The plan is shown first; what was not in it is not deleted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use flowork_api_types::Timestamp;
use flowork_node::{Config, InstanceLock, LockError, config::Place};
use flowork_vault::{RecordError, Vault};
use serde::Serialize;

use crate::autostart::Autostart;

/// The file that is locked for as long as a reset takes, and goes last.
const LOCK: &str = "instance.lock";

/// What there is in a data directory: how a name begins, whether it is all of the name, and what it is.
const KNOWN: [(&str, bool, &str); 18] = [
    ("audit.db", false, "reset-audit"),
    ("config.toml", true, "reset-config"),
    ("control.db", false, "reset-accounts"),
    ("desktop.toml", true, "reset-preferences"),
    (LOCK, false, "reset-run"),
    ("logs", true, "reset-logs"),
    ("modules", true, "reset-modules"),
    ("run", true, "reset-run"),
    ("shards", true, "reset-jobs"),
    ("snapshots", true, "reset-snapshots"),
    ("sync.db", false, "reset-sessions"),
    ("vault.enc", true, "reset-vault"),
    ("vault.json", true, "reset-vault"),
    ("vault.lock", true, "reset-vault"),
    ("vault-", false, "reset-vault"),
    ("window", true, "reset-window"),
    ("window-state.json", true, "reset-window"),
    (".write-probe-", false, "reset-run"),
];

/// One thing that a reset deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResetItem {
    /// Where it is; a directory with all that is in it.
    pub path: PathBuf,
    /// What it is: the id of a text, such as `reset-jobs`.
    pub what: &'static str,
    /// How much there is.
    pub bytes: u64,
}

/// Exactly what a reset deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResetPlan {
    /// The data directory. It goes, too, if nothing else is in it.
    pub data_dir: PathBuf,
    /// Files and directories.
    pub items: Vec<ResetItem>,
    /// Names of the secrets in the vault, such as `jwt/user`; never a secret. Empty where the vault can't be opened.
    pub secrets: Vec<String>,
    /// Who keeps the vault's key, such as `keychain`; an entry there goes, too.
    pub vault: Option<String>,
    /// What is in the data directory and is not Flowork's, and what links there lead to: it stays.
    pub kept: Vec<PathBuf>,
}

impl ResetPlan {
    /// How much there is in all.
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }

    /// Whether a plan that was made later deletes things of a kind that this one does not name. Single files come and go
    /// when a node stops.
    fn lacks_what_is_in(&self, later: &Self) -> bool {
        let is_named = |what| self.items.iter().any(|item| item.what == what);
        // Whoever carries it out takes the lock, which makes its file.
        let mut items = later.items.iter().filter(|item| is_not_lock(&item.path));
        later.vault != self.vault || items.any(|item| !is_named(item.what))
    }
}

/// Why nothing was deleted, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// A node runs on the data.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directory could not be looked at.
    #[error("cannot read {}", .path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Where the secrets are is not known.
    #[error("where the secrets are cannot be read")]
    Vault(#[source] RecordError),
    /// There is something else now than what was in the plan. Nothing was deleted.
    #[error("something has changed since the list was made")]
    Changed,
    /// Something could not be deleted; what comes after it in the plan is still there.
    #[error("cannot delete {}", .path.display())]
    Delete {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ResetError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Lock(error) => error.hint(),
            Self::Changed => Some("look at the new list first".to_owned()),
            Self::Read { path, .. } | Self::Delete { path, .. } => {
                Some(format!("give this account the right to change {}, then try again", path.display()))
            }
            Self::Vault(_) => None,
        }
    }
}

/// What a reset deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResetDone {
    /// How much there was.
    pub bytes: u64,
    /// What could not be deleted and opens nothing any more, such as a key in a keychain that cannot be reached.
    pub left: Vec<String>,
}

/// Says what a reset of this configuration's data directory would delete. Blocks; may ask the keychain.
///
/// # Errors
/// See [`ResetError`].
pub fn plan(config: &Config) -> Result<ResetPlan, ResetError> {
    let mut plan = plan_without_secrets(config, autostart().as_ref())?;
    if plan.vault.is_some() {
        let names = Vault::open(config.vault_options()).ok().and_then(|vault| vault.list().ok());
        plan.secrets = names.unwrap_or_default();
    }
    Ok(plan)
}

/// Deletes what is in the plan, with the node stopped. Blocks.
///
/// # Errors
/// See [`ResetError`].
pub fn carry_out(config: &Config, plan: &ResetPlan) -> Result<ResetDone, ResetError> {
    carry_out_with(config, plan, autostart().as_ref())
}

/// The entry that starts this program with the session, where that can be known.
fn autostart() -> Option<Autostart> {
    Autostart::of_this_program().ok()
}

fn plan_without_secrets(config: &Config, autostart: Option<&Autostart>) -> Result<ResetPlan, ResetError> {
    let data_dir = &config.data_dir;
    let removal = flowork_vault::removal(&config.vault_options()).map_err(ResetError::Vault)?;
    let (mut items, mut kept) = (Vec::new(), Vec::new());
    for path in entries(data_dir)? {
        let Some(what) = what_is(&path) else {
            kept.push(path);
            continue;
        };
        kept.extend(fs::read_link(&path));
        items.push(item(path, what)?);
    }
    if let Some(removal) = &removal {
        for key in removal.files.iter().filter(|path| !path.starts_with(data_dir)) {
            items.push(item(key.clone(), "reset-vault-key")?);
        }
    }
    let entry = autostart.and_then(|autostart| autostart.entry_on(data_dir, has_default_data_dir(config)));
    if let Some(path) = entry {
        items.push(item(path, "reset-autostart")?);
    }
    let vault = removal.map(|removal| removal.back_end.as_str().to_owned());
    Ok(ResetPlan { data_dir: data_dir.clone(), items, secrets: Vec::new(), vault, kept })
}

fn has_default_data_dir(config: &Config) -> bool {
    config.shown.iter().any(|setting| setting.key == "data_dir" && setting.place == Place::Default)
}

fn carry_out_with(config: &Config, plan: &ResetPlan, autostart: Option<&Autostart>) -> Result<ResetDone, ResetError> {
    let data_dir = &config.data_dir;
    if !data_dir.exists() && plan.items.is_empty() {
        return Ok(ResetDone { bytes: 0, left: Vec::new() });
    }
    let lock = InstanceLock::take(data_dir, Timestamp(0))?;
    let now = plan_without_secrets(config, autostart)?;
    if plan.lacks_what_is_in(&now) {
        return Err(ResetError::Changed);
    }
    let is_vaults = |item: &&ResetItem| item.what.starts_with("reset-vault");
    for item in now.items.iter().filter(|item| !is_vaults(item) && is_not_lock(&item.path)) {
        delete(&item.path)?;
    }
    // After what the secrets are for, so that a reset that was stopped leaves a node that still starts.
    let left = flowork_vault::remove(&config.vault_options()).map_err(ResetError::Vault)?;
    for item in now.items.iter().filter(is_vaults) {
        delete(&item.path)?;
    }
    drop(lock);
    for item in now.items.iter().filter(|item| !is_not_lock(&item.path)) {
        delete_lock(data_dir, &item.path)?;
    }
    // Only if nothing else is in it.
    let _ = fs::remove_dir(data_dir);
    Ok(ResetDone { bytes: now.bytes(), left })
}

fn is_not_lock(path: &Path) -> bool {
    !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LOCK))
}

/// A node that was started in the very moment has the lock again, and keeps it.
fn delete_lock(data_dir: &Path, path: &Path) -> Result<(), ResetError> {
    if InstanceLock::find(data_dir)?.is_some() {
        return Ok(());
    }
    delete(path)
}

fn delete(path: &Path) -> Result<(), ResetError> {
    let deleted = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match deleted {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ResetError::Delete { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn what_is(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let fits = |(known, whole, _): &&(&str, bool, _)| if *whole { name == *known } else { name.starts_with(known) };
    KNOWN.iter().find(fits).map(|(_, _, what)| *what)
}

/// What is in a directory, by name.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, ResetError> {
    let read = |source| ResetError::Read { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let found: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut found = found.map_err(read)?;
    found.sort();
    Ok(found)
}

fn item(path: PathBuf, what: &'static str) -> Result<ResetItem, ResetError> {
    let bytes = bytes_of(&path)?;
    Ok(ResetItem { path, what, bytes })
}

/// How much a file has, or a directory with all that is in it. Links are not followed, as they are not when deleting.
fn bytes_of(path: &Path) -> Result<u64, ResetError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        // A node that runs makes and deletes files.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(source) => return Err(ResetError::Read { path: path.to_owned(), source }),
    };
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    entries(path)?.iter().map(|path| bytes_of(path)).sum()
}

#[cfg(test)]
mod tests;
