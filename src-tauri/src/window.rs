//! The main window: the node's GUI, or a page of the app that says why there is none.
//!
//! Closing it destroys its webview, which is most of what the app needs in memory; opening makes it anew. What is in it
//! may call nothing: no capability names it.

mod closing;

use flowork_api_types::node::Notice;
use flowork_shell::{Link, Note, Phase, Words};
use tauri::webview::{DownloadEvent, NewWindowResponse};
use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent};

use crate::ending::Then;
use crate::failure::sentence;
use crate::navigation::{self, Decision, page};
use crate::shell::{Shell, State};
use crate::{actions, menus, opener};
pub(crate) use closing::PutAway;
use closing::{Circumstances, Closing};

/// The name of the window inside the app.
pub(crate) const MAIN: &str = "main";
/// Width and height in logical pixels: a table of jobs beside the menu.
const SIZE: (f64, f64) = (1200.0, 800.0);
/// The smallest that the GUI is made for.
const SIZE_MIN: (f64, f64) = (420.0, 480.0);

/// What the webview keeps of the node's pages, inside of the data directory.
pub(crate) const WEB_DATA: &str = "window";

/// How the main window comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// In front of the others.
    InFront,
    /// Only in the task bar: nobody asked for it now.
    Minimized,
}

/// Opens the main window, or brings it forward, and shows what a link names. From any thread.
pub(crate) fn show_main(app: &AppHandle, link: Option<Link>) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move { main_shown(&app, link).await });
}

/// Does the same, and returns when it is done.
pub(crate) async fn main_shown(app: &AppHandle, link: Option<Link>) {
    let shell = Shell::of(app);
    let _one_at_a_time = shell.opening.lock().await;
    match app.get_webview_window(MAIN) {
        Some(window) => {
            if link.is_some() {
                go(&shell, &window, link);
            }
            bring_forward(&window);
        }
        None => open(app, link, Opening::InFront),
    }
}

/// Opens the main window in the task bar, if it is not there. From any thread.
pub(crate) fn show_minimized(app: &AppHandle) {
    let (shell, app) = (Shell::of(app), app.clone());
    tauri::async_runtime::spawn(async move {
        let _one_at_a_time = shell.opening.lock().await;
        if app.get_webview_window(MAIN).is_none() {
            open(&app, None, Opening::Minimized);
        }
    });
}

/// Opens the main window on the node, or on the page that says why there is none. Whoever calls it holds `opening`. Not
/// from a handler of an event.
pub(crate) fn open(app: &AppHandle, link: Option<Link>, opening: Opening) {
    if let Err(error) = build(app, link, opening) {
        tracing::error!(%error, "the window could not be opened");
    }
}

/// Brings a window forward, wherever it is.
pub(crate) fn bring_forward(window: &WebviewWindow) {
    let shown = window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::debug!(%error, "the window could not be brought forward");
    }
}

/// Sends the main window, if it is open, to where it belongs after there is a node, none any more, or one to come. From any
/// thread. A window that is just being opened is waited for: it may have been sent to where it belonged before.
pub(crate) fn refresh(app: &AppHandle) {
    let (shell, app) = (Shell::of(app), app.clone());
    tauri::async_runtime::spawn(async move {
        let _one_at_a_time = shell.opening.lock().await;
        if let Some(window) = app.get_webview_window(MAIN) {
            go(&shell, &window, None);
        }
    });
}

/// Has the main window, if it is open, show a node that was found again. A page of it that is there still is left alone: it
/// gets to the node again by itself, with all that somebody typed. From any thread.
pub(crate) fn rejoin(app: &AppHandle) {
    let (shell, app) = (Shell::of(app), app.clone());
    tauri::async_runtime::spawn(async move {
        let _one_at_a_time = shell.opening.lock().await;
        let Some(window) = app.get_webview_window(MAIN) else { return };
        let at = window.url().ok();
        let there = {
            let mut state = shell.state();
            let node = state.node.as_ref().map(|node| node.client.url().clone());
            let there = at.zip(node).is_some_and(|(at, node)| navigation::is_of(&at, &node));
            if there {
                state.main_at = state.node.as_ref().map(|node| node.client.url().clone());
            }
            there
        };
        if !there {
            go(&shell, &window, None);
        }
    });
}

/// Whether the main window is open.
pub(crate) fn is_open(app: &AppHandle) -> bool {
    app.get_webview_window(MAIN).is_some()
}

/// Sends the window to where it belongs now. Not on the main thread.
fn go(shell: &Shell, window: &WebviewWindow, link: Option<Link>) {
    if let (Some(node), Ok(at)) = (shell.main_at(), window.url())
        && navigation::is_of(&at, &node)
    {
        // Without what is behind `#`, which may be a code to sign in with.
        let query = at.query().map(|query| format!("?{query}")).unwrap_or_default();
        shell.state().place = Some(format!("{}{query}", at.path()));
    }
    let to = destination(shell, link);
    if let Err(error) = window.navigate(to) {
        tracing::error!(%error, "the window could not be sent on");
    }
}

