//! The pool over a gateway that does what a test says.

use std::sync::atomic::{AtomicU32, Ordering};

use flowork_engine::pool::Pool;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::*;
use crate::commands::engine::run::deliver::deliver;

/// Gives jobs without end, and takes ends once it is told to.
#[derive(Default)]
struct Gate {
    given: AtomicU32,
    takes: watch::Sender<bool>,
    taken: watch::Sender<Vec<u64>>,
}

impl Gate {
    fn answer(&self, path: &str, body: &Value) -> Option<Value> {
        match path {
            "/v1/engine/claim" => {
                let jobs = (0..body["max"].as_u64().unwrap()).map(|_| {
                    let epoch = self.given.fetch_add(1, Ordering::SeqCst);
                    json!({
                        "id": "job_01930c5ea2f07a3c8000000000000000", "kind": "noop", "payload": {"n": epoch}, "attempt": 1,
                        "epoch": epoch, "lease_expires_at": "2026-01-01T00:00:00.000Z", "timeout_ms": 60_000,
                        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    })
                });
                Some(json!({"jobs": jobs.collect::<Vec<_>>()}))
            }
            "/v1/engine/finish" if *self.takes.borrow() => {
                let results = body["results"].as_array().unwrap();
                self.taken
                    .send_modify(|all| all.extend(results.iter().map(|result| result["epoch"].as_u64().unwrap())));
                let items = results.iter().map(|result| json!({"id": result["id"], "outcome": "accepted"}));
                Some(json!({"items": items.collect::<Vec<_>>()}))
            }
            "/v1/engine/heartbeat" => Some(json!({"drain": false})),
            "/v1/engine/renew" => {
                let items =
                    body["jobs"].as_array().unwrap().iter().map(|job| json!({"id": job["id"], "outcome": "renewed"}));
                Some(json!({"items": items.collect::<Vec<_>>()}))
            }
            _ => None,
        }
    }

    /// As much of HTTP as an engine speaks.
    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                if stream.read_line(&mut head).await? == 0 {
                    return Ok(());
                }
                if let Some(value) = head[start..].to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            let path = head.split(' ').nth(1).unwrap();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let (status, text) = match self.answer(path, &body) {
                Some(answer) => ("200 OK", answer.to_string()),
                None => ("503 Service Unavailable", String::new()),
            };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{text}", text.len());
            stream.write_all(answer.as_bytes()).await?;
        }
    }

    async fn start() -> (Arc<Self>, String) {
        let (gate, listener) = (Arc::new(Self::default()), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::clone(&gate);
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let gate = Arc::clone(&served);
                connections.spawn(async move { gate.serve(stream).await });
            }
        });
        (gate, url)
    }
}

/// Far longer than anything here takes; only a defect waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn buffer_of_ends_keeps_its_bound_while_the_gateway_takes_none_and_empties_when_it_does() {
    const ITEMS: usize = 10;
    const WORKERS: u32 = 3;
    let (gate, url) = Gate::start().await;
    let kinds = KindRegistry::default();
    flowork_engine::kinds::register(&kinds).unwrap();
    let mut remote = Remote::connect(Gateway::new(&url, "fle_x").unwrap(), &kinds, WORKERS).await.unwrap();
    remote.outbox = Outbox::new(ITEMS, 8 << 20);
    let pool = Pool::start(remote, kinds, WORKERS);
    let workers = pool.workers().clone();
    let deliverer = tokio::spawn(deliver(workers.clone()));

    // Full, and every worker has an end that found no room: nothing more can come.
    let outbox = &workers.source().outbox;
    let full = async {
        while outbox.fill().items < ITEMS || gate.given.load(Ordering::SeqCst) < ITEMS as u32 {
            assert!(outbox.fill().items <= ITEMS);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, full).await.unwrap();
    // A pool that went on claiming would do it now: the gateway answers each claim at once.
    for _ in 0..20 {
        workers.source().say_hello(&workers).await;
        assert_eq!(outbox.fill().items, ITEMS);
        let given = gate.given.load(Ordering::SeqCst);
        assert!(given <= ITEMS as u32 + 2 * WORKERS, "{given} jobs were claimed");
    }

    gate.takes.send_replace(true);
    let mut taken = gate.taken.subscribe();
    // More than were claimed before, so it claims again.
    tokio::time::timeout(PATIENCE, taken.wait_for(|all| all.len() > 4 * ITEMS)).await.unwrap().unwrap();
    pool.close();
    tokio::time::timeout(PATIENCE, pool.drained()).await.unwrap();
    deliverer.abort();
    let mut ends = gate.taken.borrow().clone();
    let count = ends.len();
    ends.sort_unstable();
    ends.dedup();
    assert_eq!(ends.len(), count, "each end was taken once");
}
