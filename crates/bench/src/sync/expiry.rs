//! How late it is told that time ran out: from the instant at which it does to the socket of the session.
//!
//! Some of the sessions have a second participant with little time. A switch makes them active, and then nobody does
//! anything: the node has to notice by itself.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use flowork_api_types::session::ServerTime;
use hdrhistogram::Histogram;

use super::{connected, histogram, sockets::Sockets};

/// What the first of them has, in milliseconds: by then all of them run.
const FIRST_MS: u64 = 2_000;
/// How often the node is asked for its time.
const SAMPLES: u32 = 200;
/// How long after its instant an expiry may come.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether all have come.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Sessions whose time runs out one after the other.
pub(super) struct Expiring {
    /// Which ones.
    pub(super) sessions: Range<usize>,
    /// From the first to the last of them.
    pub(super) spread: Duration,
}

impl Expiring {
    /// What the second participant of a session has, in milliseconds.
    pub(super) fn time_ms(&self, session: usize) -> Option<u64> {
        let place = session.checked_sub(self.sessions.start).filter(|_| self.sessions.contains(&session))?;
        let spread_ms = self.spread.as_millis() as u64;
        Some(FIRST_MS + spread_ms * place as u64 / self.sessions.len().max(1) as u64)
    }

    /// Makes the second participants active.
    pub(super) async fn begin(&self, address: &str, token: &Arc<str>, ids: &[String]) -> anyhow::Result<()> {
        let mut client = connected(address, token).await?;
        for id in &ids[self.sessions.clone()] {
            client.expect(200, "POST", &format!("/v1/sessions/{id}/switch"), "{}").await?;
        }
        Ok(())
    }

    /// Waits for all of them; answers how late each was told, in microseconds.
    pub(super) async fn lateness(&self, clock: &NodeClock, sockets: &Sockets) -> anyhow::Result<Histogram<u64>> {
        let deadline = Instant::now() + Duration::from_millis(FIRST_MS) + self.spread + PATIENCE;
        let ended = loop {
            let ended = sockets.ended(self.sessions.clone());
            if ended.len() == self.sessions.len() {
                break ended;
            }
            ensure!(Instant::now() < deadline, "{} of {} sessions expired", ended.len(), self.sessions.len());
            tokio::time::sleep(LOOK_EVERY).await;
        };
        let mut late = histogram();
        for (heard_at, due_ms) in ended {
            late.record(clock.since_us(due_ms, heard_at).max(1))?;
        }
        Ok(late)
    }
}

/// The node's time as this process tells it.
pub(super) struct NodeClock {
    begin: Instant,
    /// What the node's time was at `begin`, in microseconds.
    begin_us: i64,
}

impl NodeClock {
    /// Asks the node often: each answer, a whole millisecond, bounds its time from both sides, and the closest bounds
    /// are a fraction of a millisecond apart.
    pub(super) async fn read(address: &str, token: &Arc<str>) -> anyhow::Result<Self> {
        let mut client = connected(address, token).await?;
        let begin = Instant::now();
        let (mut from_us, mut to_us) = (i64::MIN, i64::MAX);
        for _ in 0..SAMPLES {
            let before_us = begin.elapsed().as_micros() as i64;
            client.expect(200, "GET", "/v1/time", "").await?;
            let after_us = begin.elapsed().as_micros() as i64;
            let told: ServerTime = serde_json::from_slice(&client.body).context("reading the node's time")?;
            from_us = from_us.max(told.timestamp_ms * 1_000 - after_us);
            to_us = to_us.min((told.timestamp_ms + 1) * 1_000 - before_us);
        }
        ensure!(from_us <= to_us, "the node's time went {} µs apart from ours meanwhile", from_us - to_us);
        Ok(Self { begin, begin_us: from_us.midpoint(to_us) })
    }

    /// Microseconds from an instant of the node to one of ours; none if it was before.
    fn since_us(&self, at_ms: i64, now: Instant) -> u64 {
        let now_us = self.begin_us + now.saturating_duration_since(self.begin).as_micros() as i64;
        u64::try_from(now_us - at_ms * 1_000).unwrap_or(0)
    }
}
