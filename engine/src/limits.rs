//! What holds jobs back that are ready: limits, paused queues, throttled providers, and keys of which one may be open.
//!
//! One [`Gate`] an engine, shared by the writers of its shards, so that a bound holds across all of them. It is memory
//! only: at a start each shard counts its leased jobs in again, and rules come from the control store. A shard asks it at
//! the moment of a claim; what is held back is put aside there, by the [`Scope`] that holds it, and looked at again when
//! the gate says that the scope has opened. So nothing that is held back is walked past.
//!
//! Not here: which job comes next (the shard's ready list), how deep a queue may get (admission, in [`Gate::waiting`]'s
//! callers).

mod scopes;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use flowork_api_types::{
    JobId, ShardNumber,
    limit::{LimitRule, LimitTarget},
};
pub(crate) use scopes::ScopeId;
use scopes::Scopes;

/// Milliseconds of a clock that never jumps: limits are about time that passes, not about dates.
pub(crate) type SteadyMs = i64;

/// What a claim asks to pass: everything that counts the job, and the job's own bound on its concurrency key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) scopes: Box<[ScopeId]>,
    /// A scope of `scopes`, and how many of it may run as far as this job is concerned.
    pub(crate) own_bound: Option<(ScopeId, u32)>,
}

/// What the gate says to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may start, and is counted.
    Admitted,
    /// Not now, because of this scope; time alone opens it again at `until`, if that is known.
    Held { scope: ScopeId, until: Option<SteadyMs> },
}

/// An owner and a key of theirs.
pub(crate) type UniqueKey = (Arc<str>, Arc<str>);

/// How the gate tells a shard that scopes have opened.
pub(crate) type Opened = Arc<dyn Fn(Vec<ScopeId>) + Send + Sync>;

/// The limits of one engine.
pub(crate) struct Gate {
    scopes: Mutex<Scopes>,
    unique: Mutex<HashMap<UniqueKey, JobId>>,
    shards: Mutex<HashMap<ShardNumber, Opened>>,
    waiting: AtomicI64,
    waiting_max: AtomicU64,
}

impl Gate {
    /// A gate that holds nothing back but the jobs past `waiting_max`.
    pub(crate) fn new(waiting_max: u64) -> Self {
        Self {
            scopes: Mutex::default(),
            unique: Mutex::default(),
            shards: Mutex::default(),
            waiting: AtomicI64::new(0),
            waiting_max: AtomicU64::new(waiting_max),
        }
    }

    /// Registers a shard, so that it hears of scopes that open.
    pub(crate) fn join(&self, shard: ShardNumber, opened: Opened) {
        lock(&self.shards).insert(shard, opened);
    }

    /// Takes the rules as they are now; the old ones are gone.
    pub(crate) fn set_rules(&self, rules: &[LimitRule]) {
        let opened = lock(&self.scopes).set_rules(rules);
        self.tell(opened);
    }

    /// Takes the names of all queues that are paused now.
    pub(crate) fn set_paused(&self, queues: HashSet<String>) {
        let opened = lock(&self.scopes).set_paused(queues);
        self.tell(opened);
    }

    /// Keeps everything of a target back until then.
    pub(crate) fn throttle(&self, target: LimitTarget, until: SteadyMs, now: SteadyMs) {
        lock(&self.scopes).throttle(target, until, now);
    }

    /// How many jobs of each target with a rule run now.
    pub(crate) fn running(&self) -> Vec<(LimitTarget, u32)> {
        lock(&self.scopes).running()
    }

    /// The scopes of targets, held until they are given back with [`release`](Self::release).
    pub(crate) fn intern(&self, targets: impl IntoIterator<Item = LimitTarget>) -> Box<[ScopeId]> {
        let mut scopes = lock(&self.scopes);
        targets.into_iter().map(|target| scopes.intern(target)).collect()
    }

    /// Gives scopes back that were interned.
    pub(crate) fn release(&self, scopes: &[ScopeId]) {
        lock(&self.scopes).release(scopes);
    }

    /// Asks whether a job may start now; counts it if it may. A shard whose job is held back is told when the scope
    /// opens.
    pub(crate) fn admit(&self, shard: ShardNumber, pass: &Pass, now: SteadyMs) -> Admission {
        lock(&self.scopes).admit(shard, pass, now)
    }

    /// Counts a job that runs already: found leased at a start.
    pub(crate) fn enter(&self, scopes: &[ScopeId]) {
        lock(&self.scopes).enter(scopes);
    }

    /// Counts a job out that does not run any more, and tells shards whose jobs waited for that. Answers the scopes that
    /// opened for `shard` itself.
    pub(crate) fn leave(&self, shard: ShardNumber, scopes: &[ScopeId]) -> Vec<ScopeId> {
        let mut opened = lock(&self.scopes).leave(scopes);
        let own = opened.remove(&shard).unwrap_or_default();
        self.tell(opened);
        own
    }

    /// Counts jobs out of a shard that hears of it otherwise, or not any more; all others are told.
    pub(crate) fn leave_for_good(&self, scopes: &[ScopeId]) {
        let opened = lock(&self.scopes).leave(scopes);
        self.tell(opened);
    }

    /// As [`leave`](Self::leave), of a job that was admitted and did not start after all: its rates get the start back.
    pub(crate) fn undo(&self, shard: ShardNumber, scopes: &[ScopeId]) -> Vec<ScopeId> {
        let mut opened = lock(&self.scopes).undo(scopes);
        let own = opened.remove(&shard).unwrap_or_default();
        self.tell(opened);
        own
    }

    fn tell(&self, opened: HashMap<ShardNumber, Vec<ScopeId>>) {
        if opened.is_empty() {
            return;
        }
        let shards = lock(&self.shards);
        for (shard, scopes) in opened {
            if let Some(tell) = shards.get(&shard) {
                tell(scopes);
            }
        }
    }

    /// Takes a unique key for a job; answers the job that has it, if another does.
    pub(crate) fn hold_unique(&self, owner: &Arc<str>, key: &Arc<str>, id: JobId) -> Result<(), JobId> {
        let mut unique = lock(&self.unique);
        match unique.entry((Arc::clone(owner), Arc::clone(key))) {
            std::collections::hash_map::Entry::Occupied(held) if *held.get() != id => Err(*held.get()),
            entry => {
                entry.insert_entry(id);
                Ok(())
            }
        }
    }

    /// Gives a unique key back, if this job has it.
    pub(crate) fn drop_unique(&self, owner: &Arc<str>, key: &Arc<str>, id: JobId) {
        let mut unique = lock(&self.unique);
        let name = (Arc::clone(owner), Arc::clone(key));
        if unique.get(&name) == Some(&id) {
            unique.remove(&name);
        }
    }

    /// Takes what a shard's open jobs hold, instead of what it held before.
    pub(crate) fn replace_unique(&self, shard: ShardNumber, held: Vec<(UniqueKey, JobId)>) {
        let mut unique = lock(&self.unique);
        unique.retain(|_, id| id.shard() != shard);
        for (key, id) in held {
            if let Some(other) = unique.insert(key, id) {
                tracing::error!(job = %id, %other, "two open jobs have one unique key");
            }
        }
    }

    /// Jobs that wait in all shards, uncommitted ones included.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed).max(0).unsigned_abs()
    }

    /// Jobs that may wait.
    pub(crate) fn waiting_max(&self) -> u64 {
        self.waiting_max.load(Ordering::Relaxed)
    }

    /// Counts jobs that began to wait, or stopped to.
    pub(crate) fn add_waiting(&self, by: i64) {
        self.waiting.fetch_add(by, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
