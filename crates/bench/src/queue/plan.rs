//! What is asked of every contender, in this order.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{
    contender::Contender,
    durability::{self, Counted},
    memory,
};

/// Clients that enqueue at once.
pub(super) const CLIENTS: [u64; 3] = [1, 64, 512];
/// Workers that claim and finish.
pub(super) const WORKERS: [u32; 3] = [1, 8, 32];
/// Jobs a second of the steady pace.
pub(super) const PACE: u32 = 500;
/// Jobs that wait in a short queue.
pub(super) const SHALLOW: u64 = 1_000;
/// Workers that wait for jobs where latency is measured.
const LATENCY_WORKERS: u32 = 8;
/// Limits that are on where their cost is measured.
const LIMITS: u32 = 3;

/// How much of each.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// Jobs a line of throughput enqueues or runs, if the time is enough.
    pub(super) jobs: u64,
    /// The most that a line of throughput may take.
    pub(super) seconds: f64,
    /// How long the steady pace is kept.
    pub(super) pace_seconds: u32,
    /// Jobs measured one by one.
    pub(super) idle_jobs: u64,
    /// Jobs that wait in a long queue.
    pub(super) deep: u64,
    /// The most that filling the long queue may take.
    pub(super) fill_seconds: f64,
    /// Repetitions with the short queue, which is empty soon.
    pub(super) rounds: u32,
}

impl Plan {
    pub(super) const FULL: Self = Self {
        jobs: 20_000,
        seconds: 3.0,
        pace_seconds: 10,
        idle_jobs: 300,
        deep: 1_000_000,
        fill_seconds: 45.0,
        rounds: 5,
    };
    pub(super) const QUICK: Self =
        Self { jobs: 3_000, seconds: 0.7, pace_seconds: 1, idle_jobs: 20, deep: 20_000, fill_seconds: 3.0, rounds: 1 };
}

/// What was measured. Jobs a second, milliseconds, MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    /// Writes that the disk made durable, one after another, right before.
    Disk,
    /// Jobs a second with so many clients.
    Enqueue(u64),
    /// Jobs a second with so many workers.
    Work(u32),
    IdleP50,
    IdleP99,
    PaceP50,
    PaceP99,
    Memory(Depth),
    /// Jobs that waited.
    Queued(Depth),
    /// Jobs a second with 64 clients.
    EnqueueAt(Depth),
    /// Jobs a second with 8 workers.
    WorkAt(Depth),
    /// Milliseconds that one worker takes for a claim and a finish.
    ClaimAt(Depth),
    /// Jobs a second with 8 workers and some limits, beside the same without any.
    Limited,
    Unlimited,
}

/// How many jobs wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    Shallow,
    Deep,
}

/// All that is known of a contender.
pub(super) struct Figures {
    pub(super) setup: String,
    /// What strace counted, or why it did not.
    pub(super) calls: Result<Counted, String>,
    pub(super) rows: BTreeMap<Row, f64>,
}

/// Puts a contender through all of it.
pub(super) fn measure(contender: &mut Contender, plan: Plan, limits: bool) -> anyhow::Result<Figures> {
    let mut bench = Bench { contender, plan, rows: BTreeMap::new() };
    bench.reset()?;
    let setup = bench.contender.ask(&json!({"op": "describe"}), Duration::ZERO)?.setup.unwrap_or_default();
    let calls = durability::count(bench.contender).map_err(|error| format!("{error:#}"));
    bench.throughput()?;
    bench.latency()?;
    if limits {
        bench.limits()?;
    }
    bench.shallow()?;
    bench.deep()?;
    Ok(Figures { setup, calls, rows: bench.rows })
}

struct Bench<'a> {
    contender: &'a mut Contender,
    plan: Plan,
    rows: BTreeMap<Row, f64>,
}

