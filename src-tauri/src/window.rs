//! The one window, and what may happen in it.

use std::sync::Arc;

use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

use crate::navigation::{self, Decision};
use crate::shell::Shell;

/// The name of the window inside the app.
const LABEL: &str = "main";
/// Width and height in logical pixels: a table of jobs beside the menu.
const SIZE: (f64, f64) = (1200.0, 800.0);
/// The smallest that the GUI is made for.
const SIZE_MIN: (f64, f64) = (420.0, 480.0);

/// Opens the window on the page that says that the node is starting.
pub(crate) fn open(app: &AppHandle, shell: &Arc<Shell>) -> tauri::Result<WebviewWindow> {
    let (going, opening) = (Arc::clone(shell), Arc::clone(shell));
    let handle = app.clone();
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Flowork")
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(SIZE_MIN.0, SIZE_MIN.1)
        .on_navigation(move |to| match navigation::decide(to, going.node_url().as_ref()) {
            Decision::Stay => true,
            Decision::Act(action) => {
                going.act(&handle, action);
                false
            }
            Decision::Browser => {
                open_in_browser(to);
                false
            }
            Decision::Refuse => {
                tracing::warn!(scheme = to.scheme(), "the window was kept from leaving the node");
                false
            }
        })
        // A second window would be one without these rules.
        .on_new_window(move |to, _features| {
            let node = opening.node_url();
            if node.is_some() && navigation::opens_in_browser(&to) {
                open_in_browser(&to);
            }
            NewWindowResponse::Deny
        })
        .build()
}

fn open_in_browser(to: &Url) {
    if let Err(error) = open::that_detached(to.as_str()) {
        tracing::warn!(%error, "the system's browser could not be started");
    }
}
