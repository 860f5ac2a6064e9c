//! Power cuts: what was never synced may be gone, torn or in another order, and every acknowledged job is there whole.
//!
//! One run of a real node is recorded, every write and sync of its shards and every byte of its answers. From that
//! [`disk`] makes the disks that a power cut at some moment could have left behind, and the engine opens each.

mod disk;
mod recording;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use flowork_api_types::{EngineId, JobId, engine::EngineLocation, job::JobState};
use flowork_engine::{Clock, EngineSpec};
use flowork_test_support::{TestHome, TestNode};
use rand::RngExt;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use self::{
    disk::{Image, Syncs},
    recording::{Event, Recording},
};
use super::{
    chance, in_process,
    load::{self, Load, Offer, Told},
    scaled, seed,
};

/// Jobs in the recorded run: enough payload for more than one checkpoint.
const JOBS: usize = 170;
/// Slow enough that most jobs have a commit of their own.
const ENQUEUES_PER_SECOND: u32 = 120;
/// Disks that are looked at at once.
const AT_ONCE: usize = 3;
/// The files of a shard are quiet when nothing has changed for so long.
const QUIET: Duration = Duration::from_millis(300);
/// How long anything here may take; only a defect waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Something a client was told, and when.
#[derive(Clone, Debug)]
struct Promise {
    /// Its place among the events.
    at: usize,
    id: JobId,
    key: String,
    completed: bool,
}

/// A run of a node, and what it promised.
struct Run {
    recording: Recording,
    promises: Vec<Promise>,
    engine: EngineId,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_moment_loses_no_acknowledged_job() -> anyhow::Result<()> {
    let seed = seed();
    let run = Arc::new(record().await?);
    ensure!(run.recording.syncs_of(".db") > 0, "no checkpoint ran, so its moments are not covered");
    let seeds = scaled(200, 10_000);
    let broken = cut_power(&run, seed, seeds, Syncs::Honored).await?;
    ensure!(broken.is_empty(), "{} of {seeds} disks, base seed {seed}: {}", broken.len(), broken.join("\n"));
    Ok(())
}

/// The negative control: the same run on a disk whose log is never synced, as `synchronous=NORMAL` leaves it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_syncs_of_the_log_a_power_cut_loses_acknowledged_jobs() -> anyhow::Result<()> {
    let run = Arc::new(record().await?);
    let broken = cut_power(&run, seed(), 12, Syncs::IgnoredForTheLog).await?;
    ensure!(!broken.is_empty(), "nothing was synced and nothing was lost");
    println!("{} of 12 disks: {}", broken.len(), broken[0]);
    Ok(())
}

/// Makes a disk for each seed and says what is wrong with those that break a promise.
async fn cut_power(run: &Arc<Run>, seed: u64, seeds: u64, syncs: Syncs) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    let mut cuts = JoinSet::new();
    for seed in seed..seed + seeds {
        if cuts.len() == AT_ONCE {
            broken.extend(cuts.join_next().await.context("some are running")???);
        }
        let run = Arc::clone(run);
        cuts.spawn(async move { cut_once(&run, seed, syncs).await });
    }
    while let Some(cut) = cuts.join_next().await {
        broken.extend(cut??);
    }
    Ok(broken)
}

async fn cut_once(run: &Run, seed: u64, syncs: Syncs) -> anyhow::Result<Option<String>> {
    let mut chance = chance(seed);
    let events = run.recording.events.len();
    // Every other cut comes right after a promise, where there is most to lose.
    let cut = if seed.is_multiple_of(2) {
        chance.random_range(1..=events)
    } else {
        let promise = &run.promises[chance.random_range(0..run.promises.len())];
        (promise.at + chance.random_range(1..4)).min(events)
    };
    let directory = tempfile::tempdir()?;
    let shard = directory.path().join(run.engine.to_string());
    std::fs::create_dir(&shard)?;
    Image::at(&run.recording, cut, syncs, &mut chance).write_to(&shard)?;
    let kept = look(run, directory.path(), cut).await;
    Ok(kept.err().map(|error| format!("seed {seed}, cut at {cut} of {events}: {error:#}")))
}

