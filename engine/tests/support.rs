//! What the tests share: engines in a directory of their own, short ways to say what is asked of them, scripted kinds.

use std::{path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use flowork_api_types::{
    EngineId, JobId,
    engine::{
        ClaimRequest, ClaimedJob, Engine, EngineLocation, FinishAnswer, FinishItem, FinishOutcome, FinishRequest,
        HeartbeatRequest, RenewItem, RenewOutcome, RenewRequest,
    },
    event::Event,
    job::{EnqueueRequest, Job, JobError, JobState},
    kind::KindDescriptor,
    limit::LimitTarget,
};
use flowork_engine::{
    AutoscaleOptions, Clock, EngineSpec, Engines, EnginesOptions, EventFeed, JobContext, JobFailure, JobKind,
    KindRegistry, jobs::Caller, kinds,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where manual clocks start: 2026-01-01.
pub(crate) const START_MS: i64 = 1_767_225_600_000;
/// Far longer than anything here takes; only a defect waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// One engine on disk, that can be opened again and again.
pub(crate) struct Home {
    directory: TempDir,
    pub(crate) spec: EngineSpec,
    pub(crate) more: Vec<EngineSpec>,
    pub(crate) workers: u32,
    pub(crate) autoscale: Option<AutoscaleOptions>,
    pub(crate) cap: u64,
    pub(crate) clock: Clock,
    pub(crate) retention: flowork_engine::Retention,
    pub(crate) kinds: KindRegistry,
}

pub(crate) fn spec(slot: u16, location: EngineLocation, shards: u16) -> EngineSpec {
    let id = format!("eng_01930c5ea2f07a3c800000000000{slot:04x}").parse::<EngineId>().unwrap();
    EngineSpec { id, slot, name: format!("engine {slot}"), location, shards }
}

impl Home {
    /// An engine that claims as one over HTTP would, on a clock that stands still.
    pub(crate) fn external(shards: u16) -> Self {
        Self::new(spec(1, EngineLocation::External, shards), 0, Clock::manual(START_MS))
    }

    /// An engine with workers in this process, on the machine's clock.
    pub(crate) fn local(shards: u16, workers: u32) -> Self {
        Self::new(spec(0, EngineLocation::Local, shards), workers, Clock::System)
    }

    fn new(spec: EngineSpec, workers: u32, clock: Clock) -> Self {
        let kinds = KindRegistry::default();
        kinds::register(&kinds).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let retention = flowork_engine::Retention::default();
        Self { directory, spec, more: Vec::new(), workers, autoscale: None, cap: 10_000, clock, retention, kinds }
    }

    pub(crate) async fn open(&self) -> Engines {
        let mut engines = vec![self.spec.clone()];
        engines.extend(self.more.iter().cloned());
        let options = EnginesOptions {
            shards_dir: self.directory.path().to_owned(),
            engines: engines.clone(),
            workers: self.workers,
            autoscale: self.autoscale,
            draining: false,
            queue_hard_cap: self.cap,
            clock: self.clock.clone(),
            retention: self.retention.clone(),
        };
        let opened = Engines::open(options, self.kinds.clone()).await.unwrap();
        for spec in engines.iter().filter(|spec| spec.location == EngineLocation::External) {
            say_hello(&opened, spec.id);
        }
        opened
    }

    pub(crate) fn register(&self, name: &str, run: impl Fn(JobContext) -> Run + Send + Sync + 'static) {
        register(&self.kinds, name, run);
    }

    /// A kind whose jobs are counted under `targets` too.
    pub(crate) fn register_with_targets(
        &self,
        name: &str,
        targets: Vec<LimitTarget>,
        run: impl Fn(JobContext) -> Run + Send + Sync + 'static,
    ) {
        let scripted = Scripted { descriptor: descriptor(name), targets, run: Box::new(run) };
        self.kinds.register(Arc::new(scripted)).unwrap();
    }

    pub(crate) fn file(&self, shard: u16) -> PathBuf {
        self.directory.path().join(self.spec.id.to_string()).join(format!("{shard}.db"))
    }

    /// Changes the bytes of a closed file.
    pub(crate) fn tamper(&self, sql: &str) {
        let changed = rusqlite::Connection::open(self.file(0)).unwrap().execute(sql, []).unwrap();
        assert_eq!(changed, 1, "{sql}");
    }
}

/// The kinds an external engine says it runs.
fn say_hello(engines: &Engines, id: EngineId) {
    let kinds = ["noop", "x", "y"].map(descriptor).to_vec();
    let report =
        HeartbeatRequest { version: "1".to_owned(), capacity: 4, busy: 0, kinds, vitals: None, members_version: None };
    assert!(!engines.heartbeat(id, report).unwrap().drain);
}

pub(crate) fn descriptor(name: &str) -> KindDescriptor {
    KindDescriptor {
        name: name.to_owned(),
        title: name.to_owned(),
        description: "for a test".to_owned(),
        payload_schema: json!({}),
        timeout_ms: 60_000,
        reaches_machine: false,
    }
}

/// What a scripted kind does.
pub(crate) type Run = Pin<Box<dyn Future<Output = Result<Value, JobFailure>> + Send>>;

struct Scripted {
    descriptor: KindDescriptor,
    targets: Vec<LimitTarget>,
    run: Box<dyn Fn(JobContext) -> Run + Send + Sync>,
}

#[async_trait]
impl JobKind for Scripted {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    fn limit_targets(&self, _: &Value) -> Vec<LimitTarget> {
        self.targets.clone()
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        (self.run)(context).await
    }
}

/// Adds a kind that does what it is told.
pub(crate) fn register(kinds: &KindRegistry, name: &str, run: impl Fn(JobContext) -> Run + Send + Sync + 'static) {
    let scripted = Scripted { descriptor: descriptor(name), targets: Vec::new(), run: Box::new(run) };
    kinds.register(Arc::new(scripted)).unwrap();
}

/// Fails the test instead of hanging it.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("this should have happened long ago")
}

/// Somebody who sees everything.
pub(crate) fn owner() -> Caller {
    Caller { subject: "owner".into(), sees_all: true, may_act: true }
}

/// Somebody who sees their own jobs.
pub(crate) fn member(name: &str) -> Caller {
    Caller { subject: name.into(), sees_all: false, may_act: true }
}

pub(crate) fn request(body: Value) -> EnqueueRequest {
    serde_json::from_value(body).unwrap()
}

pub(crate) fn trace() -> String {
    "0af7651916cd43dd8448eb211c80319c".to_owned()
}

/// Enqueues as the owner.
pub(crate) async fn enqueue(engines: &Engines, key: &str, body: Value) -> Job {
    let enqueued = engines.enqueue(&owner(), key, request(body), trace()).await.unwrap();
    assert!(!enqueued.replayed, "{key} was used before");
    enqueued.job
}

pub(crate) async fn job(engines: &Engines, id: JobId) -> Job {
    engines.job(&owner(), id).await.unwrap()
}

pub(crate) async fn state(engines: &Engines, id: JobId) -> JobState {
    job(engines, id).await.summary.state
}

/// Waits for the job's end.
pub(crate) async fn ended(engines: &Engines, id: JobId) -> Job {
    let job = engines.wait(&owner(), id, PATIENCE).await.unwrap();
    assert!(job.summary.state.is_final(), "{id} is still {}", job.summary.state);
    job
}

/// Waits until the job is in `wanted`.
pub(crate) async fn reached(engines: &Engines, id: JobId, wanted: JobState) {
    let mut feed = engines.events().subscribe(None);
    while state(engines, id).await != wanted {
        next_change(&mut feed, id).await;
    }
}

/// The state that the next change of the job brings.
pub(crate) async fn next_change(feed: &mut EventFeed, id: JobId) -> JobState {
    loop {
        let (_, envelope) = within(feed.next()).await.expect("the node is not stopping");
        match envelope.event {
            Event::JobChanged { job_id, state, .. } if job_id == id => return state,
            _ => {}
        }
    }
}

pub(crate) fn ask(max: u32, wait_ms: u64) -> ClaimRequest {
    ClaimRequest { max, wait_ms, kinds: None }
}

/// What is ready now.
pub(crate) async fn claim(engines: &Engines, id: EngineId, max: u32) -> Vec<ClaimedJob> {
    within(engines.claim(id, ask(max, 0))).await.unwrap().jobs
}

/// The only job that is ready now.
pub(crate) async fn claim_one(engines: &Engines, id: EngineId) -> ClaimedJob {
    let mut jobs = claim(engines, id, 1).await;
    assert_eq!(jobs.len(), 1, "a job should be ready");
    jobs.remove(0)
}

/// Has every shard look at the clock, and returns once it has.
pub(crate) async fn settle(engines: &Engines, id: EngineId) {
    engines.poke();
    let nobody = ClaimRequest { kinds: Some(vec!["nobody".to_owned()]), ..ask(1, 0) };
    assert!(within(engines.claim(id, nobody)).await.unwrap().jobs.is_empty());
}

/// Moves the clock, and returns once every shard has done what is due.
pub(crate) async fn pass(home: &Home, engines: &Engines, time: Duration) {
    home.clock.advance(time);
    settle(engines, home.spec.id).await;
}

pub(crate) async fn renew(engines: &Engines, engine: EngineId, id: JobId, epoch: u32) -> RenewOutcome {
    let item = RenewItem { id, epoch, progress: None, logs: Vec::new() };
    engines.renew(engine, RenewRequest { jobs: vec![item] }).await.unwrap().items[0].outcome
}

pub(crate) fn completed(id: JobId, epoch: u32, result: Value) -> FinishItem {
    FinishItem { result: Some(result), ..finish_item(id, epoch, FinishOutcome::Completed) }
}

pub(crate) fn failed(id: JobId, epoch: u32, retryable: bool) -> FinishItem {
    let error = JobError { code: "BOOM".to_owned(), message: "it broke".to_owned(), hint: None, details: None };
    FinishItem { error: Some(error), retryable: Some(retryable), ..finish_item(id, epoch, FinishOutcome::Failed) }
}

fn finish_item(id: JobId, epoch: u32, outcome: FinishOutcome) -> FinishItem {
    let (result, error, retryable, retry_after_ms, progress, logs) = (None, None, None, None, None, Vec::new());
    FinishItem { id, epoch, outcome, result, error, retryable, retry_after_ms, throttle: None, progress, logs }
}

pub(crate) async fn finish(engines: &Engines, engine: EngineId, item: FinishItem) -> FinishAnswer {
    engines.finish(engine, FinishRequest { results: vec![item] }).await.unwrap().items[0].outcome
}

/// Jobs that are scheduled, queued and leased, as the engine counts them.
pub(crate) fn counts(engines: &Engines, id: EngineId) -> (u64, u64, u64) {
    let Engine { scheduled, queued, leased, .. } = engines.get(id).unwrap();
    (scheduled, queued, leased)
}

/// A seed for this run: from `FLOWORK_TEST_SEED`, to see a failure again, or by chance.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("FLOWORK_TEST_SEED").ok().map_or_else(rand::random, |text| text.parse().unwrap());
    println!("FLOWORK_TEST_SEED={seed}");
    seed
}

/// Enqueues as somebody who sees only their own jobs.
pub(crate) async fn enqueue_as(engines: &Engines, who: &str, key: &str, body: Value) -> Job {
    engines.enqueue(&member(who), key, request(body), trace()).await.unwrap().job
}

/// Claims and completes everything that may run, one job at a time; answers who created them, in order.
pub(crate) async fn run_all(engines: &Engines, engine: EngineId) -> Vec<String> {
    let mut creators = Vec::new();
    while let Some(job) = claim(engines, engine, 1).await.pop() {
        creators.push(self::job(engines, job.id).await.summary.created_by);
        finish(engines, engine, completed(job.id, job.epoch, json!(null))).await;
    }
    creators
}
