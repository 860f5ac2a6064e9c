//! One socket, from its first message to its close.

use std::time::Duration;

use axum::body::Bytes;
use flowork_api_types::SyncSessionId;
use flowork_sync::{Published, Subscription};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{
    Seated,
    beat::{Beats, Told},
    messages::{Heard, Said},
    wire::{Silence, Wire},
};
use crate::{app::AppState, auth::credentials::Person, sse::StreamEnd};

/// Beats that a client may leave unanswered.
const MISSED_MAX: u8 = 2;
/// How long one message may take to leave. Whoever reads nothing for so long is gone.
const SEND_MAX: Duration = Duration::from_secs(15);
/// How long a client may take to answer a close, or to take the answer to its own.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// Messages between two beats. Nobody has as much to say.
const MESSAGES_MAX: u32 = 200;

/// Codes of a close. Source: RFC 6455, section 7.4.1.
const NORMAL: u16 = 1_000;
const AWAY: u16 = 1_001;
const POLICY: u16 = 1_008;

/// Who talks about which session.
pub(crate) struct Conversation {
    session_id: SyncSessionId,
    subscription: Subscription,
    app: AppState,
    end: StreamEnd,
    beats: Beats,
    missed: u8,
    heard: u32,
    _seated: Seated,
}

/// How a conversation ends.
enum End {
    /// With this code and reason.
    Close(u16, &'static str),
    /// The client said so, and has to be answered.
    Answer,
    /// The client has gone, or can't be reached.
    Gone,
}

/// What comes next.
enum Next {
    End(&'static str),
    Published(Published),
    Beat(Told),
    Heard(Result<Message, Silence>),
}

impl Conversation {
    pub(crate) fn new(
        app: &AppState,
        person: &Person,
        session_id: SyncSessionId,
        subscription: Subscription,
        seated: Seated,
    ) -> Self {
        Self {
            session_id,
            subscription,
            end: StreamEnd::new(app, person),
            beats: app.sockets.beat.listen(),
            app: app.clone(),
            missed: 0,
            heard: 0,
            _seated: seated,
        }
    }

    /// Talks to the end.
    pub(crate) async fn hold(mut self, mut wire: Wire) {
        let end = match self.greet(&mut wire).await {
            Ok(()) => loop {
                if let Err(end) = self.turn(&mut wire).await {
                    break end;
                }
            },
            Err(end) => end,
        };
        match end {
            End::Close(code, reason) => close(wire, code, reason).await,
            End::Answer => drain(wire).await,
            End::Gone => {}
        }
    }

    async fn greet(&mut self, wire: &mut Wire) -> Result<(), End> {
        let connected = Said::Connected { session_id: self.session_id, timestamp: self.now_ms() };
        self.say(wire, connected.into()).await?;
        self.tell_everything(wire).await
    }

    async fn turn(&mut self, wire: &mut Wire) -> Result<(), End> {
        let next = tokio::select! {
            biased;
            reason = self.end.due() => Next::End(reason),
            published = self.subscription.changed() => Next::Published(published),
            // Before its turn: what a client has said already counts as an answer, however late we come to read it.
            message = wire.heard() => Next::Heard(message),
            told = self.beats.next() => Next::Beat(told),
        };
        match next {
            Next::End(reason) => Err(End::due(reason)),
            Next::Published(Published::Live(snapshot)) => self.say(wire, snapshot.update_message().clone()).await,
            Next::Published(Published::Deleted) => self.tell_of_deletion(wire).await,
            Next::Beat(told) => self.look_after(wire, told).await,
            Next::Heard(Ok(message)) => self.answer(wire, &message).await,
            Next::Heard(Err(Silence::Fault(code, reason))) => Err(End::Close(code, reason)),
            Next::Heard(Err(Silence::Gone)) => Err(End::Gone),
        }
    }

