//! Where to find the sessions.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use flowork_api_types::SyncSessionId;
use flowork_engine::jobs::Caller;
use tokio::sync::watch;

use crate::snapshot::{Published, Snapshot, Subscription};

/// Every session of the node, for those who read.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    index: RwLock<Index>,
}

#[derive(Debug, Default)]
struct Index {
    slots: HashMap<SyncSessionId, Arc<Slot>>,
    /// By the time they were made.
    by_age: BTreeSet<(i64, SyncSessionId)>,
}

/// One session's place.
#[derive(Debug)]
pub(crate) struct Slot {
    created_at_ms: i64,
    owner: Arc<str>,
    published: watch::Sender<Published>,
}

/// Where a page of a list begins: after this one.
pub(crate) type Place = (i64, SyncSessionId);

impl Directory {
    pub(crate) fn insert(&self, snapshot: Arc<Snapshot>) -> Arc<Slot> {
        let session = snapshot.session();
        let (id, created_at_ms) = (session.id(), session.rules.created_at_ms);
        let owner = Arc::clone(session.owner());
        let slot = Arc::new(Slot { created_at_ms, owner, published: watch::Sender::new(Published::Live(snapshot)) });
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.slots.insert(id, Arc::clone(&slot));
        index.by_age.insert((created_at_ms, id));
        slot
    }

    /// Takes a session out and tells its subscribers.
    pub(crate) fn remove(&self, id: SyncSessionId) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let slot = index.slots.remove(&id);
        if let Some(slot) = &slot {
            index.by_age.remove(&(slot.created_at_ms, id));
        }
        drop(index);
        if let Some(slot) = slot {
            slot.published.send_replace(Published::Deleted);
        }
    }

    /// A session that the caller may see.
    pub(crate) fn get(&self, caller: &Caller, id: SyncSessionId) -> Option<Arc<Snapshot>> {
        self.slot(caller, id)?.snapshot()
    }

    /// Listens to a session that the caller may see.
    pub(crate) fn subscribe(&self, caller: &Caller, id: SyncSessionId) -> Option<Subscription> {
        Some(Subscription { receiver: self.slot(caller, id)?.published.subscribe() })
    }

    /// Sessions that the caller may see, newest first.
    pub(crate) fn page(
        &self,
        caller: &Caller,
        before: Option<Place>,
        limit: usize,
        wanted: impl Fn(&Snapshot) -> bool,
    ) -> Vec<Arc<Snapshot>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let places = match before {
            Some(place) => index.by_age.range(..place),
            None => index.by_age.range(..),
        };
        let slots = places.rev().filter_map(|(_, id)| index.slots.get(id)).filter(|slot| slot.is_for(caller));
        slots.filter_map(|slot| slot.snapshot()).filter(|snapshot| wanted(snapshot)).take(limit).collect()
    }

    fn slot(&self, caller: &Caller, id: SyncSessionId) -> Option<Arc<Slot>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.slots.get(&id).filter(|slot| slot.is_for(caller)).cloned()
    }
}

impl Slot {
    /// Gives everybody a newer version.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        self.published.send_replace(Published::Live(snapshot));
    }

    /// Whether anybody listens to it.
    pub(crate) fn is_watched(&self) -> bool {
        self.published.receiver_count() > 0
    }

    fn is_for(&self, caller: &Caller) -> bool {
        caller.sees_all || self.owner == caller.subject
    }

    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        match &*self.published.borrow() {
            Published::Live(snapshot) => Some(Arc::clone(snapshot)),
            Published::Deleted => None,
        }
    }
}
