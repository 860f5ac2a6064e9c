//! The bulk: 32 workers on the engine in this process, on a clock that is set forward and back.
//!
//! Now and then everything stops, the engine is closed and opened again, and all leases run out at once. Workers that
//! held some do not know; what they say afterwards must count for nothing.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use flowork_api_types::{
    EngineId, JobId,
    engine::{
        ClaimRequest, EngineLocation, FinishAnswer, FinishItem, FinishOutcome, FinishRequest, HeartbeatRequest,
        RenewItem, RenewOutcome, RenewRequest,
    },
    job::EnqueueRequest,
    kind::KindDescriptor,
};
use flowork_engine::{Clock, EngineSpec, Engines};
use futures_util::future::try_join_all;
use rand::{RngExt, rngs::StdRng};
use serde_json::json;
use tokio::{sync::RwLock, task::JoinSet, time::timeout};

use super::{
    checker::{Bounds, What, violations},
    witness::Witness,
};
use crate::chaos::{chance, first_failure, in_process, scaled, seed};

const WORKERS: u64 = 32;
const PRODUCERS: u64 = 4;
/// Entries in the history, in CI and at full scale.
const OPERATIONS: (usize, usize) = (30_000, 1_000_000);
/// Jobs that one producer asks for at once.
const BATCH: usize = 100;
/// Leases of one worker, past which it claims no more.
const HELD_MAX: usize = 64;
/// Jobs that may wait before producers hold back.
const WAITING_MAX: u64 = 3_000;
/// Entries between two steps of the clock.
const BETWEEN_STEPS: usize = 1_500;
/// Where the clock starts: 2026-01-01.
const START_MS: i64 = 1_767_225_600_000;
/// Longer than a lease.
const PAST_A_LEASE: Duration = Duration::from_secs(31);
/// The clock jumps by far more than the bound on a whole; here only the order counts.
const BOUNDS: Bounds = Bounds { reclaimed_within_ms: i64::MAX };
const PATIENCE: Duration = Duration::from_mins(2);
/// Without an entry for so long, the workers wait for a lease that nobody remembers.
const QUIET: Duration = Duration::from_millis(400);

/// Whether the answers of the queue count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fences {
    Kept,
    /// A worker that is told that its lease is lost takes its work for finished all the same: the negative control.
    Ignored,
}

