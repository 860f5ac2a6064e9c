//! The life of the app: open the window, get to a node, show it, and drain it when the window is closed.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowork_node::NodeHandle;
use tauri::async_runtime::JoinHandle;
use tauri::{AppHandle, ExitRequestApi, Manager, RunEvent, Url};

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::hosting::{self, Hosted};
use crate::navigation::Action;
use crate::window;

/// How long running jobs may take to finish after the window was closed. What is left is claimed again at the next
/// start.
const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// The same where the system itself is about to end the process.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What the app knows about its node. One of it, shared by everything that the window can set off.
pub(crate) struct Shell {
    arguments: Arguments,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The node that this app started, until it is taken out to be stopped.
    node: Option<NodeHandle>,
    /// Where the window is once a node runs, whoever started it.
    url: Option<Url>,
    logs: Option<PathBuf>,
    /// The start that is under way.
    starting: Option<JoinHandle<()>>,
    leaving: Leaving,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Leaving {
    #[default]
    No,
    /// The node drains; the event loop is kept alive until it has.
    Draining,
    Done,
}

/// Runs the app until its window is closed.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let shell = Arc::new(Shell { arguments, state: Mutex::default() });
    let setup = Arc::clone(&shell);
    let app = tauri::Builder::default()
        .setup(move |app| {
            window::open(app.handle(), &setup)?;
            setup.start(app.handle());
            quit_on_signal(app.handle().clone());
            Ok(())
        })
        .build(tauri::generate_context!());
    let app = match app {
        Ok(app) => app,
        Err(error) => {
            eprintln!("error: the window could not be opened: {error}");
            eprintln!("hint: where there is no screen, `flowork serve` runs the same node");
            return ExitCode::FAILURE;
        }
    };
    app.run(move |app, event| match event {
        RunEvent::ExitRequested { api, .. } => shell.leave(app, &api),
        RunEvent::Exit => shell.stop_now(),
        _ => {}
    });
    ExitCode::SUCCESS
}

impl Shell {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment, so a thread that panicked left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns where the node is, once there is one.
    pub(crate) fn node_url(&self) -> Option<Url> {
        self.state().url.clone()
    }

    /// Does what a button of the error page asks for.
    pub(crate) fn act(self: &Arc<Self>, app: &AppHandle, action: Action) {
        match action {
            Action::Retry => self.start(app),
            Action::OpenLogs => {
                let logs = self.state().logs.clone();
                if let Some(Err(error)) = logs.map(open::that_detached) {
                    tracing::warn!(%error, "the log folder could not be opened");
                }
            }
            Action::Quit => app.exit(0),
        }
    }

    /// Gets to a node and shows it, or the page that says why there is none. Does nothing while that is under way.
    fn start(self: &Arc<Self>, app: &AppHandle) {
        let mut state = self.state();
        if state.starting.is_some() || state.leaving != Leaving::No {
            return;
        }
        let (shell, app) = (Arc::clone(self), app.clone());
        state.starting = Some(tauri::async_runtime::spawn(async move {
            let hosted = hosting::start_or_attach(&shell.arguments).await;
            let to = shell.remember(hosted);
            if let Some(window) = app.webview_windows().into_values().next()
                && let Err(error) = window.navigate(to)
            {
                tracing::error!(%error, "the window could not be sent to the node");
            }
        }));
    }

    /// Keeps what came of a start and returns where the window goes now.
    fn remember(&self, hosted: Result<Hosted, Failure>) -> Url {
        let mut state = self.state();
        state.starting = None;
        match hosted {
            Ok(Hosted { link, node }) => {
                state.url = Some(link.clone());
                state.node = node;
                link
            }
            Err(failure) => {
                tracing::error!(message = failure.message, hint = failure.hint, "no node to show");
                state.logs.clone_from(&failure.logs);
                failure.page()
            }
        }
    }

    /// Drains the node first, keeping the app alive until that is done.
    fn leave(self: &Arc<Self>, app: &AppHandle, exit: &ExitRequestApi) {
        let mut state = self.state();
        if state.leaving == Leaving::Done {
            return;
        }
        exit.prevent_exit();
        if state.leaving == Leaving::Draining {
            return;
        }
        state.leaving = Leaving::Draining;
        let starting = state.starting.take();
        drop(state);
        let (shell, app) = (Arc::clone(self), app.clone());
        tauri::async_runtime::spawn(async move {
            if let Some(starting) = starting {
                // A start is short, and one that was cut off could leave a node behind that nobody stops.
                let _ = tokio::time::timeout(DRAIN_WAIT, starting).await;
            }
            let node = shell.state().node.take();
            if let Some(node) = node {
                node.shutdown(DRAIN_WAIT).await;
            }
            shell.state().leaving = Leaving::Done;
            app.exit(0);
        });
    }

    /// Stops a node that is still there when the event loop ends, as it does when the session is closed.
    fn stop_now(&self) {
        let node = self.state().node.take();
        if let Some(node) = node {
            tauri::async_runtime::block_on(node.shutdown(LAST_WAIT));
        }
    }
}

/// Closes the app when the system asks for it; a second time ends it at once.
#[cfg(unix)]
fn quit_on_signal(app: AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    tauri::async_runtime::spawn(async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::warn!("signals cannot be caught: ending the process will not drain the node");
            return;
        };
        for asked in 0_u32.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if asked > 0 {
                std::process::exit(1);
            }
            app.exit(0);
        }
    });
}

/// Windows has no such signals: closing the session ends the event loop.
#[cfg(not(unix))]
fn quit_on_signal(_app: AppHandle) {}
