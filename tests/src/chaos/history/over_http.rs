//! The same against a real node: 32 workers over HTTP, some that die, some that pause past their lease, and a node that
//! is killed and stopped under them.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use rand::{RngExt, rngs::StdRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{process::Command, sync::Notify, task::JoinSet, time::timeout};

use super::{
    checker::{Bounds, What, violations},
    witness::Witness,
};
use crate::chaos::{chance, first_failure, scaled, seed};

const WORKERS: u64 = 32;
const PRODUCERS: u64 = 4;
/// Jobs in all, in CI and at full scale.
const JOBS: (u32, u32) = (600, 100_000);
/// Times the node is killed, and times it is only stopped for a moment.
const KILLS: (u32, u32) = (2, 200);
/// Longer than a lease.
const PAUSE: Duration = Duration::from_secs(32);
/// A worker that is gone is noticed within its lease and a few seconds; on a busy machine whenever the test still runs.
const RECLAIMED_WITHIN_MS: (i64, i64) = (150_000, 35_000);
/// How long until the last job has ended; only a defect waits for it.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(150), Duration::from_hours(6));

/// Where the node is now, and as what the workers speak to it.
struct Place {
    url: String,
    owner: String,
}

struct World {
    place: RwLock<Place>,
    moved: Notify,
    engine_id: String,
    engine_token: String,
    witness: Witness,
    started: Instant,
    asked: AtomicU32,
    ended: AtomicU32,
    progress: Notify,
    over: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_die_or_pause_and_a_killed_node_show_one_queue() -> anyhow::Result<()> {
    let seed = seed();
    let node = TestHome::new()?.with_setting("FLOWORK_QUEUE_HARD_CAP", &1_000_000).start().await?;
    let (engine_id, engine_token) = create_engine(&node).await?;
    let world = Arc::new(World {
        place: RwLock::new(Place { url: node.url().to_owned(), owner: node.token().to_owned() }),
        moved: Notify::new(),
        engine_id,
        engine_token,
        witness: Witness::default(),
        started: Instant::now(),
        asked: AtomicU32::new(0),
        ended: AtomicU32::new(0),
        progress: Notify::new(),
        over: AtomicBool::new(false),
    });
    let http = reqwest::Client::builder().no_proxy().build()?;
    world.say_hello(&http, node.url()).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..PRODUCERS {
        tasks.spawn(produce(Arc::clone(&world)));
    }
    for number in 0..WORKERS {
        tasks.spawn(work(Arc::clone(&world), number, chance(seed ^ (number << 32))));
    }
    let disturbed = timeout(scaled(PATIENCE.0, PATIENCE.1), disturb(&world, node));
    let node = tokio::select! {
        disturbed = disturbed => disturbed.with_context(|| format!("{:?} jobs have ended, {seed}", world.ended))??,
        failure = first_failure(&mut tasks) => return Err(failure.context("a client")),
    };
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    find_the_ended(&world, &node).await?;
    let history = world.witness.history();
    let bounds = Bounds { reclaimed_within_ms: scaled(RECLAIMED_WITHIN_MS.0, RECLAIMED_WITHIN_MS.1) };
    let wrong = violations(&history, bounds);
    println!("{} entries over {:?}", history.len(), world.started.elapsed());
    ensure!(wrong.is_empty(), "{} violations, seed {seed}: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    Ok(())
}

async fn create_engine(node: &TestNode) -> anyhow::Result<(String, String)> {
    let answer = node.request(Method::POST, "/v1/engines").json(&json!({"name": "many"})).send().await?;
    let created: Value = answer.error_for_status()?.json().await?;
    let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| created.to_string());
    Ok((text(&created["engine"]["id"])?, text(&created["token"])?))
}

impl World {
    fn now_ms(&self) -> i64 {
        self.started.elapsed().as_millis() as i64
    }

