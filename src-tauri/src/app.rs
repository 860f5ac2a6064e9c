//! The life of the app: what happens at its start, what its event loop hears, and with which code it ends.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

use flowork_node::Config;
use flowork_shell::{Notifier, leaving::EXIT_JOBS_LEFT};
use tauri::{App, AppHandle, Context, Manager, RunEvent};
use tauri_plugin_window_state::StateFlags;

use crate::arguments::Arguments;
use crate::ending::{GO_WITHIN, Then, watchdog};
use crate::shell::{SecondStart, Shell, Tray};
use crate::window::{Opening, WEB_DATA};
use crate::{actions, commands, instance, links, menus, pages, tray, window};

/// Where the windows were, in the data directory.
const WINDOW_STATE: &str = "window-state.json";
/// How long a start in the background waits for a tray: panels start with the session, too.
const TRAY_WAIT: Duration = Duration::from_secs(5);

/// Signals within this time are one wish: a session that ends sends several at once.
#[cfg(unix)]
const SAME_WISH: Duration = Duration::from_secs(1);

/// Runs the app until somebody quits.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    if let Err(error) = find_screen() {
        return without_screen(&error);
    }
    let data_dir = Config::find_data_dir(&arguments.flags(false)).ok();
    let shell = Shell::new(arguments, data_dir);
    let mut context = tauri::generate_context!();
    let name = shell.data_dir.as_deref().map(|path| instance::name(&context.config().identifier, path));
    name_instance(&mut context, name.as_deref());
    let app = build(Arc::clone(&shell), context, name);
    let app = match app {
        Ok(app) => app,
        Err(error) => return not_built(&error),
    };
    let made_by_plugins = app.path().app_config_dir().ok();
    let code = app.run_return(|app, event| heard(app, &event));
    sweep(&shell, made_by_plugins.as_deref());
    if let Some(again) = shell.state().again.take() {
        begin_again(&again);
    }
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Becomes a start that came when this one was past taking anything. The name on the bus goes with the process's connection,
/// so that the new one is the first again.
#[cfg(unix)]
fn begin_again(again: &SecondStart) {
    use std::os::unix::process::CommandExt;
    let error = match std::env::current_exe() {
        Ok(program) => {
            let mut app = std::process::Command::new(in_place_of(program));
            app.args(again.arguments.iter().skip(1));
            // It may be gone, or have a name that could not be handed over.
            if again.directory.is_dir() {
                app.current_dir(&again.directory);
            }
            app.exec()
        }
        Err(error) => error,
    };
    eprintln!("error: the app could not be started again: {error}");
}

/// After an upgrade the kernel knows the program that runs as one that was deleted; the new one is in its place.
#[cfg(unix)]
fn in_place_of(program: PathBuf) -> PathBuf {
    let before = program.to_str().and_then(|program| program.strip_suffix(" (deleted)")).map(PathBuf::from);
    before.filter(|_| !program.exists()).unwrap_or(program)
}

/// Elsewhere a process cannot become another, and a second one would find this one still there.
#[cfg(not(unix))]
fn begin_again(_again: &SecondStart) {
    eprintln!("error: the app was just ending; start it again");
}

fn without_screen(error: &dyn Error) -> ExitCode {
    eprintln!("error: the app could not be started: {error}");
    eprintln!("hint: where there is no screen, `flowork serve` runs the same node");
    ExitCode::FAILURE
}

/// Says why there is no app though there is a screen.
fn not_built(error: &tauri::Error) -> ExitCode {
    eprintln!("error: the app could not be started: {error}");
    if matches!(error, tauri::Error::PluginInitialization(name, _) if name == "single-instance") {
        eprintln!("hint: the app that ran was just ending; start it again");
    }
    ExitCode::FAILURE
}

/// Looks for a screen before Tauri does, which ends in a panic where there is none.
#[cfg(target_os = "linux")]
fn find_screen() -> Result<(), impl Error> {
    gtk::init()
}

/// Elsewhere there always is one.
#[cfg(not(target_os = "linux"))]
fn find_screen() -> Result<(), std::convert::Infallible> {
    Ok(())
}

