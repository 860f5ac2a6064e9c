//! One engine as the node holds it: its shards, and for an external one what it last said of itself.

mod room;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowork_api_types::{
    EngineId, ShardNumber, Timestamp,
    engine::{Engine, EngineLocation, EngineState, HeartbeatRequest, STALE_AFTER_MS, ShardProblem, Vitals},
    error::FieldError,
    kind::KindDescriptor,
    node::Notice,
};
use flowork_sqlite::StoreError;
use serde_json::Value;

use super::{EngineSpec, OpenError, Opener, quarantine};
use crate::{
    Clock, KindRegistry,
    jobs::enqueue::EnqueueError,
    kind::{check_payload, compile_schema},
    limits::Gate,
    measures::Measures,
    store::{Shard, ShardOptions},
};

/// One engine.
pub(crate) struct Host {
    spec: EngineSpec,
    shards: Vec<Arc<Shard>>,
    kinds: Kinds,
    gate: Arc<Gate>,
    measures: Arc<Measures>,
    clock: Clock,
}

enum Kinds {
    Local(KindRegistry),
    /// As its last heartbeat said.
    External(Mutex<Heard>),
}

#[derive(Default)]
struct Heard {
    at: Option<Timestamp>,
    /// Its kinds are those that it had before the node started. Until then it is believed to be about to come back.
    expected_until: Option<Timestamp>,
    version: Option<String>,
    capacity: u32,
    busy: u32,
    vitals: Option<Vitals>,
    kinds: HashMap<String, (KindDescriptor, jsonschema::Validator)>,
}

impl Host {
    /// Opens or makes the engine's files. Blocks.
    pub(crate) fn open(
        spec: EngineSpec,
        opener: &Opener,
        kinds: KindRegistry,
        queue_hard_cap: u64,
    ) -> Result<Self, OpenError> {
        let out_of_range = || OpenError::OutOfRange { engine_id: spec.id, slot: spec.slot, shards: spec.shards };
        if spec.shards == 0 {
            return Err(out_of_range());
        }
        let local = spec.location == EngineLocation::Local;
        let directory = opener.shards_dir.join(spec.id.to_string());
        let gate = Arc::new(Gate::new(queue_hard_cap));
        {
            let policies = opener.policies();
            gate.set_rules(&policies.limits);
            gate.set_paused(policies.paused.clone());
        }
        let measures = Arc::new(Measures::default());
        let mut shards = Vec::new();
        for index in 0..spec.shards {
            let options = ShardOptions {
                number: ShardNumber::new(spec.slot, index).ok_or_else(out_of_range)?,
                clock: opener.clock.clone(),
                events: opener.events.clone(),
                local,
                draining: Arc::clone(&opener.draining),
                cancels: opener.cancels.clone(),
                batches: opener.batches.clone(),
                gate: Arc::clone(&gate),
                measures: Arc::clone(&measures),
                retention: Arc::clone(&opener.retention),
                keeps_ended: opener.keeps_ended,
            };
            shards.push(Arc::new(quarantine::open(&directory.join(format!("{index}.db")), &options)?));
        }
        let kinds = if local { Kinds::Local(kinds) } else { Kinds::External(Mutex::default()) };
        Ok(Self { spec, shards, kinds, gate, measures, clock: opener.clock.clone() })
    }

    pub(crate) fn id(&self) -> EngineId {
        self.spec.id
    }

    pub(crate) fn slot(&self) -> u16 {
        self.spec.slot
    }

    pub(crate) fn location(&self) -> EngineLocation {
        self.spec.location
    }

    /// What happens in its queues.
    pub(crate) fn measures(&self) -> &Arc<Measures> {
        &self.measures
    }

