//! `POST /v1/jobs` at a real node: the way a client outside the process takes.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    runtime::Runtime,
};

use super::plan::Plan;
use crate::node;

/// Connections that are kept open, each with one request at a time.
pub(super) const CONNECTIONS: u64 = 64;
const BODY: &str = r#"{"kind":"noop","payload":{"to":"someone@example.test","template":"welcome","n":1}}"#;

/// Jobs a second that a node of `program` answers.
pub(super) fn measure(program: &Path, dir: &Path, plan: Plan) -> anyhow::Result<f64> {
    let directory = tempfile::Builder::new().prefix("node").tempdir_in(dir)?;
    let node = node::start(program, directory.path(), &[("FLOWORK_QUEUE_HARD_CAP", "100000000")])?;
    let measured = enqueue(program, directory.path(), &node.address, plan);
    node::stop(node)?;
    measured
}

fn enqueue(program: &Path, directory: &Path, address: &str, plan: Plan) -> anyhow::Result<f64> {
    let made = node::command(program, directory).args(["token", "create", "--ttl", "15m"]).output()?;
    ensure!(made.status.success(), "no token: {}", String::from_utf8_lossy(&made.stderr).trim());
    let token: Arc<str> = String::from_utf8(made.stdout)?.trim().into();
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        // What is measured is the way in; the workers would take their part of the cores.
        let mut first = Client::connect(address, &token).await?;
        let status = first.post("/v1/queues/default/pause", "pause", "").await?;
        ensure!((200..300).contains(&status), "pausing the queue was answered with {status}");
        let next = Arc::new(AtomicU64::new(0));
        let limit = Duration::from_secs_f64(plan.seconds);
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(Client::connect(address, &token).await?);
        }
        let started = Instant::now();
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|client| tokio::spawn(client.enqueue(Arc::clone(&next), plan.jobs, started + limit)))
            .collect();
        let mut accepted = 0;
        for task in tasks {
            accepted += task.await??;
        }
        Ok(accepted as f64 / started.elapsed().as_secs_f64())
    })
}

/// One connection. It does as little as it can: it shares the cores with the node.
struct Client {
    connection: BufReader<TcpStream>,
    address: String,
    token: Arc<str>,
    line: String,
    body: Vec<u8>,
}

impl Client {
    async fn connect(address: &str, token: &Arc<str>) -> anyhow::Result<Self> {
        let connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        Ok(Self {
            connection: BufReader::new(connection),
            address: address.to_owned(),
            token: Arc::clone(token),
            line: String::new(),
            body: Vec::new(),
        })
    }

    /// Enqueues until all are or the time is up; answers how many it was.
    async fn enqueue(mut self, next: Arc<AtomicU64>, jobs: u64, deadline: Instant) -> anyhow::Result<u64> {
        let mut accepted = 0;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= jobs || Instant::now() >= deadline {
                return Ok(accepted);
            }
            let status = self.post("/v1/jobs", &format!("key-{index}"), BODY).await?;
            ensure!(status == 202, "a job was answered with {status}: {}", String::from_utf8_lossy(&self.body));
            accepted += 1;
        }
    }

    /// Sends a request and reads the whole answer; gives its status.
    async fn post(&mut self, path: &str, key: &str, body: &str) -> anyhow::Result<u16> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        self.connection.get_mut().write_all(request.as_bytes()).await?;
        let status = self.next_line().await?.split(' ').nth(1).context("no status")?.parse()?;
        let mut length = 0;
        loop {
            let line = self.next_line().await?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        self.body.resize(length, 0);
        self.connection.read_exact(&mut self.body).await?;
        Ok(status)
    }

    async fn next_line(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        ensure!(self.connection.read_line(&mut self.line).await? > 0, "the node closed the connection");
        Ok(self.line.trim_end())
    }
}
