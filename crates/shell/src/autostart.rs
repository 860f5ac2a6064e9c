//! Starting with the session: only when somebody asked for it, and off when it is off, whoever turned it off.

#[cfg(not(target_os = "linux"))]
mod native;
#[cfg(target_os = "linux")]
mod xdg;

use std::path::{Path, PathBuf};

use flowork_node::{Config, Flags};

#[cfg(not(target_os = "linux"))]
use native as entry;
#[cfg(target_os = "linux")]
use xdg as entry;

/// What the session starts the app with, so that no window opens.
const BACKGROUND: &str = "--background";
/// What names the data directory, where it is not the usual one.
const DATA_DIR: &str = "--data-dir";

/// Why starting with the session could not be looked at or changed.
#[derive(Debug, thiserror::Error)]
pub enum AutostartError {
    /// The entry could not be read or written.
    #[error("cannot use {}", .path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The account has no place for it, or the program's path can't be written there.
    #[error("this system cannot start the app with the session: {0}")]
    Unsupported(String),
}

impl AutostartError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Entry { path, .. } => Some(format!("give this account the right to write {}", path.display())),
            Self::Unsupported(_) => None,
        }
    }
}

/// What became of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// It is off, and stays off.
    Off,
    /// It is on and starts a program that is there.
    Fine,
    /// It started a program that has moved, and now starts this one.
    Moved,
}

/// The entry that starts this program with the session, in the background.
#[derive(Clone, Debug)]
pub struct Autostart {
    program: PathBuf,
    arguments: Vec<String>,
    /// What tells it from the entry of the usual data directory; empty for that one.
    suffix: String,
    /// Where the session looks for entries; none where the system keeps them elsewhere.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "other systems have one place for it"))]
    directory: PathBuf,
}

impl Autostart {
    /// The entry of this very program, on the data directory that the environment names; of the AppImage where it runs from
    /// one.
    ///
    /// # Errors
    /// [`AutostartError::Unsupported`]
    pub fn of_this_program() -> Result<Self, AutostartError> {
        let program = std::env::current_exe().map_err(|error| AutostartError::Unsupported(error.to_string()))?;
        let program = own_image(&program).unwrap_or(program);
        let config = dirs::config_dir()
            .ok_or_else(|| AutostartError::Unsupported("this account has no directory for configuration".to_owned()))?;
        let autostart = Self::new(program, &config);
        match Config::find_data_dir(&Flags::default()) {
            Ok(data_dir) => autostart.with_data_dir(&data_dir),
            // The system names none: then it is said when the app starts.
            Err(_) => Ok(autostart),
        }
    }

    /// The entry of a program, in a configuration directory.
    pub fn new(program: PathBuf, config_dir: &Path) -> Self {
        let arguments = vec![BACKGROUND.to_owned()];
        Self { program, arguments, suffix: String::new(), directory: config_dir.join("autostart") }
    }

    /// Starts it on this data directory. One that is not the usual one has an entry of its own.
    ///
    /// # Errors
    /// [`AutostartError::Unsupported`]: the path is no text.
    pub fn with_data_dir(mut self, data_dir: &Path) -> Result<Self, AutostartError> {
        self.arguments = vec![BACKGROUND.to_owned()];
        self.suffix.clear();
        if !is_usual(data_dir) {
            self.arguments.extend([DATA_DIR.to_owned(), text_of(data_dir)?.to_owned()]);
            let hash = blake3::hash(resolved(data_dir).as_os_str().as_encoded_bytes()).to_hex();
            self.suffix = format!("-d{}", &hash[..16]);
        }
        Ok(self)
    }

    /// Whether the session starts it.
    ///
    /// # Errors
    /// See [`AutostartError`].
    pub fn is_on(&self) -> Result<bool, AutostartError> {
        entry::is_on(self)
    }

    /// Turns it on or off.
    ///
    /// # Errors
    /// See [`AutostartError`].
    pub fn set(&self, on: bool) -> Result<(), AutostartError> {
        entry::set(self, on)
    }

    /// Where the entry is, if it is there and starts the app on this data directory.
    pub(crate) fn entry_on(&self, data_dir: &Path) -> Option<PathBuf> {
        entry::entry_on(self, data_dir)
    }

    /// Where it is on and names a path at which the program is no more, corrects the path. Never turns it on. For the
    /// start of the app.
    ///
    /// # Errors
    /// See [`AutostartError`].
    pub fn repair(&self) -> Result<Repaired, AutostartError> {
        entry::repair(self)
    }
}

/// Whether the app uses this data directory when nothing else is said.
pub(crate) fn is_usual(data_dir: &Path) -> bool {
    dirs::data_dir().is_some_and(|usual| resolved(&usual.join("flowork")) == resolved(data_dir))
}

/// The one way to write a path, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn text_of(path: &Path) -> Result<&str, AutostartError> {
    let no_text = || AutostartError::Unsupported(format!("the path {} is no text", path.display()));
    path.to_str().filter(|text| !text.contains(char::is_control)).ok_or_else(no_text)
}

/// The AppImage that a program of this process runs from.
pub(crate) fn own_image(program: &Path) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    image_of(program, variable("APPIMAGE"), variable("APPDIR"))
}

/// The AppImage that a program runs from: inside, the program is at another path at each start. The variables alone say
/// nothing, because whatever an AppImage starts inherits them.
fn image_of(program: &Path, image: Option<PathBuf>, mounted_at: Option<PathBuf>) -> Option<PathBuf> {
    let runs_from_it = mounted_at.is_some_and(|mounted_at| program.starts_with(mounted_at));
    image.filter(|image| runs_from_it && image.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_in_an_image_is_started_as_the_image() {
        let check = |program: &str, image: Option<&str>, mounted: Option<&str>, expected: Option<&str>| {
            let found = image_of(Path::new(program), image.map(PathBuf::from), mounted.map(PathBuf::from));
            assert_eq!(found.as_deref(), expected.map(Path::new), "{program} {image:?} {mounted:?}");
        };
        let image = Some("/home/a/Flowork.AppImage");
        check("/tmp/.mount_1/usr/bin/flowork-desktop", image, Some("/tmp/.mount_1"), image);
        check("/usr/bin/flowork-desktop", image, Some("/tmp/.mount_1"), None);
        check("/usr/bin/flowork-desktop", image, None, None);
        check("/tmp/.mount_1/usr/bin/flowork-desktop", Some("Flowork.AppImage"), Some("/tmp/.mount_1"), None);
        check("/usr/bin/flowork-desktop", None, None, None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_programs_own_entry_can_be_looked_at() {
        let autostart = Autostart::of_this_program().unwrap();
        assert_eq!(autostart.program, std::env::current_exe().unwrap());
        assert!(autostart.directory.ends_with("autostart"));
    }
}
