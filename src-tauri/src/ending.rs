//! Stopping the node and ending the app: drain first, with a deadline, and let the person change their mind.
//!
//! The rules are [`flowork_shell::leaving`]; here they are applied to a node. Quitting, stopping the node from the tray
//! and starting it anew all go this way, so no job is cut off by any of them without having been waited for.

mod stopping;
pub(crate) mod watchdog;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowork_node::NodeHandle;
use flowork_shell::leaving::{EXIT_DRAINED, EXIT_JOBS_LEFT};
use flowork_shell::{Allowed, Leaving, LeavingState, LeavingStep, NodeView, Phase};
use tauri::AppHandle;
use tauri::async_runtime::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::app::started_again;
use crate::node::OwnNode;
use crate::shell::Shell;
use crate::{pages, window};
use stopping::{stop, stopped, wish_of};

/// How long a start that is under way may take until the app ends without it. Cutting it off at once could leave a node
/// behind that nobody stops.
const START_WAIT: Duration = Duration::from_secs(10);
/// How long the node may take to stop where the system itself is about to end the process.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// How long the node may take to stop once nothing is waited for any more. It is a matter of a few seconds, and longer than
/// the longest of them.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// After that, or when somebody asks again, it gets this long to let go of its child processes.
const STOP_AT_ONCE: Duration = Duration::from_secs(2);
/// How long the windows may take to go once nothing else is left, and the rest after a time that was up.
pub(crate) const GO_WITHIN: Duration = Duration::from_secs(10);
/// The node's own patience when it drains is longer than the person's by this, so that theirs decides.
const LONGER: Duration = Duration::from_secs(1);

/// What comes after the drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The app ends.
    Exit,
    /// The node is stopped and the app stays.
    Stop,
    /// The node is started anew, without recovery mode.
    Restart,
}

/// A drain that is under way.
pub(crate) struct Ending {
    then: Then,
    wishes: UnboundedSender<Wish>,
}

/// What a person wants while it drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Not to wait.
    Force,
    /// To keep the node running.
    Cancel,
    /// To quit after all, where only the node was to be stopped.
    Leave,
}

/// What the leaving window shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Another one for each change.
    pub(crate) revision: u64,
    pub(crate) step: Step,
}

/// Where it stands, for the leaving window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    /// Jobs still run.
    Draining {
        /// How many.
        left: u32,
        /// When they are stopped.
        deadline: Instant,
    },
    /// The node is being stopped.
    Stopping,
    /// There is nothing to show.
    #[default]
    Done,
}

impl Ending {
    /// Whether the app ends after it.
    pub(crate) fn leaves(&self) -> bool {
        self.then == Then::Exit
    }
}

/// What to show of a node that drains to its end: the node itself only knows of drains that are remembered.
pub(crate) fn drained_view(view: NodeView) -> NodeView {
    match view.phase {
        Phase::Idle | Phase::Busy | Phase::Draining { .. } => {
            let allowed = Allowed { undrain: true, ..Allowed::default() };
            NodeView { phase: Phase::Draining { left: view.running_here }, allowed, ..view }
        }
        Phase::Starting | Phase::Stopped | Phase::Unreachable | Phase::Failed => view,
    }
}

impl Shell {
    /// Drains the node of this app, if there is one, and does what comes then. While that is under way, it only takes an
    /// exit for an answer. The person sees it in a window where `told`, once there is something to wait for.
    pub(crate) fn end(self: &Arc<Self>, app: &AppHandle, then: Then, told: bool) {
        let mut state = self.state();
        if state.done.is_some() {
            return;
        }
        if let Some(ending) = &mut state.ending {
            if then == Then::Exit && !ending.leaves() {
                ending.then = Then::Exit;
                // Nobody there to hear it: it has ended.
                let _ = ending.wishes.send(Wish::Leave);
            }
            drop(state);
            if told && then == Then::Exit && matches!(self.leaving.borrow().step, Step::Draining { .. }) {
                pages::show_leaving(app);
            }
            return;
        }
        let (wishes, wished) = unbounded_channel();
        state.ending = Some(Ending { then, wishes });
        drop(state);
        self.show_step(Step::Stopping);
        let (shell, app) = (Arc::clone(self), app.clone());
        tauri::async_runtime::spawn(async move {
            let ending = Arc::clone(&shell).run_ending(app.clone(), told, wished);
            if let Err(error) = tauri::async_runtime::spawn(ending).await {
                tracing::error!(%error, "stopping the node broke off");
                shell.broke_off(&app);
            }
        });
    }

    /// Does not wait for jobs any longer, if anybody does.
    pub(crate) fn force(&self) {
        self.wish(Wish::Force);
    }

