//! Deleting everything that Flowork keeps on this machine for one data directory, and nothing else.
//!
//! What is not known to be Flowork's stays. The plan is shown first; what was not in it is not deleted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use flowork_api_types::Timestamp;
use flowork_node::{Config, ConfigError, Flags, InstanceLock, LockError};
use flowork_vault::{RecordError, Vault, VaultOptions};
use serde::Serialize;

use crate::{
    autostart::{Autostart, AutostartError},
    links,
};

/// The file that is locked for as long as a reset takes, and goes last.
const LOCK: &str = "instance.lock";
/// The file beside it that is locked on Windows.
const LOCK_HELD: &str = "instance.lock.held";
/// The entry that starts the app with the session.
const AUTOSTART: &str = "reset-autostart";
/// The entry by which an AppImage opens links.
const LINKS: &str = "reset-links";

/// What there is in a data directory, and what it is. Files that belong to these are told by [`what_is`].
const KNOWN: [(&str, &str); 18] = [
    ("audit.db", "reset-audit"),
    ("audit.owed", "reset-audit"),
    ("config.toml", "reset-config"),
    ("control.db", "reset-accounts"),
    ("desktop.toml", "reset-preferences"),
    (LOCK, "reset-run"),
    (LOCK_HELD, "reset-run"),
    ("logs", "reset-logs"),
    ("modules", "reset-modules"),
    ("run", "reset-run"),
    ("shards", "reset-jobs"),
    ("snapshots", "reset-snapshots"),
    ("sync.db", "reset-sessions"),
    ("vault.enc", "reset-vault"),
    ("vault.json", "reset-vault"),
    ("vault.lock", "reset-vault"),
    ("window", WINDOW),
    ("window-state.json", WINDOW),
];
/// What the web view keeps, and where windows were.
const WINDOW: &str = "reset-window";
/// Files that a database has beside it while it is open.
const BESIDE_DATABASES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What a reset is of.
#[derive(Clone, Debug)]
pub struct ResetTarget {
    /// The data directory.
    pub data_dir: PathBuf,
    vault: VaultOptions,
}

impl ResetTarget {
    /// The data directory of a configuration.
    pub fn of(config: &Config) -> Self {
        Self { data_dir: config.data_dir.clone(), vault: config.vault_options() }
    }

