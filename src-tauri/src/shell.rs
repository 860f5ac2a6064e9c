//! What the app knows, in one place: shared by everything that a window, the tray, a second start or the system sets off.
//!
//! [`crate::node`] gets to a node and follows it, [`crate::ending`] drains and stops it, [`crate::actions`] does what menus
//! and pages ask for. None of them draws: [`crate::window`], [`crate::pages`] and [`crate::tray`] do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flowork_api_types::node::Notice;
use flowork_node::{Config, DataDir, LogGuard};
use flowork_shell::preferences::PREFERENCES_NOTICE;
use flowork_shell::{
    Autostart, AutostartError, Link, NodeView, Note, Notifier, Preferences, PreferencesFile, ResetPlan, Starts, Words,
};
use tauri::async_runtime::JoinHandle;
use tauri::{AppHandle, Manager, Url};
use tokio::sync::watch;

use crate::arguments::Arguments;
use crate::clipboard::Copied;
use crate::ending::{Ending, Shown, Step};
use crate::failure::Failure;
use crate::navigation::SignIns;
use crate::node::Running;
use crate::window::{PutAway, WEB_DATA};

/// What is logged where the settings do not say it, or cannot be read.
const LOG: &str = "info";
/// The notice that says that there is no tray.
pub(crate) const TRAY_MISSING: &str = "TRAY_MISSING";

/// What the app knows about its node and itself. There is one of it.
pub(crate) struct Shell {
    pub(crate) arguments: Arguments,
    /// Where the node's data are; `None` where the system names no place and nobody else did.
    pub(crate) data_dir: Option<PathBuf>,
    /// What the webview keeps, inside of it; `None` where nothing can be kept.
    pub(crate) web_data: Option<PathBuf>,
    /// What the tray and the menus show. The tray is drawn from this and from nothing else.
    pub(crate) view: watch::Sender<NodeView>,
    /// Whether there is a tray.
    pub(crate) tray: watch::Sender<Tray>,
    /// Counts what the settings window shows anew.
    pub(crate) settings: watch::Sender<u64>,
    /// What the leaving window shows.
    pub(crate) leaving: watch::Sender<Shown>,
    /// Held while a window is opened, so that two calls do not open it twice.
    pub(crate) opening: tokio::sync::Mutex<()>,
    /// What was put into the clipboard.
    pub(crate) copied: Copied,
    /// Whether who watches over tray icons answers. Nothing is drawn while it does not: the icon's library would wait for
    /// it, and the windows with the icon.
    pub(crate) tray_answers: AtomicBool,
    notifier: Mutex<Option<Notifier>>,
    log: Mutex<Option<LogGuard>>,
    state: Mutex<State>,
}

/// What changes. No method holds it while it waits.
#[derive(Default)]
pub(crate) struct State {
    /// The node that is shown, whoever started it.
    pub(crate) node: Option<Running>,
    /// What is known of it, without what the app makes of that.
    pub(crate) last: Option<NodeView>,
    /// Where the main window is, once it shows a node.
    pub(crate) main_at: Option<Url>,
    /// Why there is no node.
    pub(crate) failure: Option<Failure>,
    /// The folder with the logs, once it is known.
    pub(crate) logs: Option<PathBuf>,
    /// The start that is under way.
    pub(crate) starting: Option<JoinHandle<()>>,
    /// Looks out for a node that somebody else starts, while there is none.
    pub(crate) looking_out: Option<JoinHandle<()>>,
    /// What is to be shown once there is a node.
    pub(crate) wanted: Option<Link>,
    /// The path of the node's GUI at which the main window was when the node went.
    pub(crate) place: Option<String>,
    /// The drain that is under way.
    pub(crate) ending: Option<Ending>,
    /// The app may end now, with this code.
    pub(crate) done: Option<u8>,
    /// This start is one in recovery mode.
    pub(crate) recovery: bool,
    /// The plan of a reset that a person was shown.
    pub(crate) reset: Option<(String, ResetPlan)>,
    /// A reset was carried out: nothing is started or written any more.
    pub(crate) was_reset: bool,
    pub(crate) sign_ins: SignIns,
    /// The person was told that the window was minimized because there is no tray.
    pub(crate) told_of_minimizing: bool,
    /// Whether the app put the main window away.
    pub(crate) put_away: PutAway,
    /// What a start was given that came while the app was past taking anything: it is started anew with that.
    pub(crate) again: Option<SecondStart>,
    preferences: Preferences,
    words: Option<Arc<Words>>,
    notices: BTreeMap<&'static str, Notice>,
}

