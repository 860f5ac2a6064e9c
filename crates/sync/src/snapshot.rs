//! What was last stored of a session, as everybody gets it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::watch;

use crate::machine::Session;

const UPDATE: &str = "STATE_UPDATE";
const SYNC: &str = "STATE_SYNC";
/// What is behind the state.
const TAIL: &[u8] = b"}";

/// A session as of one version. It is encoded once, however many there are who get it.
#[derive(Debug)]
pub struct Snapshot {
    session: Session,
    /// When it was published.
    at_ms: i64,
    /// The message `STATE_UPDATE`; the state is a part of it.
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
        Self { session, at_ms, update: OnceLock::new() }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The state as JSON: a part of the message, and no copy of it.
    pub fn state_json(&self) -> Bytes {
        let update = self.update_message();
        let head = self.head(UPDATE, self.at_ms).len();
        update.slice(head..update.len() - TAIL.len())
    }

    /// The state as JSON, with the times at an instant.
    pub fn computed_json(&self, now_ms: i64) -> Vec<u8> {
        let state = self.state_json();
        let computed = serde_json::to_vec(&self.session.computed(now_ms)).unwrap_or_default();
        // The state is an object with fields, so another one fits in before its end.
        [state.strip_suffix(b"}").unwrap_or(&state), b",\"computed\":", &computed, b"}"].concat()
    }

    /// The message `STATE_UPDATE` that tells of this version: UTF-8.
    pub fn update_message(&self) -> &Bytes {
        self.update.get_or_init(|| {
            let mut message = self.head(UPDATE, self.at_ms).into_bytes();
            let begin = message.len();
            if serde_json::to_writer(&mut message, &self.session.state()).is_err() {
                // Not for words and numbers; it would be half a state.
                message.truncate(begin);
                message.extend_from_slice(b"null");
            }
            message.extend_from_slice(TAIL);
            // What was reserved and is not needed is given back: this is kept for as long as the version is the newest.
            message.shrink_to_fit();
            message.into()
        })
    }

    /// The message `STATE_SYNC` with this version: UTF-8.
    pub fn sync_message(&self, now_ms: i64) -> Vec<u8> {
        [self.head(SYNC, now_ms).as_bytes(), &self.state_json(), TAIL].concat()
    }

    /// What is before the state.
    fn head(&self, name: &str, at_ms: i64) -> String {
        format!("{{\"type\":\"{name}\",\"sessionId\":\"{}\",\"timestamp\":{at_ms},\"state\":", self.session.id())
    }
}
