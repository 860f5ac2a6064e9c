//! The app's own windows: settings, and what is left to do when leaving. Each may call its own commands and no other, and
//! shows nothing but the page it was opened with.

use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent};

use crate::ending::Step;
use crate::menus;
use crate::navigation::{page, same_origin};
use crate::shell::Shell;
#[cfg(not(target_os = "macos"))]
use crate::window::MAIN;
use crate::window::bring_forward;

/// The names of the windows, as the capabilities have them.
pub(crate) const SETTINGS: &str = "settings";
/// See [`SETTINGS`].
pub(crate) const LEAVING: &str = "leaving";

/// One of the app's own windows.
struct Page {
    label: &'static str,
    file: &'static str,
    title: &'static str,
    size: (f64, f64),
    size_min: Option<(f64, f64)>,
}

const SETTINGS_PAGE: Page = Page {
    label: SETTINGS,
    file: "settings.html",
    title: "settings-title",
    size: (560.0, 720.0),
    size_min: Some((420.0, 480.0)),
};

const LEAVING_PAGE: Page =
    Page { label: LEAVING, file: "leaving.html", title: "leaving-title", size: (440.0, 300.0), size_min: None };

/// Opens the settings, or brings them forward. From any thread.
pub(crate) fn show_settings(app: &AppHandle) {
    show(app, &SETTINGS_PAGE);
}

/// Opens the window that says what is left to do, or brings it forward. From any thread.
pub(crate) fn show_leaving(app: &AppHandle) {
    show(app, &LEAVING_PAGE);
}

/// Closes that window, because there is nothing left to say.
pub(crate) fn close_leaving(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LEAVING)
        && let Err(error) = window.destroy()
    {
        tracing::debug!(%error, "the window could not be closed");
    }
}

/// Shows menus and titles of windows that are open in another language. From any thread.
pub(crate) fn in_other_words(app: &AppHandle) {
    let words = Shell::of(app).words();
    #[cfg(target_os = "macos")]
    let menu = menus::of_window(app, &words).and_then(|menu| app.set_menu(menu).map(drop));
    #[cfg(not(target_os = "macos"))]
    let menu = match app.get_webview_window(MAIN) {
        Some(window) => menus::of_window(app, &words).and_then(|menu| window.set_menu(menu).map(drop)),
        None => Ok(()),
    };
    if let Err(error) = menu {
        tracing::warn!(%error, "the menu could not be made");
    }
    for page in [&SETTINGS_PAGE, &LEAVING_PAGE] {
        if let Some(window) = app.get_webview_window(page.label)
            && let Err(error) = window.set_title(&words.text(page.title))
        {
            tracing::debug!(%error, "the title could not be set");
        }
    }
}

fn show(app: &AppHandle, page: &'static Page) {
    let (shell, app) = (Shell::of(app), app.clone());
    tauri::async_runtime::spawn(async move {
        let _one_at_a_time = shell.opening.lock().await;
        // By the time that the window would open, there may be nothing to say any more.
        if page.label == LEAVING && !matches!(shell.leaving.borrow().step, Step::Draining { .. }) {
            return;
        }
        match app.get_webview_window(page.label) {
            Some(window) => bring_forward(&window),
            None => {
                if let Err(error) = build(&app, &shell, page) {
                    tracing::error!(%error, page = page.label, "a window could not be opened");
                }
            }
        }
    });
}

fn build(app: &AppHandle, shell: &Shell, shown: &'static Page) -> tauri::Result<WebviewWindow> {
    let own = page(shown.file);
    let closing = app.clone();
    let mut builder = WebviewWindowBuilder::new(app, shown.label, WebviewUrl::CustomProtocol(own.clone()))
        .title(shell.words().text(shown.title))
        .inner_size(shown.size.0, shown.size.1)
        .resizable(shown.size_min.is_some())
        .center()
        .on_navigation(move |to| stays(to, &own))
        .on_new_window(|_to, _features| NewWindowResponse::Deny);
    if let Some(size) = shown.size_min {
        builder = builder.min_inner_size(size.0, size.1);
    }
    if let Some(web_data) = &shell.web_data {
        builder = builder.data_directory(web_data.clone());
    }
    let window = builder.build()?;
    let label = shown.label;
    window.on_window_event(move |event| match event {
        WindowEvent::CloseRequested { api, .. } if label == LEAVING && !may_close_leaving(&closing) => {
            api.prevent_close();
        }
        // Its last question is answered, so that nothing waits for a window that is gone.
        WindowEvent::Destroyed => {
            let shell = Shell::of(&closing);
            match label {
                LEAVING => shell.leaving.send_modify(|shown| shown.revision += 1),
                _ => shell.changed(),
            }
        }
        _ => {}
    });
    Ok(window)
}

/// Such a page stays where it is; what would lead away from it is no link of ours.
fn stays(to: &Url, own: &Url) -> bool {
    same_origin(to, own) && to.path() == own.path()
}

/// Closing the window that says what is left means to keep running, while that can still be had.
fn may_close_leaving(app: &AppHandle) -> bool {
    let shell = Shell::of(app);
    let step = shell.leaving.borrow().step;
    match step {
        Step::Draining { .. } => {
            shell.keep_running();
            false
        }
        Step::Stopping => false,
        Step::Done => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_windows_go_nowhere() {
        let own = page("settings.html");
        let goes = |to: &str| stays(&own.join(to).unwrap(), &own);
        assert!(goes("settings.html") && goes("settings.html#reset") && goes("?x=1"));
        for elsewhere in ["leaving.html", "error.html", "https://example.com/settings.html", "about:blank"] {
            assert!(!goes(elsewhere), "{elsewhere}");
        }
    }
}
