//! The icon in the tray, with its menu: drawn from what is known of the node, whenever that changes and never by the clock.
//!
//! Everything here runs on the main thread, where the icon has to stay: its menu is made of the same parts as those of windows.
//! On Linux the icon is a D-Bus object that a host in some panel shows; whether there is one, [`host`] tells. The icon's
//! library waits there for whoever watches over tray icons, so nothing is drawn while that one does not answer: a panel that
//! hangs must not hang the windows.

#[cfg(target_os = "linux")]
mod host;

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use flowork_shell::{Entry, IconState, status_line, tray_menu};
use tauri::AppHandle;
use tauri::image::Image;
use tray_icon::menu::{CheckMenuItem, IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tray_icon::{Icon, MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};

use crate::shell::{Shell, Tray};
use crate::window;

/// What panels know the icon by.
const ID: &str = "flowork-desktop";

const IDLE: Image<'_> = tauri::include_image!("assets/icons/tray/idle-64.png");
const BUSY: Image<'_> = tauri::include_image!("assets/icons/tray/busy-64.png");
const DRAINING: Image<'_> = tauri::include_image!("assets/icons/tray/draining-64.png");
const ATTENTION: Image<'_> = tauri::include_image!("assets/icons/tray/attention-64.png");
const STOPPED: Image<'_> = tauri::include_image!("assets/icons/tray/stopped-64.png");

/// The icon as it was drawn last.
struct Drawn {
    icon: TrayIcon,
    state: Option<IconState>,
    line: String,
    /// None where it has to be drawn anew whatever it was.
    menu: Option<Vec<Entry>>,
}

thread_local! {
    /// On the main thread only: the icon is bound to it.
    static DRAWN: RefCell<Option<Drawn>> = const { RefCell::new(None) };
}

/// Why the icon could not be drawn.
#[derive(Debug, thiserror::Error)]
enum TrayError {
    #[error(transparent)]
    Tray(#[from] tray_icon::Error),
    #[error(transparent)]
    Icon(#[from] tray_icon::BadIcon),
    #[error(transparent)]
    Menu(#[from] tray_icon::menu::Error),
}

/// Begins to look for a tray and to draw in it. On the main thread, once the event loop runs.
pub(crate) fn start(app: &AppHandle) {
    let clicked = app.clone();
    TrayIconEvent::set_event_handler(Some(move |event| {
        if opens(&event) {
            window::show_main(&clicked, None);
        }
    }));
    let drawing = app.clone();
    tauri::async_runtime::spawn(async move {
        let mut views = Shell::of(&drawing).view.subscribe();
        while views.changed().await.is_ok() {
            let app = drawing.clone();
            if drawing.run_on_main_thread(move || draw(&app)).is_err() {
                break;
            }
        }
    });
    #[cfg(target_os = "linux")]
    host::watch(app);
    #[cfg(not(target_os = "linux"))]
    place(app);
}

/// Takes the icon out of the tray. On the main thread.
pub(crate) fn remove(shell: &Shell) {
    let drawn = DRAWN.take();
    if !answers(shell) {
        // It would be waited for, and goes with the process anyway.
        std::mem::forget(drawn);
    }
}

/// Whether drawing does not have to wait for anybody.
fn answers(shell: &Shell) -> bool {
    shell.tray_answers.load(Ordering::Acquire)
}

/// Draws the menu anew the next time, even if nothing in it should have changed. On the main thread.
pub(crate) fn forget_menu() {
    DRAWN.with_borrow_mut(|drawn| {
        if let Some(drawn) = drawn {
            drawn.menu = None;
        }
    });
}

/// Draws what is known of the node, if there is a tray. On the main thread.
pub(crate) fn draw(app: &AppHandle) {
    if !answers(&Shell::of(app)) {
        return;
    }
    let failed = DRAWN.with_borrow_mut(|drawn| drawn.as_mut().and_then(|drawn| drawn.update(app).err()));
    if let Some(error) = failed {
        tracing::warn!(%error, "the tray could not be drawn");
    }
}

/// Puts the icon into the tray, or draws what has changed since it was there, and says how that went. On the main thread.
fn place(app: &AppHandle) {
    if !answers(&Shell::of(app)) {
        return;
    }
    let placed = DRAWN.with_borrow_mut(|drawn| match drawn {
        Some(drawn) => drawn.update(app),
        None => {
            *drawn = Some(Drawn::new(app)?);
            Ok(())
        }
    });
    Shell::of(app).set_tray(match placed {
        Ok(()) => Tray::Shown,
        Err(error) => Tray::Missing(error.to_string()),
    });
}

impl Drawn {
    fn new(app: &AppHandle) -> Result<Self, TrayError> {
        let state = Shell::of(app).view.borrow().icon();
        let builder = TrayIconBuilder::new().with_id(ID).with_icon(icon(state)?).with_menu(Box::new(Menu::new()));
        // Next to the icon itself, as macOS shows a title, there would be too much of it.
        let builder = if cfg!(target_os = "linux") { builder.with_title("Flowork") } else { builder };
        // As is the custom there, a click opens the window and the other button the menu.
        let builder = builder.with_menu_on_left_click(!cfg!(windows));
        let mut drawn = Self { icon: builder.build()?, state: Some(state), line: String::new(), menu: None };
        drawn.update(app)?;
        Ok(drawn)
    }

    fn update(&mut self, app: &AppHandle) -> Result<(), TrayError> {
        let shell = Shell::of(app);
        let words = shell.words();
        let view = shell.view.borrow().clone();
        let (state, line, menu) = (view.icon(), status_line(&view, &words), tray_menu(&view, &words));
        if self.state != Some(state) {
            self.icon.set_icon(Some(icon(state)?))?;
            self.state = Some(state);
        }
        if self.line != line {
            self.icon.set_tooltip(Some(&line))?;
            self.line = line;
        }
        if self.menu.as_ref() != Some(&menu) {
            self.icon.set_menu(Some(Box::new(built(&menu)?)));
            self.menu = Some(menu);
        }
        Ok(())
    }
}

/// Says whether a click on the icon asks for the window. Where it opens the menu, the system does that by itself.
fn opens(event: &TrayIconEvent) -> bool {
    let left_up =
        matches!(event, TrayIconEvent::Click { button: MouseButton::Left, button_state: MouseButtonState::Up, .. });
    left_up && !cfg!(target_os = "macos")
}

const fn image(state: IconState) -> Image<'static> {
    match state {
        IconState::Idle => IDLE,
        IconState::Busy => BUSY,
        IconState::Draining => DRAINING,
        IconState::Attention => ATTENTION,
        IconState::Stopped => STOPPED,
    }
}

fn icon(state: IconState) -> Result<Icon, tray_icon::BadIcon> {
    let image = image(state);
    Icon::from_rgba(image.rgba().to_vec(), image.width(), image.height())
}

fn built(entries: &[Entry]) -> Result<Menu, tray_icon::menu::Error> {
    let menu = Menu::new();
    for entry in entries {
        menu.append(&*item(entry)?)?;
    }
    Ok(menu)
}

fn item(entry: &Entry) -> Result<Box<dyn IsMenuItem>, tray_icon::menu::Error> {
    Ok(match entry {
        Entry::Text(text) => Box::new(MenuItem::new(as_label(text), false, None)),
        Entry::Action { command, label, enabled } => {
            Box::new(MenuItem::with_id(command.as_str(), as_label(label), *enabled, None))
        }
        Entry::Check { command, label, checked, enabled } => {
            Box::new(CheckMenuItem::with_id(command.as_str(), as_label(label), *enabled, *checked, None))
        }
        Entry::Separator => Box::new(PredefinedMenuItem::separator()),
        Entry::Submenu { label, entries } => {
            let submenu = Submenu::new(as_label(label), true);
            for entry in entries {
                submenu.append(&*item(entry)?)?;
            }
            Box::new(submenu)
        }
    })
}

/// A text as the label of an item, in which `&` marks a key.
pub(crate) fn as_label(text: &str) -> String {
    text.replace('&', "&&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_an_icon_of_its_own() {
        let mut seen = Vec::new();
        for state in IconState::ALL {
            assert!(icon(state).is_ok(), "{state:?} can be drawn");
            let drawn = image(state).rgba().to_vec();
            assert!(!seen.contains(&drawn), "{state:?} can be told from the others");
            seen.push(drawn);
        }
    }

    #[test]
    fn labels_are_shown_as_they_are() {
        assert_eq!(as_label("R&D: 3 jobs"), "R&&D: 3 jobs");
    }
}