impl Bench<'_> {
    fn reset(&mut self) -> anyhow::Result<()> {
        self.contender.ask(&json!({"op": "reset"}), Duration::ZERO)?;
        Ok(())
    }

    /// Jobs a second.
    fn enqueue(&mut self, clients: u64, jobs: u64) -> anyhow::Result<f64> {
        let request = json!({"op": "enqueue", "clients": clients, "jobs": jobs, "seconds": self.plan.seconds});
        Ok(self.contender.ask(&request, super::LINE_MAX)?.per_second())
    }

    /// Jobs a second.
    fn work(&mut self, workers: u32, jobs: u64) -> anyhow::Result<f64> {
        let request = json!({"op": "work", "workers": workers, "jobs": jobs, "seconds": self.plan.seconds});
        Ok(self.contender.ask(&request, super::LINE_MAX)?.per_second())
    }

    /// Makes the queue one of `jobs` jobs; answers how many there was time for.
    fn refill(&mut self, jobs: u64) -> anyhow::Result<u64> {
        self.reset()?;
        let seconds = self.plan.fill_seconds;
        let request = json!({"op": "fill", "jobs": jobs, "seconds": seconds});
        Ok(self.contender.ask(&request, Duration::from_secs_f64(seconds))?.jobs)
    }

    fn throughput(&mut self) -> anyhow::Result<()> {
        for clients in CLIENTS {
            self.reset()?;
            let rate = self.enqueue(clients, self.plan.jobs)?;
            self.rows.insert(Row::Enqueue(clients), rate);
        }
        for workers in WORKERS {
            let jobs = self.refill(self.plan.jobs)?;
            let rate = self.work(workers, jobs)?;
            self.rows.insert(Row::Work(workers), rate);
        }
        Ok(())
    }

    fn latency(&mut self) -> anyhow::Result<()> {
        let idle = json!({"op": "idle", "jobs": self.plan.idle_jobs, "workers": LATENCY_WORKERS});
        let seconds = self.plan.pace_seconds;
        let pace = json!({"op": "pace", "rate": PACE, "seconds": seconds, "workers": LATENCY_WORKERS});
        for (request, p50, p99) in [(idle, Row::IdleP50, Row::IdleP99), (pace, Row::PaceP50, Row::PaceP99)] {
            self.reset()?;
            if let Some(latency) = self.contender.ask(&request, super::LINE_MAX)?.latency {
                self.rows.insert(p50, latency.p50_us as f64 / 1e3);
                self.rows.insert(p99, latency.p99_us as f64 / 1e3);
            }
        }
        Ok(())
    }

    /// The same work with limits and without, by turns, so that both meet the same neighbors.
    fn limits(&mut self) -> anyhow::Result<()> {
        let (mut with, mut without) = (0.0, 0.0);
        for round in 0..2 * self.plan.rounds {
            let jobs = self.refill(self.plan.jobs)?;
            let rules = if round % 2 == 0 { LIMITS } else { 0 };
            self.contender.ask(&json!({"op": "limit", "rules": rules}), Duration::ZERO)?;
            let rate = self.work(8, jobs)? / f64::from(self.plan.rounds);
            *if rules > 0 { &mut with } else { &mut without } += rate;
        }
        self.rows.insert(Row::Limited, with);
        self.rows.insert(Row::Unlimited, without);
        Ok(())
    }

    fn shallow(&mut self) -> anyhow::Result<()> {
        let rounds = f64::from(self.plan.rounds);
        for _ in 0..self.plan.rounds {
            self.refill(SHALLOW)?;
            let memory = memory::held(&self.contender.process_ids())?;
            self.rows.insert(Row::Memory(Depth::Shallow), memory);
            let enqueued = self.enqueue(64, SHALLOW)?;
            self.refill(SHALLOW)?;
            let claim = 1e3 / self.work(1, SHALLOW / 2)?;
            self.refill(SHALLOW)?;
            let worked = self.work(8, SHALLOW)?;
            *self.rows.entry(Row::EnqueueAt(Depth::Shallow)).or_default() += enqueued / rounds;
            *self.rows.entry(Row::ClaimAt(Depth::Shallow)).or_default() += claim / rounds;
            *self.rows.entry(Row::WorkAt(Depth::Shallow)).or_default() += worked / rounds;
        }
        self.rows.insert(Row::Queued(Depth::Shallow), SHALLOW as f64);
        Ok(())
    }

    fn deep(&mut self) -> anyhow::Result<()> {
        let queued = self.refill(self.plan.deep)?;
        self.rows.insert(Row::Queued(Depth::Deep), queued as f64);
        let memory = memory::held(&self.contender.process_ids())?;
        self.rows.insert(Row::Memory(Depth::Deep), memory);
        let jobs = u64::from(self.plan.rounds) * SHALLOW;
        let enqueued = self.enqueue(64, jobs)?;
        self.rows.insert(Row::EnqueueAt(Depth::Deep), enqueued);
        let claim = 1e3 / self.work(1, jobs / 2)?;
        self.rows.insert(Row::ClaimAt(Depth::Deep), claim);
        let worked = self.work(8, jobs)?;
        self.rows.insert(Row::WorkAt(Depth::Deep), worked);
        self.reset()
    }
}