/// What another start of the app was given.
#[derive(Clone, Debug)]
pub(crate) struct SecondStart {
    /// Its command line, the program first.
    pub(crate) arguments: Vec<String>,
    /// Where it was started: what its command line names may be told from there.
    pub(crate) directory: PathBuf,
}

/// Whether there is a tray to be in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tray {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// The icon is there.
    Shown,
    /// There is none, and why.
    Missing(String),
}

impl Shell {
    /// Knows nothing of a node yet.
    pub(crate) fn new(arguments: Arguments, data_dir: Option<PathBuf>) -> Arc<Self> {
        let (preferences, notice) = match &data_dir {
            Some(data_dir) => PreferencesFile::new(data_dir).load(),
            None => (Preferences::default(), None),
        };
        // Prepared before the webview does it, which would let others in. Whoever cannot, the node's start will say it.
        let prepared = data_dir.as_deref().and_then(|path| DataDir::prepare(path).ok());
        let words = Some(Arc::new(Words::load(&preferences.language)));
        let notices = notice.into_iter().map(|notice| (PREFERENCES_NOTICE, notice)).collect();
        Arc::new(Self {
            arguments,
            data_dir,
            web_data: prepared.map(|prepared| prepared.path().join(WEB_DATA)),
            view: watch::Sender::new(NodeView::starting()),
            tray: watch::Sender::default(),
            settings: watch::Sender::default(),
            leaving: watch::Sender::default(),
            opening: tokio::sync::Mutex::default(),
            copied: Copied::default(),
            tray_answers: AtomicBool::new(!cfg!(target_os = "linux")),
            notifier: Mutex::default(),
            log: Mutex::default(),
            state: Mutex::new(State { preferences, words, notices, ..State::default() }),
        })
    }

