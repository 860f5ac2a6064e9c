//! All sync sessions of a node: opening them, and ending the tasks that own them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use flowork_api_types::{
    SyncSessionId,
    event::Event,
    session::{SessionEvent, SessionStatus},
};
use flowork_engine::{Clock, Events, jobs::Caller};
use flowork_sqlite::StoreError;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    announcer::Announcer,
    directory::Directory,
    machine::Session,
    operations::Refused,
    pace::Pace,
    quota::{NoRoom, Quota, Room},
    shard::{Message, Shard, ShardParts},
    snapshot::Snapshot,
    store::{Found, SessionStore, Writes},
    time::{Known, SessionTime, this_boot},
};

/// Tasks that own sessions. All of them share the one writer of the file, so more would not write faster.
const SHARDS: usize = 4;
/// Changes that may wait for one shard; past it the answer is "busy".
const WAITING_MAX: usize = 4_096;

/// How sync sessions are kept.
#[derive(Clone, Debug)]
pub struct SyncOptions {
    /// The file.
    pub path: PathBuf,
    /// Where time comes from.
    pub clock: Clock,
    /// How long sessions stay that have ended, or that nobody has started.
    pub retention: Duration,
    /// How often one session may be switched.
    pub switches: Pace,
    /// Which boot of the machine this is, where that can be told: within one boot time goes on by a clock that nobody can
    /// set, also while the node is down.
    pub boot: Option<Arc<str>>,
}

impl SyncOptions {
    /// The file at `path`, with what holds if nothing else is set.
    pub fn new(path: &Path, clock: Clock) -> Self {
        let (retention, switches) = (Duration::from_hours(1), Pace { per_second: 10 });
        let boot = if matches!(clock, Clock::System) { this_boot() } else { None };
        Self { path: path.to_owned(), clock, retention, switches, boot }
    }
}

/// Why the sessions can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be opened or is not ours.
    #[error("can't open the sync sessions")]
    File(#[from] flowork_sqlite::OpenError),
    /// The task that reads it crashed.
    #[error("reading the sync sessions crashed")]
    Crashed(#[from] tokio::task::JoinError),
}

/// The sync sessions of a node. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    directory: Arc<Directory>,
    quota: Arc<Quota>,
    time: SessionTime,
    shards: Vec<mpsc::Sender<Message>>,
    stopping: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    store: AsyncMutex<Option<Arc<SessionStore>>>,
    events: Events,
}

