//! What the webview leaves in memory when its last page is closed: on Linux the process that it loads pages with. Nothing in
//! its interface ends that one, and Tauri keeps what it belongs to for the next window; the next page starts another.

use tauri::AppHandle;

/// Ends it, once what it has to write is written and if no window has opened meanwhile. From any thread.
#[cfg(target_os = "linux")]
pub(crate) fn rest(app: &AppHandle) {
    linux::rest(app);
}

/// Elsewhere the system's webview does that by itself.
#[cfg(not(target_os = "linux"))]
pub(crate) fn rest(_app: &AppHandle) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process};
    use tauri::{AppHandle, Manager};

    use crate::shell::Shell;

    /// After its last page it writes what that page had stored, within half a second.
    const WRITTEN_AFTER: Duration = Duration::from_secs(3);
    /// The processes' names, as far as the kernel keeps them.
    const LOADS: &str = "WebKitNetworkPr";
    /// See [`LOADS`].
    const SHOWS: &str = "WebKitWebProces";

    pub(super) fn rest(app: &AppHandle) {
        let app = app.clone();
        tauri::async_runtime::spawn(async move {
            tokio::time::sleep(WRITTEN_AFTER).await;
            let shell = Shell::of(&app);
            let _one_at_a_time = shell.opening.lock().await;
            if app.webview_windows().is_empty() {
                end_idle();
            }
        });
    }

    fn end_idle() {
        let children = children(std::process::id());
        // A page may be kept by what drives the app.
        if children.iter().any(|(_, name)| name == SHOWS) {
            return;
        }
        for (pid, _) in children.iter().filter(|(_, name)| name == LOADS) {
            let ended = Pid::from_raw(*pid).map(|pid| kill_process(pid, Signal::TERM));
            tracing::debug!(pid, ?ended, "no page is left to load");
        }
    }

    /// The children of a process, with their names.
    fn children(of: u32) -> Vec<(i32, String)> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        // One that has ended and that nobody has asked after yet is none any more.
        let stats = stats.filter(|stat| !stat.contains(") Z "));
        let of = of.to_string();
        stats.filter_map(|stat| parsed(&stat)).filter(|found| found.2 == of).map(|(pid, name, _)| (pid, name)).collect()
    }

    /// Number, name and parent of a process. Its name may have blanks and brackets.
    fn parsed(stat: &str) -> Option<(i32, String, String)> {
        let (pid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        Some((pid.parse().ok()?, name.to_owned(), rest.split(' ').nth(1)?.to_owned()))
    }

    #[cfg(test)]
    mod tests {
        use std::process::{Command, Stdio};

        use super::*;

        #[test]
        fn own_children_are_found_by_name() {
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let found = children(std::process::id());
            let pid = i32::try_from(child.id()).unwrap();
            assert!(found.iter().any(|found| found.0 == pid), "{pid} is not in {found:?}");
            drop(child.stdin.take());
            child.wait().unwrap();
            assert_eq!(parsed("7 (a) b) S 3 7"), Some((7, "a) b".to_owned(), "3".to_owned())));
        }
    }
}
