//! The engines of this node: which there are, where their shards are, who runs which kind.

mod drain;
mod host;
mod policies;
pub(crate) mod quarantine;
mod resume;
mod returns;
mod workers;

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64},
    },
};

use drain::Drain;
use flowork_api_types::{
    BatchId, EngineId, JobId, Timestamp,
    engine::{Engine, EngineLocation},
    error::FieldError,
    event::Event,
    kind::{Kind, KindList},
    member::AllowList,
    node::Notice,
};
pub(crate) use host::Host;
use policies::Policies;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
pub use workers::FixWorkersError;

use crate::{
    Clock, Events, KindRegistry, Retention,
    autoscale::{AutoscaleOptions, Autoscaler, Basis},
    jobs::{directives::Directives, enqueue::KeyTurns},
    pool::{Members, Pool, ShardSource},
    store::Shard,
};

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
    /// Local workers; where they follow the load, how many at the start. With none and no load to follow, an engine of this
    /// process runs nothing, whatever people [decide](Engines::fix_workers); engines elsewhere beside it get no jobs, and
    /// ended jobs are kept past their time.
    pub workers: u32,
    /// How the number of local workers follows the load; without it, it stays.
    pub autoscale: Option<AutoscaleOptions>,
    /// Whether to begin [draining](Engines::drain), so that nothing is claimed before somebody ends that.
    pub draining: bool,
    /// Jobs that may wait in one engine.
    pub queue_hard_cap: u64,
    /// Where the store takes its time from.
    pub clock: Clock,
    /// How long ended jobs are kept.
    pub retention: Retention,
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
    drain: Drain,
    queue_hard_cap: u64,
    /// For engines that are added later too.
    opener: Opener,
    pool: Pool<ShardSource>,
    /// What engines elsewhere are to do.
    wanted: Directives,
    /// How many workers the local engine has.
    autoscaler: Option<Arc<Autoscaler>>,
    /// How far the wall clock was ahead of the steady one when that was last looked at, in milliseconds.
    wall_ahead_ms: AtomicI64,
    key_turns: KeyTurns,
    tasks: TaskTracker,
}

impl Engines {
    /// Opens every shard and starts the local workers.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(options: EnginesOptions, kinds: KindRegistry) -> Result<Self, OpenError> {
        let events = Events::default();
        let draining = Arc::new(AtomicBool::new(options.draining));
        let wall_ahead_ms = options.clock.wall_ahead_ms();
        let basis = match (options.autoscale, options.workers) {
            (Some(scale), _) => Basis::Load(scale),
            (None, 0) => Basis::Recovery,
            (None, workers) => Basis::Setting(workers),
        };
        let has_local = options.engines.iter().any(|spec| spec.location == EngineLocation::Local);
        let (cancels, cancelled) = mpsc::unbounded_channel();
        let (batches, batches_moved) = mpsc::unbounded_channel();
        let opener = Opener {
            shards_dir: options.shards_dir,
            clock: options.clock,
            events: events.clone(),
            draining: Arc::clone(&draining),
            cancels,
            batches,
            retention: Arc::new(RwLock::new(Arc::new(options.retention))),
            keeps_ended: has_local && basis == Basis::Recovery,
            policies: Arc::default(),
        };
        let mut opening = Vec::new();
        for spec in options.engines {
            let opener = opener.clone();
            let (kinds, cap) = (kinds.clone(), options.queue_hard_cap);
            opening.push(tokio::task::spawn_blocking(move || Host::open(spec, &opener, kinds, cap)));
        }
        let mut hosts = Vec::new();
        for task in opening {
            hosts.push(Arc::new(task.await.map_err(|_| OpenError::Interrupted)??));
        }
        hosts.sort_by_key(|host| host.slot());
        let local = hosts.iter().find(|host| host.location() == EngineLocation::Local).cloned();
        let autoscaler = local.as_ref().map(|host| Arc::new(Autoscaler::new(host.id(), basis, options.workers)));
        let workers = autoscaler.as_ref().map_or(options.workers, |autoscaler| autoscaler.workers());
        let local_slot = local.as_ref().map(|host| host.slot());
        let (local_cancels, cancelled_here) = mpsc::unbounded_channel();
        let pool = Pool::start(ShardSource::new(local, cancelled_here), kinds.clone(), workers);
        let engines = Self {
            inner: Arc::new(Inner {
                hosts: RwLock::new(hosts),
                kinds,
                events,
                drain: Drain::new(draining),
                queue_hard_cap: options.queue_hard_cap,
                opener,
                pool,
                wanted: Directives::default(),
                autoscaler,
                wall_ahead_ms: AtomicI64::new(wall_ahead_ms),
                key_turns: KeyTurns::default(),
                tasks: TaskTracker::new(),
            }),
        };
        engines.route_cancels(local_slot, local_cancels, cancelled);
        engines.forward_kind_changes();
        engines.hosts().iter().for_each(|host| engines.follow_returns(host));
        engines.finish_batches(batches_moved);
        engines.start_autoscaler();
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

