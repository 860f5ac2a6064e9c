//! Getting to a node, following it by its events, and showing what it says.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use flowork_api_types::node::Notice;
use flowork_node::NodeHandle;
use flowork_shell::preferences::PREFERENCES_NOTICE;
use flowork_shell::{Arg, Hosting, NodeClient, NodeView, Note, Phase, keep_listen, watch};
use tauri::AppHandle;
use tauri::async_runtime::{JoinHandle, spawn_blocking};
use tokio::sync::RwLock;

use crate::ending::drained_view;
use crate::failure::{Failure, with_causes};
use crate::hosting::{self, Hosted};
use crate::shell::{Shell, State};
use crate::window;

/// A node that has served for this long has started well: what fails later has other reasons.
const HEALTHY_AFTER: Duration = Duration::from_secs(15);
/// The notice that says that the node serves at an address that is not that of the next start.
const PORT_NOT_KEPT: &str = "PORT_NOT_KEPT";

/// How to start.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// In recovery mode.
    recovery: bool,
    /// On a port that nobody has, at this address, and on no other from then on.
    elsewhere: Option<IpAddr>,
}

/// The node that is shown.
pub(crate) struct Running {
    pub(crate) client: NodeClient,
    /// The node itself, where this app started it.
    pub(crate) own: Option<OwnNode>,
    /// Whose it is.
    pub(crate) hosting: Hosting,
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
        self.begin(app, Start { recovery, elsewhere: None })
    }

    /// Starts on a port that nobody has, after the other was found taken. Does nothing where that would not help.
    pub(crate) fn start_elsewhere(self: &Arc<Self>, app: &AppHandle) {
        let (recovery, elsewhere) = {
            let state = self.state();
            (state.recovery, state.failure.as_ref().and_then(|failure| failure.elsewhere))
        };
        if let Some(elsewhere) = elsewhere {
            self.begin(app, Start { recovery, elsewhere: Some(elsewhere.ip) });
        }
    }

    fn begin(self: &Arc<Self>, app: &AppHandle, start: Start) -> bool {
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
        state.stop_looking_out();
        (state.failure, state.recovery) = (None, start.recovery);
        let (shell, handle) = (Arc::clone(self), app.clone());
        let (begin, begun) = tokio::sync::oneshot::channel();
        state.starting = Some(tauri::async_runtime::spawn(async move {
            // A start that fails at once must not be shown before it is shown to begin.
            let _ = begun.await;
            let (own, own_handle) = (Arc::clone(&shell), handle.clone());
            let run = tauri::async_runtime::spawn(async move { own.run_start(&own_handle, start).await });
            if let Err(error) = run.await {
                // A defect. Without a word about it nothing could be started any more.
                shell.take_failure(&handle, Failure::new(&error, None, shell.logs()));
            }
        }));
        drop(state);
        self.show(NodeView::starting());
        window::refresh(app);
        // Whoever ends the app meanwhile may have ended the task.
        let _ = begin.send(());
        true
    }

    async fn run_start(self: &Arc<Self>, app: &AppHandle, start: Start) {
        let counted = self.starts().is_some_and(|starts| starts.begun().recovery);
        let recovery = start.recovery || counted;
        self.state().recovery = recovery;
        let mut flags = self.arguments.flags(recovery);
        if let Some(ip) = start.elsewhere {
            flags.listen = Some(SocketAddr::new(ip, 0).to_string());
        }
        match hosting::start_or_attach(&flags).await {
            Ok(hosted) => {
                let not_kept = match start.elsewhere {
                    Some(ip) => self.keep_port(ip, &hosted).await,
                    None => None,
                };
                self.set_notice(PORT_NOT_KEPT, not_kept);
                self.take_node(app, hosted);
            }
            Err(failure) => self.take_failure(app, failure),
        }
    }

    /// Keeps the port that a node of this app got, and says so if that cannot be.
    async fn keep_port(&self, ip: IpAddr, hosted: &Hosted) -> Option<Notice> {
        let url = hosted.client.url();
        let (data_dir, port) = (hosted.node.as_ref()?.data_dir().to_owned(), url.port_or_known_default()?);
        let kept = spawn_blocking(move || keep_listen(&data_dir, SocketAddr::new(ip, port))).await;
        let reason = match &kept {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => with_causes(error),
            Err(error) => with_causes(error),
        };
        tracing::warn!(reason, "the port could not be kept");
        let (words, url) = (self.words(), url.as_str().trim_end_matches('/'));
        let values = [("url", Arg::Text(url)), ("reason", Arg::Text(&reason))];
        Some(Notice {
            code: PORT_NOT_KEPT.to_owned(),
            message: words.format("port-not-kept-message", &values),
            hint: Some(words.text("port-not-kept-hint")),
        })
    }

    fn take_node(self: &Arc<Self>, app: &AppHandle, hosted: Hosted) {
        let (running, logs) = self.follow(app, hosted);
        let mut state = self.state();
        state.starting = None;
        state.logs = Some(logs);
        if let Some(before) = state.node.replace(running) {
            before.forget();
        }
        drop(state);
        self.tell_node();
        window::refresh(app);
        self.changed();
    }

    /// Begins to follow a node.
    pub(crate) fn follow(self: &Arc<Self>, app: &AppHandle, hosted: Hosted) -> (Running, PathBuf) {
        let Hosted { client, hosting, node, logs } = hosted;
        if hosting != Hosting::Own {
            // However that node was started, it was not this app that was careful.
            self.state().recovery = false;
        }
        let own = node.map(|node| Arc::new(RwLock::new(Some(node))));
        let following = tauri::async_runtime::spawn(follow(Arc::clone(self), app.clone(), client.clone(), hosting));
        let settling = tauri::async_runtime::spawn(settle(Arc::clone(self), hosting));
        (Running { client, own, hosting, following, settling }, logs)
    }

    fn take_failure(self: &Arc<Self>, app: &AppHandle, mut failure: Failure) {
        tracing::error!(message = failure.message, hint = failure.hint, "no node to show");
        if let Some(starts) = self.starts() {
            // The person is told, so it is nothing that a careful start could help with.
            starts.ended();
        }
        if let Some(elsewhere) = failure.elsewhere {
            // Whoever reads this has a button where others have a command line.
            failure.hint = Some(self.words().text(elsewhere.hint));
        }
        let notice = failure.notice();
        let mut state = self.state();
        state.starting = None;
        if failure.logs.is_some() {
            state.logs.clone_from(&failure.logs);
        }
        state.failure = Some(failure);
        drop(state);
        self.show(NodeView::failed(notice.clone()));
        window::refresh(app);
        self.look_out(app);
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
        state.last = Some(view);
        self.show_last(state);
    }

    /// Shows what was last known, after the app itself has begun or ended something.
    pub(crate) fn show_again(&self) {
        self.show_last(self.state());
    }

    /// The state is held until it is shown: somebody else may show what came after it.
    fn show_last(&self, state: MutexGuard<'_, State>) {
        let Some(view) = state.last.clone() else { return };
        let view = if state.ending.is_some() { drained_view(view) } else { view };
        let mut elsewhere = false;
        self.view.send_if_modified(|shown| {
            elsewhere = settings_differ(shown, &view);
            let modified = *shown != view;
            *shown = view;
            modified
        });
        drop(state);
        if elsewhere {
            self.changed();
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
pub(crate) const CODES: [&str; 3] = [crate::shell::TRAY_MISSING, PREFERENCES_NOTICE, PORT_NOT_KEPT];

fn tell(node: &NodeHandle, notices: &[Notice]) {
    for code in CODES {
        match notices.iter().find(|notice| notice.code == code) {
            Some(notice) => node.set_notice(notice.clone()),
            None => node.clear_notice(code),
        }
    }
}

/// Follows a node by its events until it is forgotten.
async fn follow(shell: Arc<Shell>, app: AppHandle, client: NodeClient, hosting: Hosting) {
    let (mut views, mut happenings) = watch(client, hosting);
    loop {
        tokio::select! {
            changed = views.changed() => {
                if changed.is_err() {
                    break;
                }
                let view = views.borrow_and_update().clone();
                let lost = view.phase == Phase::Unreachable;
                shell.show(view);
                // A node of this app is nowhere else.
                if lost && hosting != Hosting::Own {
                    shell.look_out(&app);
                } else {
                    shell.state().stop_looking_out();
                }
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
    use std::collections::BTreeMap;

    use clap::Parser;
    use flowork_node::{Config, Flags, InstanceLock, Node};
    use tauri::Url;
    use tauri::async_runtime::{block_on, spawn};

    use super::*;
    use crate::arguments::Arguments;

    /// On Linux nothing but a defect lets the event loop end before the node; other systems end it with the session.
    #[test]
    fn event_loop_that_ends_takes_the_node_along_in_order() {
        let home = tempfile::tempdir().unwrap();
        let path = |name| home.path().join(name).to_string_lossy().into_owned();
        let listen = Some("127.0.0.1:0".to_owned());
        let flags = Flags { data_dir: Some(path("data")), listen, ..Flags::default() };
        let environment = [("FLOWORK_VAULT", "file".to_owned()), ("FLOWORK_VAULT_KEY_DIR", path("keys"))];
        let environment = BTreeMap::from(environment.map(|(name, value)| (name.to_owned(), value)));
        let node = block_on(Node::start(Config::load_with(&flags, &environment).unwrap())).unwrap();
        let client = NodeClient::new(Url::parse(node.url()).unwrap(), Arc::new(node.signer())).unwrap();
        let data_dir = home.path().join("data");
        let shell = Shell::new(Arguments::parse_from(["flowork-desktop"]), Some(data_dir.clone()));
        let endless = || spawn(std::future::pending());
        let own = Some(Arc::new(RwLock::new(Some(node))));
        let (following, settling) = (endless(), endless());
        shell.state().node = Some(Running { client, own, hosting: Hosting::Own, following, settling });
        assert!(InstanceLock::find(&data_dir).unwrap().is_some(), "it runs");
        shell.stop_now();
        assert!(InstanceLock::find(&data_dir).unwrap().is_none() && InstanceLock::was_given_back(&data_dir));
        assert!(shell.state().node.is_none());
        shell.stop_now();
    }

    #[test]
    fn settings_window_is_not_drawn_for_every_job() {
        let idle = NodeView::starting();
        let busy = NodeView { running: 3, phase: Phase::Busy, ..idle.clone() };
        assert!(!settings_differ(&idle, &busy));
        let service = NodeView { hosting: Hosting::Service { pid: 7 }, ..idle.clone() };
        assert!(settings_differ(&idle, &service));
    }
}
