//! Writes a history down while it happens.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

use super::checker::{Entry, What};

/// Shared by all clients of a run.
#[derive(Default)]
pub(super) struct Witness {
    order: AtomicU64,
    history: Mutex<Vec<Entry>>,
    more: Notify,
}

impl Witness {
    /// A number to draw before a request is sent.
    pub(super) fn asks(&self) -> u64 {
        self.order.fetch_add(1, Ordering::SeqCst)
    }

    /// Notes what came of the request that `asked` was drawn for.
    pub(super) fn saw(&self, asked: u64, what: What) {
        let told = self.order.fetch_add(1, Ordering::SeqCst);
        self.history.lock().expect("no witness panics").push(Entry { asked, told, what });
        self.more.notify_waiters();
    }

    /// Waits until there are so many entries.
    pub(super) async fn reached(&self, entries: usize) {
        loop {
            let more = self.more.notified();
            if self.len() >= entries {
                return;
            }
            more.await;
        }
    }

    /// Entries so far.
    pub(super) fn len(&self) -> usize {
        self.history.lock().expect("no witness panics").len()
    }

    /// Everything, for the checker.
    pub(super) fn history(&self) -> Vec<Entry> {
        self.history.lock().expect("no witness panics").clone()
    }
}
