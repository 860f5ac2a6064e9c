//! A disk that fills up under load: the node says so, goes on reading, loses nothing, and recovers once there is space.
//!
//! The shards, in one test all that the node keeps, are on a small file system that exists in a mount namespace of its own. A process holds that namespace
//! open, so that the node can be killed and started again on the same full disk.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use super::{
    injected,
    load::{self, Answer, Ledger, Load, Offer, Told},
    verdict::{self, judge},
};

const ENQUEUES_PER_SECOND: u32 = 250;
/// Refusals after which the disk counts as full.
const FULL_AFTER: usize = 40;
/// Acknowledgements after which it counts as usable again.
const USABLE_AFTER: usize = 40;
/// What it takes to fill the shards soon, and what the files of a whole node need to begin with.
const SHARDS_SIZE: &str = "2m";
const NODE_SIZE: &str = "24m";
/// How long any of this may take; only a defect waits for it.
const PATIENCE: Duration = Duration::from_secs(90);
/// A small file system over a directory, with what was in it, seen only by what is started in its namespace.
struct SmallDisk {
    holder: Child,
    /// Ends the holder when it is dropped.
    _stdin: ChildStdin,
    directory: PathBuf,
}

impl SmallDisk {
    async fn mount(directory: &Path, size: &str) -> anyhow::Result<Self> {
        const SCRIPT: &str = r#"
            cp -a "$1" "$1.before" && mount -t tmpfs -o size="$2" tmpfs "$1" && cp -a "$1.before/." "$1" &&
            echo mounted && exec cat > /dev/null"#;
        std::fs::create_dir_all(directory)?;
        let root = std::fs::read_to_string("/proc/self/status")?.lines().any(|line| line == "Uid:\t0\t0\t0\t0");
        // Without root a user namespace gives the right to mount, where the machine allows it.
        let rights: &[&str] = if root { &["-m"] } else { &["-r", "-m"] };
        let mut holder = Command::new("unshare")
            .args(rights)
            .args(["sh", "-c", SCRIPT, "sh"])
            .arg(directory)
            .arg(size)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting unshare, of the package util-linux")?;
        let stdin = holder.stdin.take().context("it has a stdin")?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().context("it has a stdout")?).read_line(&mut line).await?;
        ensure!(
            line == "mounted\n",
            "this test needs the right to mount a tmpfs in a namespace of its own, and `unshare {}` was refused it; run \
             it as root, or in a container with CAP_SYS_ADMIN",
            rights.join(" ")
        );
        Ok(Self { holder, _stdin: stdin, directory: directory.to_owned() })
    }

    fn pid(&self) -> anyhow::Result<String> {
        Ok(self.holder.id().context("the holder runs")?.to_string())
    }

    /// The words that enter the namespace.
    fn enter(&self) -> anyhow::Result<Vec<String>> {
        let pid = self.pid()?;
        // The user namespace is entered only where there is one of its own.
        let same = std::fs::read_link("/proc/self/ns/user")? == std::fs::read_link(format!("/proc/{pid}/ns/user"))?;
        let rights: &[&str] = if same { &["-m"] } else { &["--preserve-credentials", "-U", "-m"] };
        Ok([&["nsenter", "-t", &pid], rights].concat().into_iter().map(str::to_owned).collect())
    }

    /// Starts a node that sees this disk, with more words before `flowork`.
    async fn start(&self, home: TestHome, wrapper: &[&str]) -> anyhow::Result<TestNode> {
        let enter = self.enter()?;
        let words: Vec<&str> = enter.iter().map(String::as_str).chain(wrapper.iter().copied()).collect();
        home.start_under(&words, &["--workers", "2"]).await
    }

    /// Leaves no byte of it free.
    async fn fill(&self) -> anyhow::Result<()> {
        let enter = self.enter()?;
        let mut fill = Command::new(&enter[0]);
        fill.args(&enter[1..]).args(["sh", "-c", r#"cat /dev/zero > "$1/filler""#, "sh"]).arg(&self.directory);
        // It ends because there is no room.
        ensure!(!fill.stderr(Stdio::null()).status().await?.success(), "the small disk took everything");
        Ok(())
    }

    /// Makes room, as a person does who deletes what is in the way.
    async fn free(&self) -> anyhow::Result<()> {
        let enter = self.enter()?;
        let mut remount = Command::new(&enter[0]);
        remount.args(&enter[1..]).args(["mount", "-o", "remount,size=64m"]).arg(&self.directory);
        ensure!(remount.status().await?.success(), "the small disk could not be made larger");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_work_keeps_reading_loses_nothing_and_recovers() -> anyhow::Result<()> {
    let home = TestHome::new()?;
    let disk = SmallDisk::mount(&home.data_dir().join("shards"), SHARDS_SIZE).await?;
    let node = disk.start(home, &[]).await?;
    let mut load = Load::start(&node, offer());
    let mut ledger = Ledger::new();
    timeout(PATIENCE, fill(&mut load, &mut ledger)).await.context("the disk did not fill")??;

    let id = ledger.values().next().context("it accepted some before it was full")?;
    let job = node.get(&format!("/v1/jobs/{id}")).await.context("reading on a full disk")?;
    ensure!(job["id"] == id.as_str(), "{job}");
    node.get("/v1/jobs?limit=20").await.context("listing on a full disk")?;
    node.get("/v1/status").await.context("the status on a full disk")?;
    // The load goes on, so that others in the same commit are refused.
    for _ in 0..50 {
        let queues = node.get("/v1/queues").await.context("the queues on a full disk")?;
        ensure!(queues["items"][0]["name"] == "default", "{queues}");
    }
    for (action, paused) in [("pause", true), ("resume", false)] {
        let queue = post(&node, &format!("/v1/queues/default/{action}"), &json!({})).await?;
        ensure!(queue["paused"] == paused, "{queue}");
    }

    disk.free().await?;
    timeout(PATIENCE, recover(&mut load, &mut ledger)).await.context("the node did not recover from a full disk")??;
    note(&mut ledger, load.finish().await?.0);
    let home = node.kill().await?;
    let node = Arc::new(disk.start(home, &[]).await?);
    judge(&node, &ledger).await?.check()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_on_a_full_disk_drains_when_it_is_told_to_stop_and_starts_again() -> anyhow::Result<()> {
    let home = TestHome::new()?.with_setting("FLOWORK_DRAIN_DEADLINE_MS", &1_000);
    let disk = SmallDisk::mount(&home.data_dir().join("shards"), SHARDS_SIZE).await?;
    let node = disk.start(home, &[]).await?;
    let mut load = Load::start(&node, offer());
    let mut ledger = Ledger::new();
    timeout(PATIENCE, fill(&mut load, &mut ledger)).await.context("the disk did not fill")??;
    note(&mut ledger, load.finish().await?.0);
    let (_, home) = node.terminate().await.context("stopping on a full disk")?;
    disk.free().await?;
    let node = Arc::new(disk.start(home, &[]).await?);
    judge(&node, &ledger).await?.check()?;
    let job = node.run_job("noop", json!({"key": "after"})).await?;
    ensure!(job["state"] == "completed", "{job}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_drains_on_a_disk_without_a_free_byte_and_says_that_a_restart_ends_it() -> anyhow::Result<()> {
    // The test's own token is made where everybody sees the files.
    let home = TestHome::new()?.start().await?.kill().await?;
    let disk = SmallDisk::mount(&home.data_dir(), NODE_SIZE).await?;
    let node = disk.start(home, &[]).await?;
    let job = node.run_job("noop", json!({"key": "before"})).await?;
    ensure!(job["state"] == "completed", "{job}");
    disk.fill().await?;

    let drain = post(&node, "/drain", &json!({"on": true, "reason": "the disk is full"})).await?;
    ensure!(drain["on"] == true && drain["unstored"] == true, "{drain}");
    let drain = node.get("/drain").await?;
    ensure!(drain["on"] == true && drain["unstored"] == true && drain["reason"] == "the disk is full", "{drain}");
    let (status, refused) = node.enqueue("meanwhile", &json!({"kind": "noop"})).await?;
    ensure!(status == 503 && refused["error"]["code"] == "DRAINING", "{refused}");
    // What is not on the disk needs no room to go; only that it went can't be written down.
    drop(post(&node, "/drain", &json!({"on": false})).await);
    ensure!(node.get("/drain").await?["on"] == false, "it goes on");
    post(&node, "/drain", &json!({"on": true})).await?;

    disk.free().await?;
    let drain = post(&node, "/drain", &json!({"on": true})).await?;
    ensure!(drain["on"] == true && drain["unstored"] == false, "asked for again it is stored: {drain}");
    let node = disk.start(node.kill().await?, &[]).await?;
    ensure!(node.get("/drain").await?["on"] == true, "what is stored outlasts the process");
    Ok(())
}

/// The negative control: the node is told that its writes fit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_that_is_hidden_from_the_node_loses_acknowledged_jobs() -> anyhow::Result<()> {
    let home = TestHome::new()?;
    let disk = SmallDisk::mount(&home.data_dir().join("shards"), SHARDS_SIZE).await?;
    let node = disk.start(home, &injected("trace=pwrite64", "inject=pwrite64:retval=4096:when=200+")).await?;
    let mut load = Load::start(&node, offer());
    let mut ledger = Ledger::new();
    while ledger.len() < 200 {
        match load.next().await.context("the load goes on")? {
            Answer { key, told: Told::Accepted { id }, .. } => drop(ledger.insert(key, id)),
            // It may notice when it reads what it believes to have written; what it acknowledged before is enough.
            _ => break,
        }
    }
    let home = node.kill().await?;
    load.finish().await?;
    disk.free().await?;
    match disk.start(home, &[]).await {
        Ok(node) => {
            let verdict::Verdict { lost, .. } = judge(&Arc::new(node), &ledger).await?;
            ensure!(!lost.is_empty(), "{} jobs that were never written are all there", ledger.len());
        }
        Err(error) => println!("it did not even start: {error:#}"),
    }
    Ok(())
}

/// What a call answers that the disk must have no say in.
async fn post(node: &TestNode, path: &str, body: &Value) -> anyhow::Result<Value> {
    let answer = node.request(Method::POST, path).json(body).send().await?;
    let (status, body) = (answer.status(), answer.json().await?);
    ensure!(status.is_success(), "POST {path}: {status} {body}");
    Ok(body)
}

fn offer() -> Offer {
    Offer { per_second: ENQUEUES_PER_SECOND, prefix: "full".to_owned(), body: load::large }
}

/// Enqueues until the disk has refused some, and checks how.
async fn fill(load: &mut Load, ledger: &mut Ledger) -> anyhow::Result<()> {
    let mut refused = 0;
    while refused < FULL_AFTER {
        let Answer { key, told, .. } = load.next().await.context("the load goes on")?;
        match told {
            Told::Accepted { id } => drop(ledger.insert(key, id)),
            Told::Refused { status: 503 | 507, retry_after: Some(_), .. } => refused += 1,
            other => anyhow::bail!("{key}: {other:?}, not 507 or 503 with Retry-After"),
        }
    }
    Ok(())
}

/// Enqueues until the node accepts again.
async fn recover(load: &mut Load, ledger: &mut Ledger) -> anyhow::Result<()> {
    let mut in_a_row = 0;
    while in_a_row < USABLE_AFTER {
        let Answer { key, told, .. } = load.next().await.context("the load goes on")?;
        match told {
            Told::Accepted { id } => {
                ledger.insert(key, id);
                in_a_row += 1;
            }
            _ => in_a_row = 0,
        }
    }
    Ok(())
}

fn note(ledger: &mut Ledger, answers: Vec<Answer>) {
    for answer in answers {
        if let Told::Accepted { id } = answer.told {
            ledger.insert(answer.key, id);
        }
    }
}
