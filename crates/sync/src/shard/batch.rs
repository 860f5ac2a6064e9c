//! Changes that are decided and not stored yet.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use flowork_api_types::SyncSessionId;
use flowork_engine::jobs::Caller;
use flowork_sqlite::StoreError;
use tokio::sync::oneshot;

use super::{Message, Shard};
use crate::{
    machine::{Change, Command, Session},
    operations::{ChangeError, Changed, CreateError},
    pace::Pace,
    quota::{OwnerBound, Room, Running},
    snapshot::Snapshot,
    store::{Failed, NewEvent, SessionWrite, Writes},
};

/// Switches that may be refused for each that may happen. A refusal costs little, and two who press at once get one each
/// time; a program that asks again and again without looking at the answers gets told so.
const REFUSALS_PER_SWITCH: u32 = 10;

/// What a turn has decided so far.
#[derive(Default)]
pub(super) struct Batch {
    staged: HashMap<SyncSessionId, Staged>,
    events: Vec<NewEvent>,
    replies: Vec<(SyncSessionId, Reply)>,
}

/// A session as it will be once the batch is stored.
enum Staged {
    Kept {
        snapshot: Arc<Snapshot>,
        /// Positions of participants that changed.
        touched: BTreeSet<usize>,
        /// Of a session that is new.
        room: Option<Room>,
        /// Of a session that was started or resumed.
        running: Option<Running>,
    },
    Removed,
}

/// An answer that waits for the batch to be stored.
enum Reply {
    Create(oneshot::Sender<Result<Arc<Snapshot>, CreateError>>, Result<Arc<Snapshot>, CreateError>),
    Change(oneshot::Sender<Result<Changed, ChangeError>>, Result<Changed, ChangeError>),
    Delete(oneshot::Sender<Result<(), ChangeError>>, Result<(), ChangeError>),
}

/// What is to happen once the batch is stored.
pub(super) struct Decided {
    staged: HashMap<SyncSessionId, Staged>,
    replies: Vec<(SyncSessionId, Reply)>,
    /// Sessions that have changed, and whose they are.
    told: Vec<(SyncSessionId, Arc<str>)>,
}

impl Batch {
    pub(super) fn take(&mut self, shard: &mut Shard, message: Message) {
        match message {
            Message::Create { session, room, reply } => {
                let id = session.id();
                let outcome = self.create(shard, *session, room);
                self.replies.push((id, Reply::Create(reply, outcome)));
            }
            Message::Change { session_id, caller, expected, command, at_ms, reply } => {
                let outcome = match command {
                    Command::Switch { .. } => self.switch(shard, session_id, &caller, expected, command, at_ms),
                    _ => self.change(shard, session_id, &caller, expected, command, at_ms),
                };
                self.replies.push((session_id, Reply::Change(reply, outcome)));
            }
            Message::Delete { session_id, caller, expected, at_ms, reply } => {
                let outcome = match self.delete(shard, session_id, &caller, expected, at_ms) {
                    // What is not there need not be deleted.
                    Err(ChangeError::NotFound { .. }) => Ok(()),
                    outcome => outcome,
                };
                self.replies.push((session_id, Reply::Delete(reply, outcome)));
            }
            Message::Look => {}
        }
    }

    /// Does what is due with a session: time that ran out, or its removal.
    pub(super) fn look(&mut self, shard: &Shard, id: SyncSessionId, now_ms: i64) {
        let Some(snapshot) = self.current(shard, id) else { return };
        if shard.removal_ms(snapshot.session()).is_some_and(|at_ms| at_ms <= now_ms) {
            self.stage_removal(&snapshot, None, now_ms);
            return;
        }
        let mut session = snapshot.session().clone();
        let is_watched = shard.sessions.get(&id).is_some_and(|entry| entry.slot.is_watched());
        if is_watched {
            session.attend();
        }
        let changes = session.catch_up(now_ms);
        if is_watched {
            session.attend();
        }
        if !changes.is_empty() {
            self.stage(session, changes, None, now_ms);
        }
    }

    /// What to write, and what is to happen after that.
    pub(super) fn into_parts(self) -> (Writes, Decided) {
        let mut writes = Writes::default();
        for (id, staged) in &self.staged {
            match staged {
                Staged::Kept { snapshot, touched, .. } => writes
                    .sessions
                    .push(SessionWrite { snapshot: Arc::clone(snapshot), touched: touched.iter().copied().collect() }),
                Staged::Removed => writes.removed.push(*id),
            }
        }
        let told = self.events.iter().map(|event| (event.session_id, Arc::clone(&event.owner))).collect();
        writes.events = self.events;
        (writes, Decided { staged: self.staged, replies: self.replies, told })
    }