    /// Sends a ping, unless those before had no answer.
    async fn look_after(&mut self, wire: &mut Wire, told: Told) -> Result<(), End> {
        self.heard = 0;
        if told == Told::Anew {
            self.missed = 0;
        }
        if self.missed == MISSED_MAX {
            return Err(End::Close(POLICY, "no answer to pings"));
        }
        self.missed += 1;
        until_due(&mut self.end, wire.ping()).await
    }

    async fn answer(&mut self, wire: &mut Wire, message: &Message) -> Result<(), End> {
        // Whatever comes, somebody is there.
        self.missed = 0;
        self.heard += 1;
        if self.heard > MESSAGES_MAX {
            return Err(End::Close(POLICY, "too many messages"));
        }
        let heard = match message {
            Message::Text(text) => Heard::read(text),
            Message::Binary(_) => Heard::Malformed,
            // The library answers pings by itself, and closes. It gives whole messages and no frames.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(()),
            Message::Close(_) => return Err(End::Answer),
        };
        let said = match heard {
            Heard::Ping => Said::Pong { timestamp: self.now_ms() },
            Heard::Reconnect => return self.tell_everything(wire).await,
            Heard::Unknown => {
                Said::Error { code: "UNKNOWN_MESSAGE", message: "the types of messages are PING and RECONNECT" }
            }
            Heard::Malformed => {
                Said::Error { code: "MALFORMED_MESSAGE", message: "messages are JSON objects with a type, as text" }
            }
        };
        self.say(wire, said.into()).await
    }

    async fn tell_everything(&mut self, wire: &mut Wire) -> Result<(), End> {
        match self.subscription.current() {
            Published::Live(snapshot) => self.say(wire, snapshot.sync_message(self.now_ms()).into()).await,
            Published::Deleted => self.tell_of_deletion(wire).await,
        }
    }

    async fn tell_of_deletion(&mut self, wire: &mut Wire) -> Result<(), End> {
        let deleted = Said::SessionDeleted { session_id: self.session_id, timestamp: self.now_ms() };
        self.say(wire, deleted.into()).await?;
        Err(End::Close(NORMAL, "the session was deleted"))
    }

    async fn say(&mut self, wire: &mut Wire, message: Bytes) -> Result<(), End> {
        until_due(&mut self.end, wire.text(message)).await
    }

    fn now_ms(&self) -> i64 {
        self.app.state.sync.now_ms()
    }
}

impl End {
    fn due(reason: &'static str) -> Self {
        match reason {
            "stopping" => Self::Close(AWAY, "the node is stopping"),
            reason => Self::Close(POLICY, reason),
        }
    }
}

/// Sends, for as long as there is no reason to end. A client that reads nothing keeps neither a node that stops waiting
/// nor a place that is no more theirs.
async fn until_due(end: &mut StreamEnd, sending: impl Future<Output = Result<(), Error>>) -> Result<(), End> {
    tokio::select! {
        biased;
        sent = sent(sending) => sent,
        reason = end.due() => Err(End::due(reason)),
    }
}

async fn sent(sending: impl Future<Output = Result<(), Error>>) -> Result<(), End> {
    match timeout(SEND_MAX, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

/// Closes a socket whose client asked for what there is not.
pub(crate) async fn refuse(mut wire: Wire, code: &'static str, reason: &'static str) {
    if sent(wire.text(Said::Error { code, message: reason }.into())).await.is_ok() {
        close(wire, POLICY, reason).await;
    }
}

/// Says why, and waits a moment for the client to have heard it.
async fn close(mut wire: Wire, code: u16, reason: &'static str) {
    let goodbye = async {
        if wire.close(code, reason).await.is_ok() {
            wire.drain().await;
        }
    };
    // A client that does not answer has heard it, or is gone.
    let _ = timeout(CLOSE_MAX, goodbye).await;
}

/// Lets the library's answer to a close leave.
async fn drain(mut wire: Wire) {
    // As above.
    let _ = timeout(CLOSE_MAX, wire.drain()).await;
}
