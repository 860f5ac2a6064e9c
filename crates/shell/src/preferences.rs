//! What a person set for the app itself: `desktop.toml` in the data directory. Settings of the node are in `config.toml`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use flowork_api_types::node::Notice;
use toml_edit::{DocumentMut, Item, Value};

use crate::{
    disk,
    words::{Language, Words},
};

/// The code of the notice that says that something in the file cannot be used.
pub const PREFERENCES_NOTICE: &str = "PREFERENCES";
/// The longest that quitting may wait for jobs: a day, so that it ends at all.
pub const QUIT_DEADLINE_MAX: Duration = Duration::from_hours(24);
/// The tag that stands for the system's language.
const SYSTEM: &str = "system";

/// Which notifications to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NotifyAbout {
    /// None.
    Off,
    /// Jobs that failed, and what needs a look.
    #[default]
    Failed,
    /// Jobs that completed, too.
    All,
}

impl NotifyAbout {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Failed, Self::All];

    /// The name in the file and on the settings page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Failed => "failed",
            Self::All => "all",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|about| about.as_str() == name)
    }
}

impl Language {
    /// The name in the file and on the settings page.
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => SYSTEM,
            Self::Tag(tag) => tag,
        }
    }

    /// Reads a name: `system`, or the tag of a language that there is.
    pub fn parse(name: &str) -> Option<Self> {
        if name == SYSTEM {
            return Some(Self::System);
        }
        Words::LANGUAGES.iter().any(|(tag, _)| *tag == name).then(|| Self::Tag(name.to_owned()))
    }
}

/// What a person set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Which notifications to show.
    pub notifications: NotifyAbout,
    /// Closing the window leaves the app in the tray.
    pub keep_in_tray: bool,
    /// How long running jobs may take to finish when the app quits, in whole seconds; zero does not wait.
    pub quit_deadline: Duration,
    /// The language of menus, notifications and the app's own pages.
    pub language: Language,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            notifications: NotifyAbout::default(),
            keep_in_tray: true,
            quit_deadline: Duration::from_mins(1),
            language: Language::default(),
        }
    }
}

/// Why preferences were not stored.
#[derive(Debug, thiserror::Error)]
pub enum PreferencesError {
    /// What is in the file can't be read, so writing would lose it.
    #[error("{} cannot be read and was left as it is: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl PreferencesError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { path, .. } => format!("correct or delete {}", path.display()),
            Self::Write { .. } => "make room on the disk, or give this account the right to write there".to_owned(),
        }
    }
}

/// `desktop.toml`. Keys that this version does not know, and comments, are kept.
#[derive(Clone, Debug)]
pub struct PreferencesFile {
    path: PathBuf,
}

