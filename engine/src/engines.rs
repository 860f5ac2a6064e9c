//! The engines of this node: which there are, where their shards are, who runs which kind.

mod host;

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use flowork_api_types::{
    EngineId, JobId, Timestamp,
    engine::{Engine, EngineLocation},
    error::FieldError,
    event::Event,
    kind::{Kind, KindList},
};
pub(crate) use host::Host;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Clock, Events, KindRegistry, pool::Pool, store::Shard};

/// An engine, as the control store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSpec {
    /// Names it everywhere.
    pub id: EngineId,
    /// Its number on this node; part of its jobs' ids, never given out twice.
    pub slot: u16,
    /// For a person.
    pub name: String,
    /// Where its workers are.
    pub location: EngineLocation,
    /// Its shard files, fixed when it was made: a key's shard depends on it.
    pub shards: u16,
}

/// What [`Engines::open`] needs.
pub struct EnginesOptions {
    /// Holds one directory an engine.
    pub shards_dir: PathBuf,
    /// All engines of the node.
    pub engines: Vec<EngineSpec>,
    /// Local workers.
    pub workers: u32,
    /// Jobs that may wait in one engine.
    pub queue_hard_cap: u64,
    /// Where the store takes its time from.
    pub clock: Clock,
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// One of its files could not be opened.
    #[error(transparent)]
    Shard(#[from] flowork_sqlite::OpenError),
    /// Its slot or number of shards is past what job ids can hold.
    #[error("engine {engine_id} has slot {slot} and {shards} shards; ids hold 1,024 slots and 64 shards")]
    OutOfRange {
        /// The engine.
        engine_id: EngineId,
        /// Its slot.
        slot: u16,
        /// Its shards.
        shards: u16,
    },
    /// The thread that opened it panicked.
    #[error("opening the shards was interrupted")]
    Interrupted,
}

/// The engines of this node. Cheap to clone.
#[derive(Clone)]
pub struct Engines {
    inner: Arc<Inner>,
}

struct Inner {
    hosts: RwLock<Vec<Arc<Host>>>,
    kinds: KindRegistry,
    events: Events,
    draining: Arc<AtomicBool>,
    shards_dir: PathBuf,
    queue_hard_cap: u64,
    clock: Clock,
    pool: Pool,
    tasks: TaskTracker,
    /// For the shards of engines that are added later.
    cancels: mpsc::UnboundedSender<JobId>,
}

impl Engines {
    /// Opens every shard and starts the local workers.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(options: EnginesOptions, kinds: KindRegistry) -> Result<Self, OpenError> {
        let events = Events::default();
        let draining = Arc::new(AtomicBool::new(false));
        let (cancels, cancelled) = mpsc::unbounded_channel();
        let mut opening = Vec::new();
        for spec in options.engines {
            let opener = Opener {
                shards_dir: options.shards_dir.clone(),
                clock: options.clock.clone(),
                events: events.clone(),
                draining: Arc::clone(&draining),
                cancels: cancels.clone(),
            };
            let (kinds, cap) = (kinds.clone(), options.queue_hard_cap);
            opening.push(tokio::task::spawn_blocking(move || Host::open(spec, &opener, kinds, cap)));
        }
        let mut hosts = Vec::new();
        for task in opening {
            hosts.push(Arc::new(task.await.map_err(|_| OpenError::Interrupted)??));
        }
        hosts.sort_by_key(|host| host.slot());
        let local = hosts.iter().find(|host| host.location() == EngineLocation::Local).cloned();
        let pool = Pool::start(local, options.workers, kinds.clone(), cancelled);
        let engines = Self {
            inner: Arc::new(Inner {
                hosts: RwLock::new(hosts),
                kinds,
                events,
                draining,
                shards_dir: options.shards_dir,
                queue_hard_cap: options.queue_hard_cap,
                clock: options.clock,
                pool,
                tasks: TaskTracker::new(),
                cancels,
            }),
        };
        engines.forward_kind_changes();
        Ok(engines)
    }

