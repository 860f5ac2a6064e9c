//! The engine in process: what is measured, with nothing around it.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context;
use async_trait::async_trait;
use flowork_api_types::{
    EngineId,
    engine::EngineLocation,
    job::EnqueueRequest,
    kind::KindDescriptor,
    limit::{LimitRule, LimitTarget, Rate},
};
use flowork_engine::{
    Clock, EngineSpec, Engines, EnginesOptions, JobContext, JobFailure, JobKind, KindRegistry, jobs::Caller,
};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::harness::{Contender, Run};

/// The kind of every job.
const KIND: &str = "bench";
/// The queue of jobs that name none.
const QUEUE: &str = "default";
/// Who enqueues.
const SUBJECT: &str = "bench";
/// Limits that count every job and hold none back: jobs at once, and starts a second.
const AT_ONCE: u32 = 1_000;
const STARTS: Rate = Rate { count: 1_000_000, per_ms: 1_000 };

/// What runs a job, while workers are measured.
type Running = Arc<RwLock<Option<Run>>>;

pub(crate) struct Flowork {
    directory: PathBuf,
    shards: u16,
    engines: Mutex<Option<Engines>>,
    running: Running,
    enqueued: AtomicU64,
    /// Jobs that had ended when the workers were started.
    ended_before: AtomicU64,
}

impl Flowork {
    pub(crate) fn new(directory: PathBuf, shards: u16) -> Self {
        Self {
            directory,
            shards,
            engines: Mutex::new(None),
            running: Arc::default(),
            enqueued: AtomicU64::new(0),
            ended_before: AtomicU64::new(0),
        }
    }

    fn engines(&self) -> anyhow::Result<Engines> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).clone().context("not reset yet")
    }

    /// Jobs that have ended since the files are there.
    fn ended(&self) -> u64 {
        let Ok(engines) = self.engines() else { return 0 };
        let enqueued = self.enqueued.load(Ordering::Acquire);
        let open: u64 = engines.list().iter().map(|engine| engine.queued + engine.leased).sum();
        enqueued.saturating_sub(open)
    }

    fn set_running(&self, run: Option<Run>) {
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = run;
    }
}

#[async_trait]
impl Contender for Flowork {
    fn setup(&self) -> String {
        format!("flowork {}, {} shard(s), synchronous=FULL, results kept", env!("CARGO_PKG_VERSION"), self.shards)
    }

    async fn reset(&self) -> anyhow::Result<()> {
        let before = self.engines.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before {
            before.shutdown().await;
            std::fs::remove_dir_all(&self.directory)?;
        }
        let kinds = KindRegistry::default();
        kinds.register(Arc::new(Bench { descriptor: descriptor(), running: Arc::clone(&self.running) }))?;
        let spec = EngineSpec {
            id: EngineId::from_uuid(uuid::Uuid::now_v7()),
            slot: 0,
            name: "bench".to_owned(),
            location: EngineLocation::Local,
            shards: self.shards,
        };
        let options = EnginesOptions {
            shards_dir: self.directory.clone(),
            engines: vec![spec],
            workers: 0,
            autoscale: None,
            draining: false,
            queue_hard_cap: u64::MAX,
            clock: Clock::System,
            retention: flowork_engine::Retention::default(),
        };
        let engines = Engines::open(options, kinds).await?;
        *self.engines.lock().unwrap_or_else(PoisonError::into_inner) = Some(engines);
        self.enqueued.store(0, Ordering::Release);
        Ok(())
    }

    async fn enqueue(&self, payload: Value) -> anyhow::Result<()> {
        // A key each, as clients send it: the record that makes a repetition harmless is part of what is measured.
        let key = uuid::Uuid::now_v7().to_string();
        self.engines()?.enqueue(&caller(), &key, request(&payload)?, "0".repeat(32)).await?;
        self.enqueued.fetch_add(1, Ordering::Release);
        Ok(())
    }

    async fn enqueue_many(&self, payloads: Vec<Value>) -> anyhow::Result<()> {
        try_join_all(payloads.into_iter().map(|payload| self.enqueue(payload))).await?;
        Ok(())
    }

    async fn start_workers(&self, count: u32, run: Run) -> anyhow::Result<()> {
        self.ended_before.store(self.ended(), Ordering::Release);
        self.set_running(Some(run));
        self.engines()?.set_workers(count);
        Ok(())
    }

    fn finished(&self) -> u64 {
        self.ended().saturating_sub(self.ended_before.load(Ordering::Acquire))
    }

    async fn stop_workers(&self) -> anyhow::Result<()> {
        let engines = self.engines()?;
        engines.set_workers(0);
        engines.drained().await;
        self.set_running(None);
        Ok(())
    }

    async fn limit(&self, rules: u32) -> anyhow::Result<()> {
        let targets = [
            LimitTarget::Kind(KIND.to_owned()),
            LimitTarget::User(SUBJECT.to_owned()),
            LimitTarget::Queue(QUEUE.to_owned()),
        ];
        let rule = |target| LimitRule { target, concurrency: Some(AT_ONCE), rate: Some(STARTS) };
        let rules: Vec<_> = targets.into_iter().take(rules as usize).map(rule).collect();
        self.engines()?.set_limits(&rules);
        Ok(())
    }
}

/// Says that it runs, and is over.
struct Bench {
    descriptor: KindDescriptor,
    running: Running,
}

#[async_trait]
impl JobKind for Bench {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    async fn run(&self, job: JobContext) -> Result<Value, JobFailure> {
        let run = self.running.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(run) = run {
            run(job.payload["n"].as_i64().unwrap_or_default());
        }
        Ok(Value::Null)
    }
}

fn descriptor() -> KindDescriptor {
    KindDescriptor {
        name: KIND.to_owned(),
        title: "Bench".to_owned(),
        description: "Says that it runs.".to_owned(),
        payload_schema: json!({}),
        timeout_ms: 60_000,
        reaches_machine: false,
    }
}

fn request(payload: &Value) -> anyhow::Result<EnqueueRequest> {
    Ok(serde_json::from_value(json!({"kind": KIND, "payload": payload}))?)
}

fn caller() -> Caller {
    Caller { subject: Arc::from(SUBJECT), sees_all: true, may_act: true }
}