/// Opens a disk with the engine and looks for everything that was promised before the cut.
async fn look(run: &Run, shards_dir: &Path, cut: usize) -> anyhow::Result<()> {
    let spec = EngineSpec {
        id: run.engine,
        slot: run.promises[0].id.shard().slot(),
        name: "after the cut".to_owned(),
        location: EngineLocation::External,
        shards: 1,
    };
    let engines = in_process::open(shards_dir, spec, Clock::System).await.context("opening the shard")?;
    let owner = in_process::owner();
    let promised = run.promises.iter().filter(|promise| promise.at < cut);
    let mut outcome = Ok(());
    for promise in promised {
        outcome = engines.job(&owner, promise.id).await.map_err(anyhow::Error::from).and_then(|job| {
            ensure!(job.idempotency_key == promise.key, "{promise:?} is {job:?}");
            ensure!(job.payload == load::large(&promise.key)["payload"], "{promise:?} has another payload");
            let completed = job.summary.state == JobState::Completed;
            ensure!(completed || !promise.completed, "{promise:?} is {:?} again", job.summary.state);
            Ok(())
        });
        if outcome.is_err() {
            outcome = outcome.with_context(|| format!("{promise:?}"));
            break;
        }
    }
    engines.shutdown().await;
    outcome
}

/// Runs a node under load and records what it wrote and what it said.
async fn record() -> anyhow::Result<Run> {
    let home = TestHome::new()?.with_setting("FLOWORK_SHARDS", &1);
    let log = home.path().join("trace");
    let log = log.to_str().context("a temporary path is text")?.to_owned();
    let node = home.start_under(&recording::wrapper(&log), &["--workers", "2"]).await?;
    let node = Arc::new(node);
    let mut load =
        Load::start(&node, Offer { per_second: ENQUEUES_PER_SECOND, prefix: "power".to_owned(), body: load::large });
    let mut waiting = JoinSet::new();
    for _ in 0..JOBS {
        let answer = load.next().await.context("the load goes on")?;
        let Told::Accepted { id } = answer.told else { anyhow::bail!("{answer:?}") };
        let node = Arc::clone(&node);
        waiting.spawn(async move { node.wait_for(&id).await });
    }
    // Those that were still on their way too.
    for answer in load.finish().await?.0 {
        let Told::Accepted { id } = answer.told else { anyhow::bail!("{answer:?}") };
        node.wait_for(&id).await?;
    }
    while let Some(job) = waiting.join_next().await {
        ensure!(job??["state"] == "completed", "the recorded run is an ordinary one");
    }
    let shards = node.home().data_dir().join("shards");
    timeout(PATIENCE, quiet(&shards)).await.context("the node goes on writing with nothing to do")??;
    let home = end(node).await?;
    let directory = std::fs::read_dir(&shards)?.next().context("no engine")??.file_name();
    let engine = directory.to_str().context("an engine's directory is text")?.parse()?;
    let recording = Recording::read(&std::fs::read(&log)?, &shards).context("reading the trace")?;
    // A recording that misses a write would prove nothing.
    let compared = Image::whole(&recording).compare_with(&shards.join(&directory), &recording.cut_off);
    compared.context("replaying the whole trace")?;
    drop(home);
    let promises = promises(&recording);
    ensure!(promises.len() > JOBS, "only {} promises were found in the trace", promises.len());
    Ok(Run { recording, promises, engine })
}

/// Waits until the node has written what it writes behind its answers, such as pages into the database.
async fn quiet(shards: &Path) -> anyhow::Result<()> {
    let mut before = files_below(shards)?;
    loop {
        sleep(QUIET).await;
        let now = files_below(shards)?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
}

/// Every file below a directory with its length and when it was last written. Nothing is opened.
fn files_below(directory: &Path) -> anyhow::Result<Vec<(PathBuf, u64, SystemTime)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        // One that is gone by now is not there the next time, and that is a change too.
        let Ok(metadata) = path.metadata() else { continue };
        if metadata.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push((path, metadata.len(), metadata.modified()?));
        }
    }
    files.sort();
    Ok(files)
}

/// Kills the node and waits for the end of its tracer, which writes its last lines after the node's end.
async fn end(node: Arc<TestNode>) -> anyhow::Result<TestHome> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid().context("the node runs")?))?;
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).context("no TracerPid")?.trim();
    ensure!(tracer != "0", "nothing traces the node");
    let tracer = format!("/proc/{tracer}/stat");
    let home = Arc::into_inner(node).context("nobody else holds the node")?.kill().await?;
    let gone = async {
        // A process that has ended is a zombie for as long as nobody asks for its status.
        while std::fs::read_to_string(&tracer).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.context("the tracer did not end")?;
    Ok(home)
}

/// What the node told its clients about jobs, read from the bytes it sent.
fn promises(recording: &Recording) -> Vec<Promise> {
    let sent = recording.events.iter().enumerate().filter_map(|(at, event)| match event {
        Event::Sent(bytes) => Some((at, bytes)),
        _ => None,
    });
    sent.filter_map(|(at, bytes)| {
        let body = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let job: Value = serde_json::from_slice(&bytes[body..]).ok()?;
        let id = job["id"].as_str()?.parse().ok()?;
        let key = job["idempotency_key"].as_str()?.to_owned();
        Some(Promise { at, id, key, completed: job["state"] == "completed" })
    })
    .collect()
}
