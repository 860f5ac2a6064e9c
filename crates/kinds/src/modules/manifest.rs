//! `manifest.json`: read, checked, and explained where it is wrong.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use flowork_api_types::kind::KindDescriptor;
use flowork_engine::kind::nearest;
use serde::Deserialize;
use serde_json::Value;

/// Name of the file.
pub(super) const FILE_NAME: &str = "manifest.json";
/// Stands for the running program in a command.
pub(super) const FLOWORK: &str = "{flowork}";
/// Longer than any manifest a person writes.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
const ID_CHARS_MAX: usize = 63;
const TIMEOUT_MS_DEFAULT: u64 = 300_000;
const OUTPUT_BYTES_DEFAULT: u64 = 16 << 20;
/// An attempt may take a day, as everywhere.
const TIMEOUT_MS_MAX: u64 = 86_400_000;

/// Why a module's folder can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ManifestError {
    /// What is wrong.
    pub reason: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl ManifestError {
    fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: Some(hint.into()) }
    }
}

/// A module as its folder describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    #[serde(default)]
    pub(super) description: String,
    pub(super) entry: Entry,
    #[serde(default = "any_object")]
    pub(super) inputs: Value,
    #[serde(default)]
    pub(super) permissions: Permissions,
    #[serde(default)]
    pub(super) limits: Limits,
    /// Inputs to try the module with.
    #[serde(default)]
    pub(super) examples: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) command: Vec<String>,
}

/// Declared and shown, not enforced.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Permissions {
    pub(super) network: bool,
    pub(super) read: Vec<String>,
    pub(super) write: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) timeout_ms: u64,
    /// Declared for people; not enforced.
    pub(super) memory_bytes_max: Option<u64>,
    pub(super) output_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout_ms: TIMEOUT_MS_DEFAULT, memory_bytes_max: None, output_bytes_max: OUTPUT_BYTES_DEFAULT }
    }
}

fn any_object() -> Value {
    serde_json::json!({"type": "object"})
}

/// Keys of a manifest and of the objects in it, to name the nearest of a key that is none.
const KEYS: [(&str, &[&str]); 4] = [
    ("", &["id", "name", "version", "description", "entry", "inputs", "permissions", "limits", "examples"]),
    ("entry", &["command"]),
    ("permissions", &["network", "read", "write"]),
    ("limits", &["timeout_ms", "memory_bytes_max", "output_bytes_max"]),
];

impl Manifest {
    /// Reads and checks the manifest in `folder`.
    ///
    /// # Errors
    /// It can't be used; says why and what to do.
    pub(super) fn load(folder: &Path) -> Result<Self, ManifestError> {
        let manifest = parse(&read(folder)?)?;
        manifest.check(folder)?;
        Ok(manifest)
    }

    /// The kind this module is.
    pub(super) fn descriptor(&self) -> KindDescriptor {
        let mut description = self.description.clone();
        let declared = self.permissions.describe();
        if !declared.is_empty() {
            description = format!("{description} Declares: {declared}.");
        }
        KindDescriptor {
            name: kind_name(&self.id),
            title: self.name.clone(),
            description: description.trim().to_owned(),
            payload_schema: self.inputs.clone(),
            timeout_ms: self.limits.timeout_ms,
            reaches_machine: true,
        }
    }

    fn check(&self, folder: &Path) -> Result<(), ManifestError> {
        check_id(&self.id)?;
        let folder_name = folder.file_name().unwrap_or_default().to_string_lossy();
        if folder_name != self.id {
            return Err(ManifestError::new(
                format!("the id is {:?} but the folder is named {folder_name:?}", self.id),
                format!("rename the folder to {:?}, or set \"id\": {folder_name:?}", self.id),
            ));
        }
        if self.name.trim().is_empty() || self.version.trim().is_empty() {
            return Err(ManifestError::new(
                "name or version is empty",
                "give the module a name and a version such as 1.0.0",
            ));
        }
        if !(1..=TIMEOUT_MS_MAX).contains(&self.limits.timeout_ms) || self.limits.output_bytes_max == 0 {
            return Err(ManifestError::new(
                "a limit is out of range",
                format!("limits.timeout_ms is from 1 to {TIMEOUT_MS_MAX}, limits.output_bytes_max at least 1"),
            ));
        }
        if !self.inputs.is_object() {
            return Err(ManifestError::new(
                "inputs is no JSON Schema object",
                "write \"inputs\": {\"type\": \"object\", \"properties\": {…}}",
            ));
        }
        if let Err(error) = jsonschema::validator_for(&self.inputs) {
            return Err(ManifestError::new(
                format!("inputs is not a valid JSON Schema: {error} (at inputs{})", error.instance_path()),
                "see https://json-schema.org/understanding-json-schema for what a schema may hold",
            ));
        }
        self.program(folder, Path::new(FLOWORK)).map(|_| ())
    }

