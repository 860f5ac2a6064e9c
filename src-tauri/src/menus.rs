//! The native menus: of the main window, and on macOS of the app. They ask for the same things as the tray's menu.

use flowork_shell::{Command, Words, menu::label};
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::{AppHandle, Manager, Wry};

use crate::window::MAIN;
use crate::{actions, tray};

/// The id of the item that closes the window.
const CLOSE: &str = "close-window";
/// The id of the item that loads the page again.
const RELOAD: &str = "reload";

/// The menu of the main window, or on macOS the one of the app.
pub(crate) fn of_window(app: &AppHandle, words: &Words) -> tauri::Result<Menu<Wry>> {
    let menu = Menu::new(app)?;
    menu.append(&own(app, words)?)?;
    // Elsewhere a webview has the keys for these of its own, and no menu of theirs.
    #[cfg(target_os = "macos")]
    menu.append(&edit(app, words)?)?;
    let reload = MenuItem::with_id(app, RELOAD, words.text("menu-reload"), true, Some("CmdOrCtrl+R"))?;
    menu.append(&Submenu::with_items(app, words.text("menu-view"), true, &[&reload])?)?;
    Ok(menu)
}

fn own(app: &AppHandle, words: &Words) -> tauri::Result<Submenu<Wry>> {
    let item = |command: Command, key: Option<&str>| {
        MenuItem::with_id(app, command.as_str(), tray::as_label(&label(command, words)), true, key)
    };
    let close = MenuItem::with_id(app, CLOSE, words.text("menu-close-window"), true, Some("CmdOrCtrl+W"))?;
    let menu = Submenu::new(app, "Flowork", true)?;
    #[cfg(target_os = "macos")]
    menu.append_items(&[&PredefinedMenuItem::about(app, None, None)?, &PredefinedMenuItem::separator(app)?])?;
    menu.append_items(&[
        &item(Command::Settings, Some("CmdOrCtrl+,"))?,
        &item(Command::OpenLogs, None)?,
        &PredefinedMenuItem::separator(app)?,
    ])?;
    #[cfg(target_os = "macos")]
    menu.append_items(&[
        &PredefinedMenuItem::hide(app, None)?,
        &PredefinedMenuItem::hide_others(app, None)?,
        &PredefinedMenuItem::separator(app)?,
    ])?;
    // Not the system's own item for quitting, which would end the app without draining.
    menu.append_items(&[&close, &item(Command::Quit, Some("CmdOrCtrl+Q"))?])?;
    Ok(menu)
}

#[cfg(target_os = "macos")]
fn edit(app: &AppHandle, words: &Words) -> tauri::Result<Submenu<Wry>> {
    Submenu::with_items(
        app,
        words.text("menu-edit"),
        true,
        &[
            &PredefinedMenuItem::undo(app, None)?,
            &PredefinedMenuItem::redo(app, None)?,
            &PredefinedMenuItem::separator(app)?,
            &PredefinedMenuItem::cut(app, None)?,
            &PredefinedMenuItem::copy(app, None)?,
            &PredefinedMenuItem::paste(app, None)?,
            &PredefinedMenuItem::select_all(app, None)?,
        ],
    )
}

/// Does what an item asks for, whichever menu it is in.
pub(crate) fn clicked(app: &AppHandle, id: &str) {
    // A click turns the mark of an item around before anybody knows whether it will be so.
    tray::forget_menu();
    if let Ok(command) = id.parse::<Command>() {
        actions::command(app, command);
    } else if let Some(window) = app.get_webview_window(MAIN) {
        let done = match id {
            CLOSE => window.close(),
            RELOAD => window.reload(),
            _ => Ok(()),
        };
        if let Err(error) = done {
            tracing::debug!(%error, id, "the window did not do what its menu asks for");
        }
    }
    tray::draw(app);
}
