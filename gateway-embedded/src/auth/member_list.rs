//! Tells the engines whose jobs to run, each time members change.

use std::sync::Arc;

use crate::app::App;

/// Goes on until the gateway stops.
pub(crate) async fn follow(app: Arc<App>) {
    let control = &app.state.control;
    let mut changes = control.allow_list_changes();
    loop {
        // Marked as seen before the look, so that a change in between is seen by the next turn.
        changes.mark_unchanged();
        app.state.engines.set_members(control.allow_list());
        tokio::select! {
            biased;
            () = app.stopping.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}
