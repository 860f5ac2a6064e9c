//! Writes the manifests of the shipped modules into the modules folder, without ever undoing what a person did there.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// What was shipped into this folder, beside the modules.
const RECORD: &str = ".shipped.json";

struct ShippedModule {
    id: &'static str,
    files: [(&'static str, &'static str); 2],
}

macro_rules! shipped {
    ($id:literal) => {
        ShippedModule {
            id: $id,
            files: [
                ("manifest.json", include_str!(concat!("../../../assets/modules/", $id, "/manifest.json"))),
                ("README.md", include_str!(concat!("../../../assets/modules/", $id, "/README.md"))),
            ],
        }
    };
}

const SHIPPED: [ShippedModule; 3] = [shipped!("csv-profile"), shipped!("image-thumbnails"), shipped!("site-check")];

/// What [`install`] did, by module id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Were not there before.
    pub written: Vec<&'static str>,
    /// Were there in an older version.
    pub updated: Vec<&'static str>,
    /// Were changed by a person, or are a person's own; left alone.
    pub kept: Vec<&'static str>,
    /// Were deleted by a person, and stay so.
    pub deleted: Vec<&'static str>,
}

/// Why the shipped modules can't be written.
#[derive(Debug, thiserror::Error)]
#[error("can't write the shipped module files at {path}")]
pub struct InstallError {
    /// Where.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// One module as it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    version: String,
    /// BLAKE3 of each file, by name.
    files: BTreeMap<String, String>,
}

type Record = BTreeMap<String, Entry>;

/// Writes each shipped module that is not in `modules_dir`, and brings up to date those nobody changed.
///
/// # Errors
/// A file or folder can't be written.
pub fn install(modules_dir: &Path) -> Result<Installed, InstallError> {
    create(modules_dir)?;
    let record_path = modules_dir.join(RECORD);
    let mut record: Record =
        std::fs::read(&record_path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let mut installed = Installed::default();
    for module in &SHIPPED {
        let folder = modules_dir.join(module.id);
        let entry = module.entry();
        match (record.get(module.id), folder.exists()) {
            (Some(_), false) => {
                installed.deleted.push(module.id);
                continue;
            }
            (Some(known), true) if !is_unchanged(&folder, known) => {
                installed.kept.push(module.id);
                continue;
            }
            (Some(known), true) if !is_newer(&entry.version, &known.version) => continue,
            (Some(_), true) => {
                module.write(&folder)?;
                installed.updated.push(module.id);
            }
            // The same files without a record: a run that ended between the two writes.
            (None, true) if is_unchanged(&folder, &entry) => {}
            (None, true) => {
                installed.kept.push(module.id);
                continue;
            }
            (None, false) => {
                module.write_new(modules_dir, &folder)?;
                installed.written.push(module.id);
            }
        }
        record.insert(module.id.to_owned(), entry);
        let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
        write(&record_path, &text)?;
    }
    Ok(installed)
}

impl ShippedModule {
    fn entry(&self) -> Entry {
        let files = self
            .files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), blake3::hash(text.as_bytes()).to_hex().to_string()))
            .collect();
        let version = serde_json::from_str::<serde_json::Value>(self.files[0].1)
            .ok()
            .and_then(|manifest| manifest["version"].as_str().map(ToOwned::to_owned))
            .unwrap_or_default();
        Entry { version, files }
    }

    fn write(&self, folder: &Path) -> Result<(), InstallError> {
        for (name, text) in &self.files {
            write(&folder.join(name), text.as_bytes())?;
        }
        Ok(())
    }

    /// Fills a hidden folder and renames it, so that nobody ever sees half a module.
    fn write_new(&self, modules_dir: &Path, folder: &Path) -> Result<(), InstallError> {
        let partial = modules_dir.join(format!(".{}.part", self.id));
        create(&partial)?;
        self.write(&partial)?;
        std::fs::rename(&partial, folder).map_err(|source| InstallError { path: folder.to_owned(), source })
    }
}

fn is_unchanged(folder: &Path, entry: &Entry) -> bool {
    entry.files.iter().all(|(name, hash)| {
        std::fs::read(folder.join(name)).is_ok_and(|bytes| blake3::hash(&bytes).to_hex().as_str() == hash)
    })
}

/// Compares `1.2.3` number by number.
fn is_newer(version: &str, than: &str) -> bool {
    let numbers = |text: &str| text.split('.').map(|part| part.parse::<u64>().unwrap_or(0)).collect::<Vec<_>>();
    numbers(version) > numbers(than)
}

fn create(path: &Path) -> Result<(), InstallError> {
    std::fs::create_dir_all(path).map_err(|source| InstallError { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), InstallError> {
    let partial = path.with_extension("part");
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|source| InstallError { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change_record(dir: &Path, change: impl FnOnce(&mut Record)) {
        let path = dir.join(RECORD);
        let mut record = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut record);
        std::fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
    }

    #[test]
    fn shipped_modules_are_written_once() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(install(dir.path()).unwrap().written, crate::NAMES);
        assert!(dir.path().join("csv-profile/manifest.json").is_file());
        assert_eq!(install(dir.path()).unwrap(), Installed::default());
    }

    #[test]
    fn a_deleted_module_stays_deleted() {
        let dir = tempfile::tempdir().unwrap();
        install(dir.path()).unwrap();
        std::fs::remove_dir_all(dir.path().join("site-check")).unwrap();
        assert_eq!(install(dir.path()).unwrap().deleted, ["site-check"]);
        assert!(!dir.path().join("site-check").exists());
    }

    #[test]
    fn an_older_module_is_updated_unless_a_person_changed_it() {
        let dir = tempfile::tempdir().unwrap();
        install(dir.path()).unwrap();
        for id in ["csv-profile", "site-check"] {
            let manifest = dir.path().join(id).join("manifest.json");
            std::fs::write(&manifest, "old").unwrap();
            change_record(dir.path(), |record| {
                let entry = record.get_mut(id).unwrap();
                entry.version = "0.0.9".to_owned();
                entry.files.insert("manifest.json".to_owned(), blake3::hash(b"old").to_hex().to_string());
            });
        }
        std::fs::write(dir.path().join("site-check/manifest.json"), "mine").unwrap();
        let installed = install(dir.path()).unwrap();
        assert_eq!((installed.updated, installed.kept), (vec!["csv-profile"], vec!["site-check"]));
        assert_eq!(std::fs::read_to_string(dir.path().join("site-check/manifest.json")).unwrap(), "mine");
        assert!(std::fs::read_to_string(dir.path().join("csv-profile/manifest.json")).unwrap().contains("csv-profile"));
    }

    #[test]
    fn a_persons_own_folder_of_the_same_name_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("csv-profile")).unwrap();
        std::fs::write(dir.path().join("csv-profile/manifest.json"), "mine").unwrap();
        assert_eq!(install(dir.path()).unwrap().kept, ["csv-profile"]);
        assert_eq!(std::fs::read_to_string(dir.path().join("csv-profile/manifest.json")).unwrap(), "mine");
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(is_newer("1.10.0", "1.9.9"));
        assert!(!is_newer("1.0.0", "1.0.0"));
        assert!(!is_newer("0.9.0", "1.0.0"));
    }
}
