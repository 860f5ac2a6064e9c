//! The floor: the least that makes jobs durable in SQLite.
//!
//! One thread takes whatever waits into one transaction, `synchronous=FULL`, and answers after its commit. There is one
//! table, no idempotency, no lease, no history and no event; a finished job is deleted. What a queue does beyond that is
//! the distance to this line.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use anyhow::Context;
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::harness::{Contender, Run};

/// Requests a transaction.
const BATCH_MAX: usize = 1_024;

const SCHEMA: &str = "
    PRAGMA page_size = 4096;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE job (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, payload TEXT NOT NULL) STRICT;
    CREATE INDEX job_queued ON job (id) WHERE state = 0;
";
const INSERT: &str = "INSERT INTO job (state, payload) VALUES (0, ?1)";
const CLAIM: &str = "
    UPDATE job SET state = 1
    WHERE id = (SELECT id FROM job WHERE state = 0 ORDER BY id LIMIT 1)
    RETURNING id, payload
";
const FINISH: &str = "DELETE FROM job WHERE id = ?1";

/// A job that a worker was given.
type Claimed = (i64, String);

enum Request {
    Enqueue { payloads: Vec<String>, done: oneshot::Sender<()> },
    Claim { finish: Option<i64>, claimed: oneshot::Sender<Claimed> },
}

#[derive(Default)]
pub(crate) struct Floor {
    directory: PathBuf,
    files: AtomicU64,
    writer: Mutex<Option<Writer>>,
    workers: Mutex<Vec<tokio::task::JoinHandle<()>>>,
    finished: Arc<AtomicU64>,
}

struct Writer {
    requests: mpsc::Sender<Request>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Floor {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, ..Self::default() }
    }

    fn requests(&self) -> anyhow::Result<mpsc::Sender<Request>> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(writer.as_ref().context("not reset yet")?.requests.clone())
    }

    async fn add(&self, payloads: Vec<String>) -> anyhow::Result<()> {
        let (done, answered) = oneshot::channel();
        self.requests()?.send(Request::Enqueue { payloads, done })?;
        Ok(answered.await?)
    }

    fn end_workers(&self) {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|worker| worker.abort());
    }
}

#[async_trait]
impl Contender for Floor {
    fn setup(&self) -> String {
        format!("group commit over SQLite {}, WAL, synchronous=FULL, automatic checkpoints", rusqlite::version())
    }

    async fn reset(&self) -> anyhow::Result<()> {
        self.end_workers();
        let before = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Writer { requests, thread }) = before {
            drop(requests);
            // Its last senders are those of the workers that were just aborted.
            tokio::task::spawn_blocking(move || thread.join()).await?.map_err(|_| anyhow::anyhow!("panicked"))??;
        }
        let file = self.directory.join(format!("{}.db", self.files.fetch_add(1, Ordering::Relaxed)));
        let connection = open(&file)?;
        let (requests, incoming) = mpsc::channel();
        let finished = Arc::clone(&self.finished);
        let thread = std::thread::spawn(move || write(&connection, &incoming, &finished));
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Writer { requests, thread });
        Ok(())
    }

    async fn enqueue(&self, payload: Value) -> anyhow::Result<()> {
        self.add(vec![payload.to_string()]).await
    }

    async fn enqueue_many(&self, payloads: Vec<Value>) -> anyhow::Result<()> {
        self.add(payloads.iter().map(Value::to_string).collect()).await
    }

    async fn start_workers(&self, count: u32, run: Run) -> anyhow::Result<()> {
        self.finished.store(0, Ordering::Release);
        let requests = self.requests()?;
        let workers = (0..count).map(|_| tokio::spawn(work(requests.clone(), Arc::clone(&run)))).collect();
        *self.workers.lock().unwrap_or_else(PoisonError::into_inner) = workers;
        Ok(())
    }

    fn finished(&self) -> u64 {
        self.finished.load(Ordering::Acquire)
    }

    async fn stop_workers(&self) -> anyhow::Result<()> {
        self.end_workers();
        Ok(())
    }
}

/// One worker: the end of a job and the claim of the next are one request, and so one commit.
async fn work(requests: mpsc::Sender<Request>, run: Run) {
    let mut finish = None;
    loop {
        let (claimed, granted) = oneshot::channel();
        if requests.send(Request::Claim { finish, claimed }).is_err() {
            return;
        }
        let Ok((id, payload)) = granted.await else { return };
        let payload: Value = serde_json::from_str(&payload).unwrap_or_default();
        run(payload["n"].as_i64().unwrap_or_default());
        finish = Some(id);
    }
}

fn open(file: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

/// Takes what waits into one transaction after another, until nobody can send any more.
fn write(connection: &Connection, incoming: &mpsc::Receiver<Request>, finished: &AtomicU64) -> anyhow::Result<()> {
    let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
    let mut commit = connection.prepare("COMMIT")?;
    let mut insert = connection.prepare(INSERT)?;
    let mut claim = connection.prepare(CLAIM)?;
    let mut delete = connection.prepare(FINISH)?;
    let mut waiting: VecDeque<oneshot::Sender<Claimed>> = VecDeque::new();
    let mut queued = 0_u64;
    while let Ok(first) = incoming.recv() {
        let (mut stored, mut grants, mut ended) = (Vec::new(), Vec::new(), 0);
        begin.execute([])?;
        for request in std::iter::once(first).chain(incoming.try_iter()).take(BATCH_MAX) {
            match request {
                Request::Enqueue { payloads, done } => {
                    for payload in &payloads {
                        insert.execute([payload])?;
                    }
                    queued += payloads.len() as u64;
                    stored.push(done);
                }
                Request::Claim { finish, claimed } => {
                    if let Some(id) = finish {
                        ended += delete.execute([id])? as u64;
                    }
                    waiting.push_back(claimed);
                }
            }
        }
        waiting.retain(|claimed| !claimed.is_closed());
        while queued > 0 && !waiting.is_empty() {
            let job = claim.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (Some(job), Some(claimed)) = (job, waiting.pop_front()) else { break };
            queued -= 1;
            grants.push((claimed, job));
        }
        commit.execute([])?;
        finished.fetch_add(ended, Ordering::Release);
        // Whoever has gone meanwhile does not need the answer.
        for done in stored {
            let _ = done.send(());
        }
        for (claimed, job) in grants {
            let _ = claimed.send(job);
        }
    }
    Ok(())
}