    /// The one of an app.
    pub(crate) fn of(app: &AppHandle) -> Arc<Self> {
        Arc::clone(app.state::<Arc<Self>>().inner())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a few assignments that cannot fail, so a thread that panicked left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The count of starts; `None` where nothing can be kept.
    pub(crate) fn starts(&self) -> Option<Starts> {
        self.data_dir.as_deref().map(Starts::new)
    }

    /// The entry that starts this app, on its data, with the session.
    ///
    /// # Errors
    /// This system has no place for it.
    pub(crate) fn autostart(&self) -> Result<Autostart, AutostartError> {
        let autostart = Autostart::of_this_program()?;
        match (&self.arguments.data_dir, &self.data_dir) {
            (Some(_), Some(data_dir)) => autostart.with_data_dir(data_dir),
            _ => Ok(autostart),
        }
    }

    /// Begins the app's own log, which has what happens while there is no node in this process. What keeps it from that, the
    /// start of a node says better.
    pub(crate) fn open_log(&self) {
        let Some(web_data) = &self.web_data else { return };
        let logs = web_data.with_file_name("logs");
        let filter = Config::load(&self.arguments.flags(false)).map_or_else(|_| LOG.to_owned(), |config| config.log);
        let log = flowork_node::log_beside_node(&logs, &filter).or_else(|_| flowork_node::log_beside_node(&logs, LOG));
        match log {
            Ok(log) => {
                *self.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
                self.state().logs.get_or_insert(logs);
            }
            Err(error) => eprintln!("warning: there is no log: {error}"),
        }
    }

    /// Ends it, so that its files can be deleted.
    pub(crate) fn close_log(&self) {
        drop(self.log.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// What the person set.
    pub(crate) fn preferences(&self) -> Preferences {
        self.state().preferences.clone()
    }

    /// The folder with the logs, once it is known.
    pub(crate) fn logs(&self) -> Option<PathBuf> {
        self.state().logs.clone()
    }

    /// The texts of the person's language.
    pub(crate) fn words(&self) -> Arc<Words> {
        let state = self.state();
        Arc::clone(state.words.as_ref().expect("they are loaded when the app is made, and only ever replaced"))
    }

    /// Takes preferences that were stored, and what in their file cannot be used.
    pub(crate) fn set_preferences(&self, preferences: Preferences, notice: Option<Notice>) {
        let mut state = self.state();
        let language = preferences.language != state.preferences.language;
        if language {
            state.words = Some(Arc::new(Words::load(&preferences.language)));
        }
        state.preferences = preferences;
        match notice {
            Some(notice) => state.notices.insert(PREFERENCES_NOTICE, notice),
            None => state.notices.remove(PREFERENCES_NOTICE),
        };
        drop(state);
        self.tell_node();
        if language {
            // Drawn again: it is the same view in other words.
            self.view.send_modify(|_| {});
            self.leaving.send_modify(|shown| shown.revision += 1);
        }
        self.changed();
    }

    /// The settings window shows something else from now on.
    pub(crate) fn changed(&self) {
        self.settings.send_modify(|revision| *revision += 1);
    }

    /// What the app itself has to say.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.state().notices.values().cloned().collect()
    }

    /// Takes what the app itself has to say under a code; without a notice, that is over.
    pub(crate) fn set_notice(&self, code: &'static str, notice: Option<Notice>) {
        let mut state = self.state();
        match notice {
            Some(notice) => state.notices.insert(code, notice),
            None => state.notices.remove(code),
        };
        drop(state);
        self.tell_node();
        self.changed();
    }

    /// Whether the icon is in a tray.
    pub(crate) fn in_tray(&self) -> bool {
        *self.tray.borrow() == Tray::Shown
    }

    /// Takes whether there is a tray. A tray that is missing is one line in the node's status.
    pub(crate) fn set_tray(&self, tray: Tray) {
        let words = self.words();
        let mut state = self.state();
        match &tray {
            Tray::Missing(reason) => {
                tracing::warn!(reason, "there is no tray");
                let notice = Notice {
                    code: TRAY_MISSING.to_owned(),
                    message: words.text("tray-missing-message"),
                    hint: Some(words.text("tray-missing-hint")),
                };
                state.notices.insert(TRAY_MISSING, notice);
            }
            Tray::Unknown | Tray::Shown => {
                state.notices.remove(TRAY_MISSING);
            }
        }
        drop(state);
        self.tray.send_replace(tray);
        self.tell_node();
        self.changed();
    }

    /// Shows a notification, if there is anything to show it with yet.
    pub(crate) fn note(&self, note: Note) {
        let words = self.words();
        if let Some(notifier) = &*self.notifier.lock().unwrap_or_else(PoisonError::into_inner) {
            notifier.show(note, &words);
        }
    }

    /// Takes what shows notifications.
    pub(crate) fn set_notifier(&self, notifier: Notifier) {
        *self.notifier.lock().unwrap_or_else(PoisonError::into_inner) = Some(notifier);
    }

    /// Where the main window is, once it shows a node.
    pub(crate) fn main_at(&self) -> Option<Url> {
        self.state().main_at.clone()
    }

    /// Whether the app ends, and nobody can take that back any more.
    pub(crate) fn is_past_return(&self) -> bool {
        self.is_leaving() && !matches!(self.leaving.borrow().step, Step::Draining { .. })
    }

    /// Whether the app is on its way out.
    pub(crate) fn is_leaving(&self) -> bool {
        let state = self.state();
        state.done.is_some() || state.ending.as_ref().is_some_and(Ending::leaves)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn preferences_that_cannot_be_used_are_a_notice_until_others_are_stored() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("desktop.toml"), "language = 7").unwrap();
        let shell = Shell::new(Arguments::parse_from(["flowork-desktop"]), Some(dir.path().to_owned()));
        let notices = shell.notices();
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert!(crate::node::CODES.contains(&notices[0].code.as_str()), "the node is told of it: {notices:?}");
        shell.set_preferences(Preferences::default(), Some(notices[0].clone()));
        assert_eq!(shell.notices(), notices, "another key was stored");
        shell.set_preferences(Preferences::default(), None);
        assert!(shell.notices().is_empty());
    }
}