/// Where the main window belongs now: the node, or one of the app's own pages. From then on it may only go there.
fn destination(shell: &Shell, link: Option<Link>) -> Url {
    let words = shell.words();
    let phase = shell.view.borrow().phase;
    let mut state = shell.state();
    let link = link.or(state.wanted.take());
    let node = state.node.as_ref().map(|node| node.client.url().clone());
    match node {
        Some(node) => {
            let path = link.map(flowork_shell::Link::path).or(state.place.take());
            let to = path.and_then(|path| node.join(&path).ok()).filter(|to| navigation::is_of(to, &node));
            let to = to.unwrap_or_else(|| node.clone());
            state.main_at = Some(node);
            to
        }
        None => {
            state.main_at = None;
            state.wanted = link;
            own_page(&state, phase, &words)
        }
    }
}

fn own_page(state: &State, phase: Phase, words: &Words) -> Url {
    let (title, again, said) = match &state.failure {
        Some(failure) => ("start-failed", "start-retry", Some(failure)),
        None if matches!(phase, Phase::Stopped | Phase::Unreachable) => ("start-stopped", "start-start", None),
        None => {
            let mut url = page("index.html");
            let starting = words.text("start-starting");
            url.query_pairs_mut().append_pair("lang", words.language()).append_pair("starting", &starting);
            return url;
        }
    };
    let Notice { message, hint, .. } = said.map_or_else(nothing, crate::failure::Failure::notice);
    let elsewhere = said.and_then(|failure| failure.elsewhere);
    let log = state.logs.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let mut url = page("error.html");
    url.query_pairs_mut()
        .append_pair("lang", words.language())
        .append_pair("title", &words.text(title))
        .append_pair("retry", &words.text(again))
        .append_pair("free_port", &elsewhere.map(|_| words.text("start-free-port")).unwrap_or_default())
        .append_pair("open_logs", &words.text("start-logs"))
        .append_pair("settings", &words.text("start-settings"))
        .append_pair("quit", &words.text("start-quit"))
        .append_pair("log_is", &words.text("start-log"))
        .append_pair("message", &message)
        .append_pair("hint", &sentence(hint.as_deref().unwrap_or_default()))
        .append_pair("log", &log);
    url
}

fn nothing() -> Notice {
    Notice { code: String::new(), message: String::new(), hint: None }
}

fn build(app: &AppHandle, link: Option<Link>, opening: Opening) -> tauri::Result<WebviewWindow> {
    let shell = Shell::of(app);
    let to = destination(&shell, link);
    let url = if shell.main_at().is_some() { WebviewUrl::External(to) } else { WebviewUrl::CustomProtocol(to) };
    let (going, opening_new, saving, closing) = (app.clone(), app.clone(), app.clone(), app.clone());
    let mut builder = WebviewWindowBuilder::new(app, MAIN, url)
        .title("Flowork")
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(SIZE_MIN.0, SIZE_MIN.1)
        .zoom_hotkeys_enabled(true)
        .initialization_script(introduction(&shell.words()))
        .on_navigation(move |to| goes(&going, to))
        // A second window would be one without these rules.
        .on_new_window(move |to, _features| {
            opens_elsewhere(&opening_new, to);
            NewWindowResponse::Deny
        })
        .on_page_load(|window, load| {
            let app = window.app_handle();
            // It was overtaken by the node on its way here.
            if navigation::is_start_page(load.url()) && Shell::of(app).main_at().is_some() {
                refresh(app);
            }
        })
        .on_download(move |_webview, event| saves(&saving, &event));
    if let Some(web_data) = &shell.web_data {
        builder = builder.data_directory(web_data.clone());
    }
    #[cfg(not(target_os = "macos"))]
    {
        builder = builder.menu(menus::of_window(app, &shell.words())?);
    }
    if opening == Opening::Minimized {
        builder = builder.focused(false);
    }
    let window = builder.build()?;
    shell.state().put_away.seen();
    if opening == Opening::Minimized {
        put_away(&shell, &window)?;
    }
    window.on_window_event(move |event| match event {
        WindowEvent::CloseRequested { api, .. } if closes(&closing) == Closing::Minimize => api.prevent_close(),
        WindowEvent::Focused(true) => Shell::of(&closing).state().put_away.seen(),
        _ => {}
    });
    Ok(window)
}

/// Puts the window into the task bar.
fn put_away(shell: &Shell, window: &WebviewWindow) -> tauri::Result<()> {
    window.minimize()?;
    shell.state().put_away.minimized();
    Ok(())
}

/// Tells the node's pages where they are. The app's own pages in this window have no use for it.
fn introduction(words: &Words) -> String {
    let os = match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "macOS",
        "windows" => "Windows",
        other => other,
    };
    let said = serde_json::json!({"version": env!("CARGO_PKG_VERSION"), "os": os, "language": words.language()});
    format!(
        "if (location.protocol !== \"tauri:\" && location.hostname !== \"tauri.localhost\") {{ \
         Object.defineProperty(window, \"__FLOWORK_DESKTOP__\", {{ value: Object.freeze({said}) }}); }}"
    )
}