impl PreferencesFile {
    /// The file of a data directory; it need not be there.
    pub fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("desktop.toml") }
    }

    /// Reads it. What is missing or cannot be used is as by default, and the notice says so.
    pub fn load(&self) -> (Preferences, Option<Notice>) {
        let mut wrong = Vec::new();
        let preferences = match self.document() {
            Ok(document) => read(&document, &mut wrong),
            Err(reason) => {
                wrong.push(reason);
                Preferences::default()
            }
        };
        let notice = (!wrong.is_empty()).then(|| Notice {
            code: PREFERENCES_NOTICE.to_owned(),
            message: format!(
                "{} has something that cannot be used, which is as by default now: {}.",
                self.path.display(),
                wrong.join("; ")
            ),
            hint: Some("Correct or delete it.".to_owned()),
        });
        (preferences, notice)
    }

    /// Stores preferences. Only what differs from what the file says is written, so that what nobody changed follows the
    /// defaults of later versions. A file that cannot be read is not overwritten.
    ///
    /// # Errors
    /// See [`PreferencesError`].
    pub fn store(&self, preferences: &Preferences) -> Result<(), PreferencesError> {
        let mut document =
            self.document().map_err(|reason| PreferencesError::Unreadable { path: self.path.clone(), reason })?;
        let before = read(&document, &mut Vec::new());
        if before == *preferences {
            return Ok(());
        }
        if before.notifications != preferences.notifications {
            put(&mut document, "notifications", preferences.notifications.as_str().into());
        }
        if before.keep_in_tray != preferences.keep_in_tray {
            put(&mut document, "keep_in_tray", preferences.keep_in_tray.into());
        }
        if before.quit_deadline != preferences.quit_deadline {
            let seconds = i64::try_from(preferences.quit_deadline.as_secs()).unwrap_or(i64::MAX);
            put(&mut document, "quit_deadline_seconds", seconds.into());
        }
        if before.language != preferences.language {
            put(&mut document, "language", preferences.language.as_str().into());
        }
        let write = |source| PreferencesError::Write { path: self.path.clone(), source };
        disk::replace(&self.path, document.to_string().as_bytes()).map_err(write)
    }

    /// What is in the file, or why it is none.
    fn document(&self) -> Result<DocumentMut, String> {
        match fs::read_to_string(&self.path) {
            Ok(text) => text.parse().map_err(|error: toml_edit::TomlError| match error.span() {
                Some(span) => {
                    let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
                    format!("line {line}: {}", error.message())
                }
                None => error.message().to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DocumentMut::new()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Replaces a value and leaves the comments around it.
fn put(document: &mut DocumentMut, key: &str, mut value: Value) {
    if let Some(Item::Value(old)) = document.get(key) {
        *value.decor_mut() = old.decor().clone();
    }
    document[key] = Item::Value(value);
}

fn read(document: &DocumentMut, wrong: &mut Vec<String>) -> Preferences {
    let mut preferences = Preferences::default();
    let mut take = |key: &str, expected: &str, set: &mut dyn FnMut(&Item) -> Option<()>| {
        if let Some(item) = document.get(key)
            && set(item).is_none()
        {
            wrong.push(format!("{key} must be {expected}"));
        }
    };
    take("notifications", "\"off\", \"failed\" or \"all\"", &mut |item| {
        preferences.notifications = NotifyAbout::parse(item.as_str()?)?;
        Some(())
    });
    take("keep_in_tray", "true or false", &mut |item| {
        preferences.keep_in_tray = item.as_bool()?;
        Some(())
    });
    let most = QUIT_DEADLINE_MAX.as_secs();
    take("quit_deadline_seconds", &format!("a number from 0 to {most}"), &mut |item| {
        let seconds = u64::try_from(item.as_integer()?).ok().filter(|seconds| *seconds <= most)?;
        preferences.quit_deadline = Duration::from_secs(seconds);
        Some(())
    });
    take("language", "\"system\" or the tag of a language that there is", &mut |item| {
        preferences.language = Language::parse(item.as_str()?)?;
        Some(())
    });
    preferences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PreferencesFile) {
        let dir = tempfile::tempdir().unwrap();
        let file = PreferencesFile::new(dir.path());
        fs::write(&file.path, text).unwrap();
        (dir, file)
    }

    #[test]
    fn what_was_stored_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let file = PreferencesFile::new(&dir.path().join("data"));
        assert_eq!(file.load(), (Preferences::default(), None), "no file is no mistake");
        let preferences = Preferences {
            notifications: NotifyAbout::All,
            keep_in_tray: false,
            quit_deadline: Duration::ZERO,
            language: Language::Tag("fr".to_owned()),
        };
        file.store(&preferences).unwrap();
        assert_eq!(file.load(), (preferences, None));
    }

    #[test]
    fn comments_and_keys_of_other_versions_are_kept() {
        let (_dir, file) =
            file("# mine\nnotifications = \"off\" # quiet\nfrom_the_future = [1]\n[window]\nwide = true\n");
        let (mut preferences, notice) = file.load();
        assert_eq!((preferences.notifications, notice), (NotifyAbout::Off, None));
        preferences.notifications = NotifyAbout::All;
        file.store(&preferences).unwrap();
        let text = fs::read_to_string(&file.path).unwrap();
        for kept in ["# mine", "notifications = \"all\" # quiet", "from_the_future = [1]", "[window]\nwide = true"] {
            assert!(text.contains(kept), "{kept} is not in {text}");
        }
        assert_eq!(file.load().0, preferences, "new keys are not in the table at the end");
    }

    #[test]
    fn only_what_changed_is_written() {
        let (_dir, file) = file("");
        let preferences = Preferences { keep_in_tray: false, ..Preferences::default() };
        file.store(&preferences).unwrap();
        assert_eq!(fs::read_to_string(&file.path).unwrap(), "keep_in_tray = false\n");

        let edited = "# by hand\nlanguage  =  'de' # mine\nkeep_in_tray=false\nquit_deadline_seconds = \"soon\"\n";
        fs::write(&file.path, edited).unwrap();
        file.store(&file.load().0).unwrap();
        assert_eq!(fs::read_to_string(&file.path).unwrap(), edited, "nothing changed");
        let (loaded, _) = file.load();
        file.store(&Preferences { keep_in_tray: true, ..loaded }).unwrap();
        let text = fs::read_to_string(&file.path).unwrap();
        assert_eq!(text, edited.replace("keep_in_tray=false", "keep_in_tray=true"), "to the last blank");
        assert!(file.load().1.is_some(), "what cannot be used is still said");
    }

    #[test]
    fn what_cannot_be_used_is_as_by_default_and_said() {
        let (_dir, file) =
            file("notifications = \"loud\"\nkeep_in_tray = false\nquit_deadline_seconds = -1\nlanguage = 7");
        let (preferences, notice) = file.load();
        assert_eq!(preferences, Preferences { keep_in_tray: false, ..Preferences::default() }, "the rest counts");
        let notice = notice.unwrap();
        assert_eq!(notice.code, PREFERENCES_NOTICE, "whoever passes it on finds it by this");
        let message = notice.message;
        for key in ["notifications must be", "quit_deadline_seconds must be", "language must be"] {
            assert!(message.contains(key), "{message}");
        }
        assert!(!message.contains("keep_in_tray"), "{message}");
    }

    #[test]
    fn file_that_is_no_toml_is_said_and_never_overwritten() {
        let (_dir, file) = file("keep_in_tray = true\nnotifications = off\n");
        let (preferences, notice) = file.load();
        assert_eq!(preferences, Preferences::default());
        assert!(notice.unwrap().message.contains("line 2"));
        let error = file.store(&preferences).expect_err("it would be lost");
        assert!(matches!(error, PreferencesError::Unreadable { .. }), "{error}");
        assert_eq!(fs::read_to_string(&file.path).unwrap(), "keep_in_tray = true\nnotifications = off\n");
    }
}
