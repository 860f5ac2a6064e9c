//! A seeded simulation of one engine with many shards and workers, on a clock that jumps from one event to the next.
//!
//! Where the model test tries single operations in any order, this one plays whole lives: jobs arrive, wait for their
//! time, their key or their limit, are claimed by workers that renew, finish, fail, die or come back late, back off
//! with jitter, expire, and end. After each event everything that can be counted must be as the plain model says, and
//! at the end nothing may be left.

mod model;
mod workers;

use std::time::Duration;

use flowork_api_types::job::JobState;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::task::JoinSet;

use self::{
    model::{LEASE_MS, Model},
    workers::{Plan, Worker},
};
use crate::support::{Home, claim, completed, counts, failed, finish, job, pass, renew, seed, within};

/// Lives that are played; the chaos command plays more.
const RUNS: (u64, u64) = (10, 2_000);
/// Lives that are played at once.
const AT_ONCE: usize = 4;
/// Jobs that arrive in one.
const JOBS: usize = 50;
const WORKERS: usize = 6;
/// Long past everything that could still be due.
const AT_REST: Duration = Duration::from_hours(1);

fn runs() -> u64 {
    let full = std::env::var("FLOWORK_TEST_SCALE").is_ok_and(|scale| scale == "full");
    if full { RUNS.1 } else { RUNS.0 }
}

/// One life of an engine.
struct Simulation {
    home: Home,
    engines: flowork_engine::Engines,
    chance: StdRng,
    model: Model,
    workers: Vec<Worker>,
    arrived: usize,
    limits: Limits,
}

/// Whether the engine is told of the limits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limits {
    Set,
    /// Only the model knows of them: the negative control.
    Forgotten,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_lives_of_an_engine_agree_with_a_plain_model() {
    let base = seed();
    let mut lives = JoinSet::new();
    for run in 0..runs() {
        if lives.len() == AT_ONCE {
            lives.join_next().await.unwrap().unwrap();
        }
        lives.spawn(play(base.wrapping_add(run), Limits::Set));
    }
    while let Some(life) = lives.join_next().await {
        life.unwrap();
    }
}

/// The negative control: an engine that knows no limits does not pass for one that keeps them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_without_its_limits_is_told_from_the_model() {
    let base = seed();
    for run in 0..20 {
        let life = tokio::spawn(play(base.wrapping_add(run), Limits::Forgotten)).await;
        if let Err(caught) = life {
            let why = caught.into_panic();
            let why = why.downcast_ref::<String>().expect("an assertion has words");
            assert!(why.contains("was claimed"), "{why}");
            return;
        }
    }
    panic!("twenty lives without limits agreed with a model that has them");
}

async fn play(seed: u64, limits: Limits) {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut home = Home::external(chance.random_range(1..4));
    home.cap = 100_000;
    let engines = home.open().await;
    let workers = (0..WORKERS).map(|_| Worker::default()).collect();
    let mut life = Simulation { home, engines, chance, model: Model::default(), workers, arrived: 0, limits };
    life.change_limits();
    while life.arrived < JOBS || !life.model.is_over() {
        life.step().await;
    }
    life.look_at_all().await;
    within(life.engines.shutdown()).await;
}

impl Simulation {
    fn now(&self) -> i64 {
        self.home.clock.now().as_millis()
    }

    /// One thing happens, then time passes up to the next.
    async fn step(&mut self) {
        match self.chance.random_range(0..100) {
            0..30 if self.arrived < JOBS => self.arrive().await,
            0..75 => self.work().await,
            75..77 => self.reopen().await,
            77..80 => self.change_limits(),
            _ => self.pass().await,
        }
        assert_eq!(counts(&self.engines, self.home.spec.id), self.model.counts(), "scheduled, queued, leased");
    }

