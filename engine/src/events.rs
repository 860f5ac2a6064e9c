//! The one ordered stream of what changed on this node.
//!
//! Events live in memory, in a ring. They carry no state of their own: everything they name can be fetched, so a client
//! that fell out of the ring, or comes back after a restart, is told to fetch anew ([`Event::Resync`]) and loses
//! nothing. The reason is cost: a stored event would double the writes of every job.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowork_api_types::{
    Timestamp,
    event::{Event, EventEnvelope},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::wall_now;

/// Events kept for clients that come back. At a thousand changes a second, four seconds.
const RING_EVENTS: usize = 4_096;

/// Takes events from everywhere in the node and hands them to whoever listens. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    inner: Arc<Inner>,
}

struct Inner {
    /// Tells the streams of different runs of the node apart.
    run: String,
    ring: Mutex<Ring>,
    head: watch::Sender<u64>,
    closed: CancellationToken,
}

#[derive(Default)]
struct Ring {
    /// Sequence number of the first event in `entries`.
    first: u64,
    entries: VecDeque<Entry>,
}

#[derive(Clone)]
struct Entry {
    owner: Option<Arc<str>>,
    at: Timestamp,
    event: Event,
}

impl Ring {
    fn head(&self) -> u64 {
        self.first + self.entries.len() as u64
    }
}

impl Default for Events {
    fn default() -> Self {
        let inner = Inner {
            run: format!("{:x}", wall_now().as_millis()),
            ring: Mutex::default(),
            head: watch::Sender::new(0),
            closed: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Events {
    /// Adds an event to the stream. `owner` is the creator of the job it is about; `None` for everybody.
    pub fn publish(&self, owner: Option<Arc<str>>, event: Event) {
        self.publish_all([(owner, event)]);
    }

    /// Adds events in their order, waking listeners once.
    pub fn publish_all(&self, events: impl IntoIterator<Item = (Option<Arc<str>>, Event)>) {
        let at = wall_now();
        let mut ring = self.inner.lock();
        for (owner, event) in events {
            if ring.entries.len() == RING_EVENTS {
                ring.entries.pop_front();
                ring.first += 1;
            }
            ring.entries.push_back(Entry { owner, at, event });
        }
        let head = ring.head();
        drop(ring);
        self.inner.head.send_replace(head);
    }

    /// Listens from `cursor` on, or from now on without one. A cursor that the ring no longer reaches, or that is from
    /// another run of the node, gives [`Event::Resync`] first.
    pub fn subscribe(&self, cursor: Option<&str>) -> EventFeed {
        let head = self.inner.head.subscribe();
        let ring = self.inner.lock();
        let resumed = cursor.map(|cursor| self.inner.parse(cursor));
        let (next, resync) = match resumed {
            None => (ring.head(), false),
            Some(Some(seen)) if seen + 1 >= ring.first && seen < ring.head() => (seen + 1, false),
            Some(_) => (ring.head(), true),
        };
        drop(ring);
        EventFeed { inner: Arc::clone(&self.inner), head, next, resync }
    }

    /// Ends every feed, because the node stops.
    pub fn close(&self) {
        self.inner.closed.cancel();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cursor(&self, sequence: u64) -> String {
        format!("{}-{sequence}", self.run)
    }

    fn parse(&self, cursor: &str) -> Option<u64> {
        let (run, sequence) = cursor.split_once('-')?;
        (run == self.run).then(|| sequence.parse().ok())?
    }
}

/// One listener's place in the stream.
pub struct EventFeed {
    inner: Arc<Inner>,
    head: watch::Receiver<u64>,
    next: u64,
    resync: bool,
}

impl EventFeed {
    /// The next event with the owner of the job it is about (`None`: for everybody), or `None` once the node stops.
    /// A listener that fell behind the ring gets [`Event::Resync`] and goes on from the newest event.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<(Option<Arc<str>>, EventEnvelope)> {
        loop {
            if let Some(event) = self.try_next() {
                return Some(event);
            }
            tokio::select! {
                biased;
                () = self.inner.closed.cancelled() => return None,
                changed = self.head.changed() => changed.ok()?,
            }
        }
    }

    fn try_next(&mut self) -> Option<(Option<Arc<str>>, EventEnvelope)> {
        self.head.mark_unchanged();
        let ring = self.inner.lock();
        if self.resync || self.next < ring.first {
            self.resync = false;
            self.next = ring.head();
            let cursor = self.inner.cursor(self.next.saturating_sub(1));
            return Some((None, EventEnvelope { cursor, at: wall_now(), event: Event::Resync }));
        }
        let Entry { owner, at, event } = ring.entries.get((self.next - ring.first) as usize)?.clone();
        let cursor = self.inner.cursor(self.next);
        self.next += 1;
        Some((owner, EventEnvelope { cursor, at, event }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_feed_resumes_after_its_cursor() {
        let events = Events::default();
        let mut feed = events.subscribe(None);
        events.publish_all([(None, Event::KindsChanged), (None, Event::EnginesChanged)]);
        let (_, first) = feed.next().await.unwrap();
        assert_eq!(first.event, Event::KindsChanged);
        let mut resumed = events.subscribe(Some(&first.cursor));
        assert_eq!(resumed.next().await.unwrap().1.event, Event::EnginesChanged);
    }

    #[tokio::test]
    async fn a_cursor_out_of_reach_gives_resync_and_then_what_is_new() {
        let events = Events::default();
        for cursor in ["other-0", "junk", "", "-", &events.inner.cursor(77)] {
            let mut feed = events.subscribe(Some(cursor));
            assert_eq!(feed.next().await.unwrap().1.event, Event::Resync, "{cursor}");
            events.publish(None, Event::KindsChanged);
            assert_eq!(feed.next().await.unwrap().1.event, Event::KindsChanged, "{cursor}");
        }
    }

    #[tokio::test]
    async fn a_slow_feed_is_told_to_fetch_anew() {
        let events = Events::default();
        let mut feed = events.subscribe(None);
        events.publish_all((0..=RING_EVENTS).map(|_| (None, Event::KindsChanged)));
        assert_eq!(feed.next().await.unwrap().1.event, Event::Resync);
    }

    #[tokio::test]
    async fn closing_ends_feeds_that_wait() {
        let events = Events::default();
        let mut feed = events.subscribe(None);
        events.close();
        assert!(feed.next().await.is_none());
    }
}
