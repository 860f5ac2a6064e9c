//! Files of a data directory that somebody else may have written.

use std::{collections::BTreeMap, fs, ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use flowork_api_types::{
    Timestamp,
    audit::{ActorKind, AuditQuery, AuditReport},
};
use flowork_audit::{Actor, Audit, AuditKey, AuditOptions, Entry, Export, PersonalSignatures, list_file, verify_file};
use flowork_node::{Config, Flags};
use flowork_vault::{BackEnd, Vault, VaultChoice, VaultOptions};

use crate::node::{Scratch, runtime};

/// 2026-03-29T00:00:00Z
const NOW: Timestamp = Timestamp(1_774_742_400_000);

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

/// After an even byte a value for a column of a row of the audit log, after an odd one bytes that are put over its file.
pub(super) fn audit_rows(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    thread_local!(static SOUND: SoundLog = SoundLog::new());
    SOUND.with(|sound| sound.check(*kind, bytes));
}

/// A log with some entries and a signed head.
struct SoundLog {
    folder: Scratch,
    file: Vec<u8>,
    key: AuditKey,
}

impl SoundLog {
    fn new() -> Self {
        let folder = Scratch::new("audit");
        let key = AuditKey::from_secret(&[7; flowork_audit::KEY_BYTES]).expect("a key");
        let path = folder.path().join("sound.db");
        let options = AuditOptions {
            path: path.clone(),
            key: key.clone(),
            expected: false,
            retention: Duration::from_hours(24 * 180),
            now: Arc::new(|| NOW),
            uptime: Arc::new(|| Duration::ZERO),
            signatures: Arc::new(PersonalSignatures),
            tell: Arc::new(|trouble| panic!("{trouble:?}")),
        };
        runtime().block_on(async {
            let audit = Audit::open(options).await.expect("a new log");
            for number in 0..12_u16 {
                let entry = Entry::new(Actor::named(ActorKind::Person, format!("m_{number}")), "member.update")
                    .route("PATCH", "/v1/members/{subject}")
                    .ip("192.0.2.7")
                    .object("m_1")
                    .answered(200 + number % 2 * 203, None)
                    .detail(&serde_json::json!({"number": number}));
                audit.record(entry).await.expect("an entry");
            }
            audit.close().await;
        });
        let file = fs::read(&path).expect("a file");
        let sound = Self { folder, file, key };
        assert!(sound.report(&path).expect("a report").ok);
        sound
    }

    fn report(&self, path: &Path) -> Option<AuditReport> {
        verify_file(path, &self.key, &PersonalSignatures, &mut |_| ControlFlow::Continue(())).ok()
    }

    fn check(&self, kind: u8, bytes: &[u8]) {
        let path = self.folder.path().join("changed.db");
        let is_row = kind & 1 == 0;
        fs::write(&path, if is_row { self.file.clone() } else { splice_far(&self.file, bytes) }).expect("a file");
        let changed = is_row && flowork_audit::fuzzing::put_value(&path, bytes).expect("a log");
        let report = self.report(&path);
        if is_row {
            let report = report.expect("a log that can be read");
            assert!(!changed || !report.ok, "a changed row was not found");
        }
        // Whoever reads it while no node runs.
        drop(list_file(&path, &self.key, &AuditQuery::default()));
        drop(Export::new(AuditQuery::default()).of_file(&path, &self.key, |_| Ok(())));
        for suffix in ["-wal", "-shm", "-journal"] {
            drop(fs::remove_file(self.folder.path().join(format!("changed.db{suffix}"))));
        }
    }
}

/// As [`splice`], with a place of two bytes.
fn splice_far(sound: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut changed = sound.to_vec();
    if let [high, low, bytes @ ..] = bytes {
        let from = usize::from(u16::from_be_bytes([*high, *low])).min(changed.len());
        let to = (from + bytes.len()).min(changed.len());
        changed.splice(from..to, bytes.iter().copied());
    }
    changed
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
