//! `vault.json`: where the secrets of a data directory are. It holds no secret.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};

use crate::{BackEnd, disk, sealed};

/// The format that this version writes. It also reads version 1, in which a keychain kept the items one by one.
const RECORD_VERSION: u32 = 2;
/// The file of a vault that was made by a first start.
const FIRST_FILE: &str = "vault.enc";

/// What `vault.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    version: u32,
    backend: BackEnd,
    id: String,
    #[serde(default = "first_file")]
    file: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    items: BTreeSet<String>,
    /// What a migration has begun to make, or has yet to erase. Never what is in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) leftovers: Vec<Place>,
}

/// One place that has, or had, or was about to have the secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// Who keeps the key.
    #[serde(rename = "backend")]
    pub(crate) back_end: BackEnd,
    /// Tells this vault from others on the machine, also after the data directory was moved.
    pub(crate) id: String,
    /// The encrypted file, in the data directory.
    pub(crate) file: String,
    /// Entries in the keychain, from before there was a file.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) items: BTreeSet<String>,
}

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk said no.
    #[error("cannot use {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what this version writes.
    #[error("{} does not say where the secrets are: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Secrets are there, and nothing that says whose they are.
    #[error("{} is gone, and {} has secrets", .path.display(), .sealed.display())]
    Gone {
        /// The record.
        path: PathBuf,
        /// An encrypted file that it must have named.
        sealed: PathBuf,
    },
    /// No randomness.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

impl RecordError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Gone { path, sealed } => Some(format!(
                "restore {} from the backup that {} is from; to begin anew without those secrets, move {} out of the \
                 data directory",
                path.display(),
                sealed.display(),
                sealed.display()
            )),
            Self::Io { .. } | Self::Unreadable { .. } | Self::NoRandomness => None,
        }
    }
}

impl Place {
    /// One for a first start.
    pub(crate) fn first(back_end: BackEnd, id: String) -> Self {
        Self { back_end, id, file: first_file(), items: BTreeSet::new() }
    }

    /// One beside those that there are.
    pub(crate) fn further(back_end: BackEnd, id: String) -> Self {
        Self { back_end, file: format!("vault-{id}.enc"), id, items: BTreeSet::new() }
    }

    pub(crate) fn path(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(&self.file)
    }

    /// Id and file become parts of paths, so they must be what we make.
    fn check(&self) -> Result<(), &'static str> {
        if !is_id(&self.id) {
            return Err("its id is not 32 hexadecimal digits");
        }
        if self.file != FIRST_FILE && self.file != format!("vault-{}.enc", self.id) {
            return Err("its file is not one of a vault");
        }
        Ok(())
    }
}

impl Record {
    pub(crate) fn new(place: Place) -> Self {
        let Place { back_end, id, file, items } = place;
        Self { version: RECORD_VERSION, backend: back_end, id, file, items, leftovers: Vec::new() }
    }

    /// Where the secrets are.
    pub(crate) fn place(&self) -> Place {
        let Self { backend, id, file, items, .. } = self.clone();
        Place { back_end: backend, id, file, items }
    }

    /// Whether the secrets are entries in the keychain, as they were before there was a file.
    pub(crate) fn is_legacy(&self) -> bool {
        self.version == 1 && self.backend == BackEnd::Keychain
    }

    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("vault.json")
    }

    /// Reads the record; `None` where there is none yet, and no secrets either: one that was lost would be taken for a
    /// first start, which makes a new vault over the one that is there.
    pub(crate) fn find(data_dir: &Path) -> Result<Option<Self>, RecordError> {
        if let Some(record) = Self::read(data_dir)? {
            return Ok(Some(record));
        }
        let Some(sealed) = file_with_items(data_dir)? else { return Ok(None) };
        // A first start that goes on meanwhile writes the record before it keeps anything.
        match Self::read(data_dir)? {
            Some(record) => Ok(Some(record)),
            None => Err(RecordError::Gone { path: Self::path(data_dir), sealed }),
        }
    }

    /// Reads the record; `None` where there is no such file.
    pub(crate) fn read(data_dir: &Path) -> Result<Option<Self>, RecordError> {
        let path = Self::path(data_dir);
        match fs::read(&path) {
            Ok(text) => Self::parse(&text).map(Some).map_err(|reason| RecordError::Unreadable { path, reason }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RecordError::Io { path, source }),
        }
    }

    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let versioned: Versioned = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if !(1..=RECORD_VERSION).contains(&versioned.version) {
            return Err(format!("its version is {}, this Flowork knows up to {RECORD_VERSION}", versioned.version));
        }
        let record: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        for place in std::iter::once(&record.place()).chain(&record.leftovers) {
            place.check().map_err(str::to_owned)?;
        }
        if record.leftovers.iter().any(|place| place.id == record.id || place.file == record.file) {
            return Err("it names what is in use as something to erase".to_owned());
        }
        Ok(record)
    }

    pub(crate) fn write(&self, data_dir: &Path) -> Result<(), RecordError> {
        let path = Self::path(data_dir);
        let mut text = serde_json::to_vec_pretty(self).expect("a struct of strings is valid JSON");
        text.push(b'\n');
        disk::replace(&path, &text).map_err(|source| RecordError::Io { path, source })
    }
}

