//! What the settings window shows and changes. The rest of the settings is the node's, and in its GUI.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use flowork_api_types::node::Notice;
use flowork_shell::preferences::QUIT_DEADLINE_MAX;
use flowork_shell::{Arg, Hosting, Language, NotifyAbout, Preferences, PreferencesFile, Words};
use serde::{Deserialize, Serialize};
use tauri::AppHandle;
use tokio::sync::Mutex;

use super::{Refusal, blocking, unseen};
use crate::ending::Then;
use crate::failure::{sentence, with_causes};
use crate::shell::{Shell, Tray};
use crate::{links, opener, pages};

/// Held while a change is stored, so that none is lost to another one.
static STORING: Mutex<()> = Mutex::const_new(());

/// What the window shows.
#[derive(Debug, Serialize)]
pub(crate) struct SettingsView {
    revision: u64,
    language: &'static str,
    words: BTreeMap<String, String>,
    version: &'static str,
    start_with_system: Switch,
    /// None where that is no choice of the app.
    open_links: Option<Switch>,
    keep_in_tray: bool,
    notifications: &'static str,
    quit_deadline_seconds: u64,
    language_choice: String,
    languages: Vec<&'static str>,
    tray: TrayLine,
    hosting: HostingLine,
    recovery: RecoveryLine,
    places: Vec<Place>,
    notices: Vec<Notice>,
    reset: ResetLine,
}

/// What the system keeps for the app; a reason says why it cannot be switched.
#[derive(Debug, Serialize)]
struct Switch {
    on: bool,
    reason: Option<String>,
}

impl Switch {
    fn of<E: Error + 'static>(found: Result<bool, E>) -> Self {
        match found {
            Ok(on) => Self { on, reason: None },
            Err(error) => Self { on: false, reason: Some(sentence(&with_causes(&error))) },
        }
    }
}

#[derive(Debug, Serialize)]
struct TrayLine {
    shown: bool,
    line: String,
    hint: Option<String>,
}

#[derive(Debug, Serialize)]
struct HostingLine {
    name: &'static str,
    line: String,
    url: Option<String>,
}

#[derive(Debug, Serialize)]
struct RecoveryLine {
    on: bool,
    line: String,
}

#[derive(Debug, Serialize)]
struct Place {
    name: &'static str,
    path: String,
}

#[derive(Debug, Serialize)]
struct ResetLine {
    reason: Option<String>,
}

/// One thing that a person changed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    StartWithSystem(bool),
    OpenLinks(bool),
    KeepInTray(bool),
    Notifications(About),
    QuitDeadlineSeconds(u64),
    Language(String),
}

/// Which notifications, as the page says it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum About {
    Off,
    Failed,
    All,
}

/// A folder that the page can show.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PlaceName {
    Data,
    Logs,
}

/// Tells what the window shows, as soon as it is something else than what it has seen.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn settings_view(app: AppHandle, seen: Option<u64>) -> Result<SettingsView, Refusal> {
    let shell = Shell::of(&app);
    let revision = unseen(&shell.settings, seen, |revision| *revision).await;
    let revision = revision.ok_or_else(|| Refusal::saying(shell.words().text("leaving-stopping")))?;
    let asked = Arc::clone(&shell);
    let (start_with_system, open_links) = blocking(move || {
        let autostart = asked.autostart().and_then(|autostart| autostart.is_on());
        (Switch::of(autostart), links::opens(&app).map(Switch::of))
    })
    .await?;
    Ok(view(&shell, revision, start_with_system, open_links))
}

/// Changes one thing, and keeps it.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn settings_set(app: AppHandle, change: Change) -> Result<(), Refusal> {
    let shell = Shell::of(&app);
    if shell.state().was_reset {
        return Err(Refusal::saying(shell.words().text("settings-reset-done")));
    }
    let language = shell.words().language();
    let outcome = set(&app, &shell, change).await;
    if shell.words().language() != language {
        pages::in_other_words(&app);
    }
    // Also after a refusal: the page then shows what is.
    shell.changed();
    outcome
}

