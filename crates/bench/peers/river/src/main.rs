//! River's Rust crate on a SQLite file below `DATA_DIR`.

#[path = "../../../src/harness.rs"]
mod harness;

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use harness::{Contender, Run};
use riverqueue::{
    Client, Event, EventKind, InsertOpts, Job, JobArgs, QueueConfig, RunHandle, SubscribeConfig, WorkContext,
    WorkOutcome, Workers,
    migrate::SqliteMigrator,
    sqlx::{
        SqlitePool,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// As in Cargo.lock.
const VERSION: &str = "0.5.0";
/// The shortest it accepts; its default of 100 ms would be all that is measured.
const FETCH_COOLDOWN: Duration = Duration::from_millis(1);
/// The pace at which it looks for jobs that no notice was given of.
const FETCH_POLL: Duration = Duration::from_millis(10);
/// Outcomes that may wait to be counted.
const EVENTS: NonZeroUsize = NonZeroUsize::new(1 << 20).expect("not zero");

#[derive(Clone, Debug, Deserialize, JobArgs, Serialize)]
#[river(kind = "noop")]
struct Noop {
    payload: Value,
}

struct River {
    directory: PathBuf,
    files: AtomicU64,
    open: Mutex<Option<Open>>,
    working: tokio::sync::Mutex<Option<RunHandle>>,
    finished: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Open {
    pool: SqlitePool,
    client: Client,
}

impl River {
    fn open(&self) -> anyhow::Result<Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone().context("not reset yet")
    }
}

#[async_trait]
impl Contender for River {
    fn setup(&self) -> String {
        format!(
            "riverqueue {} on SQLite, WAL, synchronous=FULL, fetch cooldown {} ms, poll {} ms",
            VERSION,
            FETCH_COOLDOWN.as_millis(),
            FETCH_POLL.as_millis()
        )
    }

    async fn reset(&self) -> anyhow::Result<()> {
        let before = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before {
            before.pool.close().await;
        }
        let file = self.directory.join(format!("{}.db", self.files.fetch_add(1, Ordering::Relaxed)));
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new().connect_with(options).await?;
        SqliteMigrator::new(pool.clone()).migrate_up().await?;
        let client = Client::builder(pool.clone()).build()?;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(Open { pool, client });
        Ok(())
    }

    async fn enqueue(&self, payload: Value) -> anyhow::Result<()> {
        self.open()?.client.insert(Noop { payload }).await?;
        Ok(())
    }

    async fn enqueue_many(&self, payloads: Vec<Value>) -> anyhow::Result<()> {
        let jobs = payloads.into_iter().map(|payload| (Noop { payload }, InsertOpts::default()));
        self.open()?.client.insert_many(jobs).await?;
        Ok(())
    }

    async fn start_workers(&self, count: u32, run: Run) -> anyhow::Result<()> {
        let mut workers = Workers::new();
        workers.add_fn(move |_: WorkContext, job: Job<Noop>| {
            let run = Arc::clone(&run);
            async move {
                run(job.args.payload["n"].as_i64().unwrap_or_default());
                Ok::<_, std::io::Error>(WorkOutcome::Complete)
            }
        })?;
        let queue =
            QueueConfig::new(count as usize).with_fetch_cooldown(FETCH_COOLDOWN).with_fetch_poll_interval(FETCH_POLL);
        let pool = self.open()?.pool;
        let client = Client::builder(pool.clone())
            .workers(workers)
            .queue("default", queue)
            .fetch_cooldown(FETCH_COOLDOWN)
            .build()?;
        self.finished.store(0, Ordering::Relaxed);
        let completed = SubscribeConfig::new([EventKind::JobCompleted])?.with_buffer_capacity(EVENTS);
        let mut events = client.subscribe_config(completed)?;
        let finished = Arc::clone(&self.finished);
        tokio::spawn(async move {
            while let Ok(event) = events.recv().await {
                if matches!(event, Event::Job(_)) {
                    finished.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        *self.working.lock().await = Some(client.start()?);
        // The client that works is told at once of what it inserts itself.
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(Open { pool, client });
        Ok(())
    }

    fn finished(&self) -> u64 {
        self.finished.load(Ordering::Relaxed)
    }

    async fn stop_workers(&self) -> anyhow::Result<()> {
        if let Some(mut working) = self.working.lock().await.take() {
            working.stop().await?;
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let directory = std::env::var_os("DATA_DIR").context("DATA_DIR names where the files go")?;
    harness::serve(River {
        directory: directory.into(),
        files: AtomicU64::new(0),
        open: Mutex::new(None),
        working: tokio::sync::Mutex::new(None),
        finished: Arc::default(),
    })
}
