//! Whether some panel shows tray icons, as D-Bus tells it: `org.kde.StatusNotifierWatcher`, and a host with it.
//!
//! It can come late, when the session starts, and go and come again, when the desktop's shell is restarted. Nobody asks for
//! it by the clock: the bus tells.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use tauri::AppHandle;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::{Connection, proxy};

use super::place;
use crate::shell::{Shell, Tray};
use crate::window;

/// The name that the watcher has on the bus.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
/// A watcher that says nothing for this long is none.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// How long a tray may be gone until the app, if it was only there, shows its window: a shell that is restarted is back
/// before that.
const GONE_FOR: Duration = Duration::from_secs(10);

#[proxy(
    interface = "org.kde.StatusNotifierWatcher",
    default_service = "org.kde.StatusNotifierWatcher",
    default_path = "/StatusNotifierWatcher"
)]
trait StatusNotifierWatcher {
    #[zbus(property(emits_changed_signal = "false"))]
    fn is_status_notifier_host_registered(&self) -> zbus::Result<bool>;

    #[zbus(signal)]
    fn status_notifier_host_registered(&self) -> zbus::Result<()>;

    #[zbus(signal)]
    fn status_notifier_host_unregistered(&self) -> zbus::Result<()>;
}

/// Follows whether there is a tray, for as long as the app runs.
pub(super) fn watch(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        if let Err(error) = follow(&app).await {
            missing(&app, &format!("the session bus cannot be used: {error}"));
        }
    });
}

async fn follow(app: &AppHandle) -> zbus::Result<()> {
    let bus = Connection::session().await?;
    let names = DBusProxy::new(&bus).await?;
    let watcher = StatusNotifierWatcherProxy::new(&bus).await?;
    let mut owners = names.receive_name_owner_changed_with_args(&[(0, WATCHER)]).await?;
    let mut registered = watcher.receive_status_notifier_host_registered().await?;
    let mut unregistered = watcher.receive_status_notifier_host_unregistered().await?;
    let shell = Shell::of(app);
    let mut shown = None;
    loop {
        // Another one may have the name now, and hang.
        shell.tray_answers.store(false, Ordering::Release);
        let there = is_there(&names, &watcher).await;
        shell.tray_answers.store(there.is_ok(), Ordering::Release);
        match &there {
            // Also where it was there before: what has changed meanwhile was not drawn.
            Ok(()) => present(app),
            Err(reason) if shown.as_ref() != Some(&there) => missing(app, reason),
            Err(_) => {}
        }
        shown = Some(there);
        let alive = tokio::select! {
            change = owners.next() => change.is_some(),
            change = registered.next() => change.is_some(),
            change = unregistered.next() => change.is_some(),
        };
        if !alive {
            // The bus is gone, and with it the session or at least everything that is on it.
            missing(app, "the session bus has ended");
            return Ok(());
        }
    }
}

/// Says whether a host shows icons now, or why not.
async fn is_there(names: &DBusProxy<'_>, watcher: &StatusNotifierWatcherProxy<'_>) -> Result<(), String> {
    let look = async {
        if !names.name_has_owner(BusName::from_static_str(WATCHER)?).await? {
            return Ok(Err("no program on the session bus shows tray icons".to_owned()));
        }
        let host = watcher.is_status_notifier_host_registered().await?;
        Ok::<_, zbus::Error>(if host { Ok(()) } else { Err("no panel shows tray icons".to_owned()) })
    };
    match tokio::time::timeout(ANSWER_WAIT, look).await {
        Ok(Ok(there)) => there,
        Ok(Err(error)) => Err(format!("the program that watches over tray icons does not answer: {error}")),
        Err(_) => Err("the program that watches over tray icons does not answer".to_owned()),
    }
}

fn present(app: &AppHandle) {
    let handle = app.clone();
    if app.run_on_main_thread(move || place(&handle)).is_err() {
        tracing::debug!("the app ends");
    }
}

/// The icon, if there is one, stays on the bus: it registers itself when a watcher comes.
fn missing(app: &AppHandle, reason: &str) {
    let shell = Shell::of(app);
    shell.tray_answers.store(false, Ordering::Release);
    let was_shown = shell.in_tray();
    shell.set_tray(Tray::Missing(reason.to_owned()));
    if was_shown {
        let app = app.clone();
        tauri::async_runtime::spawn(async move {
            tokio::time::sleep(GONE_FOR).await;
            let shell = Shell::of(&app);
            // Otherwise the app would be there and could not be reached.
            if !shell.in_tray() && !shell.is_leaving() && !window::is_open(&app) {
                window::show_minimized(&app);
            }
        });
    }
}