    /// Tells listeners when kinds change, and lets shards look for jobs that waited for them.
    fn forward_kind_changes(&self) {
        let mut changes = self.inner.kinds.subscribe();
        let engines = self.clone();
        let stopping = self.stopping();
        self.spawn(async move {
            loop {
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    () = stopping.cancelled() => return,
                }
                engines.poke();
                engines.events().publish(None, Event::KindsChanged);
            }
        });
    }

    /// The kinds that run in this process.
    pub fn kinds(&self) -> &KindRegistry {
        &self.inner.kinds
    }

    /// What changes on this node.
    pub fn events(&self) -> &Events {
        &self.inner.events
    }

    /// Every kind with the engines that run it now, and modules that can't be used.
    pub fn list_kinds(&self) -> KindList {
        let mut items: Vec<Kind> = Vec::new();
        for host in self.hosts() {
            for descriptor in host.descriptors() {
                match items.iter_mut().find(|kind| kind.descriptor.name == descriptor.name) {
                    Some(kind) => kind.engine_ids.push(host.id()),
                    None => items.push(Kind { descriptor, engine_ids: vec![host.id()] }),
                }
            }
        }
        items.sort_by(|a, b| a.descriptor.name.cmp(&b.descriptor.name));
        KindList { items, broken_modules: self.inner.kinds.broken_modules() }
    }

    /// Opens the shards of an engine that was just made.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn add(&self, spec: EngineSpec) -> Result<(), OpenError> {
        let opener = Opener {
            shards_dir: self.inner.shards_dir.clone(),
            clock: self.inner.clock.clone(),
            events: self.events().clone(),
            draining: Arc::clone(&self.inner.draining),
            cancels: self.inner.cancels.clone(),
        };
        let (kinds, cap) = (self.inner.kinds.clone(), self.inner.queue_hard_cap);
        let host = tokio::task::spawn_blocking(move || Host::open(spec, &opener, kinds, cap));
        let host = host.await.map_err(|_| OpenError::Interrupted)??;
        let mut hosts = self.inner.hosts.write().unwrap_or_else(PoisonError::into_inner);
        hosts.push(Arc::new(host));
        drop(hosts);
        self.events().publish(None, Event::EnginesChanged);
        Ok(())
    }

    /// All engines, the local one first.
    pub fn list(&self) -> Vec<Engine> {
        self.hosts().iter().map(|host| self.describe(host)).collect()
    }

    /// One engine.
    pub fn get(&self, id: EngineId) -> Option<Engine> {
        self.host(id).map(|host| self.describe(&host))
    }

    fn describe(&self, host: &Host) -> Engine {
        let local = host.location() == EngineLocation::Local;
        let workers = local.then(|| (self.inner.pool.workers(), self.inner.pool.running()));
        host.describe(workers, self.is_draining())
    }

    /// Stops claiming and refuses new jobs, or goes back to work.
    pub fn drain(&self, on: bool) {
        self.inner.draining.store(on, Ordering::Release);
        if !on {
            self.hosts().iter().for_each(|host| host.poke());
        }
        self.events().publish(None, Event::EnginesChanged);
    }

    /// Nothing new is claimed or taken.
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Acquire)
    }

    /// Local jobs that run now.
    pub fn running(&self) -> u32 {
        self.inner.pool.running()
    }

    /// Resolves once no local job runs.
    pub async fn drained(&self) {
        self.inner.pool.drained().await;
    }

    /// Stops what runs, gives its leases back, and ends every thread and task. What was acknowledged is on disk.
    pub async fn shutdown(self) {
        self.inner.draining.store(true, Ordering::Release);
        self.inner.pool.stop().await;
        self.events().close();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        let hosts = self.hosts();
        let closed = tokio::task::spawn_blocking(move || hosts.iter().for_each(|host| host.close())).await;
        if closed.is_err() {
            tracing::error!("closing the shards was interrupted");
        }
    }

    /// Makes shards look at the clock again, after a test has moved it.
    pub fn poke(&self) {
        self.hosts().iter().for_each(|host| host.poke());
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn hosts(&self) -> Vec<Arc<Host>> {
        self.inner.hosts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn host(&self, id: EngineId) -> Option<Arc<Host>> {
        self.hosts().into_iter().find(|host| host.id() == id)
    }

    /// Where a job lives, by its id alone.
    pub(crate) fn shard_of(&self, id: JobId) -> Option<(Arc<Host>, Arc<Shard>)> {
        let host = self.hosts().into_iter().find(|host| host.slot() == id.shard().slot())?;
        let shard = host.shard(id.shard())?;
        Some((host, shard))
    }

    /// Checks a payload for a kind that some engine runs; `None` if none does.
    pub(crate) fn check_kind(&self, kind: &str, payload: &Value) -> Option<Result<(), Vec<FieldError>>> {
        self.hosts().iter().find_map(|host| host.check(kind, payload))
    }

    /// Fires when the node stops.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.inner.pool.stopping()
    }

    /// Runs a task that [`shutdown`](Self::shutdown) waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(task);
    }
}

/// What every shard of the node shares.
pub(crate) struct Opener {
    shards_dir: PathBuf,
    clock: Clock,
    events: Events,
    draining: Arc<AtomicBool>,
    cancels: mpsc::UnboundedSender<JobId>,
}