/// Keeps other processes from changing the vault; released when dropped.
pub(crate) struct Guard {
    _file: File,
}

impl Guard {
    pub(crate) fn take(data_dir: &Path) -> Result<Self, RecordError> {
        let (file, path) = Self::open(data_dir)?;
        file.lock().map_err(|source| RecordError::Io { path, source })?;
        Ok(Self { _file: file })
    }

    /// None while somebody else has it.
    pub(crate) fn try_take(data_dir: &Path) -> Result<Option<Self>, RecordError> {
        let (file, path) = Self::open(data_dir)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(RecordError::Io { path, source }),
        }
    }

    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("vault.lock")
    }

    fn open(data_dir: &Path) -> Result<(File, PathBuf), RecordError> {
        let path = Self::path(data_dir);
        match File::options().create(true).truncate(false).write(true).open(&path) {
            Ok(file) => Ok((file, path)),
            Err(source) => Err(RecordError::Io { path, source }),
        }
    }
}

/// A new id: 32 hexadecimal digits.
pub(crate) fn new_id() -> Result<String, RecordError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| RecordError::NoRandomness)?;
    Ok(bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

/// An encrypted file of a vault that has something in it. An empty one is what a first start leaves that ended before
/// its record was written: nothing is lost with it.
fn file_with_items(data_dir: &Path) -> Result<Option<PathBuf>, RecordError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| RecordError::Io { path, source }
    };
    let entries = match fs::read_dir(data_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(data_dir)(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io(data_dir))?;
        if is_sealed_file(&entry.file_name().to_string_lossy()) {
            files.push(entry.path());
        }
    }
    files.sort();
    for path in files {
        if sealed::may_hold_items(&path).map_err(io(&path))? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether a file is called what a place calls its own.
fn is_sealed_file(name: &str) -> bool {
    let id = name.strip_prefix("vault-").and_then(|rest| rest.strip_suffix(".enc"));
    name == FIRST_FILE || id.is_some_and(is_id)
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn first_file() -> String {
    FIRST_FILE.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";
    const OTHER: &str = "ffeeddccbbaa99887766554433221100";

    fn refusal(json: &str) -> String {
        Record::parse(json.as_bytes()).expect_err("no record")
    }

    #[test]
    fn record_is_read_back() {
        let mut record = Record::new(Place::further(BackEnd::Passphrase, ID.to_owned()));
        record.leftovers.push(Place::first(BackEnd::File, OTHER.to_owned()));
        assert_eq!(Record::parse(&serde_json::to_vec(&record).unwrap()), Ok(record));
    }

    #[test]
    fn record_of_the_first_version_names_the_first_file() {
        let json = format!(r#"{{"version":1,"backend":"keychain","id":"{ID}","items":["jwt/user"]}}"#);
        let record = Record::parse(json.as_bytes()).unwrap();
        assert!(record.is_legacy());
        assert_eq!(record.place().file, "vault.enc");
        assert_eq!(record.place().items.len(), 1);
    }

    #[test]
    fn record_that_leads_elsewhere_or_erases_what_is_used_is_refused() {
        let with = |rest: &str| format!(r#"{{"version":2,"backend":"file","id":"{ID}"{rest}}}"#);
        assert!(Record::parse(with("").as_bytes()).is_ok());
        assert!(refusal(&with(r#","file":"../vault.enc""#)).contains("not one of a vault"));
        assert!(refusal(&with(&format!(r#","file":"vault-{OTHER}.enc""#))).contains("not one of a vault"));
        let leftover =
            |id: &str, file: &str| with(&format!(r#","leftovers":[{{"backend":"file","id":"{id}","file":"{file}"}}]"#));
        assert!(refusal(&leftover("..", "vault.enc")).contains("hexadecimal"));
        assert!(refusal(&leftover(OTHER, "vault.enc")).contains("in use"));
        assert!(refusal(&leftover(ID, &format!("vault-{ID}.enc"))).contains("in use"));
        assert!(Record::parse(leftover(OTHER, &format!("vault-{OTHER}.enc")).as_bytes()).is_ok());
        assert!(refusal(r#"{"version":9,"more":1}"#).contains("its version is 9"));
        assert!(refusal(&with(r#","more":1"#)).contains("unknown field"));
    }
}