    /// Whose jobs are run: the local workers hear of it at once, engines elsewhere with their next heartbeat.
    pub fn set_members(&self, list: AllowList) {
        self.members().set(list);
    }

    pub(crate) fn members(&self) -> &Members {
        self.inner.pool.workers().members()
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
                    None => items.push(Kind {
                        roles: descriptor.default_roles().to_vec(),
                        descriptor,
                        engine_ids: vec![host.id()],
                        roles_decided: false,
                        allowed_actions: Vec::new(),
                    }),
                }
            }
        }
        items.sort_by(|a, b| a.descriptor.name.cmp(&b.descriptor.name));
        KindList { items, broken_modules: self.inner.kinds.broken_modules() }
    }

    /// Whether jobs of this kind reach what is on the machine of some engine that runs it; `None` for a kind that no
    /// engine runs.
    pub fn kind_reaches_machine(&self, kind: &str) -> Option<bool> {
        self.hosts().iter().filter_map(|host| host.reaches_machine(kind)).reduce(|one, other| one || other)
    }

    /// Opens the shards of an engine that was just made.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn add(&self, spec: EngineSpec) -> Result<(), OpenError> {
        let opener = self.inner.opener.clone();
        let (kinds, cap) = (self.inner.kinds.clone(), self.inner.queue_hard_cap);
        let host = tokio::task::spawn_blocking(move || Host::open(spec, &opener, kinds, cap));
        let host = host.await.map_err(|_| OpenError::Interrupted)??;
        let host = Arc::new(host);
        // Under this lock rules change, so that this engine gets them as they are now or hears of the change.
        let policies = self.inner.opener.policies();
        self.inner.hosts.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&host));
        host.gate().set_rules(&policies.limits);
        host.gate().set_paused(policies.paused.clone());
        drop(policies);
        self.follow_returns(&host);
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

    /// What a person should know about the engines.
    pub fn notices(&self) -> Vec<Notice> {
        self.hosts().iter().flat_map(|host| host.notices()).collect()
    }

    fn describe(&self, host: &Host) -> Engine {
        let described = host.describe(self.workers(), self.is_draining());
        Engine { workers_fixed: self.fixed_workers(host.id()), ..described }
    }

    /// Stops what runs, gives its leases back, and ends every thread and task. What was acknowledged is on disk.
    pub async fn shutdown(self) {
        self.inner.drain.for_good();
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

    pub(crate) fn autoscaler(&self) -> Option<&Arc<Autoscaler>> {
        self.inner.autoscaler.as_ref()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.opener.clock.now()
    }

    pub(crate) fn wall_ahead_ms(&self) -> i64 {
        self.inner.opener.clock.wall_ahead_ms()
    }

    pub(crate) fn local_host(&self) -> Option<Arc<Host>> {
        self.hosts().into_iter().find(|host| host.location() == EngineLocation::Local)
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
        self.inner.pool.workers().stopping().clone()
    }

    /// Hears of batches that may have ended.
    pub(crate) fn batch_moves(&self) -> &mpsc::UnboundedSender<BatchId> {
        &self.inner.opener.batches
    }

    pub(crate) fn wanted(&self) -> &Directives {
        &self.inner.wanted
    }

    /// Who may enqueue under an idempotency key now.
    pub(crate) fn key_turns(&self) -> &KeyTurns {
        &self.inner.key_turns
    }

    /// What [`shutdown`](Self::shutdown) waits for.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    /// Runs a task that [`shutdown`](Self::shutdown) waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(task);
    }
}

/// What every shard of the node shares.
#[derive(Clone)]
pub(crate) struct Opener {
    shards_dir: PathBuf,
    clock: Clock,
    events: Events,
    draining: Arc<AtomicBool>,
    cancels: mpsc::UnboundedSender<JobId>,
    batches: mpsc::UnboundedSender<BatchId>,
    retention: Arc<RwLock<Arc<Retention>>>,
    /// Ended jobs stay, also when their time is over.
    keeps_ended: bool,
    policies: Arc<Mutex<Policies>>,
}