/// On Linux the name is given to the plugin; elsewhere it looks at the identifier of the app.
fn name_instance(context: &mut Context, name: Option<&str>) {
    if let Some(name) = name
        && !cfg!(target_os = "linux")
    {
        name.clone_into(&mut context.config_mut().identifier);
    }
}

fn build(shell: Arc<Shell>, context: Context, name: Option<String>) -> tauri::Result<App> {
    let mut one = tauri_plugin_single_instance::Builder::new().callback(|app, arguments, directory| {
        started_again(app, SecondStart { arguments, directory: directory.into() });
    });
    if let Some(name) = name {
        one = one.dbus_id(name);
    }
    let mut positions = tauri_plugin_window_state::Builder::new()
        .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
        .with_denylist(&[pages::LEAVING]);
    if let Some(data_dir) = &shell.data_dir {
        positions = positions.with_filename(data_dir.join(WINDOW_STATE).to_string_lossy());
    }
    tauri::Builder::default()
        // First: a second start hands over its arguments and ends here.
        .plugin(one.build())
        .plugin(positions.build())
        .manage(shell)
        .invoke_handler(tauri::generate_handler![
            commands::leaving::leaving_view,
            commands::leaving::leaving_quit_now,
            commands::leaving::leaving_keep_running,
            commands::settings::settings_view,
            commands::settings::settings_set,
            commands::settings::settings_open_place,
            commands::settings::settings_leave_recovery,
            commands::reset::reset_plan,
            commands::reset::reset_carry_out,
            commands::reset::reset_finish,
        ])
        .on_menu_event(|app, event| menus::clicked(app, event.id().as_ref()))
        .setup(|app| {
            set_up(app);
            Ok(())
        })
        .build(context)
}

/// Begins everything. The window first, because that is what somebody waits for; nothing here blocks.
fn set_up(app: &App) {
    let app = app.handle();
    let shell = Shell::of(app);
    shell.open_log();
    shell.start(app, shell.arguments.recovery);
    match shell.arguments.url.clone() {
        Some(link) => actions::open_link(app, &link),
        None if shell.arguments.background => wait_for_tray(app),
        None => match shell.opening.try_lock() {
            Ok(_one_at_a_time) => window::open(app, None, Opening::InFront),
            // Whoever opens a window now waits for this very thread.
            Err(_) => window::show_main(app, None),
        },
    }
    #[cfg(target_os = "macos")]
    set_app_menu(app, &shell);
    tray::start(app);
    begin_to_notify(app, &shell);
    links::start(app);
    quit_on_signal(app.clone());
    tauri::async_runtime::spawn_blocking(move || repair_autostart(&shell));
}

#[cfg(target_os = "macos")]
fn set_app_menu(app: &AppHandle, shell: &Shell) {
    let set = menus::of_window(app, &shell.words()).and_then(|menu| app.set_menu(menu));
    if let Err(error) = set {
        tracing::warn!(%error, "the menu could not be made");
    }
}

/// Begins to show notifications.
fn begin_to_notify(app: &AppHandle, shell: &Arc<Shell>) {
    let (clicked, shell) = (app.clone(), Arc::clone(shell));
    tauri::async_runtime::spawn(async move {
        shell.set_notifier(Notifier::start(move |link| window::show_main(&clicked, Some(link))));
    });
}

/// Opens the window after all where a start in the background finds no tray: otherwise nobody could reach the app.
fn wait_for_tray(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let shell = Shell::of(&app);
        let mut tray = shell.tray.subscribe();
        let shown = tray.wait_for(|tray| *tray == Tray::Shown);
        if !matches!(tokio::time::timeout(TRAY_WAIT, shown).await, Ok(Ok(_))) {
            window::show_minimized(&app);
        }
    });
}

/// Where the app starts with the session and has been moved, the session learns where it is now.
fn repair_autostart(shell: &Shell) {
    match shell.autostart().and_then(|autostart| autostart.repair()) {
        Ok(repaired) => tracing::debug!(?repaired, "looked after the start with the session"),
        Err(error) => tracing::warn!(%error, "the start with the session cannot be looked after"),
    }
}

