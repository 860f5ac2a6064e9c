//! Clients that enqueue at a rate of their own, whatever the node does, and a ledger of what they were told. The ledger
//! is in this process, so nothing that happens to the node can change it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use flowork_test_support::TestNode;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle, time::MissedTickBehavior};

/// How often requests leave.
const TICK: Duration = Duration::from_millis(20);
/// Requests on their way at once; past it the clients hold back, well before the node runs out of connections.
pub(super) const ON_THE_WAY_MAX: u32 = 512;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Idempotency key to job id, for every enqueue that was answered with 202.
pub(super) type Ledger = HashMap<String, String>;

/// What a client was told.
#[derive(Debug)]
pub(super) enum Told {
    Accepted {
        id: String,
    },
    Refused {
        status: u16,
        code: String,
        retry_after: Option<u64>,
    },
    /// The connection was cut; the job may or may not be stored.
    Nothing,
}

/// One answered request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) key: String,
    pub(super) told: Told,
    pub(super) latency: Duration,
}

/// What is sent.
#[derive(Clone)]
pub(super) struct Offer {
    pub(super) per_second: u32,
    /// Makes the keys of this load unique.
    pub(super) prefix: String,
    /// The job for a key.
    pub(super) body: fn(&str) -> Value,
}

/// Clients at work.
pub(super) struct Load {
    answers: mpsc::UnboundedReceiver<Answer>,
    stop: Arc<AtomicBool>,
    pacer: JoinHandle<u32>,
}

impl Load {
    pub(super) fn start(node: &TestNode, offer: Offer) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a plain client");
        let pacer = Pacer {
            client,
            url: format!("{}/v1/jobs", node.url()),
            token: node.token().to_owned(),
            offer,
            on_the_way: Arc::default(),
            sender,
            stop: Arc::clone(&stop),
        };
        Self { answers, stop, pacer: tokio::spawn(pacer.run()) }
    }

    /// The next answer; `None` once the load was stopped and everything was answered.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        self.answers.recv().await
    }

    /// Sends no more.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Sends no more and answers what is still to come, and how many requests were sent in all.
    pub(super) async fn finish(mut self) -> anyhow::Result<(Vec<Answer>, u32)> {
        self.stop();
        let mut rest = Vec::new();
        while let Some(answer) = self.next().await {
            rest.push(answer);
        }
        Ok((rest, self.pacer.await?))
    }
}

struct Pacer {
    client: reqwest::Client,
    url: String,
    token: String,
    offer: Offer,
    on_the_way: Arc<AtomicU32>,
    sender: mpsc::UnboundedSender<Answer>,
    stop: Arc<AtomicBool>,
}

impl Pacer {
    async fn run(self) -> u32 {
        let started = Instant::now();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sent = 0;
        loop {
            ticks.tick().await;
            let due = (started.elapsed().as_secs_f64() * f64::from(self.offer.per_second)) as u32 + 1;
            // What a slow machine could not send in time is not sent in one burst later.
            let burst = (due.saturating_sub(sent)).min(self.offer.per_second / 10 + 1);
            for _ in 0..burst {
                if self.stop.load(Ordering::SeqCst) {
                    return sent;
                }
                if self.on_the_way.load(Ordering::SeqCst) < ON_THE_WAY_MAX {
                    self.send(format!("{}-{sent}", self.offer.prefix));
                    sent += 1;
                }
            }
        }
    }

    fn send(&self, key: String) {
        self.on_the_way.fetch_add(1, Ordering::SeqCst);
        let request = self
            .client
            .post(&self.url)
            .bearer_auth(&self.token)
            .header("Idempotency-Key", &key)
            .json(&(self.offer.body)(&key));
        let (sender, on_the_way) = (self.sender.clone(), Arc::clone(&self.on_the_way));
        tokio::spawn(async move {
            let started = Instant::now();
            let told = told(request).await;
            on_the_way.fetch_sub(1, Ordering::SeqCst);
            // The test may have seen enough.
            let _ = sender.send(Answer { key, told, latency: started.elapsed() });
        });
    }
}

async fn told(request: reqwest::RequestBuilder) -> Told {
    let Ok(answer) = request.send().await else { return Told::Nothing };
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let Ok(body) = answer.json::<Value>().await else { return Told::Nothing };
    match body["id"].as_str() {
        Some(id) if status == 202 => Told::Accepted { id: id.to_owned() },
        _ => Told::Refused { status, code: body["error"]["code"].as_str().unwrap_or("").to_owned(), retry_after },
    }
}

/// A job that does nothing and carries its key, so that it can be told apart whole.
pub(super) fn small(key: &str) -> Value {
    json!({"kind": "noop", "payload": {"key": key}})
}

/// The same with enough payload that the write-ahead log soon grows into a checkpoint.
pub(super) fn large(key: &str) -> Value {
    json!({"kind": "noop", "payload": {"key": key, "ballast": "x".repeat(9_000)}})
}
