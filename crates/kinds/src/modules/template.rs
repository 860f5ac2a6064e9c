//! `flowork module new`: a folder that works, to start from.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::manifest::{ManifestError, check_id};

/// The language of a new module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// Python 3, standard library only.
    Python,
    /// `node`, no packages.
    Javascript,
    /// POSIX `sh`.
    Shell,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Python, Self::Javascript, Self::Shell];

    fn program(self) -> (&'static str, &'static str, &'static str) {
        match self {
            // The installer for Windows has no `python3`; what answers to that name there opens a shop.
            Self::Python => {
                (if cfg!(windows) { "python" } else { "python3" }, "main.py", include_str!("../../templates/main.py"))
            }
            Self::Javascript => ("node", "main.mjs", include_str!("../../templates/main.mjs")),
            Self::Shell => ("sh", "main.sh", include_str!("../../templates/main.sh")),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Python => "python",
            Self::Javascript => "javascript",
            Self::Shell => "shell",
        })
    }
}

/// Text that names no template.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a template; there are python, javascript, shell")]
pub struct ParseTemplateError(String);

impl FromStr for Template {
    type Err = ParseTemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|template| template.to_string() == text)
            .ok_or_else(|| ParseTemplateError(text.to_owned()))
    }
}

/// Why a module can't be made.
#[derive(Debug, thiserror::Error)]
pub enum NewModuleError {
    /// The id can't be one.
    #[error(transparent)]
    InvalidId(#[from] ManifestError),
    /// There is something of this name.
    #[error("{path} exists already")]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// A file can't be written.
    #[error("can't write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Makes the folder `modules_dir/id` with a manifest, a program and a README; returns its path.
///
/// # Errors
/// The id is not valid or taken, or a file can't be written.
pub fn new_module(modules_dir: &Path, id: &str, template: Template) -> Result<PathBuf, NewModuleError> {
    check_id(id)?;
    let folder = modules_dir.join(id);
    if folder.exists() {
        return Err(NewModuleError::Exists { path: folder });
    }
    let write_error = |path: &Path| {
        let path = path.to_owned();
        move |source| NewModuleError::Write { path, source }
    };
    // Filled under a hidden name: a node that watches the directory sees the whole module or nothing.
    let partial = modules_dir.join(format!(".{id}.new"));
    std::fs::create_dir_all(&partial).map_err(write_error(&partial))?;
    let (interpreter, file, program) = template.program();
    let manifest = include_str!("../../templates/manifest.json")
        .replace("@ID@", id)
        .replace("@NAME@", &title(id))
        .replace("@INTERPRETER@", interpreter)
        .replace("@FILE@", file);
    let readme = include_str!("../../templates/README.md").replace("@ID@", id).replace("@FILE@", file);
    for (name, text) in [("manifest.json", manifest.as_str()), (file, program), ("README.md", &readme)] {
        let path = partial.join(name);
        std::fs::write(&path, text).map_err(write_error(&path))?;
    }
    std::fs::rename(&partial, &folder).map_err(write_error(&folder))?;
    Ok(folder)
}

/// `word-count` → `Word count`
fn title(id: &str) -> String {
    let words = id.replace('-', " ");
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
