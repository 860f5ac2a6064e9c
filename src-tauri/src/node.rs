//! Getting to a node, following it by its events, and showing what it says.

use std::sync::Arc;
use std::time::Duration;

use flowork_api_types::node::Notice;
use flowork_node::NodeHandle;
use flowork_shell::preferences::PREFERENCES_NOTICE;
use flowork_shell::{Hosting, NodeClient, NodeView, Note, Phase, watch};
use tauri::AppHandle;
use tauri::async_runtime::JoinHandle;
use tokio::sync::RwLock;

use crate::ending::drained_view;
use crate::failure::Failure;
use crate::hosting::{self, Hosted};
use crate::shell::Shell;
use crate::window;

/// A node that has served for this long has started well: what fails later has other reasons.
const HEALTHY_AFTER: Duration = Duration::from_secs(15);

/// The node that is shown.
pub(crate) struct Running {
    pub(crate) client: NodeClient,
    /// The node itself, where this app started it.
    pub(crate) own: Option<OwnNode>,
    following: JoinHandle<()>,
    settling: JoinHandle<()>,
}

/// A node of this app, until it is taken out to be stopped. Whoever drains it or tells it something holds it for
/// reading, so that the stop comes after that.
pub(crate) type OwnNode = Arc<RwLock<Option<NodeHandle>>>;

impl Running {
    /// Hears nothing more of the node.
    pub(crate) fn forget(&self) {
        self.following.abort();
        self.settling.abort();
    }
}

impl Shell {
    /// Gets to a node and shows it, or why there is none, and counts that as a start: after three that came to nothing it is
    /// one in recovery mode, whatever is wished for. Does nothing, and says so, while that is under way, when there is a
    /// node, or when the app is leaving.
    pub(crate) fn start(self: &Arc<Self>, app: &AppHandle, recovery: bool) -> bool {
        let unreachable = self.view.borrow().phase == Phase::Unreachable;
        let mut state = self.state();
        let there_is_one = state.node.as_ref().is_some_and(|node| node.own.is_some() || !unreachable);
        if there_is_one || state.starting.is_some() || state.ending.is_some() || state.done.is_some() || state.was_reset
        {
            return false;
        }
        if let Some(gone) = state.node.take() {
            gone.forget();
        }
        (state.failure, state.recovery) = (None, recovery);
        let (shell, handle) = (Arc::clone(self), app.clone());
        let (begin, begun) = tokio::sync::oneshot::channel();
        state.starting = Some(tauri::async_runtime::spawn(async move {
            // A start that fails at once must not be shown before it is shown to begin.
            let _ = begun.await;
            shell.run_start(&handle, recovery).await;
        }));
        drop(state);
        self.show(NodeView::starting());
        window::refresh(app);
        // Whoever ends the app meanwhile may have ended the task.
        let _ = begin.send(());
        true
    }

    async fn run_start(self: &Arc<Self>, app: &AppHandle, wished: bool) {
        let counted = self.starts().is_some_and(|starts| starts.begun().recovery);
        let recovery = wished || counted;
        self.state().recovery = recovery;
        match hosting::start_or_attach(&self.arguments.flags(recovery)).await {
            Ok(hosted) => self.take_node(app, hosted),
            Err(failure) => self.take_failure(app, failure),
        }
    }

    fn take_node(self: &Arc<Self>, app: &AppHandle, hosted: Hosted) {
        let Hosted { client, hosting, node, logs } = hosted;
        let own = node.map(|node| Arc::new(RwLock::new(Some(node))));
        let following = tauri::async_runtime::spawn(follow(Arc::clone(self), client.clone(), hosting));
        let settling = tauri::async_runtime::spawn(settle(Arc::clone(self), hosting));
        let mut state = self.state();
        state.starting = None;
        state.logs = Some(logs);
        state.node = Some(Running { client, own, following, settling });
        drop(state);
        self.tell_node();
        window::refresh(app);
        self.changed();
    }

