//! A node's stores on disk and a clock that stands still, for one test.

use std::time::Duration;

use flowork_api_types::{
    Timestamp,
    engine::EngineLocation,
    job::{Job, ListJobsQuery},
    schedule::{CreateScheduleRequest, Schedule},
};
use flowork_control::ControlStore;
use flowork_engine::{Clock, EngineSpec, Engines, EnginesOptions, KindRegistry, jobs::Caller, kinds};
use flowork_schedules::Schedules;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Far longer than anything here takes; only a defect waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct World {
    directory: TempDir,
    pub(crate) clock: Clock,
}

/// A node that runs.
pub(crate) struct Running {
    pub(crate) control: ControlStore,
    pub(crate) engines: Engines,
    pub(crate) schedules: Schedules,
    pub(crate) clock: Clock,
}

impl World {
    /// Nothing but an empty directory and the time.
    pub(crate) fn at(now: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, clock: Clock::manual(time(now).as_millis()) }
    }

    /// The same directory at another time.
    pub(crate) fn with_clock(self, now: &str) -> Self {
        Self { clock: Clock::manual(time(now).as_millis()), ..self }
    }

    /// The stores, without a timer.
    pub(crate) async fn open(&self) -> (ControlStore, Engines) {
        let control = ControlStore::open(&self.directory.path().join("control.db")).await.unwrap();
        if control.engines().is_empty() {
            control.create_engine("local", EngineLocation::Local, 1, self.clock.now()).await.unwrap();
        }
        let specs = control.engines().into_iter().map(|record| EngineSpec {
            id: record.id,
            slot: record.slot,
            name: record.name,
            location: record.location,
            shards: record.shards,
        });
        let registry = KindRegistry::default();
        kinds::register(&registry).unwrap();
        let options = EnginesOptions {
            shards_dir: self.directory.path().join("shards"),
            engines: specs.collect(),
            workers: 2,
            autoscale: None,
            draining: false,
            queue_hard_cap: 10_000,
            clock: self.clock.clone(),
            retention: flowork_engine::Retention::default(),
        };
        (control, Engines::open(options, registry).await.unwrap())
    }

    pub(crate) async fn start(&self) -> Running {
        let (control, engines) = self.open().await;
        let schedules = Schedules::start(control.clone(), engines.clone(), self.clock.clone());
        Running { control, engines, schedules, clock: self.clock.clone() }
    }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.schedules.shutdown().await;
        close(self.control, self.engines).await;
    }

    /// Makes a schedule of `noop` jobs, with more fields.
    pub(crate) async fn create(&self, more: &Value) -> Schedule {
        self.schedules.create(&owner(), request(more)).await.unwrap()
    }

    /// Moves the clock and lets the timer look at it.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.engines.poke();
        self.schedules.poke();
    }

    /// The schedule, once it is as `wanted` says.
    pub(crate) async fn until(&self, schedule: &Schedule, wanted: impl Fn(&Schedule) -> bool) -> Schedule {
        // Listen before looking, so that no change in between is missed.
        let mut feed = self.engines.events().subscribe(None);
        let reached = async {
            loop {
                let now = self.schedules.get(&owner(), schedule.id).await.unwrap();
                if wanted(&now) {
                    return now;
                }
                feed.next().await.expect("the node runs");
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{} never got there", schedule.name))
    }

    /// Every job there is, newest first.
    pub(crate) async fn jobs(&self) -> Vec<Job> {
        let query = ListJobsQuery { limit: Some(200), ..ListJobsQuery::default() };
        let list = self.engines.list_jobs(&owner(), query).await.unwrap();
        assert!(list.next_cursor.is_none(), "all of them fit a page");
        let mut jobs = Vec::new();
        for summary in list.items {
            jobs.push(self.engines.job(&owner(), summary.id).await.unwrap());
        }
        jobs
    }
}

pub(crate) async fn close(control: ControlStore, engines: Engines) {
    engines.shutdown().await;
    control.close().await;
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn request(more: &Value) -> CreateScheduleRequest {
    let mut body = json!({"name": "a schedule", "job": {"kind": "noop"}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

pub(crate) fn owner() -> Caller {
    Caller { subject: "owner".into(), sees_all: true, may_act: true }
}

pub(crate) fn member(name: &str) -> Caller {
    Caller { subject: name.into(), sees_all: false, may_act: true }
}
