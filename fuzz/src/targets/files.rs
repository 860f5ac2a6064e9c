//! Files of a data directory that somebody else may have written.

use std::{collections::BTreeMap, fs, path::Path};

use flowork_node::{Config, Flags};
use flowork_vault::{BackEnd, Vault, VaultChoice, VaultOptions};

use crate::node::Scratch;

pub(super) fn config(data: &[u8]) {
    thread_local!(static FOLDER: Scratch = Scratch::new("config"));
    FOLDER.with(|folder| {
        fs::write(folder.path().join("config.toml"), data).expect("a file can be written");
        let flags = Flags { data_dir: Some(folder.path().display().to_string()), ..Flags::default() };
        match Config::load_with(&flags, &BTreeMap::new()) {
            Ok(config) => drop(config.vault_options()),
            Err(error) => drop((error.to_string(), error.hint())),
        }
    });
}

/// The first byte says which file of a vault is replaced or changed, the rest is what it becomes.
pub(super) fn vault(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else { return };
    thread_local!(static SOUND: SoundVault = SoundVault::new());
    SOUND.with(|sound| sound.check(*which, bytes));
}

/// A vault with one item, and its files as they were.
struct SoundVault {
    folder: Scratch,
    files: Vec<(std::path::PathBuf, Vec<u8>)>,
}

const ITEM: &str = "fuzz/item";

impl SoundVault {
    fn new() -> Self {
        let folder = Scratch::new("vault");
        let data_dir = folder.path().join("data");
        fs::create_dir_all(&data_dir).expect("a folder can be made");
        let vault = Vault::open_or_create(options(folder.path())).expect("a new vault");
        vault.set(ITEM, &flowork_vault::Secret::new(b"kept".to_vec())).expect("an item");
        drop(vault);
        let mut files = Vec::new();
        collect(folder.path(), &mut files);
        files.sort();
        Self { folder, files }
    }

    fn check(&self, which: u8, bytes: &[u8]) {
        let (path, sound) = &self.files[usize::from(which >> 1) % self.files.len()];
        let changed = if which & 1 == 0 { bytes.to_vec() } else { splice(sound, bytes) };
        fs::write(path, &changed).expect("a file can be written");
        match Vault::open(options(self.folder.path())) {
            Ok(vault) => {
                // Whoever changed the file may have made it unusable, but not have put another secret into it.
                let item = vault.get(ITEM);
                if let Ok(Some(item)) = item {
                    assert_eq!(item.expose(), b"kept", "{} was changed unseen", path.display());
                }
                drop(vault.list());
            }
            Err(error) => drop((error.to_string(), error.hint())),
        }
        fs::write(path, sound).expect("a file can be written");
    }
}

/// Puts `bytes` over `sound`, at the place that their first byte says.
fn splice(sound: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut changed = sound.to_vec();
    if let Some((at, bytes)) = bytes.split_first() {
        let from = usize::from(*at).min(changed.len());
        let to = (from + bytes.len()).min(changed.len());
        changed.splice(from..to, bytes.iter().copied());
    }
    changed
}

fn options(folder: &Path) -> VaultOptions {
    VaultOptions {
        data_dir: folder.join("data"),
        choice: VaultChoice::Only(BackEnd::File),
        key_dir: Some(folder.join("keys")),
        ..VaultOptions::default()
    }
}

fn collect(folder: &Path, files: &mut Vec<(std::path::PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let bytes = fs::read(&path).expect("a file");
            if !bytes.is_empty() {
                files.push((path, bytes));
            }
        }
    }
}