    /// The data directory of this process, also where its settings cannot be read: that may be why somebody resets it. The
    /// vault's key is then looked for where it is without settings.
    ///
    /// # Errors
    /// The system names no data directory, and nobody else did.
    pub fn find(flags: &Flags) -> Result<Self, ConfigError> {
        let error = match Config::load(flags) {
            Ok(config) => return Ok(Self::of(&config)),
            Err(error) => error,
        };
        tracing::warn!(%error, "the settings cannot be read; the reset goes without them");
        let data_dir = Config::find_data_dir(flags)?;
        let directory = |name| std::env::var_os(name).map(PathBuf::from);
        let vault = VaultOptions {
            data_dir: data_dir.clone(),
            key_dir: directory("FLOWORK_VAULT_KEY_DIR"),
            credentials_dir: directory("CREDENTIALS_DIRECTORY"),
            ..VaultOptions::default()
        };
        Ok(Self { data_dir, vault })
    }
}

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

    /// Whether this is of what somebody agreed to: it is in the plan, or belongs to something there that comes and goes while
    /// a node and a window are closed.
    fn covers(&self, item: &ResetItem) -> bool {
        let is_there = |path: &Path| self.items.iter().any(|item| item.path == path);
        let is_windows = item.what == WINDOW && self.items.iter().any(|item| item.what == WINDOW);
        is_there(&item.path) || is_windows || database_of(&item.path).is_some_and(|database| is_there(&database))
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
    /// The entry that starts the app with the session could not be turned off.
    #[error(transparent)]
    Autostart(#[from] AutostartError),
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
            Self::Autostart(error) => error.hint(),
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

/// Says what a reset would delete. Blocks; may ask the keychain.
///
/// # Errors
/// See [`ResetError`].
pub fn plan(target: &ResetTarget) -> Result<ResetPlan, ResetError> {
    let mut plan = plan_without_secrets(target, autostart(target).as_ref())?;
    if plan.vault.is_some() {
        let names = Vault::open(target.vault.clone()).ok().and_then(|vault| vault.list().ok());
        plan.secrets = names.unwrap_or_default();
    }
    Ok(plan)
}

/// Deletes what is in the plan, with the node stopped. Blocks.
///
/// # Errors
/// See [`ResetError`].
pub fn carry_out(target: &ResetTarget, plan: &ResetPlan) -> Result<ResetDone, ResetError> {
    carry_out_with(target, plan, autostart(target).as_ref())
}

/// The entry that starts this program on the data with the session, where that can be known.
fn autostart(target: &ResetTarget) -> Option<Autostart> {
    Autostart::of_this_program().and_then(|autostart| autostart.with_data_dir(&target.data_dir)).ok()
}

fn plan_without_secrets(target: &ResetTarget, autostart: Option<&Autostart>) -> Result<ResetPlan, ResetError> {
    let data_dir = &target.data_dir;
    let removal = flowork_vault::removal(&target.vault).map_err(ResetError::Vault)?;
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
    if let Some(path) = autostart.and_then(|autostart| autostart.entry_on(data_dir)) {
        items.push(item(path, AUTOSTART)?);
    }
    if let Some(path) = links::handler_on(data_dir) {
        items.push(item(path, LINKS)?);
    }
    let vault = removal.map(|removal| removal.back_end.as_str().to_owned());
    Ok(ResetPlan { data_dir: data_dir.clone(), items, secrets: Vec::new(), vault, kept })
}

fn carry_out_with(
    target: &ResetTarget,
    plan: &ResetPlan,
    autostart: Option<&Autostart>,
) -> Result<ResetDone, ResetError> {
    let data_dir = &target.data_dir;
    if !data_dir.exists() && plan.items.is_empty() {
        return Ok(ResetDone { bytes: 0, left: Vec::new() });
    }
    let lock = InstanceLock::take(data_dir, Timestamp(0))?;
    let now = plan_without_secrets(target, autostart)?;
    if plan.lacks_what_is_in(&now) {
        return Err(ResetError::Changed);
    }
    let (locks, items): (Vec<_>, Vec<_>) = now.items.iter().partition(|item| !is_not_lock(&item.path));
    let (vaults, others): (Vec<_>, Vec<_>) =
        items.into_iter().filter(|item| plan.covers(item)).partition(|item| item.what.starts_with("reset-vault"));
    for item in &others {
        match autostart {
            Some(autostart) if item.what == AUTOSTART => autostart.set(false)?,
            _ => delete(&item.path)?,
        }
    }
    // After what the secrets are for, so that a reset that was stopped leaves a node that still starts.
    let left = flowork_vault::remove(&target.vault).map_err(ResetError::Vault)?;
    for item in &vaults {
        delete(&item.path)?;
    }
    drop(lock);
    for item in &locks {
        delete_lock(data_dir, &item.path)?;
    }
    // Only if nothing else is in it.
    let _ = fs::remove_dir(data_dir);
    Ok(ResetDone { bytes: others.iter().chain(&vaults).chain(&locks).map(|item| item.bytes).sum(), left })
}

fn is_not_lock(path: &Path) -> bool {
    !path.file_name().is_some_and(|name| name == LOCK || name == LOCK_HELD)
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

/// Says what something in a data directory is, by all of its name; `None` where it is not Flowork's.
fn what_is(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let known = |name: &str| KNOWN.iter().find(|(known, _)| name == *known).map(|(_, what)| *what);
    if let Some(what) = known(name) {
        return Some(what);
    }
    if let Some(database) = database_of(path) {
        return known(database.file_name()?.to_str()?);
    }
    let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|letter| letter.is_digit(radix));
    // The file of a vault after the first, and what is left of a check whether the directory can be written.
    let vault = name.strip_prefix("vault-").and_then(|name| name.strip_suffix(".enc"));
    if vault.is_some_and(|id| id.len() == 32 && digits(id, 16)) {
        return Some("reset-vault");
    }
    name.strip_prefix(".write-probe-").is_some_and(|pid| digits(pid, 10)).then_some("reset-run")
}

/// The database that a file is beside of.
fn database_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let database = path.with_file_name(BESIDE_DATABASES.iter().find_map(|end| name.strip_suffix(end))?);
    (database.extension()? == "db").then_some(database)
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
