//! How many sessions there may be, in all and of one owner.
//!
//! A place is taken before a session is made or started, and given back when what holds it is dropped, so that no way to
//! fail leaves one behind. Whoever runs the node is bound by what the node holds and by nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowork_api_types::session::{PARTICIPANTS_TOTAL_MAX, SESSIONS_MAX};

/// Sessions that one person has who does not run the node: twenty of them fill it.
pub const SESSIONS_PER_OWNER_MAX: usize = 500;
/// Participants of all of their sessions: ten people fill the node.
pub const PARTICIPANTS_PER_OWNER_MAX: usize = 25_000;
/// Sessions of theirs that run at a time. One that runs may write to the disk twice a second by itself.
pub const RUNNING_PER_OWNER_MAX: usize = 100;

/// A bound on what one person has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerBound {
    /// [`SESSIONS_PER_OWNER_MAX`]
    Sessions,
    /// [`PARTICIPANTS_PER_OWNER_MAX`]
    Participants,
    /// [`RUNNING_PER_OWNER_MAX`]
    Running,
}

impl OwnerBound {
    /// The most there may be.
    pub const fn max(self) -> usize {
        match self {
            Self::Sessions => SESSIONS_PER_OWNER_MAX,
            Self::Participants => PARTICIPANTS_PER_OWNER_MAX,
            Self::Running => RUNNING_PER_OWNER_MAX,
        }
    }

    /// What is bounded, in words.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Participants => "participants in all of their sessions",
            Self::Running => "sessions that run",
        }
    }
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The node is full.
    Node,
    /// The owner has as much as one person may have.
    Owner(OwnerBound),
}

/// All places.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    sessions: usize,
    participants: usize,
    /// Of those who have any.
    owners: HashMap<Arc<str>, Share>,
}

/// What one owner has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    sessions: usize,
    participants: usize,
    running: usize,
}

/// Room for a session that is being made; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    quota: Arc<Quota>,
    owner: Arc<str>,
    participants: usize,
}

/// The place of a session that runs; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    quota: Arc<Quota>,
    owner: Arc<str>,
}

impl Quota {
    /// Takes room for a session; `bounded` says whether its owner's bounds hold. `first` runs before anybody else can
    /// take room if there was no session at all.
    pub(crate) fn room(
        self: &Arc<Self>,
        owner: &Arc<str>,
        participants: usize,
        bounded: bool,
        first: impl FnOnce(),
    ) -> Result<Room, NoRoom> {
        let mut held = self.lock();
        if held.sessions >= SESSIONS_MAX || held.participants + participants > PARTICIPANTS_TOTAL_MAX {
            return Err(NoRoom::Node);
        }
        let share = held.owners.get(owner).copied().unwrap_or_default();
        if bounded && share.sessions >= SESSIONS_PER_OWNER_MAX {
            return Err(NoRoom::Owner(OwnerBound::Sessions));
        }
        if bounded && share.participants + participants > PARTICIPANTS_PER_OWNER_MAX {
            return Err(NoRoom::Owner(OwnerBound::Participants));
        }
        if held.sessions == 0 {
            first();
        }
        held.add(owner, participants);
        Ok(Room { quota: Arc::clone(self), owner: Arc::clone(owner), participants })
    }

    /// Takes room for what there was at the start, also past the bounds: nothing is thrown away for them.
    pub(crate) fn room_regardless(self: &Arc<Self>, owner: &Arc<str>, participants: usize) -> Room {
        self.lock().add(owner, participants);
        Room { quota: Arc::clone(self), owner: Arc::clone(owner), participants }
    }

    /// Takes the place of a session that runs; `None` when `bounded` and its owner has no more.
    pub(crate) fn run(self: &Arc<Self>, owner: &Arc<str>, bounded: bool) -> Option<Running> {
        let mut held = self.lock();
        let share = held.owners.entry(Arc::clone(owner)).or_default();
        if bounded && share.running >= RUNNING_PER_OWNER_MAX {
            return None;
        }
        share.running += 1;
        Some(Running { quota: Arc::clone(self), owner: Arc::clone(owner) })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn add(&mut self, owner: &Arc<str>, participants: usize) {
        self.sessions += 1;
        self.participants += participants;
        let share = self.owners.entry(Arc::clone(owner)).or_default();
        share.sessions += 1;
        share.participants += participants;
    }

    /// Changes what an owner has, and forgets them when it is nothing.
    fn give_back(&mut self, owner: &Arc<str>, change: impl FnOnce(&mut Share)) {
        let Some(share) = self.owners.get_mut(owner) else { return };
        change(share);
        if *share == Share::default() {
            self.owners.remove(owner);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut held = self.quota.lock();
        held.sessions -= 1;
        held.participants -= self.participants;
        held.give_back(&self.owner, |share| {
            share.sessions -= 1;
            share.participants -= self.participants;
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.quota.lock().give_back(&self.owner, |share| share.running -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_given_back_leaves_nothing() {
        let quota = Arc::new(Quota::default());
        let owner: Arc<str> = "ann".into();
        let mut begun = 0;
        let room = quota.room(&owner, 7, true, || begun += 1).unwrap();
        let second = quota.room(&owner, 3, true, || begun += 1).unwrap();
        let running = quota.run(&owner, true).unwrap();
        assert_eq!(quota.lock().owners[&owner], Share { sessions: 2, participants: 10, running: 1 });
        drop((room, second, running));
        let held = quota.lock();
        assert_eq!((held.sessions, held.participants, held.owners.len()), (0, 0, 0));
        assert_eq!(begun, 1, "only the first one found nothing");
    }

    #[test]
    fn one_owner_has_bounds_that_are_not_another_ones() {
        let quota = Arc::new(Quota::default());
        let (ann, bob): (Arc<str>, Arc<str>) = ("ann".into(), "bob".into());
        let rooms: Vec<_> = (0..SESSIONS_PER_OWNER_MAX).map(|_| quota.room(&ann, 1, true, || {}).unwrap()).collect();
        let refused = |outcome: Result<Room, NoRoom>| outcome.unwrap_err();
        assert_eq!(refused(quota.room(&ann, 1, true, || {})), NoRoom::Owner(OwnerBound::Sessions));
        quota.room(&ann, 1, false, || {}).expect("nobody bounds who runs the node");
        quota.room(&bob, 1, true, || {}).expect("bob has none");
        drop(rooms);
        let large = quota.room(&ann, PARTICIPANTS_PER_OWNER_MAX, true, || {}).unwrap();
        assert_eq!(refused(quota.room(&ann, 1, true, || {})), NoRoom::Owner(OwnerBound::Participants));
        drop(large);
        let running: Vec<_> = (0..RUNNING_PER_OWNER_MAX).map(|_| quota.run(&ann, true).unwrap()).collect();
        assert!(quota.run(&ann, true).is_none() && quota.run(&bob, true).is_some());
        drop(running);
        assert!(quota.run(&ann, true).is_some());
    }
}
