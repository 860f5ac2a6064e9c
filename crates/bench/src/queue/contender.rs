//! A contender that runs: the process that answers requests, and the servers behind it.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

/// How long a contender may take beyond what it was asked to take.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a process may take to end when it is told to.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// What a contender answers.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) jobs: u64,
    #[serde(default)]
    pub(super) seconds: f64,
    pub(super) latency: Option<Latency>,
    pub(super) setup: Option<String>,
    error: Option<String>,
}

impl Answer {
    pub(super) fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.jobs as f64 / self.seconds } else { 0.0 }
    }
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Latency {
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
}

/// A process that is told to end when this is dropped, and waited for.
pub(super) struct Server {
    process: Child,
    /// The signal that means: end now, in order.
    signal: &'static str,
}

impl Server {
    /// Starts a server whose output goes to `log`. It ends with this process, however that ends.
    pub(super) fn start(mut command: Command, signal: &'static str, log: &Path) -> anyhow::Result<Self> {
        let log = std::fs::File::create(log)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self { process, signal })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until `ready` says so.
    pub(super) fn wait_until(&mut self, ready: impl Fn() -> bool, log: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + STOP_WITHIN;
        while !ready() {
            let gone = self.process.try_wait()?;
            if gone.is_some() || Instant::now() > deadline {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("the server did not get ready: {}", said.trim().lines().last().unwrap_or("it said nothing"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        // What can't be told to end in order is ended all the same.
        let told = Command::new("kill").arg(self.signal).arg(self.process.id().to_string()).status();
        if !(told.is_ok_and(|status| status.success()) && ended(&mut self.process)) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

fn ended(process: &mut Child) -> bool {
    let deadline = Instant::now() + STOP_WITHIN;
    while Instant::now() < deadline {
        if matches!(process.try_wait(), Ok(Some(_))) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// A contender that runs.
pub(super) struct Contender {
    harness: Child,
    requests: Option<ChildStdin>,
    answers: mpsc::Receiver<std::io::Result<String>>,
    /// Behind the harness; where there are none, the harness holds the queue itself.
    servers: Vec<Server>,
    /// Hold its files, and are removed after it has ended; the first one holds the queue's.
    directories: Vec<tempfile::TempDir>,
}

impl Contender {
    /// Starts the harness of a contender whose servers run.
    pub(super) fn start(
        mut harness: Command,
        servers: Vec<Server>,
        directory: tempfile::TempDir,
    ) -> anyhow::Result<Self> {
        let mut process = harness
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", harness.get_program().display()))?;
        let stdout = BufReader::new(process.stdout.take().context("no stdout")?);
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || stdout.lines().take_while(|line| sender.send(clone(line)).is_ok()).for_each(drop));
        Ok(Self { requests: process.stdin.take(), harness: process, answers, servers, directories: vec![directory] })
    }

    /// Asks, and waits for the answer; `expected` is how long the work itself may take.
    pub(super) fn ask(&mut self, request: &Value, expected: Duration) -> anyhow::Result<Answer> {
        let requests = self.requests.as_mut().context("the harness was stopped")?;
        writeln!(requests, "{request}")?;
        let line = self
            .answers
            .recv_timeout(expected + PATIENCE)
            .with_context(|| format!("no answer to {request}"))?
            .context("reading the answer")?;
        let answer: Answer = serde_json::from_str(&line).with_context(|| format!("reading {line:?}"))?;
        if let Some(error) = &answer.error {
            bail!("{request}: {error}");
        }
        ensure!(answer.seconds.is_finite(), "no time in {line}");
        Ok(answer)
    }

    /// The processes that hold the queue.
    pub(super) fn process_ids(&self) -> Vec<u32> {
        if self.servers.is_empty() {
            return vec![self.harness.id()];
        }
        self.servers.iter().map(Server::id).collect()
    }

    /// Keeps a further directory until it has ended.
    pub(super) fn with(mut self, directory: tempfile::TempDir) -> Self {
        self.directories.push(directory);
        self
    }

    /// Where its files are, without symbolic links.
    pub(super) fn files(&self) -> PathBuf {
        let directory = self.directories[0].path();
        directory.canonicalize().unwrap_or_else(|_| directory.to_owned())
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // Without stdin a harness ends by itself.
        self.requests = None;
        if !ended(&mut self.harness) {
            let _ = self.harness.kill();
            let _ = self.harness.wait();
        }
    }
}

fn clone(line: &std::io::Result<String>) -> std::io::Result<String> {
    line.as_ref().cloned().map_err(|error| std::io::Error::new(error.kind(), error.to_string()))
}
