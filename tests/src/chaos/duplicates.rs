//! Idempotency: clients that ask again and again, over kills, get one job for each key, whichever of two engines it is
//! for. One of them comes and goes, so that the same request would go here now, and there a moment later.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use rand::{rngs::StdRng, seq::SliceRandom};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet};

use super::{chance, scaled, seed};

/// Keys, in CI and at full scale.
const KEYS: (usize, usize) = (200, 1_000);
/// Times that each key is asked for.
const DUPLICATES: usize = 50;
/// Jobs in one request.
const BATCH: usize = 40;
const CLIENTS: usize = 8;
/// Kills, spread over the run.
const KILLS: usize = 3;

/// Which key a request uses: the one that it repeats, or, for the negative control, one of its own.
#[derive(Clone, Copy)]
enum Keys {
    Repeated,
    Fresh,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_keys_asked_for_again_and_again_over_kills_have_one_effect_each() -> anyhow::Result<()> {
    let (seed, keys) = (seed(), scaled(KEYS.0, KEYS.1));
    let effects = run(seed, keys, DUPLICATES, Keys::Repeated).await?;
    ensure!(effects.len() == keys, "{} of {keys} keys had an effect, seed {seed}", effects.len());
    let doubled = effects.iter().find(|(_, count)| **count != 1);
    ensure!(doubled.is_none(), "{doubled:?} has not one effect, seed {seed}");
    Ok(())
}

/// The negative control: the same clients with a new key for each request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_common_key_each_request_has_an_effect() -> anyhow::Result<()> {
    let effects = run(seed(), 20, 4, Keys::Fresh).await?;
    ensure!(effects.values().any(|count| *count > 1), "requests with keys of their own are one job: {effects:?}");
    Ok(())
}

/// Where the node is now: it moves with every start.
struct Address {
    now: RwLock<(String, String)>,
    moved: Notify,
}

/// The second engine: it is up, and runs the kind, or does not.
struct Second {
    id: String,
    token: String,
    http: reqwest::Client,
}

impl Second {
    async fn create(node: &TestNode) -> anyhow::Result<Self> {
        let answer = node.request(Method::POST, "/v1/engines").json(&json!({"name": "second"})).send().await?;
        let created: Value = answer.error_for_status()?.json().await?;
        let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| created.to_string());
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { id: text(&created["engine"]["id"])?, token: text(&created["token"])?, http })
    }

    async fn call(&self, url: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{url}/v1/engine/{path}")).header("X-Engine-Token", &self.token);
        Ok(request.json(body).send().await?.error_for_status()?.json().await?)
    }

    async fn say(&self, url: &str, runs: bool) -> anyhow::Result<()> {
        let kind = json!({
            "name": "noop", "title": "noop", "description": "for a test", "payload_schema": {}, "timeout_ms": 60_000,
        });
        let kinds = if runs { vec![kind] } else { Vec::new() };
        let report = json!({"version": "1", "capacity": 1, "busy": 0, "kinds": kinds});
        self.call(url, "heartbeat", &report).await.map(drop)
    }

    /// Completes every job that waits for it; answers how many there were.
    async fn work(&self, url: &str) -> anyhow::Result<usize> {
        let mut done = 0;
        loop {
            let claimed = self.call(url, "claim", &json!({"max": 64, "wait_ms": 0})).await?;
            let jobs = claimed["jobs"].as_array().context("no jobs")?;
            if jobs.is_empty() {
                return Ok(done);
            }
            let end = |job: &Value| json!({"id": job["id"], "epoch": job["epoch"], "outcome": "completed"});
            let ends: Vec<_> = jobs.iter().map(end).collect();
            let answer = self.call(url, "finish", &json!({"results": ends})).await?;
            let accepted = answer["items"].as_array().context("no items")?;
            ensure!(accepted.iter().all(|item| item["outcome"] == "accepted"), "{answer}");
            done += ends.len();
        }
    }
}