    fn place(&self) -> (String, String) {
        let place = self.place.read().expect("no writer panics");
        (place.url.clone(), place.owner.clone())
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Tells a node that there are workers for this kind: after a start it knows of none.
    async fn say_hello(&self, http: &reqwest::Client, url: &str) -> anyhow::Result<()> {
        let kind = json!({
            "name": "work", "title": "work", "description": "for a test", "payload_schema": {}, "timeout_ms": 60_000,
        });
        let report = json!({"version": "1", "capacity": WORKERS, "busy": 0, "kinds": [kind]});
        let request = http.post(format!("{url}/v1/engine/heartbeat")).json(&report);
        let answer = request.header("X-Engine-Token", &self.engine_token).send().await?;
        answer.error_for_status().map(drop).map_err(anyhow::Error::from)
    }

    /// Sends one request; `None` when the connection was cut, after the node is back.
    async fn send(
        &self,
        http: &reqwest::Client,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> anyhow::Result<Option<Value>> {
        let moved = self.moved.notified();
        let (url, owner) = self.place();
        let request = http.post(format!("{url}{path}")).json(body);
        let request = match key {
            Some(key) => request.bearer_auth(owner).header("Idempotency-Key", key),
            None => request.header("X-Engine-Token", &self.engine_token),
        };
        match request.send().await {
            Ok(answer) if answer.status().is_success() => {
                if let Ok(body) = answer.json().await {
                    return Ok(Some(body));
                }
            }
            // The node is on its way down or up.
            Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => return Ok(None),
            Ok(answer) => anyhow::bail!("{path}: {} {}", answer.status(), answer.text().await?),
            Err(_) => {}
        }
        if self.place().0 == url && !self.is_over() {
            moved.await;
        }
        Ok(None)
    }
}

/// Asks for jobs, each until it is told its id.
async fn produce(world: Arc<World>) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    loop {
        let number = world.asked.fetch_add(1, Ordering::SeqCst);
        if number >= scaled(JOBS.0, JOBS.1) {
            world.asked.fetch_sub(1, Ordering::SeqCst);
            return Ok(());
        }
        let key = format!("key-{number}");
        let body = json!({"kind": "work", "payload": key, "engine_id": world.engine_id, "attempts_max": 100});
        let asked = world.witness.asks();
        let job = loop {
            if let Some(job) = world.send(&http, "/v1/jobs", &body, Some(&key)).await? {
                break job;
            }
        };
        let id = Some(job["id"].as_str().context("a job has an id")?.to_owned());
        world.witness.saw(asked, What::Enqueued { key, id });
    }
}

/// Claims and finishes; a few die with what they hold, a few pause past their lease and then finish all the same.
async fn work(world: Arc<World>, number: u64, mut chance: StdRng) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut paused = false;
    while !world.is_over() {
        if number == 0 {
            // It may be gone by now; its next start is told before anybody else is.
            let _ = world.say_hello(&http, &world.place().0).await;
        }
        let asked = world.witness.asks();
        let body = json!({"max": chance.random_range(1..4), "wait_ms": 500});
        let Some(answer) = world.send(&http, "/v1/engine/claim", &body, None).await? else { continue };
        let claimed = answer["jobs"].as_array().context("no jobs")?;
        let mut held = Vec::new();
        for job in claimed {
            let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
            let (id, key) = (text(&job["id"])?, text(&job["payload"])?);
            let epoch = job["epoch"].as_u64().context("no epoch")? as u32;
            world.witness.saw(asked, What::Claimed { key, id: id.clone(), epoch, at_ms: world.now_ms() });
            held.push((id, epoch));
        }
        // Once everything is asked for nobody is lost any more: each time costs the length of a lease.
        let early = world.asked.load(Ordering::SeqCst) < scaled(JOBS.0, JOBS.1);
        if held.is_empty() || (early && chance.random_bool(0.02)) {
            // It dies, and another takes its place.
            continue;
        }
        if early && number < 3 && number > 0 && !paused {
            // As a process that was stopped: it neither renews nor knows how long it was away.
            paused = true;
            tokio::time::sleep(PAUSE).await;
        }
        finish(&world, &http, held).await?;
    }
    Ok(())
}

/// Finishes what is held, again and again until there is an answer.
async fn finish(world: &World, http: &reqwest::Client, held: Vec<(String, u32)>) -> anyhow::Result<()> {
    let item = |(id, epoch): &(String, u32)| json!({"id": id, "epoch": epoch, "outcome": "completed", "result": epoch});
    let body = json!({"results": held.iter().map(item).collect::<Vec<_>>()});
    let asked = world.witness.asks();
    let answer = loop {
        match world.send(http, "/v1/engine/finish", &body, None).await? {
            Some(answer) => break answer,
            None if world.is_over() => return Ok(()),
            None => {}
        }
    };
    let items = answer["items"].as_array().context("no items")?;
    for ((id, epoch), item) in std::iter::zip(held, items) {
        if item["outcome"] == "accepted" {
            world.witness.saw(asked, What::Finished { id, epoch, last: true });
            world.ended.fetch_add(1, Ordering::SeqCst);
            world.progress.notify_one();
        }
    }
    Ok(())
}

/// Kills and stops the node between the jobs, then waits for the last of them.
async fn disturb(world: &World, mut node: TestNode) -> anyhow::Result<TestNode> {
    let (kills, jobs) = (scaled(KILLS.0, KILLS.1), scaled(JOBS.0, JOBS.1));
    for kill in 1..=kills {
        while world.ended.load(Ordering::SeqCst) < jobs * kill / (kills + 1) / 2 {
            world.progress.notified().await;
        }
        let pid = node.pid().context("the node runs")?.to_string();
        for signal in ["-STOP", "-CONT"] {
            ensure!(Command::new("kill").args([signal, &pid]).status().await?.success(), "kill {signal} {pid}");
        }
        node = node.kill().await?.start().await?;
        let asked = world.witness.asks();
        world.witness.saw(asked, What::Started { at_ms: world.now_ms() });
        world.say_hello(&reqwest::Client::builder().no_proxy().build()?, node.url()).await?;
        *world.place.write().expect("no reader panics") =
            Place { url: node.url().to_owned(), owner: node.token().to_owned() };
        world.moved.notify_waiters();
    }
    while open(world, &node).await? > 0 || world.asked.load(Ordering::SeqCst) < jobs {
        // Progress wakes this; jobs whose last finish nobody was told of do not, so it also looks by itself.
        let _ = timeout(Duration::from_millis(500), world.progress.notified()).await;
    }
    world.over.store(true, Ordering::SeqCst);
    world.moved.notify_waiters();
    Ok(node)
}

/// Jobs of the engine that have not ended.
async fn open(world: &World, node: &TestNode) -> anyhow::Result<u64> {
    let engines = node.get("/v1/engines").await?;
    let items = engines["items"].as_array().context("no list")?;
    let engine = items.iter().find(|engine| engine["id"] == world.engine_id.as_str()).context("the engine is gone")?;
    Ok(["queued", "scheduled", "leased"].iter().filter_map(|state| engine[*state].as_u64()).sum())
}

async fn find_the_ended(world: &World, node: &TestNode) -> anyhow::Result<()> {
    for entry in world.witness.history() {
        let What::Enqueued { id: Some(id), .. } = entry.what else { continue };
        let job = node.get(&format!("/v1/jobs/{id}")).await?;
        if !job["finished_at"].is_null() {
            world.witness.saw(world.witness.asks(), What::Ended { id });
        }
    }
    Ok(())
}