    /// The shards that are not in quarantine.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().map(Arc::as_ref).filter(|shard| shard.health().quarantine().is_none())
    }

    /// An error if none of its shards serves.
    pub(crate) fn check_serves(&self) -> Result<(), StoreError> {
        if self.shards().next().is_some() {
            return Ok(());
        }
        let quarantine = self.shards.iter().find_map(|shard| shard.health().quarantine());
        quarantine.map_or(Ok(()), |quarantine| Err(StoreError::Quarantined(quarantine)))
    }

    /// Some of its shards do not serve.
    pub(crate) fn is_partial(&self) -> bool {
        self.shards.iter().any(|shard| shard.health().quarantine().is_some())
    }

    /// The shards that are not well.
    pub(crate) fn problems(&self) -> Vec<ShardProblem> {
        let shards = self.shards.iter().enumerate();
        shards.filter_map(|(index, shard)| quarantine::problem(self.id(), index, shard.health())).collect()
    }

    /// The same, as a person is told.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.problems().iter().map(|problem| quarantine::notice(&self.spec.name, problem)).collect()
    }

    /// All of them, to keep.
    pub(crate) fn all_shards(&self) -> Vec<Arc<Shard>> {
        self.shards.clone()
    }

    /// The shard of this number, if it is one of this engine's.
    pub(crate) fn shard(&self, number: ShardNumber) -> Option<Arc<Shard>> {
        (number.slot() == self.spec.slot).then(|| self.shards.get(usize::from(number.index())).cloned())?
    }

    /// Where a caller's idempotency key lives: always the same shard, so that one transaction can decide about it.
    pub(crate) fn shard_for_key(&self, owner: &str, key: &str) -> &Shard {
        let hash = stable_hash(&[owner.as_bytes(), key.as_bytes()]);
        &self.shards[(hash % self.shards.len() as u64) as usize]
    }

    /// This engine's rank for a key; the highest gets the job.
    ///
    /// Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998), rendezvous hashing.
    pub(crate) fn rank(&self, owner: &str, key: &str) -> u64 {
        stable_hash(&[self.spec.id.as_uuid().as_bytes(), owner.as_bytes(), key.as_bytes()])
    }

    pub(crate) fn is_up(&self) -> bool {
        match &self.kinds {
            Kinds::Local(_) => true,
            Kinds::External(heard) => {
                let now = self.clock.now();
                is_fresh(seen(heard, now).at, now)
            }
        }
    }

    /// It was there before the node started, and may not have had the time to say that it still is.
    pub(crate) fn is_expected(&self) -> bool {
        match &self.kinds {
            Kinds::Local(_) => false,
            Kinds::External(heard) => {
                let now = self.clock.now();
                seen(heard, now).expected_until.is_some_and(|until| now <= until)
            }
        }
    }

    /// Takes the kinds that an engine elsewhere had before the node started, unless it has named its kinds since. One
    /// whose schema is not valid any more is left out.
    pub(crate) fn recall(&self, kinds: Vec<KindDescriptor>) {
        let Kinds::External(heard) = &self.kinds else { return };
        let mut heard = lock(heard);
        if heard.at.is_some() {
            return;
        }
        heard.expected_until = Some(stale_after(self.clock.now()));
        let known = kinds.into_iter().filter_map(|descriptor| {
            let validator = compile_schema(&descriptor).ok()?;
            Some((descriptor.name.clone(), (descriptor, validator)))
        });
        heard.kinds = known.collect();
    }

    /// Time has passed in which nobody could be heard.
    pub(crate) fn slept(&self, slept: Duration) {
        let Kinds::External(heard) = &self.kinds else { return };
        let mut heard = lock(heard);
        let later = |at: Timestamp| Timestamp(at.as_millis().saturating_add(slept.as_millis() as i64));
        heard.at = heard.at.map(|at| later(at).min(self.clock.now()));
        heard.expected_until = heard.expected_until.map(later);
    }

    pub(crate) fn runs(&self, kind: &str) -> bool {
        match &self.kinds {
            Kinds::Local(kinds) => kinds.get(kind).is_some(),
            Kinds::External(heard) => lock(heard).kinds.contains_key(kind),
        }
    }

    pub(crate) fn descriptors(&self) -> Vec<KindDescriptor> {
        match &self.kinds {
            Kinds::Local(kinds) => kinds.descriptors(),
            Kinds::External(heard) if self.is_up() || self.is_expected() => {
                lock(heard).kinds.values().map(|(descriptor, _)| descriptor.clone()).collect()
            }
            Kinds::External(_) => Vec::new(),
        }
    }

    /// Whether the kind reaches what is on this engine's machine; `None` if this engine does not run it.
    pub(crate) fn reaches_machine(&self, kind: &str) -> Option<bool> {
        match &self.kinds {
            Kinds::Local(kinds) => kinds.get(kind).map(|kind| kind.kind.descriptor().reaches_machine),
            Kinds::External(heard) => lock(heard).kinds.get(kind).map(|(descriptor, _)| descriptor.reaches_machine),
        }
    }

    /// Checks a payload; `None` if this engine does not run the kind.
    pub(crate) fn check(&self, kind: &str, payload: &Value) -> Option<Result<(), Vec<FieldError>>> {
        match &self.kinds {
            Kinds::Local(kinds) => Some(kinds.get(kind)?.check(payload)),
            Kinds::External(heard) => {
                lock(heard).kinds.get(kind).map(|(_, validator)| check_payload(validator, payload))
            }
        }
    }

    /// The kind's own time limit, in milliseconds.
    pub(crate) fn timeout_ms(&self, kind: &str) -> u64 {
        /// Only for a kind that went away between two look-ups.
        const FALLBACK_MS: u64 = 300_000;
        match &self.kinds {
            Kinds::Local(kinds) => kinds.get(kind).map(|kind| kind.kind.descriptor().timeout_ms),
            Kinds::External(heard) => lock(heard).kinds.get(kind).map(|(descriptor, _)| descriptor.timeout_ms),
        }
        .unwrap_or(FALLBACK_MS)
    }

    /// Takes an external engine's report. An error says which schema is not valid; nothing changed.
    pub(crate) fn heard(&self, report: HeartbeatRequest, now: Timestamp) -> Result<(), String> {
        let Kinds::External(heard) = &self.kinds else {
            return Err("the local engine sends no heartbeats".to_owned());
        };
        let mut heard = lock(heard);
        let mut reported = Vec::new();
        for descriptor in report.kinds {
            // Compiling a schema costs far more than comparing two.
            let known = heard.kinds.get(&descriptor.name).is_some_and(|(known, _)| *known == descriptor);
            let compiled =
                if known { None } else { Some(compile_schema(&descriptor).map_err(|error| error.to_string())?) };
            reported.push((descriptor, compiled));
        }
        let mut before = std::mem::take(&mut heard.kinds);
        let kinds = reported.into_iter().filter_map(|(descriptor, compiled)| {
            let validator = compiled.or_else(|| before.remove(&descriptor.name).map(|(_, validator)| validator))?;
            Some((descriptor.name.clone(), (descriptor, validator)))
        });
        *heard = Heard {
            at: Some(now),
            expected_until: None,
            version: Some(report.version.chars().take(64).collect()),
            capacity: report.capacity,
            busy: report.busy,
            vitals: report.vitals.map(Vitals::bounded),
            kinds: kinds.collect(),
        };
        Ok(())
    }

    /// For clients. `workers`: of the local pool.
    pub(crate) fn describe(&self, workers: u32, draining: bool) -> Engine {
        let (mut queued, mut scheduled, mut leased) = (0, 0, 0);
        for counts in self.shards().map(Shard::counts) {
            queued += counts.queued.max(0) as u64;
            scheduled += counts.scheduled.max(0) as u64;
            leased += counts.leased.max(0) as u64;
        }
        let (workers, busy, last_seen_at, version, vitals) = match &self.kinds {
            Kinds::External(heard) => {
                let heard = seen(heard, self.clock.now());
                (heard.capacity, heard.busy, heard.at, heard.version.clone(), heard.vitals)
            }
            // By the leases: they are as events have told, and a worker begins and ends a moment later, untold.
            Kinds::Local(_) => (workers, leased as u32, None, Some(env!("CARGO_PKG_VERSION").to_owned()), None),
        };
        let state = match (self.is_up(), draining) {
            (false, _) => EngineState::Stale,
            (true, true) => EngineState::Draining,
            (true, false) => EngineState::Up,
        };
        Engine {
            id: self.spec.id,
            name: self.spec.name.clone(),
            location: self.spec.location,
            state,
            workers,
            workers_fixed: None,
            busy,
            shards: u32::from(self.spec.shards),
            shard_problems: self.problems(),
            queued,
            scheduled,
            leased,
            last_seen_at,
            version,
            vitals,
            token: None,
            allowed_actions: Vec::new(),
        }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn queue_full(&self) -> EnqueueError {
        EnqueueError::QueueFull {
            engine_id: self.id(),
            depth: self.gate.waiting(),
            hard_cap: self.gate.waiting_max(),
            retry_after: self.retry_after(),
        }
    }

    /// When there should be room again, by the rate at which jobs ended in the last minute.
    pub(crate) fn retry_after(&self) -> Duration {
        let drained_per_s = self.measures.drained_per_s(self.clock.now());
        room::retry_after(drained_per_s, self.gate.waiting(), self.gate.waiting_max(), rand::random_range(0.0..1.0))
    }

    pub(crate) fn poke(&self) {
        self.shards().for_each(Shard::poke);
    }

    /// Ends the writer threads. Blocks.
    pub(crate) fn close(&self) {
        self.shards.iter().for_each(|shard| shard.close());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was heard, as seen from now. A wall clock that went back leaves times behind that are yet to come; they count as
/// now, or an engine that is gone would be there until then.
fn seen(heard: &Mutex<Heard>, now: Timestamp) -> MutexGuard<'_, Heard> {
    let mut heard = lock(heard);
    heard.at = heard.at.map(|at| at.min(now));
    heard.expected_until = heard.expected_until.map(|until| until.min(stale_after(now)));
    heard
}

fn stale_after(at: Timestamp) -> Timestamp {
    Timestamp(at.as_millis() + STALE_AFTER_MS as i64)
}

fn is_fresh(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| now.as_millis() - at.as_millis() <= STALE_AFTER_MS as i64)
}

/// The same on every machine and in every version: shards are picked by it.
fn stable_hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    u64::from_le_bytes(hasher.finalize().as_bytes()[..8].try_into().expect("a hash has 32 bytes"))
}
