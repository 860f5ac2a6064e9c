//! Draining: nothing new is claimed or taken, and what runs finishes. A person may ask for it, and so does a node that is
//! about to stop.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use flowork_api_types::event::Event;

use super::Engines;

/// Who wants the drain, and whether it is on.
pub(super) struct Drain {
    /// What shards and claims look at.
    on: Arc<AtomicBool>,
    reasons: Mutex<Reasons>,
}

#[derive(Default)]
struct Reasons {
    /// A person asked for it.
    asked: bool,
    /// The node is about to stop.
    ending: bool,
}

impl Drain {
    /// As a person may have asked before.
    pub(super) fn new(on: Arc<AtomicBool>) -> Self {
        let asked = on.load(Ordering::SeqCst);
        Self { on, reasons: Mutex::new(Reasons { asked, ending: false }) }
    }

    /// Changes who wants it; says whether it is on then.
    fn change(&self, change: impl FnOnce(&mut Reasons)) -> bool {
        let mut reasons = self.lock();
        change(&mut reasons);
        let on = reasons.asked || reasons.ending;
        self.on.store(on, Ordering::SeqCst);
        on
    }

    /// The end: nobody takes it back.
    pub(super) fn for_good(&self) {
        self.change(|reasons| reasons.ending = true);
    }

    fn lock(&self) -> MutexGuard<'_, Reasons> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engines {
    /// Stops claiming and refuses new jobs, or goes back to work; the latter not while the node is about to stop.
    pub fn drain(&self, on: bool) {
        self.change_drain(|reasons| reasons.asked = on);
    }

    /// Drains because the node is about to stop.
    pub fn drain_to_end(&self) {
        self.change_drain(|reasons| reasons.ending = true);
    }

    /// The node goes on after all. It goes back to work, unless a person asked for a drain, too.
    pub fn undrain(&self) {
        self.change_drain(|reasons| reasons.ending = false);
    }

    fn change_drain(&self, change: impl FnOnce(&mut Reasons)) {
        self.close_windows();
        if !self.inner.drain.change(change) {
            self.poke();
        }
        self.wanted().notify();
        self.events().publish(None, Event::EnginesChanged);
    }

    /// The node is about to stop.
    pub fn is_ending(&self) -> bool {
        self.inner.drain.lock().ending
    }

    /// A person asked for a drain.
    pub fn drain_is_asked(&self) -> bool {
        self.inner.drain.lock().asked
    }

    /// Nothing new is claimed or taken.
    pub fn is_draining(&self) -> bool {
        self.inner.drain.on.load(Ordering::Acquire)
    }

    /// Engines elsewhere are to claim nothing, either because of a drain or because the node was started for recovery.
    pub(crate) fn keeps_from_claiming(&self) -> bool {
        self.is_draining() || self.is_for_recovery()
    }

    /// Resolves once no local job runs.
    pub async fn drained(&self) {
        self.inner.pool.drained().await;
    }
}