    /// The program to start: a file in the folder, a program on the PATH, or `flowork` itself.
    pub(super) fn program(&self, folder: &Path, flowork: &Path) -> Result<PathBuf, ManifestError> {
        let Some(program) = self.entry.command.first().filter(|program| !program.is_empty()) else {
            return Err(ManifestError::new(
                "entry.command is empty",
                "write \"entry\": {\"command\": [\"./program\"]}",
            ));
        };
        if program == FLOWORK {
            return Ok(flowork.to_owned());
        }
        let path = Path::new(program);
        let is_bare = path.components().count() == 1 && matches!(path.components().next(), Some(Component::Normal(_)));
        let inside = folder.join(path);
        if is_bare && !program.starts_with('.') && !inside.is_file() {
            return Ok(path.to_owned());
        }
        let outside = || {
            ManifestError::new(
                format!("the program {program:?} is outside of the module's folder"),
                "put it into the folder, or name a program on the PATH without slashes",
            )
        };
        if path.is_absolute() {
            return Err(outside());
        }
        let (folder, program_path) = match (folder.canonicalize(), inside.canonicalize()) {
            (Ok(folder), Ok(program)) => (folder, program),
            (_, Err(error)) | (Err(error), _) => {
                return Err(ManifestError::new(
                    format!("the program {program:?} can't be found: {error}"),
                    "entry.command starts with a path below the folder, a program on the PATH, or {flowork}",
                ));
            }
        };
        if !program_path.starts_with(&folder) {
            return Err(outside());
        }
        if !is_executable(&program_path) {
            return Err(ManifestError::new(
                format!("the program {program:?} may not be executed"),
                // The path as the manifest has it: where the folder is, not everybody who reads this may know.
                format!("make it executable: chmod +x {program}, in the module's folder"),
            ));
        }
        Ok(program_path)
    }
}

impl Permissions {
    /// For a person.
    pub(super) fn describe(&self) -> String {
        let mut parts = Vec::new();
        if self.network {
            parts.push("uses the network".to_owned());
        }
        if !self.read.is_empty() {
            parts.push(format!("reads {}", self.read.join(", ")));
        }
        if !self.write.is_empty() {
            parts.push(format!("writes {}", self.write.join(", ")));
        }
        parts.join("; ")
    }
}

/// The name of the kind of a module.
pub(super) fn kind_name(id: &str) -> String {
    format!("module.{id}")
}

/// Checks that text can be an id: lower-case letters, digits and dashes.
pub(super) fn check_id(id: &str) -> Result<(), ManifestError> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if id.is_empty() || id.len() > ID_CHARS_MAX || !id.bytes().all(good) || id.starts_with('-') {
        return Err(ManifestError::new(
            format!("{id:?} can't be an id"),
            format!("use lower-case letters, digits and dashes, at most {ID_CHARS_MAX}, for example csv-profile"),
        ));
    }
    Ok(())
}

fn read(folder: &Path) -> Result<String, ManifestError> {
    let path = folder.join(FILE_NAME);
    let metadata = std::fs::metadata(&path);
    if metadata.is_ok_and(|metadata| metadata.len() > MANIFEST_BYTES_MAX) {
        return Err(ManifestError::new(format!("{FILE_NAME} is longer than {MANIFEST_BYTES_MAX} bytes"), "shorten it"));
    }
    std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ManifestError::new(
            format!("there is no {FILE_NAME} in the folder"),
            "write one, or make a module with: flowork module new ID",
        ),
        _ => {
            ManifestError::new(format!("{FILE_NAME} can't be read: {error}"), "let the user that runs the node read it")
        }
    })
}

