//! A WebSocket on each session, which counts what arrives.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use flowork_api_types::{Timestamp, session::SessionStatus};
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use serde::Deserialize;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use super::histogram;

/// Handshakes at a time.
const OPENING: usize = 64;
/// How long what was sent last may be on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// All sockets, and what they heard.
pub(super) struct Sockets {
    sent: Sent,
    heard: Arc<Vec<Mutex<Heard>>>,
    readers: JoinSet<()>,
}

/// When the switches of each session that have not arrived yet should have been sent, the oldest first.
#[derive(Clone)]
pub(super) struct Sent(Arc<Vec<Mutex<VecDeque<Instant>>>>);

/// What one socket heard.
#[derive(Default)]
struct Heard {
    /// The newest version.
    version: u64,
    /// Changes since the state it began with.
    updates: u64,
    /// Versions that did not follow the one before.
    disordered: u64,
    /// Microseconds from the switch, for each update.
    latency: Vec<u64>,
    /// When it was told that time ran out, and when that was for the node.
    ended: Option<(Instant, i64)>,
}

/// What arrived in all.
pub(super) struct Delivered {
    pub(super) latency: Histogram<u64>,
    pub(super) expected: u64,
    pub(super) lost: u64,
    pub(super) disordered: u64,
}

/// What is read of a message.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    name: String,
    state: Option<State>,
}

#[derive(Deserialize)]
struct State {
    version: u64,
    status: SessionStatus,
    session_completed_at: Option<Timestamp>,
}

/// Opens a socket on each session and waits until each has its first state.
pub(super) async fn open(address: &str, token: &Arc<str>, sessions: &[String]) -> anyhow::Result<Sockets> {
    let sent = Sent(Arc::new(sessions.iter().map(|_| Mutex::default()).collect()));
    let heard: Arc<Vec<Mutex<Heard>>> = Arc::new(sessions.iter().map(|_| Mutex::default()).collect());
    let (permits, mut readers) = (Arc::new(Semaphore::new(OPENING)), JoinSet::new());
    let (opened, mut openings) = mpsc::unbounded_channel();
    for (index, id) in sessions.iter().enumerate() {
        let (address, token, id) = (address.to_owned(), Arc::clone(token), id.clone());
        let (sent, heard, opened) = (sent.clone(), Arc::clone(&heard), opened.clone());
        let permit = Arc::clone(&permits).acquire_owned().await?;
        readers.spawn(async move {
            let outcome = connect(&address, &token, &id).await.with_context(|| format!("opening socket {index}"));
            drop(permit);
            let (socket, outcome) = match outcome {
                Ok((socket, version)) => {
                    lock(&heard[index]).version = version;
                    (Some(socket), Ok(()))
                }
                Err(error) => (None, Err(error)),
            };
            // Nobody listens any more after the first that failed.
            let _ = opened.send(outcome);
            // At once: whoever does not answer pings while the others are opened is let go.
            if let Some(socket) = socket {
                read(index, socket, sent, heard).await;
            }
        });
    }
    for _ in sessions {
        openings.recv().await.context("a socket was forgotten")??;
    }
    Ok(Sockets { sent, heard, readers })
}

async fn connect(address: &str, token: &str, id: &str) -> anyhow::Result<(WebSocketStream<TcpStream>, u64)> {
    let mut request = format!("ws://{address}/ws?sessionId={id}").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let config =
        WebSocketConfig::default().read_buffer_size(4 << 10).write_buffer_size(0).max_write_buffer_size(1 << 20);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    loop {
        let message = socket.next().await.context("the socket was closed")??;
        if let Message::Text(text) = message {
            let said: Said = serde_json::from_str(&text)?;
            match said.state {
                Some(state) => return Ok((socket, state.version)),
                None if said.name == "CONNECTED" => {}
                None => bail!("heard {} before any state", said.name),
            }
        }
    }
}

/// Reads until the socket ends. Pings are answered by the library when something is read.
async fn read(index: usize, mut socket: WebSocketStream<TcpStream>, sent: Sent, heard: Arc<Vec<Mutex<Heard>>>) {
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) => {
                let now = Instant::now();
                let Ok(Said { state: Some(state), .. }) = serde_json::from_str::<Said>(&text) else { continue };
                let due = lock(&sent.0[index]).pop_front();
                let mut heard = lock(&heard[index]);
                heard.disordered += u64::from(state.version != heard.version + 1);
                heard.version = state.version;
                heard.updates += 1;
                heard.latency.extend(due.map(|due| (now - due).as_micros() as u64));
                let end = state.session_completed_at.filter(|_| state.status == SessionStatus::Expired);
                heard.ended = end.map(|at| (now, at.as_millis())).or(heard.ended);
            }
            Message::Ping(_) if socket.flush().await.is_err() => return,
            _ => {}
        }
    }
}

impl Sent {
    pub(super) fn note(&self, session: usize, due: Instant) {
        lock(&self.0[session]).push_back(due);
    }
}

impl Sockets {
    pub(super) fn sent(&self) -> Sent {
        self.sent.clone()
    }

    /// When it was told of these sessions that time ran out, and when that was for the node; of as many as it was told.
    pub(super) fn ended(&self, sessions: Range<usize>) -> Vec<(Instant, i64)> {
        self.heard[sessions].iter().filter_map(|heard| lock(heard).ended).collect()
    }

    /// Waits for what is on its way, and counts.
    pub(super) async fn finish(mut self, switched: &[u64]) -> anyhow::Result<Delivered> {
        let deadline = Instant::now() + PATIENCE;
        let missing = || -> u64 {
            let heard = self.heard.iter().map(|heard| lock(heard).updates);
            heard.zip(switched).map(|(heard, wanted)| wanted.saturating_sub(heard)).sum()
        };
        while missing() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let lost = missing();
        let mut latency = histogram();
        let mut disordered = 0;
        for heard in self.heard.iter() {
            let heard = lock(heard);
            disordered += heard.disordered;
            for microseconds in &heard.latency {
                latency.record(*microseconds)?;
            }
        }
        self.readers.shutdown().await;
        Ok(Delivered { latency, expected: switched.iter().sum(), lost, disordered })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