impl Drop for Inner {
    /// Without a shutdown nobody may go on either: the next one that opens the file is to be alone with it.
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl Sessions {
    /// Opens or makes the file, and goes on with every session that is in it: what ran out meanwhile is applied at the
    /// instant it was due.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(options: SyncOptions, events: Events) -> Result<Self, OpenError> {
        let path = options.path.clone();
        let (store, Found { sessions, standing }) =
            tokio::task::spawn_blocking(move || SessionStore::open(&path)).await??;
        let known = Known {
            floor_ms: sessions.iter().map(Session::updated_at_ms).max().unwrap_or(0),
            standing,
            running: sessions.iter().any(|session| session.status() == SessionStatus::Running),
        };
        let running = known.running;
        let time = SessionTime::start(options.clock.clone(), options.boot, known);
        let announcer = Arc::new(Announcer::default());
        let (directory, quota) = (Arc::new(Directory::default()), Arc::new(Quota::default()));
        let stopping = CancellationToken::new();
        let parts = ShardParts {
            directory: Arc::clone(&directory),
            quota: Arc::clone(&quota),
            journal: store.journal(),
            time: time.clone(),
            retention_ms: i64::try_from(options.retention.as_millis()).unwrap_or(i64::MAX / 2),
            switches: options.switches,
            announcer: Arc::clone(&announcer),
            stopping: stopping.clone(),
        };
        let mut shards: Vec<_> = (0..SHARDS).map(|_| Shard::new(parts.clone())).collect();
        for session in sessions {
            let at_ms = session.updated_at_ms();
            shards[shard_of(session.id())].adopt(Arc::new(Snapshot::new(session, at_ms)));
        }
        let (mut senders, mut tasks) = (Vec::new(), Vec::new());
        for shard in shards {
            let (sender, receiver) = mpsc::channel(WAITING_MAX);
            senders.push(sender);
            tasks.push(tokio::spawn(shard.run(receiver)));
        }
        if running {
            // Where time stands by the clocks of now is stored at once: nothing else may happen for long.
            let _ = senders[0].try_send(Message::Look);
        }
        let (stop, tells) = (stopping.clone(), events.clone());
        tasks.push(tokio::spawn(async move { _ = stop.run_until_cancelled(announcer.tell(&tells)).await }));
        #[cfg(target_os = "linux")]
        tasks.push(tokio::spawn(store_steps(senders[0].downgrade(), stopping.clone())));
        let inner = Inner {
            directory,
            quota,
            time,
            shards: senders,
            stopping,
            tasks: Mutex::new(tasks),
            store: AsyncMutex::new(Some(Arc::new(store))),
            events,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The time that all sessions go by, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        self.inner.time.now_ms()
    }

    /// Makes the timers look at the clock at once: the machine has slept, and they stood still meanwhile.
    pub async fn check_now(&self) {
        for shard in &self.inner.shards {
            // A shard that has ended has no timers.
            let _ = shard.send(Message::Look).await;
        }
    }

    /// Finishes what waits, and closes the file.
    pub async fn shutdown(self) {
        self.inner.stopping.cancel();
        let tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if task.await.is_err() {
                tracing::error!("a task of sync sessions had crashed");
            }
        }
        let Some(store) = self.inner.store.lock().await.take() else { return };
        if let Some(standing) = self.inner.time.at_stop() {
            let writes = Writes { standing: Some(standing), ..Writes::default() };
            if let Err(error) = store.journal().save(writes).await {
                tracing::error!(error = ?error, "the time of sync sessions could not be stored");
            }
        }
        if let Some(store) = Arc::into_inner(store) {
            // Joining the writer blocks; the runtime must not.
            let _ = tokio::task::spawn_blocking(move || store.close()).await;
        }
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.inner.directory
    }

    /// Room for a session of a caller, who is bound unless they see everything: then they run the node.
    pub(crate) fn room(&self, caller: &Caller, participants: usize) -> Result<Room, NoRoom> {
        let inner = &self.inner;
        inner.quota.room(&caller.subject, participants, !caller.sees_all, || {
            if inner.time.anchor() {
                // Windows that have asked for the time before would go by another one than those that ask from now on.
                inner.events.publish(None, Event::Resync);
            }
        })
    }

    pub(crate) fn send(&self, id: SyncSessionId, message: Message) -> Result<(), Refused> {
        self.inner.shards[shard_of(id)].try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Busy,
            mpsc::error::TrySendError::Closed(_) => Refused::Closed,
        })
    }

    pub(crate) async fn store_events(
        &self,
        session_id: SyncSessionId,
        owner: Option<String>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SessionEvent>, StoreError> {
        let store = self.inner.store.lock().await.clone().ok_or(StoreError::Closed)?;
        store.events(session_id, owner, after, limit).await
    }
}

/// How long after a step of the wall clock a shard looks again: a look that was held up, or whose write failed, has stored
/// nothing.
#[cfg(target_os = "linux")]
const LOOK_AGAIN_AFTER: [std::time::Duration; 2] =
    [std::time::Duration::from_secs(1), std::time::Duration::from_secs(30)];

/// Makes a shard look at the clocks, and so store where time stands, whenever somebody has set the wall clock.
#[cfg(target_os = "linux")]
async fn store_steps(shard: mpsc::WeakSender<Message>, stopping: CancellationToken) {
    // One that has ended stores nothing any more.
    let look = async || {
        if let Some(shard) = shard.upgrade() {
            let _ = shard.send(Message::Look).await;
        }
    };
    let told = async {
        let mut steps = crate::alarm::Steps::listen()?;
        loop {
            steps.next().await?;
            look().await;
            for pause in LOOK_AGAIN_AFTER {
                tokio::time::sleep(pause).await;
                look().await;
            }
        }
    };
    if let Some(Err::<(), std::io::Error>(error)) = stopping.run_until_cancelled(told).await {
        tracing::warn!(%error, "nobody will tell sync sessions that the wall clock was set; it is stored with changes");
    }
}

/// Ids are picked by clients, so their bits are not taken as they are.
fn shard_of(id: SyncSessionId) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (hasher.finish() % SHARDS as u64) as usize
}