/// Says whether the window goes there, and does what is to be done instead.
fn goes(app: &AppHandle, to: &Url) -> bool {
    match navigation::decide(to, Shell::of(app).main_at().as_ref()) {
        Decision::Stay => return true,
        Decision::Act(action) => actions::act(app, action),
        Decision::Browser => open_in_browser(to),
        Decision::Refuse => tracing::warn!(scheme = to.scheme(), "the window was kept from leaving the node"),
    }
    false
}

/// Does what a page wants another window for. Pages of the node come into this one: in a browser nobody is signed in.
fn opens_elsewhere(app: &AppHandle, to: Url) {
    let Some(node) = Shell::of(app).main_at() else { return };
    if !navigation::same_origin(&to, &node) {
        if navigation::opens_in_browser(&to) {
            open_in_browser(&to);
        }
        return;
    }
    let app = app.clone();
    // Not while the webview waits for the answer.
    tauri::async_runtime::spawn(async move {
        if let Some(window) = app.get_webview_window(MAIN)
            && let Err(error) = window.navigate(to)
        {
            tracing::warn!(%error, "the window could not go to a page of the node");
        }
    });
}

/// Lets only the node's pages save files. Where to, the webview has decided: in the folder of downloads, under a new name.
fn saves(app: &AppHandle, event: &DownloadEvent<'_>) -> bool {
    match event {
        DownloadEvent::Requested { url, .. } => {
            let node = Shell::of(app).main_at();
            node.is_some_and(|node| navigation::is_of(url, &node))
        }
        DownloadEvent::Finished { success, .. } => {
            if !success {
                tracing::warn!("a file could not be saved");
            }
            true
        }
        _ => true,
    }
}

/// Does what closing the main window does, and says what that is.
fn closes(app: &AppHandle) -> Closing {
    let shell = Shell::of(app);
    let window = app.get_webview_window(MAIN);
    let told = window.as_ref().and_then(|window| window.is_minimized().ok());
    let (own, minimized) = {
        let state = shell.state();
        let own = state.node.as_ref().is_some_and(|node| node.own.is_some()) && state.ending.is_none();
        (own, state.put_away.is_minimized(told))
    };
    let (keep, tray) = (shell.preferences().keep_in_tray, shell.in_tray());
    let closing = Circumstances { keep, tray, own, minimized }.closing();
    match closing {
        Closing::ToTray => {}
        Closing::Quit => shell.end(app, Then::Exit, true),
        Closing::Minimize => {
            if let Some(window) = window
                && let Err(error) = put_away(&shell, &window)
            {
                tracing::warn!(%error, "the window could not be minimized");
            }
            let told = std::mem::replace(&mut shell.state().told_of_minimizing, true);
            if !told {
                let words = shell.words();
                let (title, body) = (words.text("closed-without-tray-title"), words.text("closed-without-tray-body"));
                shell.note(Note { title, body, urgent: false, link: Link::Open });
            }
        }
    }
    closing
}

fn open_in_browser(to: &Url) {
    if let Err(error) = opener::open(to.as_str()) {
        tracing::warn!(%error, "the system's browser could not be started");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::failure::Failure;

    #[test]
    fn page_says_why_there_is_no_node_and_offers_what_helps() {
        let words = Words::load(&flowork_shell::Language::Tag("en".to_owned()));
        let said = |state: &State, phase| {
            let url = own_page(state, phase, &words);
            let pairs: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
            (url.path().trim_start_matches('/').to_owned(), pairs)
        };
        let (page, _) = said(&State::default(), Phase::Starting);
        assert_eq!(page, "index.html");

        let (page, stopped) = said(&State::default(), Phase::Stopped);
        assert_eq!(page, "error.html");
        assert_eq!((stopped["title"].as_str(), stopped["retry"].as_str()), ("Flowork is stopped", "Start"));
        assert_eq!((stopped["message"].as_str(), stopped["hint"].as_str()), ("", ""), "nothing went wrong");
        let (_, gone) = said(&State::default(), Phase::Unreachable);
        assert_eq!(gone["title"], stopped["title"], "a service that was ended by force is not just being started");

        let failure = Failure {
            message: "<b>no</b> & why".to_owned(),
            hint: Some("look".to_owned()),
            logs: None,
            elsewhere: None,
        };
        let logs = Some(std::path::PathBuf::from("/a/logs"));
        let mut state = State::default();
        (state.failure, state.logs) = (Some(failure), logs);
        let (_, failed) = said(&state, Phase::Failed);
        assert_eq!(failed["message"], "<b>no</b> & why.");
        assert_eq!((failed["hint"].as_str(), failed["log"].as_str()), ("Look.", "/a/logs"));
        assert_eq!(failed["free_port"], "", "it would not help");
    }

    #[test]
    fn introduction_is_for_the_node_and_cannot_be_changed() {
        let script = introduction(&Words::load(&flowork_shell::Language::Tag("de".to_owned())));
        assert!(script.contains(r#""language":"de""#) && script.contains("Object.freeze"), "{script}");
        assert!(script.starts_with("if (location.protocol !== \"tauri:\""), "{script}");
    }
}
