//! A whole node as a person starts it: how soon it is ready, and what it costs while it does nothing.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::Args;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// The `flowork` to start.
    #[arg(long, default_value = "target/release/flowork")]
    program: PathBuf,
    /// Where to put the data directory.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
    /// Starts on the same data directory; the first one makes it and is told apart.
    #[arg(long, default_value_t = 10)]
    starts: u32,
}

/// How long the node is left alone before its idle cost counts, so that what a start leaves to do is done.
const SETTLE: Duration = Duration::from_secs(2);
/// How long its idle cost is watched.
const WATCH: Duration = Duration::from_secs(5);

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.dir)?;
    let directory = tempfile::tempdir_in(&options.dir)?;
    println!("{}", options.program.display());
    let first = start(&options.program, directory.path(), &[])?;
    println!("first start (makes keys and files): ready after {:.0} ms", first.ready.as_secs_f64() * 1e3);
    stop(first)?;
    let mut ready: Vec<f64> = Vec::new();
    for _ in 1..options.starts {
        let node = start(&options.program, directory.path(), &[])?;
        ready.push(node.ready.as_secs_f64() * 1e3);
        stop(node)?;
    }
    ready.sort_by(f64::total_cmp);
    if let (Some(best), Some(worst)) = (ready.first(), ready.last()) {
        println!("later starts: best {best:.0} ms, median {:.0} ms, worst {worst:.0} ms", ready[ready.len() / 2]);
    }
    let node = start(&options.program, directory.path(), &[])?;
    std::thread::sleep(SETTLE);
    let before = Usage::read(node.process.id())?;
    std::thread::sleep(WATCH);
    let after = Usage::read(node.process.id())?;
    println!(
        "idle: {:.1} MiB resident ({:.1} MiB of it its own), {} CPU ticks and {} wake-ups in {} s",
        after.resident_kib as f64 / 1024.0,
        after.anonymous_kib as f64 / 1024.0,
        after.cpu_ticks - before.cpu_ticks,
        after.wakeups.saturating_sub(before.wakeups),
        WATCH.as_secs()
    );
    stop(node)
}

/// A node that serves.
pub(crate) struct Running {
    process: Child,
    /// Host and port it listens on.
    pub(crate) address: String,
    /// From before the exec to the first 200 of `/ready`.
    ready: Duration,
}

/// A `flowork` command on the node whose files are below `directory`.
pub(crate) fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("FLOWORK_DATA_DIR", directory.join("data"))
        .env("FLOWORK_VAULT", "file")
        .env("FLOWORK_VAULT_KEY_DIR", directory.join("keys"));
    command
}

/// Starts a node with `settings`, which are environment variables.
pub(crate) fn start(program: &Path, directory: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Running> {
    let started = Instant::now();
    let mut process = command(program, directory)
        .args(["serve", "--json", "--listen", "127.0.0.1:0"])
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {}; `cargo build --release -p flowork-cli` makes it", program.display()))?;
    let mut line = String::new();
    BufReader::new(process.stdout.as_mut().context("no stdout")?).read_line(&mut line)?;
    let said: serde_json::Value = serde_json::from_str(&line).with_context(|| format!("reading {line:?}"))?;
    let address = said["url"].as_str().and_then(|url| url.strip_prefix("http://")).context("no url")?.to_owned();
    let mut connection = TcpStream::connect(&address)?;
    write!(connection, "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "the node is not ready: {answer}");
    Ok(Running { process, address, ready: started.elapsed() })
}

impl Running {
    /// What it takes now.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::read(self.process.id())
    }
}

/// A token of the owner, for a quarter of an hour.
pub(crate) fn token(program: &Path, directory: &Path) -> anyhow::Result<Arc<str>> {
    let made = command(program, directory).args(["token", "create", "--ttl", "15m"]).output()?;
    ensure!(made.status.success(), "no token: {}", String::from_utf8_lossy(&made.stderr).trim());
    Ok(String::from_utf8(made.stdout)?.trim().into())
}

/// Tells a node to stop, and waits until it has.
pub(crate) fn stop(mut node: Running) -> anyhow::Result<()> {
    let signaled = Command::new("kill").arg(node.process.id().to_string()).status()?;
    ensure!(signaled.success(), "the node could not be told to stop");
    let status = node.process.wait()?;
    ensure!(status.success(), "the node ended with {status}");
    Ok(())
}

/// What the kernel says of a process. Source: proc(5).
pub(crate) struct Usage {
    pub(crate) resident_kib: u64,
    anonymous_kib: u64,
    pub(crate) cpu_ticks: u64,
    /// Times any of its threads had waited and went on.
    pub(crate) wakeups: u64,
}

impl Usage {
    fn read(pid: u32) -> anyhow::Result<Self> {
        if !cfg!(target_os = "linux") {
            bail!("the idle cost is read from /proc, which only Linux has");
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold anything; what follows is counted from the third field.
        let fields: Vec<&str> = stat.rsplit(')').next().context("no fields")?.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).context("no ticks");
        let mut wakeups = 0;
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = std::fs::read_to_string(task?.path().join("status"))?;
            wakeups += number(&status, "voluntary_ctxt_switches:")?;
        }
        Ok(Self {
            resident_kib: number(&status, "VmRSS:")?,
            anonymous_kib: number(&status, "RssAnon:")?,
            cpu_ticks: ticks(11)? + ticks(12)?,
            wakeups,
        })
    }
}

fn number(status: &str, name: &str) -> anyhow::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.split_whitespace().next().context("no number")?.parse()?)
}