pub(super) fn parse(text: &str) -> Result<Manifest, ManifestError> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        ManifestError::new(format!("{FILE_NAME} is not valid JSON: {error}"), "correct it at that line and column")
    })?;
    for (object, known) in KEYS {
        let Some(keys) = (if object.is_empty() { &value } else { &value[object] }).as_object() else { continue };
        if let Some(unknown) = keys.keys().find(|key| !known.contains(&key.as_str())) {
            let near = nearest(unknown, known.iter().copied());
            let hint = match near.first() {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("the keys are {}", known.join(", ")),
            };
            let place = if object.is_empty() { unknown.clone() } else { format!("{object}.{unknown}") };
            return Err(ManifestError::new(format!("{FILE_NAME} has an unknown key {place:?}"), hint));
        }
    }
    // From the text again: the error then names line and column.
    serde_json::from_str(text).map_err(|error| {
        ManifestError::new(
            format!("{FILE_NAME} is not a manifest: {error}"),
            "compare it with one made by: flowork module new ID",
        )
    })
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(manifest: &str) -> Result<Manifest, ManifestError> {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("demo");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(dir.path().join("outside.sh"), "").unwrap();
        std::fs::write(folder.join("plain.txt"), "").unwrap();
        std::fs::write(folder.join(FILE_NAME), manifest).unwrap();
        Manifest::load(&folder)
    }

    fn with(change: &str, to: &str) -> String {
        let good = r#"{"id": "demo", "name": "Demo", "version": "1.0.0", "entry": {"command": ["sh", "main.sh"]}}"#;
        assert!(good.contains(change), "{change}");
        good.replace(change, to)
    }

    #[test]
    fn a_short_manifest_is_enough() {
        let manifest = load(&with("demo", "demo")).unwrap();
        assert_eq!(manifest.descriptor().name, "module.demo");
        assert_eq!(manifest.limits, Limits::default());
    }

    #[test]
    fn each_mistake_is_named_with_a_hint() {
        for (manifest, reason, hint) in [
            (with("\"id\"", "id"), "line 1 column 2", "line and column"),
            (with("version", "verison"), "unknown key \"verison\"", "\"version\""),
            (with("\"command\"", "\"comand\""), "unknown key \"entry.comand\"", "\"command\""),
            (with("\"id\": \"demo\", ", ""), "missing field `id`", "flowork module new"),
            (with("\"demo\"", "\"other\""), "folder is named \"demo\"", "rename"),
            (with("\"demo\"", "\"De mo\""), "can't be an id", "lower-case"),
            (with("\"1.0.0\"", "1"), "line 1", "compare"),
            (with("[\"sh\", \"main.sh\"]", "[]"), "entry.command is empty", "command"),
            (with("\"sh\"", "\"./absent.sh\""), "can't be found", "PATH"),
            (with("\"sh\"", "\"../outside.sh\""), "outside of the module's folder", "PATH"),
            (with("\"sh\"", "\"/bin/sh\""), "outside of the module's folder", "PATH"),
            (
                with("\"version\"", "\"inputs\": {\"type\": 7}, \"version\""),
                "not a valid JSON Schema",
                "json-schema.org",
            ),
            (with("\"version\"", "\"inputs\": [], \"version\""), "no JSON Schema", "inputs"),
            (with("\"version\"", "\"limits\": {\"timeout_ms\": 0}, \"version\""), "out of range", "timeout_ms"),
        ] {
            let error = load(&manifest).unwrap_err();
            assert!(error.reason.contains(reason), "{manifest}: {error:?}");
            assert!(error.hint.as_ref().unwrap().contains(hint), "{manifest}: {error:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_may_not_be_executed_is_named() {
        let error = load(&with("\"sh\"", "\"./plain.txt\"")).unwrap_err();
        let hint = error.hint.unwrap();
        assert!(error.reason.contains("may not be executed") && hint.contains("chmod +x ./plain.txt"), "{hint}");
        assert!(!hint.contains(" /"), "it does not say where the node keeps its data: {hint}");
    }
}