/// Asks for every key many times and answers how many completed jobs each has.
async fn run(seed: u64, keys: usize, duplicates: usize, kind: Keys) -> anyhow::Result<BTreeMap<usize, usize>> {
    let home = TestHome::new()?.with_setting("FLOWORK_QUEUE_HARD_CAP", &100_000);
    let mut node = home.start().await?;
    let second = Arc::new(Second::create(&node).await?);
    let mut batches = batches(keys, duplicates, &mut chance(seed));
    let address = Arc::new(Address { now: RwLock::new(place(&node)), moved: Notify::new() });
    // While both are there, so that each has keys of its own, whatever comes after.
    second.say(node.url(), true).await?;
    let mut told: HashMap<usize, String> = HashMap::new();
    let first = batches.pop().context("there are batches")?;
    note(&mut told, &first, &ask(&second.http, &address, &items(&first, kind, "first")).await?, kind)?;
    let total = batches.len();
    let batches = Arc::new(std::sync::Mutex::new(batches));
    let answered = Arc::new(AtomicUsize::new(0));
    let (some_answered, mut clients) = (Arc::new(Notify::new()), JoinSet::new());
    for client in 0..CLIENTS {
        let (address, batches) = (Arc::clone(&address), Arc::clone(&batches));
        let (answered, some_answered) = (Arc::clone(&answered), Arc::clone(&some_answered));
        let second = Arc::clone(&second);
        clients.spawn(async move {
            let mut told = HashMap::new();
            let http = reqwest::Client::builder().no_proxy().build()?;
            let mut number = 0;
            loop {
                let Some(batch) = batches.lock().expect("no client panics with it").pop() else { break };
                number += 1_usize;
                let url = address.now.read().expect("the writer does not panic").0.clone();
                // The node may be down, or on its way up.
                let _ = second.say(&url, (client + number).is_multiple_of(2)).await;
                let items = items(&batch, kind, &format!("{client}-{number}"));
                note(&mut told, &batch, &ask(&http, &address, &items).await?, kind)?;
                answered.fetch_add(1, Ordering::SeqCst);
                some_answered.notify_one();
            }
            anyhow::Ok(told)
        });
    }
    for kill in 1..=KILLS {
        while answered.load(Ordering::SeqCst) < total * kill / (KILLS + 1) {
            some_answered.notified().await;
        }
        node = node.kill().await?.start().await?;
        *address.now.write().expect("no reader panics") = place(&node);
        address.moved.notify_waiters();
    }
    while let Some(client) = clients.join_next().await {
        for (key, id) in client?? {
            let first = told.entry(key).or_insert_with(|| id.clone());
            ensure!(
                matches!(kind, Keys::Fresh) || *first == id,
                "key {key} is {first} to one client and {id} to another"
            );
        }
    }
    second.say(node.url(), true).await?;
    ensure!(second.work(node.url()).await? > 0, "the second engine {} had no jobs, seed {seed}", second.id);
    effects(&node).await
}

fn place(node: &TestNode) -> (String, String) {
    (node.url().to_owned(), node.token().to_owned())
}

/// Every key so many times, in any order, in batches without the same key twice.
fn batches(keys: usize, duplicates: usize, chance: &mut StdRng) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    for _ in 0..duplicates {
        let mut round: Vec<usize> = (0..keys).collect();
        round.shuffle(chance);
        all.extend(round.chunks(BATCH).map(<[usize]>::to_vec));
    }
    all.shuffle(chance);
    all
}

fn items(batch: &[usize], kind: Keys, request: &str) -> Value {
    let item = |key: &usize| {
        let idempotency_key = match kind {
            Keys::Repeated => format!("key-{key}"),
            Keys::Fresh => format!("key-{key}-{request}"),
        };
        json!({"idempotency_key": idempotency_key, "kind": "noop", "payload": {"key": key}})
    };
    json!({"jobs": batch.iter().map(item).collect::<Vec<_>>()})
}

/// Sends until there is an answer, wherever the node is by then.
async fn ask(http: &reqwest::Client, address: &Address, items: &Value) -> anyhow::Result<Value> {
    loop {
        let moved = address.moved.notified();
        let (url, token) = address.now.read().expect("the writer does not panic").clone();
        let sent = http.post(format!("{url}/v1/jobs/batch")).bearer_auth(token).json(items).send().await;
        match sent {
            Ok(answer) if answer.status() == StatusCode::OK || answer.status() == StatusCode::ACCEPTED => {
                // A kill may cut the answer in half; then it is asked for again, like one that never came.
                if let Ok(body) = answer.json().await {
                    return Ok(body);
                }
            }
            Ok(answer) => anyhow::bail!("{}: {}", answer.status(), answer.text().await?),
            Err(_) => {}
        }
        // A client that failed before the move is told of it; one that failed after it tries at once.
        let unchanged = address.now.read().expect("the writer does not panic").0 == url;
        if unchanged {
            moved.await;
        }
    }
}

fn note(told: &mut HashMap<usize, String>, batch: &[usize], answer: &Value, kind: Keys) -> anyhow::Result<()> {
    let items = answer["items"].as_array().with_context(|| format!("no items in {answer}"))?;
    ensure!(items.len() == batch.len(), "{} answers to {} jobs", items.len(), batch.len());
    for (key, item) in std::iter::zip(batch, items) {
        let id = item["job"]["id"].as_str().with_context(|| format!("key {key}: {item}"))?;
        let before = told.insert(*key, id.to_owned());
        let same = before.as_deref().is_none_or(|before| before == id);
        ensure!(same || matches!(kind, Keys::Fresh), "key {key} was {before:?} and is {id}");
    }
    Ok(())
}

/// Completed jobs for each key, once nothing waits any more.
async fn effects(node: &TestNode) -> anyhow::Result<BTreeMap<usize, usize>> {
    let mut effects = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = node.get(&format!("/v1/jobs?limit=100{cursor}")).await?;
        for job in page["items"].as_array().context("no list")? {
            let id = job["id"].as_str().context("a job has an id")?;
            let job = node.wait_for(id).await?;
            ensure!(job["state"] == "completed", "{job}");
            let key = job["payload"]["key"].as_u64().context("a payload has its key")?;
            *effects.entry(key as usize).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(effects),
        }
    }
}