    /// Keeps the node running, if it is not being stopped yet. Says whether there was anything to take back.
    pub(crate) fn keep_running(&self) -> bool {
        self.wish(Wish::Cancel)
    }

    /// Stops the node of this app without waiting for jobs, and waits until it has stopped.
    pub(crate) async fn stop_at_once(self: &Arc<Self>, app: &AppHandle) {
        self.end(app, Then::Stop, false);
        self.force();
        // The sender is this app's own, so it does not go before the answer.
        let _ = self.leaving.subscribe().wait_for(|shown| shown.step == Step::Done).await;
    }

    fn wish(&self, wish: Wish) -> bool {
        self.state().ending.as_ref().is_some_and(|ending| ending.wishes.send(wish).is_ok())
    }

    async fn run_ending(self: Arc<Self>, app: AppHandle, told: bool, mut wished: UnboundedReceiver<Wish>) {
        let starting = self.state().starting.take();
        if let Some(starting) = starting {
            self.wait_for_start(starting, &mut wished).await;
        }
        let own = self.state().node.as_ref().and_then(|node| node.own.clone());
        let code = match &own {
            Some(own) => self.drain(&app, own, told, &mut wished).await,
            None => Some(EXIT_DRAINED),
        };
        let Some(code) = code else {
            self.taken_back(&app).await;
            return;
        };
        // What was wished for so far was about the jobs.
        while wished.try_recv().is_ok() {}
        self.show_step(Step::Stopping);
        let gone = self.state().node.take();
        if let Some(gone) = gone {
            gone.forget();
        }
        let in_order = match own {
            Some(own) => self.stop_own(own, &mut wished).await,
            None => true,
        };
        self.show_step(Step::Done);
        let then = self.state().ending.take().map_or(Then::Exit, |ending| ending.then);
        self.ended(&app, then, if in_order { code } else { EXIT_JOBS_LEFT });
    }

    /// Waits for a start that is under way, so that it is not forgotten with a node that comes later. Whoever quits waits for
    /// it only so long: the process ends, and with it the start.
    async fn wait_for_start(&self, mut starting: JoinHandle<()>, wished: &mut UnboundedReceiver<Wish>) {
        if tokio::time::timeout(START_WAIT, &mut starting).await.is_ok() {
            return;
        }
        let mut wishes = Vec::new();
        while !self.is_leaving() {
            tokio::select! {
                _ = &mut starting => break,
                wish = wished.recv() => match wish {
                    Some(wish) => wishes.push(wish),
                    None => break,
                },
            }
        }
        // They are about the jobs, which are waited for next.
        for wish in wishes {
            self.wish(wish);
        }
    }

    /// Stops the node, and says whether that was in order. Whoever quits waits for it only so long: then the process ends, and
    /// with it what is left of the node. Where the app stays, the node is stopped when it is stopped, and not before.
    async fn stop_own(&self, own: OwnNode, wished: &mut UnboundedReceiver<Wish>) -> bool {
        if self.is_leaving() {
            watchdog::ends_within(STOP_WITHIN + STOP_AT_ONCE + GO_WITHIN, EXIT_JOBS_LEFT);
        }
        let mut stopping = pin!(stop(own));
        if let Some(in_order) = stopped(stopping.as_mut(), wished, STOP_WITHIN, STOP_AT_ONCE).await {
            return in_order;
        }
        if !self.is_leaving() {
            tokio::select! {
                in_order = stopping => return in_order,
                () = wish_of(wished, Wish::Leave) => {}
            }
        }
        if self.is_leaving() {
            watchdog::ends_within(GO_WITHIN, EXIT_JOBS_LEFT);
        }
        false
    }