    fn create(&mut self, shard: &Shard, session: Session, room: Room) -> Result<Arc<Snapshot>, CreateError> {
        let session_id = session.id();
        if self.current(shard, session_id).is_some() {
            return Err(CreateError::Exists { session_id });
        }
        let replaces = matches!(self.staged.get(&session_id), Some(Staged::Removed));
        if replaces {
            // Its removal is in this very batch. One of the two has to wait, and a caller can ask again.
            return Err(CreateError::Exists { session_id });
        }
        let change = session.created();
        let actor = Arc::clone(session.owner());
        let at_ms = change.at_ms;
        let snapshot = self.stage(session, vec![change], Some(&actor), at_ms);
        if let Some(Staged::Kept { room: own, .. }) = self.staged.get_mut(&session_id) {
            *own = Some(room);
        }
        Ok(snapshot)
    }

    /// A change that has a pace: of those that happen, and of those that are refused.
    fn switch(
        &mut self,
        shard: &mut Shard,
        session_id: SyncSessionId,
        caller: &Caller,
        expected: Option<u64>,
        command: Command,
        at_ms: i64,
    ) -> Result<Changed, ChangeError> {
        self.find(shard, session_id, caller)?;
        let pace = shard.parts.switches;
        let refusals = Pace { per_second: pace.per_second.saturating_mul(REFUSALS_PER_SWITCH) };
        if let Some(entry) = shard.sessions.get(&session_id) {
            let too_fast = |retry_after| ChangeError::TooFast { per_second: pace.per_second, retry_after };
            let too_many = |retry_after| ChangeError::TooManyRefused { per_second: refusals.per_second, retry_after };
            entry.switches.look(pace, at_ms).map_err(too_fast)?;
            entry.refusals.look(refusals, at_ms).map_err(too_many)?;
        }
        let outcome = self.change(shard, session_id, caller, expected, command, at_ms);
        if let Some(entry) = shard.sessions.get_mut(&session_id) {
            let (used, pace) = match outcome {
                Ok(_) => (&mut entry.switches, pace),
                Err(_) => (&mut entry.refusals, refusals),
            };
            used.take(pace, at_ms);
        }
        outcome
    }

