//! Seeded lives of schedules: a node that runs, sleeps, is stopped and started again over a change of clocks, against a
//! model that looks at every due time one by one.

use std::{collections::BTreeSet, time::Duration};

use flowork_api_types::{
    ScheduleId, Timestamp,
    schedule::{MISSED_RUNS_MAX, MissedRuns, Schedule},
};
use flowork_schedules::timing::{Timing, TimingText};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::world::{Running, World, time};

/// Lives that are played; the chaos command plays more.
const LIVES: (u64, u64) = (6, 300);
const SCHEDULES: usize = 3;
const STEPS: usize = 14;
/// The night in which New York puts its clocks forward.
const BEGIN: &str = "2026-03-07T22:00:00Z";
/// A run that is later than this has missed its time.
const LATE_MS: i64 = 60_000;

/// What a schedule should have done.
struct Model {
    id: ScheduleId,
    timing: Timing,
    policy: MissedRuns,
    handled: Timestamp,
    fired: BTreeSet<Timestamp>,
    last_skipped: Option<Timestamp>,
}

impl Model {
    fn new(schedule: &Schedule, policy: MissedRuns, now: Timestamp) -> Self {
        let text = TimingText {
            cron: schedule.cron.clone(),
            time_zone: schedule.time_zone.clone(),
            interval_ms: schedule.interval_ms,
            anchor: schedule.anchor,
        };
        let timing = Timing::parse(&text, now).unwrap();
        Self { id: schedule.id, timing, policy, handled: now, fired: BTreeSet::new(), last_skipped: None }
    }

    /// The node looks at the clock, and has been there since `started`.
    fn look(&mut self, started: Timestamp, now: Timestamp) {
        let (mut missed, mut due) = (Vec::new(), self.handled);
        while let Some(next) = self.timing.next_after(due).filter(|next| *next <= now) {
            if next < started || next.as_millis() < now.as_millis() - LATE_MS {
                missed.push(next);
            } else {
                self.fired.insert(next);
            }
            due = next;
        }
        let made_up_for = match self.policy {
            MissedRuns::Skip => 0,
            MissedRuns::Once => 1,
            MissedRuns::All => MISSED_RUNS_MAX,
        };
        let skipped = missed.len().saturating_sub(made_up_for);
        self.last_skipped = missed[..skipped].last().copied().or(self.last_skipped);
        self.fired.extend(&missed[skipped..]);
        self.handled = now;
    }

    fn keys(&self) -> impl Iterator<Item = String> {
        self.fired.iter().map(|due| format!("schedule:{}:{}", self.id, due.as_millis()))
    }
}

struct Life {
    world: World,
    running: Running,
    started: Timestamp,
    schedules: Vec<(Schedule, Model)>,
    chance: StdRng,
}

impl Life {
    async fn begin(seed: u64) -> Self {
        let (world, mut chance) = (World::at(BEGIN), StdRng::seed_from_u64(seed));
        let (running, started) = (world.start().await, time(BEGIN));
        let mut schedules = Vec::new();
        for _ in 0..SCHEDULES {
            let (name, policy) = [("skip", MissedRuns::Skip), ("once", MissedRuns::Once), ("all", MissedRuns::All)]
                [chance.random_range(0..3)];
            let minute = chance.random_range(0..60);
            let mut body = match chance.random_range(0..3) {
                0 => json!({"interval_ms": chance.random_range(20..180) * 60_000}),
                1 => json!({"cron": format!("{minute} * * * *"), "time_zone": "Australia/Lord_Howe"}),
                _ => json!({"cron": format!("{minute} 1,2,3 * * *"), "time_zone": "America/New_York"}),
            };
            body["missed"] = json!(name);
            let schedule = running.create(&body).await;
            let model = Model::new(&schedule, policy, started);
            schedules.push((schedule, model));
        }
        Self { world, running, started, schedules, chance }
    }

    /// Lets something happen, and waits until the node has done what the model has.
    async fn step(mut self) -> Self {
        let minutes = Duration::from_secs(60 * self.chance.random_range(1..120));
        match self.chance.random_range(0..6) {
            0 | 1 => self = self.restart(minutes).await,
            2 => self = self.restart(Duration::ZERO).await,
            // A machine that slept.
            3 => self.running.pass(minutes),
            // Up to the next due time, or a little past it.
            _ => {
                let now = self.world.clock.now();
                let next = self.schedules.iter().filter_map(|(_, model)| model.timing.next_after(now)).min().unwrap();
                let late_ms = self.chance.random_range(0..LATE_MS - 1_000);
                self.running.pass(Duration::from_millis((next.as_millis() - now.as_millis() + late_ms) as u64));
            }
        }
        let now = self.world.clock.now();
        for (schedule, model) in &mut self.schedules {
            model.look(self.started, now);
            let (last, skipped) = (model.fired.last().copied(), model.last_skipped);
            self.running
                .until(schedule, |now| {
                    now.last_due_at == last && now.last_skipped.as_ref().map(|skipped| skipped.due_at) == skipped
                })
                .await;
        }
        self
    }

    /// Stops the node for a while.
    async fn restart(self, down: Duration) -> Self {
        self.running.stop().await;
        self.world.clock.advance(down);
        let (running, started) = (self.world.start().await, self.world.clock.now());
        Self { running, started, ..self }
    }

    fn expected(&self) -> BTreeSet<String> {
        self.schedules.iter().flat_map(|(_, model)| model.keys()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_of_schedules_agree_with_a_plain_model() {
    let base = std::env::var("FLOWORK_TEST_SEED").ok().map_or_else(rand::random, |text| text.parse::<u64>().unwrap());
    println!("FLOWORK_TEST_SEED={base}");
    let is_full = std::env::var("FLOWORK_TEST_SCALE").is_ok_and(|scale| scale == "full");
    let (mut fired, mut wrong) = (0, 0);
    for life in 0..if is_full { LIVES.1 } else { LIVES.0 } {
        let mut life = Life::begin(base.wrapping_add(life)).await;
        for _ in 0..STEPS {
            life = life.step().await;
        }
        let keys: BTreeSet<_> = life.running.jobs().await.into_iter().map(|job| job.idempotency_key).collect();
        assert_eq!(keys, life.expected(), "each run that was due has one job, and there are no others");
        fired += keys.len();
        // A model that makes up for everything is another one: the comparison tells them apart.
        for (_, model) in &mut life.schedules {
            (model.policy, model.handled) = (MissedRuns::All, time(BEGIN));
            model.look(life.world.clock.now(), life.world.clock.now());
        }
        wrong += usize::from(keys != life.expected());
        life.running.stop().await;
    }
    assert!(fired > 0 && wrong > 0, "{fired} runs, and {wrong} lives in which a policy mattered: this says nothing");
}
