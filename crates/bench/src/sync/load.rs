//! Making sessions and switching them.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    SETTLE, connected, histogram,
    machine::echo,
    pace::{steady, wait_until},
    sockets::Sockets,
};
use crate::node;

/// Connections that send switches.
const SENDERS: usize = 64;
/// How often `GET /v1/time` is asked while switches are sent.
const TIME_EVERY: Duration = Duration::from_millis(20);
/// A day, so that nothing expires.
pub(super) const DAY_MS: u64 = 86_400_000;

/// Makes sessions of two participants and starts them; answers their ids. The first of each has a day, and the second
/// has so many milliseconds.
pub(super) async fn make(address: &str, token: &Arc<str>, second_ms: Vec<u64>) -> anyhow::Result<Vec<String>> {
    let wanted: Vec<_> = second_ms.into_iter().map(|ms| (uuid::Uuid::now_v7().to_string(), ms)).collect();
    let (wanted, next) = (Arc::new(wanted), Arc::new(AtomicUsize::new(0)));
    let mut makers = Vec::new();
    for _ in 0..SENDERS.min(wanted.len()) {
        let mut client = connected(address, token).await?;
        let (wanted, next) = (Arc::clone(&wanted), Arc::clone(&next));
        makers.push(tokio::spawn(async move {
            while let Some((id, second_ms)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                client.expect(201, "POST", "/v1/sessions", &session(id, *second_ms)).await?;
                client.expect(200, "POST", &format!("/v1/sessions/{id}/start"), "{}").await?;
            }
            anyhow::Ok(())
        }));
    }
    for maker in makers {
        maker.await??;
    }
    Ok(wanted.iter().map(|(id, _)| id.clone()).collect())
}

fn session(id: &str, second_ms: u64) -> String {
    let participant = |index: u32, ms: u64| json!({"participant_id": uuid::Uuid::now_v7().to_string(), "participant_index": index, "total_time_ms": ms});
    json!({
        "session_id": id,
        "sync_mode": "per_participant",
        "participants": [participant(0, DAY_MS), participant(1, second_ms)],
        "total_time_ms": DAY_MS,
        "increment_ms": 1_000,
        "action_on_timeout": "end_session",
    })
    .to_string()
}

/// Switches of one session, one after another.
pub(super) async fn alone(address: &str, token: &Arc<str>, count: usize) -> anyhow::Result<Histogram<u64>> {
    let id = make(address, token, vec![DAY_MS]).await?.remove(0);
    let path = format!("/v1/sessions/{id}/switch");
    let mut client = connected(address, token).await?;
    let mut taken = histogram();
    for _ in 0..count {
        let began = Instant::now();
        client.expect(200, "POST", &path, "{}").await?;
        taken.record(began.elapsed().as_micros() as u64)?;
    }
    client.expect(204, "DELETE", &format!("/v1/sessions/{id}"), "").await?;
    Ok(taken)
}

/// What a node takes that has never had a session, in KiB.
pub(super) fn resident_of_a_fresh_node(program: &Path, dir: &Path) -> anyhow::Result<u64> {
    let directory = tempfile::Builder::new().prefix("empty").tempdir_in(dir)?;
    let node = node::start(program, directory.path(), &[])?;
    std::thread::sleep(SETTLE);
    let usage = node.usage();
    node::stop(node)?;
    Ok(usage?.resident_kib)
}

/// So many switches a second for so long, whatever becomes of each.
pub(super) struct Load {
    pub(super) rate: u32,
    pub(super) seconds: u32,
}

/// What came of it. Microseconds.
pub(super) struct Outcome {
    /// From when a switch should have been sent to its answer.
    pub(super) switches: Histogram<u64>,
    /// Of `GET /v1/time`.
    pub(super) times: Histogram<u64>,
    /// Of a byte that had nothing to do with the node, at the same instants.
    pub(super) machine: Histogram<u64>,
    /// How often each session was switched.
    pub(super) switched: Vec<u64>,
}

impl Load {
    pub(super) async fn run(
        &self,
        address: &str,
        token: &Arc<str>,
        sessions: &[String],
        sockets: &Sockets,
    ) -> anyhow::Result<Outcome> {
        let total = self.rate * self.seconds;
        let sessions: Arc<[String]> = sessions.into();
        let mut clients = Vec::new();
        for _ in 0..SENDERS {
            clients.push(connected(address, token).await?);
        }
        let begin = Instant::now() + Duration::from_millis(500);
        let asked = u32::try_from(u128::from(self.seconds) * 1_000 / TIME_EVERY.as_millis())?;
        let times = ask_the_time(address.to_owned(), Arc::clone(token), begin, asked);
        let machine = echo(begin, TIME_EVERY, asked)?;
        let pace = Arc::new(Mutex::new(steady(begin, Duration::from_secs(1) / self.rate, total)));
        let mut senders = Vec::new();
        for mut client in clients {
            let (pace, sessions, sent) = (Arc::clone(&pace), Arc::clone(&sessions), sockets.sent());
            senders.push(tokio::spawn(async move {
                let mut taken = histogram();
                loop {
                    let Some(due) = pace.lock().await.recv().await else { return anyhow::Ok(taken) };
                    // Each in its turn, so that two switches of one session are far apart.
                    let session = (due.number % sessions.len() as u64) as usize;
                    sent.note(session, due.at);
                    client.expect(200, "POST", &format!("/v1/sessions/{}/switch", sessions[session]), "{}").await?;
                    taken.record(due.at.elapsed().as_micros() as u64)?;
                }
            }));
        }
        let mut switches = histogram();
        for sender in senders {
            switches.add(sender.await??)?;
        }
        let total = u64::from(total);
        ensure!(switches.len() == total, "{} of {total} switches were answered", switches.len());
        let count = sessions.len() as u64;
        let switched = (0..count).map(|session| total / count + u64::from(session < total % count)).collect();
        let (times, machine) = (ended(times).await?, ended(machine).await?);
        Ok(Outcome { switches, times, machine, switched })
    }
}

/// A thread that measures.
pub(super) type Measuring = thread::JoinHandle<anyhow::Result<Histogram<u64>>>;

async fn ended(thread: Measuring) -> anyhow::Result<Histogram<u64>> {
    let outcome = tokio::task::spawn_blocking(|| thread.join()).await?;
    outcome.map_err(|_| anyhow!("a thread that measures panicked"))?
}

/// Asks from a thread of its own: among ten thousand sockets it would wait for its turn in this process.
fn ask_the_time(address: String, token: Arc<str>, begin: Instant, count: u32) -> Measuring {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let mut client = runtime.block_on(connected(&address, &token))?;
        let mut taken = histogram();
        for number in 0..count {
            let due = begin + TIME_EVERY * number;
            wait_until(due);
            runtime.block_on(client.expect(200, "GET", "/v1/time", ""))?;
            taken.record(due.elapsed().as_micros() as u64)?;
        }
        Ok(taken)
    })
}
