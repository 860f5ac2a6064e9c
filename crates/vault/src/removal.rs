//! Taking a vault away for good: its key, its encrypted file, and the record of where they are.

use std::{fs, io, path::PathBuf};

use crate::{
    BackEnd, RecordError, VaultOptions, disk, keeper, place,
    record::{Guard, Place, Record},
};

/// What [`remove`] takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Who keeps the key. The entry of a keychain goes, too; a passphrase and a credential of systemd are not ours.
    pub back_end: BackEnd,
    /// Encrypted files, key files and records that are there.
    pub files: Vec<PathBuf>,
}

/// Says what [`remove`] would take away; `None` where there is no vault. Asks no keychain and reads no secret.
///
/// # Errors
/// The record cannot be read.
pub fn removal(options: &VaultOptions) -> Result<Option<Removal>, RecordError> {
    let Some(record) = Record::read(&options.data_dir)? else { return Ok(None) };
    let mut files: Vec<PathBuf> = places(&record).flat_map(|place| files_of(options, &place)).collect();
    files.extend([Record::path(&options.data_dir), Guard::path(&options.data_dir)]);
    files.retain(|path| path.exists());
    files.dedup();
    Ok(Some(Removal { back_end: record.place().back_end, files }))
}

/// Takes the vault away and returns what could not be, with the reason; without its file a key that is left opens nothing.
/// Nothing may use the vault meanwhile.
///
/// # Errors
/// The record cannot be read, or it cannot be removed; what it names may be gone.
pub fn remove(options: &VaultOptions) -> Result<Vec<String>, RecordError> {
    let Some(record) = Record::read(&options.data_dir)? else { return Ok(Vec::new()) };
    let guard = Guard::take(&options.data_dir)?;
    let mut left = Vec::new();
    for place in places(&record) {
        if let Err(error) = place::erase(options, &place) {
            left.push(chain(&error));
            let path = place.path(&options.data_dir);
            disk::erase(&path).map_err(|source| RecordError::Io { path, source })?;
        }
        if let Some(key) = key_file(options, &place)
            && options.key_dir.is_none()
            && let Some(directory) = key.parent()
        {
            // It is ours, and other vaults may have their keys in it; then it is not empty, and stays.
            let _ = fs::remove_dir(directory);
        }
    }
    gone(Record::path(&options.data_dir))?;
    drop(guard);
    gone(Guard::path(&options.data_dir))?;
    Ok(left)
}

fn places(record: &Record) -> impl Iterator<Item = Place> {
    std::iter::once(record.place()).chain(record.leftovers.clone())
}

fn files_of(options: &VaultOptions, place: &Place) -> impl Iterator<Item = PathBuf> + use<> {
    [Some(place.path(&options.data_dir)), key_file(options, place)].into_iter().flatten()
}

/// The file that has the key, where it is one that we made.
fn key_file(options: &VaultOptions, place: &Place) -> Option<PathBuf> {
    let is_ours = place.back_end == BackEnd::File;
    keeper::keeper(options, place).ok().filter(|_| is_ours)?.path()
}

fn gone(path: PathBuf) -> Result<(), RecordError> {
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RecordError::Io { path, source }),
        _ => Ok(()),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", chain(cause)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Secret, Vault, VaultChoice};

    #[test]
    fn vault_is_taken_away_with_its_key_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let (data_dir, key_dir) = (root.path().join("data"), root.path().join("keys"));
        fs::create_dir_all(&data_dir).unwrap();
        fs::write(data_dir.join("mine"), "").unwrap();
        let options = VaultOptions {
            data_dir: data_dir.clone(),
            key_dir: Some(key_dir.clone()),
            choice: VaultChoice::Only(BackEnd::File),
            ..VaultOptions::default()
        };
        assert_eq!(removal(&options).unwrap(), None);
        assert!(remove(&options).unwrap().is_empty(), "there is nothing to take away");
        let vault = Vault::open_or_create(options.clone()).unwrap();
        vault.set("a", &Secret::new(b"secret".to_vec())).unwrap();
        drop(vault);

        let found = removal(&options).unwrap().unwrap();
        assert_eq!(found.back_end, BackEnd::File);
        let mut there: Vec<_> = [&data_dir, &key_dir]
            .into_iter()
            .flat_map(|directory| fs::read_dir(directory).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with("mine"))
            .collect();
        let mut named = found.files;
        there.sort();
        named.sort();
        assert_eq!(named, there, "it names every file there is");

        assert!(remove(&options).unwrap().is_empty());
        assert!(there.iter().all(|path| !path.exists()));
        assert!(data_dir.join("mine").exists());
        assert!(key_dir.exists(), "a directory that somebody chose is not ours");
        assert_eq!(removal(&options).unwrap(), None);
    }
}
