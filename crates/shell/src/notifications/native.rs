//! Notifications of macOS and Windows. A click on one brings the app forward, as the system does by itself.

use super::{Clicked, Note};

/// Where notifications are shown.
pub(super) struct Screen {
    failed: bool,
}

impl Screen {
    /// `clicked` is not called here: these systems open the app itself.
    pub(super) fn new(_clicked: Clicked) -> Self {
        Self { failed: false }
    }

    pub(super) async fn show(&mut self, note: &Note) {
        let mut native = notify_rust::Notification::new();
        native.appname("Flowork").summary(&note.title).body(&note.body);
        // The systems' calls may wait for their daemon.
        let shown = tokio::task::spawn_blocking(move || native.show().map(drop)).await;
        if let Ok(Err(error)) = shown
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!(%error, "the system shows no notifications");
        }
    }
}