    /// Waits until no job runs, the deadline passes or the person decides. `None` when the node is to run on; otherwise the
    /// code with which an app that ends now ends.
    async fn drain(
        &self,
        app: &AppHandle,
        own: &OwnNode,
        told: bool,
        wished: &mut UnboundedReceiver<Wish>,
    ) -> Option<u8> {
        let node = own.read().await;
        let Some(node) = node.as_ref() else { return Some(EXIT_DRAINED) };
        let patience = self.preferences().quit_deadline;
        let mut views = self.view.subscribe();
        let mut drained = Box::pin(node.drain(patience + LONGER));
        let mut waiting = true;
        // From the first time on that this is asked nothing is claimed, so what runs then is all there is to wait for.
        tokio::select! {
            biased;
            _ = &mut drained => waiting = false,
            () = std::future::ready(()) => {}
        }
        let mut leaving = Leaving::default();
        let mut step = leaving.ask(node.running(), Instant::now(), patience);
        loop {
            match step {
                LeavingStep::Wait => {}
                LeavingStep::Drain => self.show_drain(app, leaving.state(), told),
                LeavingStep::TakeBack => {
                    drop(drained);
                    node.undrain();
                    return None;
                }
                LeavingStep::Exit(code) => return Some(code),
            }
            let LeavingState::Draining { left, deadline } = leaving.state() else { return Some(EXIT_JOBS_LEFT) };
            self.show_step(Step::Draining { left, deadline });
            step = tokio::select! {
                _ = &mut drained, if waiting => {
                    waiting = false;
                    leaving.jobs_left(node.running())
                }
                () = tokio::time::sleep_until(deadline.into()) => leaving.time_passed(Instant::now().max(deadline)),
                changed = views.changed() => {
                    if changed.is_ok() { leaving.jobs_left(node.running()) } else { leaving.force() }
                }
                wish = wished.recv() => match wish {
                    Some(Wish::Cancel) => leaving.cancel(),
                    Some(Wish::Leave) => LeavingStep::Wait,
                    Some(Wish::Force) | None => leaving.force(),
                },
            };
        }
    }

    fn show_drain(&self, app: &AppHandle, state: LeavingState, told: bool) {
        let LeavingState::Draining { left, deadline } = state else { return };
        self.show_step(Step::Draining { left, deadline });
        self.show_again();
        if told && self.is_leaving() {
            pages::show_leaving(app);
        }
    }

    fn show_step(&self, step: Step) {
        self.leaving.send_if_modified(|shown| {
            let modified = shown.step != step;
            *shown = Shown { revision: shown.revision + u64::from(modified), step };
            modified
        });
    }

    async fn taken_back(&self, app: &AppHandle) {
        self.state().ending = None;
        self.show_step(Step::Done);
        self.show_again();
        if !self.in_tray() {
            // Before the other one goes, so that there is a window at any time.
            window::main_shown(app, None).await;
        }
        // It came before it was known that there is something to wait for.
        let again = self.state().again.take();
        if let Some(again) = again {
            started_again(app, again);
        }
        // Unless somebody quits again meanwhile.
        if self.leaving.borrow().step == Step::Done {
            pages::close_leaving(app);
        }
    }

    /// After an ending that came to no end: whoever wanted to quit does, and everybody else can.
    fn broke_off(&self, app: &AppHandle) {
        let mut state = self.state();
        let then = state.ending.take().map_or(Then::Exit, |ending| ending.then);
        let gone = state.node.is_none();
        if then == Then::Exit {
            state.done = Some(EXIT_JOBS_LEFT);
        }
        drop(state);
        self.show_step(Step::Done);
        if then == Then::Exit {
            app.exit(i32::from(EXIT_JOBS_LEFT));
        } else if gone {
            self.show(NodeView::stopped());
            window::refresh(app);
        } else {
            self.show_again();
        }
    }

    fn ended(self: &Arc<Self>, app: &AppHandle, then: Then, code: u8) {
        // A node that was stopped in order has not failed, however soon that was.
        if let Some(starts) = self.starts()
            && !self.state().was_reset
        {
            starts.ended();
        }
        match then {
            Then::Exit => {
                self.state().done = Some(code);
                watchdog::ends_within(GO_WITHIN, code);
                app.exit(i32::from(code));
            }
            Then::Stop => {
                self.show(NodeView::stopped());
                window::refresh(app);
                self.look_out(app);
            }
            Then::Restart => {
                self.show(NodeView::stopped());
                self.start(app, false);
            }
        }
    }

    /// Stops a node that is still there when the event loop ends, as it does when the session is closed.
    pub(crate) fn stop_now(&self) {
        let own = self.state().node.take().and_then(|node| {
            node.forget();
            node.own
        });
        let Some(own) = own else { return };
        tauri::async_runtime::block_on(async {
            let stop = async {
                if let Some(node) = own.write().await.take() {
                    NodeHandle::shutdown(node, LAST_WAIT).await;
                }
            };
            // Whoever drains holds the node, and the system waits for nobody: what is not written out is safe anyway.
            let _ = tokio::time::timeout(LAST_WAIT * 2, stop).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_that_is_being_stopped_drains_and_can_be_kept() {
        let busy = NodeView { phase: Phase::Busy, running: 5, running_here: 2, ..NodeView::starting() };
        let shown = drained_view(busy);
        assert_eq!(shown.phase, Phase::Draining { left: 2 }, "jobs on other engines go on without this node");
        assert!(shown.allowed.undrain && !shown.allowed.stop && !shown.allowed.start);
        let gone = NodeView { phase: Phase::Unreachable, ..NodeView::starting() };
        assert_eq!(drained_view(gone.clone()), gone, "there is nothing to drain");
    }
}