async fn set(app: &AppHandle, shell: &Arc<Shell>, change: Change) -> Result<(), Refusal> {
    if let Change::OpenLinks(on) = change {
        let asked = app.clone();
        let set = blocking(move || links::set(&asked, on)).await?;
        return set.map_err(|error| Refusal::of(&error, Some(error.hint().to_owned())));
    }
    if let Change::StartWithSystem(on) = change {
        let asked = Arc::clone(shell);
        let set = blocking(move || asked.autostart().and_then(|autostart| autostart.set(on))).await?;
        return set.map_err(|error| Refusal::of(&error, error.hint()));
    }
    let _one_at_a_time = STORING.lock().await;
    let (preferences, notice) = match shell.data_dir.clone() {
        Some(data_dir) => blocking(move || stored(&PreferencesFile::new(&data_dir), change)).await??,
        None => (changed(shell.preferences(), change)?, None),
    };
    shell.set_preferences(preferences, notice);
    Ok(())
}

/// Changes one thing in the file, which somebody may have edited since it was read. Says what holds from now on, and what in
/// the file still cannot be used.
fn stored(file: &PreferencesFile, change: Change) -> Result<(Preferences, Option<Notice>), Refusal> {
    let preferences = changed(file.load().0, change)?;
    file.store(&preferences).map_err(|error| Refusal::of(&error, None))?;
    Ok((preferences, file.load().1))
}

/// Why a change is none that can be stored: read again, it would not count.
#[derive(Debug, thiserror::Error)]
enum ChangeError {
    #[error("quitting waits for 0 to {most} seconds and not for {0}", most = QUIT_DEADLINE_MAX.as_secs())]
    Deadline(u64),
    #[error("there is no language {0:?}")]
    Language(String),
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        Self::of(&error, None)
    }
}

fn changed(before: Preferences, change: Change) -> Result<Preferences, ChangeError> {
    Ok(match change {
        Change::StartWithSystem(_) | Change::OpenLinks(_) => before,
        Change::KeepInTray(keep_in_tray) => Preferences { keep_in_tray, ..before },
        Change::Notifications(about) => {
            let notifications = match about {
                About::Off => NotifyAbout::Off,
                About::Failed => NotifyAbout::Failed,
                About::All => NotifyAbout::All,
            };
            Preferences { notifications, ..before }
        }
        Change::QuitDeadlineSeconds(seconds) => {
            let quit_deadline = Duration::from_secs(seconds);
            if quit_deadline > QUIT_DEADLINE_MAX {
                return Err(ChangeError::Deadline(seconds));
            }
            Preferences { quit_deadline, ..before }
        }
        Change::Language(tag) => {
            let language = Language::parse(&tag).ok_or(ChangeError::Language(tag))?;
            Preferences { language, ..before }
        }
    })
}

/// Shows one of the node's folders.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn settings_open_place(app: AppHandle, place: PlaceName) -> Result<(), Refusal> {
    let shell = Shell::of(&app);
    let path = match place {
        PlaceName::Data => shell.data_dir.clone(),
        PlaceName::Logs => shell.logs(),
    };
    match path {
        Some(path) => opener::open(path).map_err(|error| Refusal::of(&error, None)),
        None => Ok(()),
    }
}

/// Starts the node again as always.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn settings_leave_recovery(app: AppHandle) {
    let shell = Shell::of(&app);
    if let Some(starts) = shell.starts() {
        starts.healthy();
    }
    shell.end(&app, Then::Restart, false);
}

fn view(shell: &Shell, revision: u64, start_with_system: Switch, open_links: Option<Switch>) -> SettingsView {
    let words = shell.words();
    let preferences = shell.preferences();
    let (hosting, url) = {
        let view = shell.view.borrow();
        (view.hosting, view.url.clone())
    };
    let recovery = shell.state().recovery;
    let places = [("data", shell.data_dir.clone()), ("logs", shell.logs())];
    let reset = matches!(hosting, Hosting::Service { .. }).then(|| words.text("settings-reset-attached"));
    SettingsView {
        revision,
        language: words.language(),
        words: words.page("settings"),
        version: env!("CARGO_PKG_VERSION"),
        start_with_system,
        open_links,
        keep_in_tray: preferences.keep_in_tray,
        notifications: match preferences.notifications {
            NotifyAbout::Off => "off",
            NotifyAbout::Failed => "failed",
            NotifyAbout::All => "all",
        },
        quit_deadline_seconds: preferences.quit_deadline.as_secs(),
        language_choice: match preferences.language {
            Language::System => "system".to_owned(),
            Language::Tag(tag) => tag,
        },
        languages: Words::LANGUAGES.iter().map(|(tag, _)| *tag).collect(),
        tray: tray_line(&shell.tray.borrow(), &words),
        hosting: HostingLine { url: url.map(|url| url.to_string()), ..hosting_line(hosting, &words) },
        recovery: RecoveryLine {
            on: recovery,
            line: words.text(if recovery { "settings-recovery-on" } else { "settings-recovery-off" }),
        },
        places: places
            .into_iter()
            .filter_map(|(name, path)| Some(Place { name, path: path?.display().to_string() }))
            .collect(),
        notices: shell.notices(),
        reset: ResetLine { reason: reset },
    }
}