/// A second start: it ends, and this app does what it was asked.
pub(crate) fn started_again(app: &AppHandle, again: SecondStart) {
    let (given, shell) = (Arguments::handed_over(&again.arguments), Shell::of(app));
    if shell.is_past_return() {
        shell.state().again = Some(again);
        return;
    }
    if given.recovery && !shell.start(app, true) {
        // A node is there already, and the settings say how it was started.
        pages::show_settings(app);
        if given.url.is_none() {
            return;
        }
    }
    match given.url {
        Some(link) => actions::open_link(app, &link),
        // The session starts what is running already; nobody asked to see it.
        None if given.background => {}
        None if shell.is_leaving() => pages::show_leaving(app),
        None => window::show_main(app, None),
    }
}

/// What the event loop hears. On the main thread.
fn heard(app: &AppHandle, event: &RunEvent) {
    let shell = Shell::of(app);
    match event {
        RunEvent::ExitRequested { api, code, .. } if shell.state().done.is_none() => {
            api.prevent_exit();
            // Without a code, the last window is closed. Whether the app goes on without one was decided when the main window
            // was closed; after a reset there is nothing to go on with.
            if code.is_some() || (shell.state().was_reset && !shell.in_tray()) {
                shell.end(app, Then::Exit, true);
            }
        }
        RunEvent::Exit => {
            watchdog::ends_within(GO_WITHIN, shell.state().done.unwrap_or(EXIT_JOBS_LEFT));
            shell.stop_now();
            tray::remove(&shell);
        }
        #[cfg(target_os = "macos")]
        RunEvent::Opened { urls } => {
            for url in urls {
                actions::open_link(app, url.as_str());
            }
        }
        // A click on the app in the dock.
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => window::show_main(app, None),
        _ => {}
    }
}

/// How often the system has asked for the end.
#[cfg(unix)]
#[derive(Debug, Default)]
struct Asked {
    times: u32,
    last: Option<Instant>,
}

#[cfg(unix)]
impl Asked {
    /// Counts one more signal; `None` where it is the same wish as the one right before it.
    fn again(&mut self, now: Instant) -> Option<u32> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < SAME_WISH) {
            return None;
        }
        self.last = Some(now);
        self.times += 1;
        Some(self.times)
    }
}

/// Quits when the system asks for it, without a window. Asked again it does not wait for jobs, and the third time for nothing.
#[cfg(unix)]
fn quit_on_signal(app: AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    tauri::async_runtime::spawn(async move {
        let kinds = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = kinds else {
            tracing::warn!("signals cannot be caught: ending the process will not drain the node");
            return;
        };
        let mut asked = Asked::default();
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {}
            }
            let shell = Shell::of(&app);
            match asked.again(Instant::now()) {
                None => {}
                Some(1) => shell.end(&app, Then::Exit, false),
                Some(2) => shell.force(),
                Some(_) => std::process::exit(i32::from(EXIT_JOBS_LEFT)),
            }
        }
    });
}

/// Windows has no such signals: closing the session ends the event loop.
#[cfg(not(unix))]
fn quit_on_signal(_app: AppHandle) {}

/// Removes what would be left of the app: folders that a plugin makes and does not use, and, after a reset, what the webview
/// wrote while it was ended.
fn sweep(shell: &Shell, made_by_plugins: Option<&Path>) {
    // What is not there needs nothing, and a folder that is not empty stays by itself.
    if let Some(folder) = made_by_plugins {
        let _ = std::fs::remove_dir(folder);
    }
    if let Some(data_dir) = &shell.data_dir
        && shell.state().was_reset
    {
        let _ = std::fs::remove_dir_all(data_dir.join(WEB_DATA));
        let _ = std::fs::remove_file(data_dir.join(WINDOW_STATE));
        let _ = std::fs::remove_dir(data_dir);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn signals_that_come_together_are_one_wish() {
        let (mut asked, start) = (Asked::default(), Instant::now());
        assert_eq!(asked.again(start), Some(1));
        assert_eq!(asked.again(start), None, "the session sends another kind right away");
        assert_eq!(asked.again(start + Duration::from_millis(999)), None);
        assert_eq!(asked.again(start + SAME_WISH), Some(2), "somebody does not want to wait");
        assert_eq!(asked.again(start + SAME_WISH), None);
        assert_eq!(asked.again(start + SAME_WISH * 3), Some(3));
    }
}
