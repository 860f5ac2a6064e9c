//! Making sessions and switching them.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use hdrhistogram::Histogram;
use serde_json::json;

use super::{SETTLE, connected, histogram, sockets::Sockets};
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
        let total = u64::from(self.rate) * u64::from(self.seconds);
        let gap = Duration::from_secs(1) / self.rate;
        let next = Arc::new(AtomicU64::new(0));
        let sessions: Arc<[String]> = sessions.into();
        let mut clients = Vec::new();
        for _ in 0..SENDERS {
            clients.push(connected(address, token).await?);
        }
        let mut senders = Vec::new();
        let begin = Instant::now() + Duration::from_millis(500);
        for mut client in clients {
            let (next, sessions, sent) = (Arc::clone(&next), Arc::clone(&sessions), sockets.sent());
            senders.push(tokio::spawn(async move {
                let mut taken = histogram();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        return anyhow::Ok(taken);
                    }
                    let due = begin + gap * u32::try_from(number)?;
                    tokio::time::sleep_until(due.into()).await;
                    // Each in its turn, so that two switches of one session are far apart.
                    let session = (number % sessions.len() as u64) as usize;
                    sent.note(session, due);
                    client.expect(200, "POST", &format!("/v1/sessions/{}/switch", sessions[session]), "{}").await?;
                    taken.record(due.elapsed().as_micros() as u64)?;
                }
            }));
        }
        let times = tokio::spawn(ask_the_time(address.to_owned(), Arc::clone(token), begin, self.seconds));
        let mut switches = histogram();
        for sender in senders {
            switches.add(sender.await??)?;
        }
        ensure!(switches.len() == total, "{} of {total} switches were answered", switches.len());
        let count = sessions.len() as u64;
        let switched = (0..count).map(|session| total / count + u64::from(session < total % count)).collect();
        Ok(Outcome { switches, times: times.await??, switched })
    }
}

async fn ask_the_time(
    address: String,
    token: Arc<str>,
    begin: Instant,
    seconds: u32,
) -> anyhow::Result<Histogram<u64>> {
    let mut client = connected(&address, &token).await?;
    let mut taken = histogram();
    let mut due = begin;
    while due < begin + Duration::from_secs(seconds.into()) {
        tokio::time::sleep_until(due.into()).await;
        client.expect(200, "GET", "/v1/time", "").await?;
        taken.record(due.elapsed().as_micros() as u64)?;
        due += TIME_EVERY;
    }
    Ok(taken)
}
