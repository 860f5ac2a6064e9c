//! Finding a node that somebody else starts on the same data, such as a service that is restarted, without anybody asking.
//!
//! It attaches and never starts: two nodes on the same data there are not, and whoever stopped one on purpose has it stay so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flowork_node::Holder;
use flowork_shell::{Hosting, Lookout, NodeView, Phase, Sight};
use tauri::AppHandle;
use tauri::async_runtime::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::failure::with_causes;
use crate::hosting::{self, Unattached};
use crate::shell::{Shell, State};
use crate::window;

/// A node says where it serves a moment before it does; on a machine that is busy that moment is long. So it is tried again
/// after this, and then after twice as long each time.
const TRY_AGAIN: Duration = Duration::from_secs(3);
/// As often the pause grows: to a minute and a half.
const DOUBLINGS_MAX: u32 = 5;
/// How long the window stays at the GUI of a node that has ended: a service that is restarted is back before that, and what
/// somebody was typing is still there.
const GONE_FOR: Duration = Duration::from_secs(10);

impl State {
    /// Looks out no more, because there is a node, or is not to be one.
    pub(crate) fn stop_looking_out(&mut self) {
        if let Some(looking) = self.looking_out.take() {
            looking.abort();
        }
    }

    /// Whether nothing is to be found now.
    fn is_engaged(&self) -> bool {
        let own = self.node.as_ref().is_some_and(|node| node.own.is_some());
        own || self.starting.is_some() || self.ending.is_some() || self.done.is_some() || self.was_reset
    }
}

impl Shell {
    /// Looks out for a node, if nobody does yet.
    pub(crate) fn look_out(self: &Arc<Self>, app: &AppHandle) {
        let Some(data_dir) = self.data_dir.clone() else { return };
        let mut state = self.state();
        let looks = state.looking_out.as_ref().is_some_and(|task| !is_finished(task));
        if !looks && !state.is_engaged() {
            let looking = look_out(Arc::clone(self), app.clone(), data_dir);
            state.looking_out = Some(tauri::async_runtime::spawn(looking));
        }
    }

    /// Shows that the node that the app was attached to has ended.
    fn nobody_serves(self: &Arc<Self>, app: &AppHandle, in_order: bool) {
        let mut state = self.state();
        // Its own node is never seen from outside, and without one this is no news.
        if state.is_engaged() {
            return;
        }
        let Some(gone) = state.node.take() else { return };
        gone.forget();
        let last = state.last.clone();
        drop(state);
        tracing::info!(in_order, "the node that was shown has ended");
        // Whoever stopped it on purpose knows; anything else is worth a look.
        self.show(if in_order { NodeView::stopped() } else { last.unwrap_or_else(NodeView::starting).unreachable() });
        self.changed();
        let (shell, app) = (Arc::clone(self), app.clone());
        tauri::async_runtime::spawn(async move {
            sleep(GONE_FOR).await;
            let gone = matches!(shell.view.borrow().phase, Phase::Stopped | Phase::Unreachable);
            if gone && shell.state().node.is_none() {
                window::refresh(&app);
            }
        });
    }

    /// Attaches to a node that serves. Says whether there is nothing to look out for any more, or what went wrong.
    async fn meet(self: &Arc<Self>, app: &AppHandle, holder: &Holder) -> Result<(), Unattached> {
        let Some(url) = &holder.url else { return Ok(()) };
        let flags = self.arguments.flags(self.state().recovery);
        let hosted = hosting::attach_to(&flags, url, holder.pid).await?;
        let (running, logs) = self.follow(app, hosted);
        let mut state = self.state();
        if state.is_engaged() {
            running.forget();
            return Ok(());
        }
        if let Some(gone) = state.node.replace(running) {
            gone.forget();
        }
        (state.failure, state.recovery, state.logs) = (None, false, Some(logs));
        drop(state);
        tracing::info!(pid = holder.pid, url, "attached to the node that serves now");
        window::rejoin(app);
        self.changed();
        Ok(())
    }

    /// Whether this is the node that is shown already.
    fn shows(&self, holder: &Holder) -> bool {
        let state = self.state();
        let Some(node) = &state.node else { return false };
        let there = holder.url.as_ref().and_then(|url| url.parse::<tauri::Url>().ok());
        let same_place = there.is_some_and(|url| url.origin() == node.client.url().origin());
        same_place && node.hosting == Hosting::Service { pid: holder.pid }
    }
}

async fn look_out(shell: Arc<Shell>, app: AppHandle, data_dir: PathBuf) {
    let mut lookout = match Lookout::begin(&data_dir) {
        Ok(lookout) => lookout,
        Err(error) => {
            tracing::warn!(
                error = with_causes(&error),
                "a node that is started by others has to be looked for by hand"
            );
            return;
        }
    };
    // A start that failed has tried whoever serves now, and a keychain may have asked the person for that.
    let mut tried = shell.state().failure.is_some();
    // The node that could not be attached to and is tried again, and how often it was tried.
    let mut unmet: Option<(Holder, u32)> = None;
    loop {
        let sight = match &unmet {
            Some((holder, tries)) => {
                let pause = TRY_AGAIN * 2_u32.pow((tries - 1).min(DOUBLINGS_MAX));
                timeout(pause, lookout.next()).await.unwrap_or_else(|_| Sight::Serving(holder.clone()))
            }
            None => lookout.next().await,
        };
        let tried = std::mem::take(&mut tried);
        match sight {
            Sight::Nobody { in_order } => {
                unmet = None;
                shell.nobody_serves(&app, in_order);
            }
            Sight::Busy => unmet = None,
            // What this process has, it started itself; and a connection that broke, its follower makes anew.
            Sight::Serving(holder) if holder.pid == std::process::id() || shell.shows(&holder) => unmet = None,
            Sight::Serving(_) if tried => unmet = None,
            Sight::Serving(holder) => match shell.meet(&app, &holder).await {
                Ok(()) => return,
                Err(Unattached { failure, may_pass }) => {
                    let message = failure.message;
                    tracing::warn!(message, pid = holder.pid, "the node that serves now could not be attached to");
                    let before = unmet.filter(|(unmet, _)| *unmet == holder).map_or(0, |(_, tries)| tries);
                    unmet = may_pass.then_some((holder, before + 1));
                }
            },
        }
    }
}

fn is_finished(task: &JoinHandle<()>) -> bool {
    task.inner().is_finished()
}