    /// A job comes in, with whatever a job may ask for.
    async fn arrive(&mut self) {
        self.arrived += 1;
        let now = self.now();
        let delay_ms = [0, 0, 200, 3_000, 40_000][self.chance.random_range(0..5)];
        let expires_in_ms = self.chance.random_bool(0.15).then(|| self.chance.random_range(1..20_000));
        let initial_ms = self.chance.random_range(1..5_000_u64);
        let mut body = json!({
            "kind": "x",
            "priority": self.chance.random_range(0..3),
            "attempts_max": self.chance.random_range(1..5),
            "delay_ms": delay_ms,
            "expires_at": expires_in_ms.map(|ms| flowork_api_types::Timestamp(now + ms)),
            "backoff": {"initial_ms": initial_ms, "factor": 2.0, "max_ms": 20_000, "jitter": true},
        });
        model::add_keys(&mut body, &mut self.chance);
        self.model.enqueue(&self.engines, &format!("job-{}", self.arrived), body, now, initial_ms).await;
    }

    /// One worker does what it had planned, or looks for work.
    async fn work(&mut self) {
        let index = self.chance.random_range(0..WORKERS);
        let now = self.now();
        let Some(lease) = self.workers[index].lease.take() else { return self.look_for_work(index).await };
        let (engine, id, epoch) = (self.home.spec.id, lease.id, lease.epoch);
        match lease.plan {
            // It dies: nobody says anything any more about what it held.
            Plan::Die => {}
            Plan::Renew if !lease.is_due(now) => {
                let expected = self.model.renew(id, epoch, now);
                assert_eq!(renew(&self.engines, engine, id, epoch).await, expected, "{id} {epoch}");
                self.workers[index].lease = Some(lease);
            }
            _ if !lease.is_due(now) => self.workers[index].lease = Some(lease),
            Plan::Fail { for_good } => {
                let expected = self.model.fail(id, epoch, for_good);
                let item = failed(id, epoch, !for_good);
                assert_eq!(finish(&self.engines, engine, item).await, expected, "{id} {epoch}");
                let seen = job(&self.engines, id).await.summary;
                self.model.after_failure(id, seen.state, seen.run_at.as_millis(), now);
            }
            Plan::Renew | Plan::Complete => {
                let expected = self.model.complete(id, epoch);
                let item = completed(id, epoch, json!(epoch));
                assert_eq!(finish(&self.engines, engine, item).await, expected, "{id} {epoch}");
            }
        }
    }

    async fn look_for_work(&mut self, index: usize) {
        let now = self.now();
        let claimed = claim(&self.engines, self.home.spec.id, 1).await;
        match claimed.first() {
            Some(job) => {
                self.model.claimed(job.id, job.attempt, job.epoch, now);
                self.workers[index].take(job.id, job.epoch, now, &mut self.chance);
            }
            None => self.model.nothing_to_claim(now),
        }
    }

    /// Time passes: up to the next thing that is due, a little more, or past everything.
    async fn pass(&mut self) {
        let now = self.now();
        let next = self.workers.iter().filter_map(Worker::due).chain(self.model.next_due()).min();
        let step = match (next, self.chance.random_range(0..10)) {
            (Some(next), 0..8) => Duration::from_millis((next - now).max(1) as u64),
            (_, 8) => Duration::from_millis(LEASE_MS as u64),
            _ if self.arrived >= JOBS => AT_REST,
            _ => Duration::from_millis(self.chance.random_range(1..2_000)),
        };
        pass(&self.home, &self.engines, step).await;
        self.model.pass_to(self.now());
    }

    /// The node is stopped and started; external workers notice nothing, and their leases start over.
    async fn reopen(&mut self) {
        within(self.engines.clone().shutdown()).await;
        self.engines = self.home.open().await;
        self.set_limits();
        self.model.reopened(self.now());
    }

    fn change_limits(&mut self) {
        self.model.draw_limits(&mut self.chance);
        self.set_limits();
    }

    fn set_limits(&self) {
        if self.limits == Limits::Set {
            self.engines.set_limits(&self.model.rules());
        }
    }

    /// Every job has ended, and as the model says.
    async fn look_at_all(&self) {
        for (id, expected) in self.model.jobs() {
            let seen = job(&self.engines, id).await.summary;
            assert_eq!((seen.state, seen.attempt), (expected.state, expected.attempt), "{id}");
            assert!(seen.state.is_final(), "{id} is {}", seen.state);
            assert!(seen.state != JobState::Expired || seen.attempt == 0, "{id} had started and expired");
        }
    }
}
