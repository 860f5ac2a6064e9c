//! One socket, from its first message to its close.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use flowork_api_types::SyncSessionId;
use flowork_sync::{Published, Subscription};
use tokio::time::timeout;

use super::{
    Seated,
    beat::Beats,
    messages::{Heard, Said, encoded},
};
use crate::{app::AppState, auth::credentials::Person, sse::StreamEnd};

/// Beats that a client may leave unanswered.
const MISSED_MAX: u8 = 2;
/// How long one message may take to leave. Whoever reads nothing for so long is gone.
const SEND_MAX: Duration = Duration::from_secs(15);
/// How long a client may take to answer a close.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// Messages between two beats. Nobody has as much to say.
const MESSAGES_MAX: u32 = 200;

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
    /// The client has gone, or can't be reached.
    Gone,
}

/// What comes next.
enum Next {
    End(&'static str),
    Published(Published),
    Beat,
    Heard(Option<Result<Message, axum::Error>>),
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
    pub(crate) async fn hold(mut self, mut socket: WebSocket) {
        let end = match self.greet(&mut socket).await {
            Ok(()) => loop {
                if let Err(end) = self.turn(&mut socket).await {
                    break end;
                }
            },
            Err(end) => end,
        };
        if let End::Close(code, reason) = end {
            close(socket, code, reason).await;
        }
    }

    async fn greet(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let connected = Said::Connected { session_id: self.session_id, timestamp: self.now_ms() };
        send(socket, connected.into()).await?;
        self.tell_everything(socket).await
    }

    async fn turn(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let next = tokio::select! {
            biased;
            reason = self.end.due() => Next::End(reason),
            published = self.subscription.changed() => Next::Published(published),
            () = self.beats.next() => Next::Beat,
            message = socket.recv() => Next::Heard(message),
        };
        match next {
            Next::End("stopping") => Err(End::Close(close_code::AWAY, "the node is stopping")),
            Next::End(reason) => Err(End::Close(close_code::POLICY, reason)),
            Next::Published(Published::Live(snapshot)) => {
                send(socket, encoded(snapshot.update_message().clone())).await
            }
            Next::Published(Published::Deleted) => self.tell_of_deletion(socket).await,
            Next::Beat => self.look_after(socket).await,
            Next::Heard(Some(Ok(message))) => self.answer(socket, &message).await,
            Next::Heard(Some(Err(_)) | None) => Err(End::Gone),
        }
    }

    /// Sends a ping, unless those before had no answer.
    async fn look_after(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        self.heard = 0;
        if self.missed == MISSED_MAX {
            return Err(End::Close(close_code::POLICY, "no answer to pings"));
        }
        self.missed += 1;
        send(socket, Message::Ping(axum::body::Bytes::new())).await
    }

    async fn answer(&mut self, socket: &mut WebSocket, message: &Message) -> Result<(), End> {
        // Whatever comes, somebody is there.
        self.missed = 0;
        self.heard += 1;
        if self.heard > MESSAGES_MAX {
            return Err(End::Close(close_code::POLICY, "too many messages"));
        }
        let heard = match message {
            Message::Text(text) => Heard::read(text),
            Message::Binary(_) => Heard::Malformed,
            // The library answers pings by itself, and closes.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
        };
        let said = match heard {
            Heard::Ping => Said::Pong { timestamp: self.now_ms() },
            Heard::Reconnect => return self.tell_everything(socket).await,
            Heard::Unknown => {
                Said::Error { code: "UNKNOWN_MESSAGE", message: "the types of messages are PING and RECONNECT" }
            }
            Heard::Malformed => {
                Said::Error { code: "MALFORMED_MESSAGE", message: "messages are JSON objects with a type, as text" }
            }
        };
        send(socket, said.into()).await
    }

    async fn tell_everything(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        match self.subscription.current() {
            Published::Live(snapshot) => send(socket, encoded(snapshot.sync_message(self.now_ms()).into())).await,
            Published::Deleted => self.tell_of_deletion(socket).await,
        }
    }

    async fn tell_of_deletion(&self, socket: &mut WebSocket) -> Result<(), End> {
        let deleted = Said::SessionDeleted { session_id: self.session_id, timestamp: self.now_ms() };
        send(socket, deleted.into()).await?;
        Err(End::Close(close_code::NORMAL, "the session was deleted"))
    }

    fn now_ms(&self) -> i64 {
        self.app.state.sync.now_ms()
    }
}

/// Closes a socket whose client asked for what there is not.
pub(crate) async fn refuse(mut socket: WebSocket, code: &'static str, reason: &'static str) {
    if send(&mut socket, Said::Error { code, message: reason }.into()).await.is_ok() {
        close(socket, close_code::POLICY, reason).await;
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(SEND_MAX, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

/// Says why, and waits a moment for the client to have heard it.
async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let goodbye = async {
        let frame = CloseFrame { code, reason: reason.into() };
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // A client that does not answer has heard it, or is gone.
    let _ = timeout(CLOSE_MAX, goodbye).await;
}
