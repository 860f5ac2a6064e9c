//! What menus and pages ask for, and how it is done. Whoever asks is on the main thread and does not wait.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use flowork_api_types::engine::{WORKERS_MAX, WORKERS_MIN};
use flowork_shell::{ClientError, Command, Link, NodeClient, Note, Workers, WorkersWish};
use tauri::{AppHandle, Manager};

use crate::ending::Then;
use crate::failure::{sentence, with_causes};
use crate::navigation::{Action, signed_in_at};
use crate::shell::Shell;
use crate::{opener, pages, window};

/// Does what a menu asks for.
pub(crate) fn command(app: &AppHandle, command: Command) {
    let shell = Shell::of(app);
    match command {
        Command::OpenDashboard => window::show_main(app, None),
        Command::Start => {
            // Only "Start normally" leaves recovery mode.
            let recovery = shell.state().recovery;
            shell.start(app, recovery);
        }
        Command::Drain => ask(&shell, |client| async move { client.set_drain(true, None).await.map(drop) }),
        Command::Undrain => {
            // A drain of the app itself is taken back by not ending it; the other one the node remembers.
            if !shell.keep_running() {
                ask(&shell, |client| async move { client.set_drain(false, None).await.map(drop) });
            }
        }
        Command::Stop => shell.end(app, Then::Stop, false),
        Command::WorkersFewer | Command::WorkersMore | Command::WorkersAuto => set_workers(&shell, command),
        Command::CopyAddress => copy_address(&shell),
        Command::OpenLogs => open_logs(&shell),
        Command::Settings => pages::show_settings(app),
        Command::Quit => shell.end(app, Then::Exit, true),
    }
}

/// Does what a page in the main window asks for.
pub(crate) fn act(app: &AppHandle, action: Action) {
    match action {
        Action::Retry => command(app, Command::Start),
        Action::FreePort => Shell::of(app).start_elsewhere(app),
        Action::OpenLogs => command(app, Command::OpenLogs),
        Action::Quit => command(app, Command::Quit),
        Action::Settings => command(app, Command::Settings),
        Action::SignIn => sign_in(app),
    }
}

/// Shows what a link names, which anybody can have made; so it only ever shows something.
pub(crate) fn open_link(app: &AppHandle, text: &str) {
    match Link::parse(text) {
        Ok(link) => window::show_main(app, Some(link)),
        Err(error) => {
            tracing::warn!(%error, "a link was not followed");
            window::show_main(app, None);
        }
    }
}

/// Signs the main window in, where it is. If that cannot be, nothing happens: the page has a button to try again.
fn sign_in(app: &AppHandle) {
    let shell = Shell::of(app);
    let client = {
        let mut state = shell.state();
        if !state.sign_ins.take(Instant::now()) {
            tracing::warn!("the window asks to be signed in again and again; it has to wait");
            return;
        }
        state.node.as_ref().map(|node| node.client.clone())
    };
    let (Some(client), app) = (client, app.clone()) else { return };
    tauri::async_runtime::spawn(async move {
        let link = match client.link().await {
            Ok(link) => link,
            Err(error) => {
                tracing::warn!(error = with_causes(&error), "the window could not be signed in");
                return;
            }
        };
        let handle = app.clone();
        // Where the window is, only its own thread can say without waiting.
        let sent = app.run_on_main_thread(move || {
            if let Some(window) = handle.get_webview_window(window::MAIN) {
                let to = signed_in_at(&link, window.url().ok().as_ref());
                if let Err(error) = window.navigate(to) {
                    tracing::warn!(%error, "the window could not be signed in");
                }
            }
        });
        if let Err(error) = sent {
            tracing::debug!(%error, "the app ends");
        }
    });
}

/// Asks the node for something; what it refuses, the person is told.
fn ask<F>(shell: &Arc<Shell>, request: impl FnOnce(NodeClient) -> F)
where
    F: Future<Output = Result<(), ClientError>> + Send + 'static,
{
    let Some(client) = shell.client() else { return };
    let (shell, request) = (Arc::clone(shell), request(client));
    tauri::async_runtime::spawn(async move {
        if let Err(error) = request.await {
            shell.tell(&error);
        }
    });
}

impl Shell {
    /// Tells the person that something did not work.
    fn tell(&self, error: &ClientError) {
        let message = with_causes(error);
        tracing::warn!(error = message, "the node did not do what was asked");
        let body = error
            .hint()
            .map_or_else(|| sentence(&message), |hint| format!("{}\n{}", sentence(&message), sentence(&hint)));
        self.note(Note { title: "Flowork".to_owned(), body, urgent: false, link: Link::Open });
    }
}

fn set_workers(shell: &Arc<Shell>, command: Command) {
    let (engine, workers) = {
        let view = shell.view.borrow();
        (view.engine, view.workers)
    };
    if let (Some(engine), Some(wish)) = (engine, wish(command, workers)) {
        ask(shell, move |client| async move { client.set_workers(engine, wish).await });
    }
}

/// How many workers there are to be after a command; `None` where it has nothing to do with them.
fn wish(command: Command, workers: Workers) -> Option<WorkersWish> {
    match command {
        Command::WorkersFewer => Some(WorkersWish::Exactly(workers.now.saturating_sub(1).max(WORKERS_MIN))),
        Command::WorkersMore => Some(WorkersWish::Exactly(workers.now.saturating_add(1).min(WORKERS_MAX))),
        Command::WorkersAuto => Some(WorkersWish::ByLoad),
        _ => None,
    }
}

fn copy_address(shell: &Arc<Shell>) {
    let Some(url) = shell.view.borrow().url.clone() else { return };
    let address = url.as_str().trim_end_matches('/').to_owned();
    let shell = Arc::clone(shell);
    tauri::async_runtime::spawn_blocking(move || {
        if let Err(error) = shell.copied.copy(address) {
            tracing::warn!(%error, "the address could not be copied");
        }
    });
}

fn open_logs(shell: &Shell) {
    let logs = shell.state().logs.clone();
    if let Some(Err(error)) = logs.map(opener::open) {
        tracing::warn!(%error, "the log folder could not be opened");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_counted_from_those_there_are() {
        let workers = |now| Workers { now, min: 1, max: 8, fixed: false };
        assert_eq!(wish(Command::WorkersMore, workers(2)), Some(WorkersWish::Exactly(3)));
        assert_eq!(wish(Command::WorkersFewer, workers(2)), Some(WorkersWish::Exactly(1)));
        assert_eq!(wish(Command::WorkersFewer, workers(1)), Some(WorkersWish::Exactly(1)), "none would be a drain");
        assert_eq!(wish(Command::WorkersAuto, workers(2)), Some(WorkersWish::ByLoad));
        assert_eq!(wish(Command::Quit, workers(2)), None);
    }
}
