//! What was last stored of a session, as everybody gets it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::watch;

use crate::machine::Session;

/// A session as of one version. It is encoded once, however many there are who get it.
#[derive(Debug)]
pub struct Snapshot {
    session: Session,
    /// When it was published.
    at_ms: i64,
    state: OnceLock<Bytes>,
    update: OnceLock<Bytes>,
}

/// What a subscriber of a session hears.
#[derive(Clone, Debug)]
pub enum Published {
    /// The newest version.
    Live(Arc<Snapshot>),
    /// The session is gone.
    Deleted,
}

/// Hears of a session. Whoever is slow gets the newest version and misses those in between; nothing piles up.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub(crate) receiver: watch::Receiver<Published>,
}

impl Subscription {
    /// What there is now; the next [`changed`](Self::changed) is about what comes after it.
    pub fn current(&mut self) -> Published {
        self.receiver.borrow_and_update().clone()
    }

    /// What there is after the next change. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Published {
        match self.receiver.changed().await {
            Ok(()) => self.current(),
            // Whoever publishes has gone, as with a node that stops.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Snapshot {
    pub(crate) fn new(session: Session, at_ms: i64) -> Self {
        Self { session, at_ms, state: OnceLock::new(), update: OnceLock::new() }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The state as JSON.
    pub fn state_json(&self) -> &Bytes {
        self.state.get_or_init(|| serde_json::to_vec(&self.session.state()).unwrap_or_default().into())
    }

    /// The state as JSON, with the times at an instant.
    pub fn computed_json(&self, now_ms: i64) -> Vec<u8> {
        let state = self.state_json();
        let computed = serde_json::to_vec(&self.session.computed(now_ms)).unwrap_or_default();
        // The state is an object with fields, so another one fits in before its end.
        [state.strip_suffix(b"}").unwrap_or(state), b",\"computed\":", &computed, b"}"].concat()
    }

    /// The message `STATE_UPDATE` that tells of this version: UTF-8.
    pub fn update_message(&self) -> &Bytes {
        self.update.get_or_init(|| self.message("STATE_UPDATE", self.at_ms).into())
    }

    /// The message `STATE_SYNC` with this version: UTF-8.
    pub fn sync_message(&self, now_ms: i64) -> Vec<u8> {
        self.message("STATE_SYNC", now_ms)
    }

    fn message(&self, name: &str, at_ms: i64) -> Vec<u8> {
        let head =
            format!("{{\"type\":\"{name}\",\"sessionId\":\"{}\",\"timestamp\":{at_ms},\"state\":", self.session.id());
        [head.as_bytes(), self.state_json(), b"}"].concat()
    }
}