struct World {
    /// Read by clients, written by who closes and opens.
    engines: RwLock<Option<Engines>>,
    spec: EngineSpec,
    clock: Clock,
    witness: Witness,
    fences: Fences,
    enough: AtomicUsize,
    keys: AtomicU64,
    over: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_workers_on_a_jumping_clock_see_one_queue() -> anyhow::Result<()> {
    let seed = seed();
    let wrong = run(seed, scaled(OPERATIONS.0, OPERATIONS.1), Fences::Kept).await?;
    ensure!(wrong.is_empty(), "{} violations, seed {seed}: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    Ok(())
}

/// The negative control.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_ignore_a_lost_lease_are_caught_by_the_same_check() -> anyhow::Result<()> {
    let wrong = run(seed(), 8_000, Fences::Ignored).await?;
    ensure!(wrong.iter().any(|one| one.contains("finished twice")), "no violation was found: {wrong:?}");
    Ok(())
}

async fn run(seed: u64, operations: usize, fences: Fences) -> anyhow::Result<Vec<String>> {
    let directory = tempfile::tempdir()?;
    let id: EngineId = "eng_01930c5ea2f07a3c8000000000000001".parse()?;
    let spec = EngineSpec { id, slot: 1, name: "many".to_owned(), location: EngineLocation::External, shards: 4 };
    let clock = Clock::manual(START_MS);
    let world = Arc::new(World {
        engines: RwLock::new(Some(open(directory.path(), &spec, &clock).await?)),
        spec,
        clock,
        witness: Witness::default(),
        fences,
        enough: AtomicUsize::new(operations),
        keys: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let mut tasks = JoinSet::new();
    for number in 0..PRODUCERS {
        let world = Arc::clone(&world);
        tasks.spawn(async move { world.produce(chance(seed ^ (number << 32))).await });
    }
    for number in 0..WORKERS {
        let world = Arc::clone(&world);
        tasks.spawn(async move { world.work(chance(seed ^ ((100 + number) << 32))).await });
    }
    tokio::select! {
        over = world.disturb(directory.path(), chance(seed)) => over?,
        failure = first_failure(&mut tasks) => return Err(failure.context("a client")),
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    world.find_the_ended().await?;
    world.engines.write().await.take().context("it is open")?.shutdown().await;
    println!("{} entries, {} jobs", world.witness.len(), world.keys.load(Ordering::SeqCst));
    Ok(violations(&world.witness.history(), BOUNDS))
}

async fn open(directory: &Path, spec: &EngineSpec, clock: &Clock) -> anyhow::Result<Engines> {
    let engines = in_process::open(directory, spec.clone(), clock.clone()).await?;
    say_hello(&engines, spec.id)?;
    Ok(engines)
}

fn say_hello(engines: &Engines, id: EngineId) -> anyhow::Result<()> {
    let kind = KindDescriptor {
        name: "work".to_owned(),
        title: "work".to_owned(),
        description: "for a test".to_owned(),
        payload_schema: json!({}),
        timeout_ms: 60_000,
        reaches_machine: false,
    };
    let report = HeartbeatRequest {
        version: "1".to_owned(),
        capacity: 32,
        busy: 0,
        kinds: vec![kind],
        vitals: None,
        members_version: None,
    };
    engines.heartbeat(id, report)?;
    Ok(())
}

/// A lease as its worker remembers it.
struct Held {
    id: JobId,
    epoch: u32,
}

impl World {
    fn is_enough(&self) -> bool {
        self.witness.len() >= self.enough.load(Ordering::SeqCst)
    }

    /// Enqueues until there is enough history.
    async fn produce(&self, mut chance: StdRng) -> anyhow::Result<()> {
        while !self.is_enough() {
            let open = self.engines.read().await;
            let engines = open.as_ref().context("it is open")?;
            if engines.get(self.spec.id).context("the engine is there")?.queued > WAITING_MAX {
                drop(open);
                self.witness.reached(self.witness.len() + 1).await;
                continue;
            }
            let priorities: Vec<u32> = (0..BATCH).map(|_| chance.random_range(0..3)).collect();
            let asked = priorities.into_iter().map(|priority| self.enqueue(engines, priority));
            try_join_all(asked).await?;
        }
        Ok(())
    }

    async fn enqueue(&self, engines: &Engines, priority: u32) -> anyhow::Result<()> {
        let key = format!("k{}", self.keys.fetch_add(1, Ordering::SeqCst));
        let body = json!({
            "kind": "work",
            "payload": key,
            "engine_id": self.spec.id,
            "attempts_max": 100,
            "priority": priority,
            "backoff": {"initial_ms": 100, "factor": 1.0, "jitter": true},
        });
        let request: EnqueueRequest = serde_json::from_value(body)?;
        let trace = "0af7651916cd43dd8448eb211c80319c".to_owned();
        let asked = self.witness.asks();
        let job = engines.enqueue(&in_process::owner(), &key, request, trace).await?.job;
        self.witness.saw(asked, What::Enqueued { key, id: Some(job.summary.id.to_string()) });
        Ok(())
    }

    /// Claims, renews, finishes, forgets and comes back late, until everything is done.
    async fn work(&self, mut chance: StdRng) -> anyhow::Result<()> {
        let mut held: Vec<Held> = Vec::new();
        while !self.over.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
            let open = self.engines.read().await;
            let engines = open.as_ref().context("it is open")?;
            match chance.random_range(0..100) {
                // Nobody begins anything new: what is held is finished, and the rest claimed.
                _ if self.is_enough() && !held.is_empty() => self.finish(engines, &mut held, &mut chance).await?,
                _ if self.is_enough() => held.extend(self.claim(engines, &mut chance).await?),
                0..45 if held.len() < HELD_MAX => held.extend(self.claim(engines, &mut chance).await?),
                45..55 => self.renew(engines, &held).await?,
                // A worker that dies forgets what it held.
                55..58 => held.clear(),
                // Some keep a lease for very long, and finish late.
                58..60 => {}
                _ => self.finish(engines, &mut held, &mut chance).await?,
            }
        }
        Ok(())
    }

    async fn claim(&self, engines: &Engines, chance: &mut StdRng) -> anyhow::Result<Vec<Held>> {
        let request = ClaimRequest { max: chance.random_range(1..=48), wait_ms: 50, kinds: None };
        let asked = self.witness.asks();
        let jobs = engines.claim(self.spec.id, request).await?.jobs;
        for job in &jobs {
            let key = job.payload.as_str().context("the payload is the key")?.to_owned();
            let at_ms = self.clock.now().as_millis();
            self.witness.saw(asked, What::Claimed { key, id: job.id.to_string(), epoch: job.epoch, at_ms });
        }
        Ok(jobs.into_iter().map(|job| Held { id: job.id, epoch: job.epoch }).collect())
    }

    async fn renew(&self, engines: &Engines, held: &[Held]) -> anyhow::Result<()> {
        let item = |held: &Held| RenewItem { id: held.id, epoch: held.epoch, progress: None, logs: Vec::new() };
        let request = RenewRequest { jobs: held.iter().take(8).map(item).collect() };
        if request.jobs.is_empty() {
            return Ok(());
        }
        let asked = self.witness.asks();
        let answers = engines.renew(self.spec.id, request).await?.items;
        for (held, answer) in std::iter::zip(held, answers) {
            if answer.outcome == RenewOutcome::Renewed {
                let (id, at_ms) = (held.id.to_string(), self.clock.now().as_millis());
                self.witness.saw(asked, What::Renewed { id, epoch: held.epoch, at_ms });
            }
        }
        Ok(())
    }

    async fn finish(&self, engines: &Engines, held: &mut Vec<Held>, chance: &mut StdRng) -> anyhow::Result<()> {
        let count = held.len().min(chance.random_range(1..=64));
        let ending: Vec<Held> = held.drain(..count).collect();
        if ending.is_empty() {
            return Ok(());
        }
        let mut results = Vec::new();
        for held in &ending {
            let fails = chance.random_bool(0.05);
            let outcome = if fails { "failed" } else { "completed" };
            let item = json!({"id": held.id, "epoch": held.epoch, "outcome": outcome, "retryable": true});
            results.push(serde_json::from_value::<FinishItem>(item)?);
        }
        let last: Vec<bool> = results.iter().map(|item| item.outcome == FinishOutcome::Completed).collect();
        let asked = self.witness.asks();
        let answers = engines.finish(self.spec.id, FinishRequest { results }).await?.items;
        for ((held, last), answer) in std::iter::zip(std::iter::zip(&ending, last), answers) {
            if answer.outcome == FinishAnswer::Accepted || self.fences == Fences::Ignored {
                self.witness.saw(asked, What::Finished { id: held.id.to_string(), epoch: held.epoch, last });
            }
        }
        // A worker that got no answer would say it again.
        if chance.random_bool(0.1) {
            held.extend(ending.into_iter().take(1));
        }
        Ok(())
    }

    /// Sets the clock, closes and opens, until all is done.
    async fn disturb(&self, directory: &Path, mut chance: StdRng) -> anyhow::Result<()> {
        let mut steps = 0_u32;
        loop {
            if self.is_enough() {
                return self.wind_down(directory).await;
            }
            let some = self.witness.len() + BETWEEN_STEPS;
            timeout(PATIENCE, self.witness.reached(some)).await.context("the workers are stuck")?;
            steps += 1;
            if steps.is_multiple_of(12) {
                self.reopen(directory).await?;
            } else {
                self.step_clock(&mut chance).await?;
            }
        }
    }

    /// Lets the workers end what is left. Time passes only where they are stuck on leases that nobody remembers.
    async fn wind_down(&self, directory: &Path) -> anyhow::Result<()> {
        self.reopen(directory).await?;
        while !self.is_drained().await? {
            let more = self.witness.reached(self.witness.len() + 1);
            if timeout(QUIET, more).await.is_err() {
                self.pass(PAST_A_LEASE).await?;
            }
        }
        self.over.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn pass(&self, time: Duration) -> anyhow::Result<()> {
        let open = self.engines.read().await;
        let engines = open.as_ref().context("it is open")?;
        self.clock.advance(time);
        say_hello(engines, self.spec.id)?;
        engines.poke();
        Ok(())
    }

    /// Time passes, now and then past every lease; now and then the wall clock is set, forward or back.
    async fn step_clock(&self, chance: &mut StdRng) -> anyhow::Result<()> {
        let open = self.engines.read().await;
        let engines = open.as_ref().context("it is open")?;
        match chance.random_range(0..10) {
            0..6 => self.clock.advance(Duration::from_millis(chance.random_range(1..4_000))),
            6..8 => self.clock.advance(PAST_A_LEASE),
            // Somebody sets the wall clock; no time passes.
            8 => self.clock.step(-chance.random_range(1..600_000)),
            _ => self.clock.step(chance.random_range(1..600_000)),
        }
        say_hello(engines, self.spec.id)?;
        engines.poke();
        Ok(())
    }

    /// With every client stopped: close, open, let every lease run out, and see that all of them did.
    async fn reopen(&self, directory: &Path) -> anyhow::Result<()> {
        let mut open = self.engines.write().await;
        open.take().context("it is open")?.shutdown().await;
        let engines = self::open(directory, &self.spec, &self.clock).await?;
        self.clock.advance(PAST_A_LEASE);
        say_hello(&engines, self.spec.id)?;
        let none_left = async {
            // Each claim has every shard look at the clock; this one takes nothing.
            while engines.get(self.spec.id).context("the engine is there")?.leased > 0 {
                engines.poke();
                let nobody = ClaimRequest { max: 1, wait_ms: 0, kinds: Some(vec!["nobody".to_owned()]) };
                engines.claim(self.spec.id, nobody).await?;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, none_left).await.context("leases that ran out were not taken back")??;
        *open = Some(engines);
        Ok(())
    }

    async fn is_drained(&self) -> anyhow::Result<bool> {
        let open = self.engines.read().await;
        let engine = open.as_ref().context("it is open")?.get(self.spec.id).context("the engine is there")?;
        Ok(engine.queued + engine.scheduled + engine.leased == 0)
    }

    /// Looks each acknowledged job up.
    async fn find_the_ended(&self) -> anyhow::Result<()> {
        let open = self.engines.read().await;
        let engines = open.as_ref().context("it is open")?;
        for entry in self.witness.history() {
            let What::Enqueued { id: Some(id), .. } = entry.what else { continue };
            let job = engines.job(&in_process::owner(), id.parse()?).await.with_context(|| id.clone())?;
            if job.summary.state.is_final() {
                self.witness.saw(self.witness.asks(), What::Ended { id });
            }
        }
        Ok(())
    }
}