    fn change(
        &mut self,
        shard: &Shard,
        session_id: SyncSessionId,
        caller: &Caller,
        expected: Option<u64>,
        command: Command,
        at_ms: i64,
    ) -> Result<Changed, ChangeError> {
        let snapshot = self.find(shard, session_id, caller)?;
        let mut session = snapshot.session().clone();
        // What was due is a change of its own, and moves the version.
        let due = session.catch_up(at_ms);
        let actual = session.version();
        if !due.is_empty() {
            self.stage(session.clone(), due, None, at_ms);
        }
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            return Err(ChangeError::Conflict { expected, actual });
        }
        let applied = session.apply(command, at_ms);
        if let Some(refusal) = applied.refused {
            return Err(refusal.into());
        }
        let begins = matches!(command, Command::Start | Command::Resume) && !self.has_place(shard, session_id);
        let place = if begins {
            let (bound, bounded) = (OwnerBound::Running, !caller.sees_all);
            Some(shard.parts.quota.run(session.owner(), bounded).ok_or(ChangeError::OwnerFull { bound })?)
        } else {
            None
        };
        let expired = applied.changes.last().and_then(|change| change.expired);
        let snapshot = self.stage(session, applied.changes, Some(&caller.subject), at_ms);
        if let (Some(place), Some(Staged::Kept { running, .. })) = (place, self.staged.get_mut(&session_id)) {
            *running = Some(place);
        }
        Ok(Changed { snapshot, expired })
    }

    /// Whether a session has a place among those that run, from before or from this batch.
    fn has_place(&self, shard: &Shard, id: SyncSessionId) -> bool {
        let staged = matches!(self.staged.get(&id), Some(Staged::Kept { running: Some(_), .. }));
        staged || shard.sessions.get(&id).is_some_and(|entry| entry.running.is_some())
    }

    fn delete(
        &mut self,
        shard: &Shard,
        session_id: SyncSessionId,
        caller: &Caller,
        expected: Option<u64>,
        at_ms: i64,
    ) -> Result<(), ChangeError> {
        let snapshot = self.find(shard, session_id, caller)?;
        let mut session = snapshot.session().clone();
        let due = session.catch_up(at_ms);
        let actual = session.version();
        let snapshot = if due.is_empty() { snapshot } else { self.stage(session, due, None, at_ms) };
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            return Err(ChangeError::Conflict { expected, actual });
        }
        self.stage_removal(&snapshot, Some(Arc::clone(&caller.subject)), at_ms);
        Ok(())
    }

    fn find(&self, shard: &Shard, session_id: SyncSessionId, caller: &Caller) -> Result<Arc<Snapshot>, ChangeError> {
        self.current(shard, session_id)
            .filter(|snapshot| caller.sees_all || *snapshot.session().owner() == caller.subject)
            .ok_or(ChangeError::NotFound { session_id })
    }

    /// A session with what this batch has decided about it.
    fn current(&self, shard: &Shard, id: SyncSessionId) -> Option<Arc<Snapshot>> {
        match self.staged.get(&id) {
            Some(Staged::Kept { snapshot, .. }) => Some(Arc::clone(snapshot)),
            Some(Staged::Removed) => None,
            None => shard.sessions.get(&id).map(|entry| Arc::clone(&entry.snapshot)),
        }
    }

    fn stage(&mut self, session: Session, changes: Vec<Change>, actor: Option<&Arc<str>>, at_ms: i64) -> Arc<Snapshot> {
        let (id, owner) = (session.id(), Arc::clone(session.owner()));
        let snapshot = Arc::new(Snapshot::new(session, at_ms));
        let fresh =
            || Staged::Kept { snapshot: Arc::clone(&snapshot), touched: BTreeSet::new(), room: None, running: None };
        let staged = self.staged.entry(id).or_insert_with(fresh);
        if let Staged::Kept { snapshot: newest, touched, .. } = staged {
            *newest = Arc::clone(&snapshot);
            touched.extend(changes.iter().flat_map(|change| change.touched.iter().copied()));
        }
        self.events.extend(changes.into_iter().map(|change| NewEvent {
            session_id: id,
            owner: Arc::clone(&owner),
            actor: actor.cloned(),
            change,
        }));
        snapshot
    }

    fn stage_removal(&mut self, snapshot: &Snapshot, actor: Option<Arc<str>>, at_ms: i64) {
        let session = snapshot.session();
        let (session_id, owner) = (session.id(), Arc::clone(session.owner()));
        self.events.push(NewEvent { session_id, owner, actor, change: session.deleted(at_ms) });
        // Also of one that this batch has made: its room goes with it.
        self.staged.insert(session_id, Staged::Removed);
    }
}

impl Decided {
    /// It is stored, but for sessions that could not be: memory follows, then everybody is told.
    pub(super) fn settle(self, shard: &mut Shard, failed: &Failed) {
        let stored = |id: &SyncSessionId| !failed.contains_key(id);
        for (id, staged) in self.staged.into_iter().filter(|(id, _)| stored(id)) {
            match staged {
                Staged::Kept { snapshot, room: Some(room), running, .. } => shard.insert(snapshot, room, running),
                Staged::Kept { snapshot, room: None, running, .. } => shard.replace(snapshot, running),
                Staged::Removed => shard.remove(id),
            }
        }
        shard.parts.announcer.note(self.told.into_iter().filter(|(id, _)| stored(id)).map(|(_, owner)| owner));
        for (id, reply) in self.replies {
            match failed.get(&id) {
                Some(error) => reply.fail(error.clone()),
                None => reply.send(),
            }
        }
    }

    /// It could not be stored, so nothing of it happened.
    pub(super) fn fail(self, error: &StoreError) {
        for (_, reply) in self.replies {
            reply.fail(error.clone());
        }
    }
}

impl Reply {
    fn send(self) {
        // Whoever asked may have gone; the change stands all the same.
        match self {
            Self::Create(reply, outcome) => drop(reply.send(outcome)),
            Self::Change(reply, outcome) => drop(reply.send(outcome)),
            Self::Delete(reply, outcome) => drop(reply.send(outcome)),
        }
    }

    /// Refusals too were decided on what was not stored.
    fn fail(self, error: StoreError) {
        match self {
            Self::Create(reply, _) => drop(reply.send(Err(error.into()))),
            Self::Change(reply, _) => drop(reply.send(Err(error.into()))),
            Self::Delete(reply, _) => drop(reply.send(Err(error.into()))),
        }
    }
}