    fn take_failure(self: &Arc<Self>, app: &AppHandle, failure: Failure) {
        tracing::error!(message = failure.message, hint = failure.hint, "no node to show");
        if let Some(starts) = self.starts() {
            // The person is told, so it is nothing that a careful start could help with.
            starts.ended();
        }
        let notice = failure.notice();
        let mut state = self.state();
        state.starting = None;
        state.logs.clone_from(&failure.logs);
        state.failure = Some(failure);
        drop(state);
        self.show(NodeView::failed(notice.clone()));
        window::refresh(app);
        if !window::is_open(app) {
            let words = self.words();
            let body = notice
                .hint
                .as_ref()
                .map_or_else(|| notice.message.clone(), |hint| format!("{}\n{hint}", notice.message));
            self.note(Note { title: words.text("start-failed"), body, urgent: true, link: flowork_shell::Link::Open });
        }
    }

    /// Shows what is known of the node.
    pub(crate) fn show(&self, view: NodeView) {
        let mut state = self.state();
        state.last = Some(view.clone());
        let view = if state.ending.is_some() { drained_view(view) } else { view };
        drop(state);
        let mut elsewhere = false;
        self.view.send_if_modified(|shown| {
            elsewhere = settings_differ(shown, &view);
            let modified = *shown != view;
            *shown = view;
            modified
        });
        if elsewhere {
            self.changed();
        }
    }

    /// Shows what was last known, after the app itself has begun or ended something.
    pub(crate) fn show_again(&self) {
        let last = self.state().last.clone();
        if let Some(last) = last {
            self.show(last);
        }
    }

    /// Tells a node of this app what the app has to say, so that it is in the node's status, too.
    pub(crate) fn tell_node(&self) {
        let own = self.state().node.as_ref().and_then(|node| node.own.clone());
        let Some(own) = own else { return };
        let notices = self.notices();
        tauri::async_runtime::spawn(async move {
            if let Some(node) = &*own.read().await {
                tell(node, &notices);
            }
        });
    }

    /// The client of the node that is shown.
    pub(crate) fn client(&self) -> Option<NodeClient> {
        self.state().node.as_ref().map(|node| node.client.clone())
    }
}

/// Every code that the app ever gives a notice, so that one that is over is taken back.
pub(crate) const CODES: [&str; 2] = [crate::shell::TRAY_MISSING, PREFERENCES_NOTICE];

fn tell(node: &NodeHandle, notices: &[Notice]) {
    for code in CODES {
        match notices.iter().find(|notice| notice.code == code) {
            Some(notice) => node.set_notice(notice.clone()),
            None => node.clear_notice(code),
        }
    }
}

/// Follows a node by its events until it is forgotten.
async fn follow(shell: Arc<Shell>, client: NodeClient, hosting: Hosting) {
    let (mut views, mut happenings) = watch(client, hosting);
    loop {
        tokio::select! {
            changed = views.changed() => {
                if changed.is_err() {
                    break;
                }
                let view = views.borrow_and_update().clone();
                shell.show(view);
            }
            happening = happenings.next() => {
                let Some(happening) = happening else { break };
                let (about, words) = (shell.preferences().notifications, shell.words());
                if let Some(note) = Note::of(&happening, about, &words) {
                    shell.note(note);
                }
            }
        }
    }
}

/// Writes down that the start came to something: at once where the node ran before, later where it could still fall over.
async fn settle(shell: Arc<Shell>, hosting: Hosting) {
    if hosting == Hosting::Own {
        tokio::time::sleep(HEALTHY_AFTER).await;
    }
    if let Some(starts) = shell.starts() {
        starts.healthy();
    }
}

/// Whether the settings window shows something else for this view.
fn settings_differ(one: &NodeView, other: &NodeView) -> bool {
    let of = |view: &NodeView| (view.hosting, view.url.clone());
    of(one) != of(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_window_is_not_drawn_for_every_job() {
        let idle = NodeView::starting();
        let busy = NodeView { running: 3, phase: Phase::Busy, ..idle.clone() };
        assert!(!settings_differ(&idle, &busy));
        let service = NodeView { hosting: Hosting::Service { pid: 7 }, ..idle.clone() };
        assert!(settings_differ(&idle, &service));
    }
}
