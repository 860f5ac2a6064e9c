//! A task that owns some of the sessions: it decides one change after the other, stores them, and tells everybody.
//!
//! Whatever waits is decided together and stored in one write; nothing is answered or shown before it is stored, and if
//! that fails nothing has happened. The one timer of a shard is an ordered set of instants, one for each session that
//! has one: the next expiry, or the removal.

mod batch;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use flowork_api_types::{SyncSessionId, session::SessionStatus};
use flowork_engine::jobs::Caller;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    alarm::{Alarm, Wait},
    announcer::Announcer,
    directory::{Directory, Slot},
    machine::{Command, Session},
    operations::{ChangeError, Changed, CreateError},
    pace::{Pace, Used},
    quota::{Quota, Room, Running},
    snapshot::Snapshot,
    store::{Failed, JournalSender},
    time::SessionTime,
};
use batch::Batch;

/// Messages that are decided together.
const MESSAGES_MAX: usize = 512;
/// Timers that are looked at together, so that a start after a long time does not hold up everybody.
const TIMERS_MAX: usize = 256;
/// After a failed write, what is due waits at least this long: on a full disk it would only fail again.
const FAILED_PAUSE: Duration = Duration::from_millis(500);
/// The same for a session that can't be stored though others can.
const FAILED_PAUSE_MS: i64 = 5_000;

/// What a shard is asked.
pub(crate) enum Message {
    Create {
        session: Box<Session>,
        room: Room,
        reply: oneshot::Sender<Result<Arc<Snapshot>, CreateError>>,
    },
    Change {
        session_id: SyncSessionId,
        caller: Caller,
        expected: Option<u64>,
        command: Command,
        at_ms: i64,
        reply: oneshot::Sender<Result<Changed, ChangeError>>,
    },
    Delete {
        session_id: SyncSessionId,
        caller: Caller,
        expected: Option<u64>,
        at_ms: i64,
        reply: oneshot::Sender<Result<(), ChangeError>>,
    },
    /// Look at the clock.
    Look,
}

/// What all shards share.
#[derive(Clone)]
pub(crate) struct ShardParts {
    pub(crate) directory: Arc<Directory>,
    pub(crate) quota: Arc<Quota>,
    pub(crate) journal: JournalSender,
    pub(crate) time: SessionTime,
    pub(crate) retention_ms: i64,
    pub(crate) switches: Pace,
    pub(crate) announcer: Arc<Announcer>,
    pub(crate) stopping: CancellationToken,
}

/// The task's state.
pub(crate) struct Shard {
    parts: ShardParts,
    sessions: HashMap<SyncSessionId, Entry>,
    /// When to look at which session, one entry for each that has such an instant.
    timers: BTreeSet<(i64, SyncSessionId)>,
    /// Rings for the first of them.
    alarm: Alarm,
    /// Timers wait until then, because the last write failed.
    paused_until: Option<Instant>,
}

/// A session that is stored.
struct Entry {
    snapshot: Arc<Snapshot>,
    slot: Arc<Slot>,
    timer_ms: Option<i64>,
    /// Switches that happened.
    switches: Used,
    /// Switches that were refused.
    refusals: Used,
    /// While it runs.
    running: Option<Running>,
    /// Given back with the entry.
    _room: Room,
}

enum Wake {
    Message(Message),
    Due,
    Stop,
}

impl Shard {
    pub(crate) fn new(parts: ShardParts) -> Self {
        let alarm = Alarm::new(parts.time.clone());
        Self { parts, sessions: HashMap::new(), timers: BTreeSet::new(), alarm, paused_until: None }
    }

    /// Takes over a session that was stored before the node started.
    pub(crate) fn adopt(&mut self, snapshot: Arc<Snapshot>) {
        let session = snapshot.session();
        let room = self.parts.quota.room_regardless(session.owner(), session.participant_count());
        let runs = session.status() == SessionStatus::Running;
        let running = runs.then(|| self.parts.quota.run(session.owner(), false)).flatten();
        self.insert(snapshot, room, running);
    }

