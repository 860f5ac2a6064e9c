//! Idempotency: clients that ask again and again, over kills, get one job for each key.

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
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet};

use super::{chance, scaled, seed};

const KEYS: usize = 1_000;
/// Times that each key is asked for, in CI and at full scale.
const DUPLICATES: (usize, usize) = (10, 50);
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
async fn a_thousand_keys_asked_for_again_and_again_over_kills_have_one_effect_each() -> anyhow::Result<()> {
    let seed = seed();
    let effects = run(seed, KEYS, scaled(DUPLICATES.0, DUPLICATES.1), Keys::Repeated).await?;
    ensure!(effects.len() == KEYS, "{} of {KEYS} keys had an effect, seed {seed}", effects.len());
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

/// Asks for every key many times and answers how many completed jobs each has.
async fn run(seed: u64, keys: usize, duplicates: usize, kind: Keys) -> anyhow::Result<BTreeMap<usize, usize>> {
    let home = TestHome::new()?.with_setting("FLOWORK_QUEUE_HARD_CAP", &100_000);
    let mut node = home.start().await?;
    let batches = batches(keys, duplicates, &mut chance(seed));
    let total = batches.len();
    let address = Arc::new(Address { now: RwLock::new(place(&node)), moved: Notify::new() });
    let batches = Arc::new(std::sync::Mutex::new(batches));
    let answered = Arc::new(AtomicUsize::new(0));
    let (some_answered, mut clients) = (Arc::new(Notify::new()), JoinSet::new());
    for client in 0..CLIENTS {
        let (address, batches) = (Arc::clone(&address), Arc::clone(&batches));
        let (answered, some_answered) = (Arc::clone(&answered), Arc::clone(&some_answered));
        clients.spawn(async move {
            let mut told = HashMap::new();
            let http = reqwest::Client::builder().no_proxy().build()?;
            let mut number = 0;
            loop {
                let Some(batch) = batches.lock().expect("no client panics with it").pop() else { break };
                number += 1;
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
    let mut told: HashMap<usize, String> = HashMap::new();
    while let Some(client) = clients.join_next().await {
        for (key, id) in client?? {
            let first = told.entry(key).or_insert_with(|| id.clone());
            ensure!(
                matches!(kind, Keys::Fresh) || *first == id,
                "key {key} is {first} to one client and {id} to another"
            );
        }
    }
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
