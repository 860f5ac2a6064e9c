//! Shards whose disk fails, and comes back.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use flowork_api_types::{
    EngineId,
    engine::{EngineLocation, ShardCause},
    event::Event,
    job::{EnqueueRequest, Job, JobState},
    kind::KindDescriptor,
    limit::{LimitRule, LimitTarget},
};
use flowork_sqlite::Cause;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    Clock, EngineSpec, Engines, EnginesOptions, EventFeed, JobContext, JobFailure, JobKind, KindRegistry, Retention,
    jobs::{Caller, enqueue::EnqueueError},
    kinds,
};

/// Far longer than anything here takes; only a defect waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs until it is let go.
struct Held {
    descriptor: KindDescriptor,
    let_go: Arc<Notify>,
}

#[async_trait]
impl JobKind for Held {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    async fn run(&self, _: JobContext) -> Result<Value, JobFailure> {
        self.let_go.notified().await;
        Ok(json!("done"))
    }
}

struct World {
    directory: tempfile::TempDir,
    let_go: Arc<Notify>,
    kinds: KindRegistry,
    id: EngineId,
}

impl World {
    fn new() -> Self {
        let (kinds, let_go) = (KindRegistry::default(), Arc::new(Notify::new()));
        kinds::register(&kinds).unwrap();
        let descriptor = KindDescriptor {
            name: "held".to_owned(),
            title: "Held".to_owned(),
            description: "for a test".to_owned(),
            payload_schema: json!({}),
            timeout_ms: 600_000,
            reaches_machine: false,
        };
        kinds.register(Arc::new(Held { descriptor, let_go: Arc::clone(&let_go) })).unwrap();
        let id = "eng_01930c5ea2f07a3c8000000000000001".parse().unwrap();
        Self { directory: tempfile::tempdir().unwrap(), let_go, kinds, id }
    }

    /// One local engine with one shard.
    async fn open(&self) -> Engines {
        let options = EnginesOptions {
            shards_dir: self.directory.path().to_owned(),
            engines: vec![EngineSpec {
                id: self.id,
                slot: 0,
                name: "local".to_owned(),
                location: EngineLocation::Local,
                shards: 1,
            }],
            workers: 2,
            autoscale: None,
            draining: false,
            queue_hard_cap: 10_000,
            clock: Clock::System,
            retention: Retention::default(),
        };
        Engines::open(options, self.kinds.clone()).await.unwrap()
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join(self.id.to_string()).join("0.db")
    }
}

fn owner() -> Caller {
    Caller { subject: "owner".into(), sees_all: true, may_act: true }
}

async fn enqueue(engines: &Engines, key: &str, body: Value) -> Result<Job, EnqueueError> {
    let request: EnqueueRequest = serde_json::from_value(body).unwrap();
    let trace = "0af7651916cd43dd8448eb211c80319c".to_owned();
    engines.enqueue(&owner(), key, request, trace).await.map(|enqueued| enqueued.job)
}

async fn ended(engines: &Engines, job: &Job) -> Job {
    let job = engines.wait(&owner(), job.summary.id, PATIENCE).await.unwrap();
    assert_eq!(job.summary.state, JobState::Completed);
    job
}

/// Waits until no shard has a problem any more.
async fn well(engines: &Engines, events: &mut EventFeed) {
    let well = async {
        while !engines.list()[0].shard_problems.is_empty() {
            while events.next().await.expect("the node is not stopping").1.event != Event::EnginesChanged {}
        }
    };
    tokio::time::timeout(PATIENCE, well).await.expect("the shard should have come back long ago");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_whose_disk_was_away_goes_on_with_its_jobs_limits_and_workers() {
    let world = World::new();
    let engines = world.open().await;
    let kind = LimitTarget::Kind("held".to_owned());
    engines.set_limits(&[LimitRule { target: kind, concurrency: Some(1), rate: None }]);
    let before = enqueue(&engines, "before", json!({"kind": "noop"})).await.unwrap();
    ended(&engines, &before).await;
    let mut events = engines.events().subscribe(None);
    let held = enqueue(&engines, "held", json!({"kind": "held"})).await.unwrap();
    let is_start = |event: &Event| matches!(event, Event::JobChanged { state: JobState::Leased, .. });
    while !is_start(&events.next().await.unwrap().1.event) {}
    let waits = enqueue(&engines, "waits", json!({"kind": "held"})).await.unwrap();

    // Its volume is gone: nothing may be made in its place.
    let (file, away) = (world.file(), world.directory.path().join("away.db"));
    std::fs::rename(&file, &away).unwrap();
    engines.hosts()[0].all_shards()[0].health().condemn(Cause::Unreadable, "an I/O error");
    let [problem] = &engines.list()[0].shard_problems[..] else { panic!("it is told") };
    assert!(problem.cause == ShardCause::Unreadable && problem.hint.contains("by itself"), "{problem:?}");
    let refused = enqueue(&engines, "meanwhile", json!({"kind": "noop"})).await;
    assert!(matches!(&refused, Err(EnqueueError::Store(error)) if error.is_quarantined()), "{refused:?}");
    // It ends while nothing can be stored.
    world.let_go.notify_one();
    assert!(!file.exists(), "another one was made");
    std::fs::rename(&away, &file).unwrap();
    well(&engines, &mut events).await;

    let after = enqueue(&engines, "meanwhile", json!({"kind": "noop"})).await.unwrap();
    ended(&engines, &after).await;
    assert_eq!(enqueue(&engines, "before", json!({"kind": "noop"})).await.unwrap().summary.id, before.summary.id);
    let held = ended(&engines, &held).await;
    assert_eq!((held.summary.attempt, held.result), (1, Some(json!("done"))), "its work was not lost");
    world.let_go.notify_one();
    ended(&engines, &waits).await;
    assert!(engines.limit_usage().values().all(|running| *running == 0), "each of them was counted out");
    engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_could_not_be_opened_at_the_start_serves_once_it_can_be() {
    let world = World::new();
    let engines = world.open().await;
    let later = enqueue(&engines, "later", json!({"kind": "noop", "delay_ms": 1})).await.unwrap();
    ended(&engines, &later).await;
    engines.shutdown().await;
    let (file, away) = (world.file(), world.directory.path().join("away.db"));
    std::fs::rename(&file, &away).unwrap();
    std::fs::create_dir(&file).unwrap();
    let engines = world.open().await;
    let mut events = engines.events().subscribe(None);
    assert_eq!(engines.list()[0].shard_problems[0].cause, ShardCause::Unreadable);
    assert!(enqueue(&engines, "later", json!({"kind": "noop", "delay_ms": 1})).await.is_err());
    std::fs::remove_dir(&file).unwrap();
    assert!(!file.exists());
    std::fs::rename(&away, &file).unwrap();
    well(&engines, &mut events).await;
    let again = enqueue(&engines, "later", json!({"kind": "noop", "delay_ms": 1})).await.unwrap();
    assert_eq!(again.summary.id, later.summary.id, "it has its keys");
    let new = enqueue(&engines, "new", json!({"kind": "noop"})).await.unwrap();
    ended(&engines, &new).await;
    engines.shutdown().await;
}