    pub(crate) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        loop {
            let first = match self.wait(&mut messages).await {
                Wake::Message(message) => Some(message),
                Wake::Due => None,
                Wake::Stop => break,
            };
            self.turn(first, &mut messages).await;
        }
        // What was taken is answered; nothing more is.
        messages.close();
        while let Some(message) = messages.recv().await {
            self.turn(Some(message), &mut messages).await;
        }
    }

    async fn wait(&mut self, messages: &mut mpsc::Receiver<Message>) -> Wake {
        let wait = match self.timers.first() {
            Some((at_ms, _)) => Wait::Until(*at_ms),
            None if self.sessions.values().any(|entry| entry.running.is_some()) => Wait::ForSteps,
            None => Wait::ForNothing,
        };
        let (alarm, paused_until) = (&mut self.alarm, self.paused_until);
        let due = async {
            if let Some(until) = paused_until {
                tokio::time::sleep_until(until).await;
            }
            alarm.rings(wait).await;
        };
        tokio::select! {
            biased;
            () = self.parts.stopping.cancelled() => Wake::Stop,
            message = messages.recv() => message.map_or(Wake::Stop, Wake::Message),
            () = due => Wake::Due,
        }
    }

    /// Decides what waits and what is due, stores it, and tells.
    async fn turn(&mut self, first: Option<Message>, messages: &mut mpsc::Receiver<Message>) {
        let mut batch = Batch::default();
        let mut next = first;
        for _ in 0..MESSAGES_MAX {
            let Some(message) = next.take().or_else(|| messages.try_recv().ok()) else { break };
            batch.take(self, message);
        }
        if self.paused_until.is_none_or(|until| until <= Instant::now()) {
            let now_ms = self.parts.time.now_ms();
            let due: Vec<_> = self.timers.range(..=(now_ms, MAX_ID)).take(TIMERS_MAX).map(|(_, id)| *id).collect();
            for id in due {
                batch.look(self, id, now_ms);
            }
        }
        let (mut writes, decided) = batch.into_parts();
        writes.standing = self.parts.time.moved();
        let moved = writes.standing.is_some();
        let outcome = if writes.is_empty() { Ok(Failed::new()) } else { self.parts.journal.save(writes).await };
        match outcome {
            Ok(failed) => {
                self.paused_until = None;
                for (id, error) in &failed {
                    tracing::error!(session_id = %id, error = ?error, "a sync session could not be stored");
                    self.postpone(*id);
                }
                decided.settle(self, &failed);
            }
            Err(error) => {
                tracing::error!(error = ?error, "changes of sync sessions could not be stored; none of them happened");
                self.paused_until = Some(Instant::now() + FAILED_PAUSE);
                if moved {
                    self.parts.time.was_not_stored();
                }
                decided.fail(&error);
            }
        }
    }

    /// Looks later at a session whose time is due and that can't be stored now.
    fn postpone(&mut self, id: SyncSessionId) {
        let later_ms = self.parts.time.now_ms() + FAILED_PAUSE_MS;
        if let Some(entry) = self.sessions.get_mut(&id)
            && let Some(at_ms) = entry.timer_ms.filter(|at_ms| *at_ms < later_ms)
        {
            self.timers.remove(&(at_ms, id));
            self.timers.insert((later_ms, id));
            entry.timer_ms = Some(later_ms);
        }
    }

    fn insert(&mut self, snapshot: Arc<Snapshot>, room: Room, running: Option<Running>) {
        let id = snapshot.session().id();
        let timer_ms = self.timer_of(snapshot.session());
        self.timers.extend(timer_ms.map(|at_ms| (at_ms, id)));
        let slot = self.parts.directory.insert(Arc::clone(&snapshot));
        let (switches, refusals) = (Used::default(), Used::default());
        // One that was made, started and ended in one batch runs no more.
        let running = running.filter(|_| snapshot.session().status() == SessionStatus::Running);
        self.sessions.insert(id, Entry { snapshot, slot, timer_ms, switches, refusals, running, _room: room });
    }

    fn replace(&mut self, snapshot: Arc<Snapshot>, running: Option<Running>) {
        let id = snapshot.session().id();
        let timer_ms = self.timer_of(snapshot.session());
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        if entry.timer_ms != timer_ms {
            if let Some(at_ms) = entry.timer_ms {
                self.timers.remove(&(at_ms, id));
            }
            self.timers.extend(timer_ms.map(|at_ms| (at_ms, id)));
            entry.timer_ms = timer_ms;
        }
        let runs = snapshot.session().status() == SessionStatus::Running;
        entry.running = entry.running.take().or(running).filter(|_| runs);
        entry.snapshot = Arc::clone(&snapshot);
        entry.slot.publish(snapshot);
    }

    fn remove(&mut self, id: SyncSessionId) {
        if let Some(entry) = self.sessions.remove(&id)
            && let Some(at_ms) = entry.timer_ms
        {
            self.timers.remove(&(at_ms, id));
        }
        self.parts.directory.remove(id);
    }

    /// When a session has to be looked at.
    fn timer_of(&self, session: &Session) -> Option<i64> {
        session.next_expiry_ms().or_else(|| self.removal_ms(session))
    }

    /// When a session is removed by itself.
    fn removal_ms(&self, session: &Session) -> Option<i64> {
        let untouched_ms = (session.status() == SessionStatus::Pending).then(|| session.updated_at_ms());
        session.ended_at_ms().or(untouched_ms).map(|since_ms| since_ms.saturating_add(self.parts.retention_ms))
    }
}

/// Sorts after all others of an instant.
const MAX_ID: SyncSessionId = SyncSessionId::from_uuid(uuid::Uuid::max());