fn tray_line(tray: &Tray, words: &Words) -> TrayLine {
    match tray {
        Tray::Unknown | Tray::Shown => {
            TrayLine { shown: *tray == Tray::Shown, line: words.text("settings-tray-shown"), hint: None }
        }
        Tray::Missing(_) => TrayLine {
            shown: false,
            line: words.text("settings-tray-missing"),
            hint: Some(words.text("settings-tray-missing-hint")),
        },
    }
}

fn hosting_line(hosting: Hosting, words: &Words) -> HostingLine {
    let (name, line) = match hosting {
        Hosting::None => ("none", words.text("settings-hosting-none")),
        Hosting::Own => {
            let pid = std::process::id().to_string();
            ("own", words.format("settings-hosting-own", &[("pid", Arg::Text(&pid))]))
        }
        Hosting::Service { pid } => {
            let pid = pid.to_string();
            ("service", words.format("settings-hosting-service", &[("pid", Arg::Text(&pid))]))
        }
    };
    HostingLine { name, line, url: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_changes_one_thing() {
        let change = |text: &str| serde_json::from_str::<Change>(text).unwrap();
        let changed = |before, change| super::changed(before, change).unwrap();
        let before = Preferences::default();
        let after = changed(before.clone(), change(r#"{"keep_in_tray":false}"#));
        assert_eq!(after, Preferences { keep_in_tray: false, ..before.clone() });
        let after = changed(before.clone(), change(r#"{"notifications":"all"}"#));
        assert_eq!(after, Preferences { notifications: NotifyAbout::All, ..before.clone() });
        let after = changed(before.clone(), change(r#"{"quit_deadline_seconds":5}"#));
        assert_eq!(after, Preferences { quit_deadline: Duration::from_secs(5), ..before.clone() });
        let after = changed(before.clone(), change(r#"{"language":"de"}"#));
        assert_eq!(after, Preferences { language: Language::Tag("de".to_owned()), ..before.clone() });
        assert_eq!(changed(after, change(r#"{"language":"system"}"#)), before);
        assert!(serde_json::from_str::<Change>(r#"{"data_dir":"/"}"#).is_err(), "nothing else can be changed");
    }

    #[test]
    fn what_could_not_be_read_again_is_refused() {
        let check = |change, expected: bool| {
            let outcome = changed(Preferences::default(), change);
            assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
        };
        check(Change::QuitDeadlineSeconds(0), true);
        check(Change::QuitDeadlineSeconds(86_400), true);
        check(Change::QuitDeadlineSeconds(86_401), false);
        check(Change::QuitDeadlineSeconds(u64::MAX), false);
        check(Change::Language("fr".to_owned()), true);
        check(Change::Language("tlh".to_owned()), false);
    }

    #[test]
    fn change_keeps_what_was_edited_in_the_file_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("desktop.toml"), "keep_in_tray = false\n").unwrap();
        let file = PreferencesFile::new(dir.path());
        let expected = Preferences { keep_in_tray: false, notifications: NotifyAbout::All, ..Preferences::default() };
        assert_eq!(stored(&file, Change::Notifications(About::All)).unwrap(), (expected.clone(), None));
        assert_eq!(file.load(), (expected, None));
    }

    #[test]
    fn window_says_whose_node_it_is() {
        let words = Words::load(&Language::Tag("en".to_owned()));
        let line = hosting_line(Hosting::Service { pid: 12_345 }, &words);
        assert_eq!(line.name, "service");
        assert!(line.line.contains("12345"), "{line:?}");
        assert_eq!(hosting_line(Hosting::None, &words).name, "none");
    }

    #[test]
    fn missing_tray_is_one_line() {
        let words = Words::load(&Language::Tag("en".to_owned()));
        let line = tray_line(&Tray::Missing("no bus".to_owned()), &words);
        assert!(!line.shown && line.hint.is_some());
        assert!(tray_line(&Tray::Shown, &words).shown);
    }
}
