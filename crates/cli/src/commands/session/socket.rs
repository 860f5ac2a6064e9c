//! The socket of a session: how it is, and every change of it.

use flowork_api_types::{SyncSessionId, session::SessionState};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::{
    client::Client,
    exit::{Exit, Failure, chain},
};

/// A session that is listened to. A socket ends with the token it was opened with, and then the next one goes on.
pub(super) struct Followed<'a> {
    id: SyncSessionId,
    client: &'a Client,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What is heard of a session.
pub(super) enum Heard {
    /// How it is now. What was heard before may come again.
    State(Box<SessionState>),
    /// It was deleted; nothing more comes.
    Deleted,
}

/// What the node says, as far as it matters here.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    name: String,
    state: Option<SessionState>,
    code: Option<String>,
    message: Option<String>,
}

impl<'a> Followed<'a> {
    /// Listens from now on; the first that is heard is how things are.
    pub(super) async fn open(id: SyncSessionId, client: &'a Client) -> Result<Self, Failure> {
        Ok(Self { id, client, socket: connect(id, client).await? })
    }

    /// Waits for what is heard next. There being no such session is the failure [`Exit::NotFound`].
    pub(super) async fn next(&mut self) -> Result<Heard, Failure> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let told: Told = serde_json::from_str(&text).map_err(|error| {
                        Failure::new(Exit::Failed, "UNEXPECTED_ANSWER", format!("the node said {text}: {error}"))
                    })?;
                    if let Some(failure) = refusal(&told) {
                        return Err(failure);
                    }
                    if let Some(state) = told.state {
                        return Ok(Heard::State(Box::new(state)));
                    }
                }
                Some(Ok(Message::Close(Some(CloseFrame { code: CloseCode::Normal, .. })))) => {
                    return Ok(Heard::Deleted);
                }
                Some(Ok(Message::Close(Some(CloseFrame { reason, .. })))) if reason.as_str() == "token_expired" => {
                    self.socket = connect(self.id, self.client).await?;
                }
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                    let message = format!("the node closed the socket: {reason}");
                    return Err(Failure::new(Exit::Unreachable, "NODE_UNREACHABLE", message));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(unreachable(&error)),
                None => self.socket = connect(self.id, self.client).await?,
            }
        }
    }
}

async fn connect(id: SyncSessionId, client: &Client) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Failure> {
    let (url, token) = client.socket(&format!("/ws?sessionId={id}"))?;
    let mut request = url.into_client_request().map_err(|error| unreachable(&error))?;
    let bearer = format!("Bearer {token}").parse().expect("tokens are header text");
    request.headers_mut().insert("authorization", bearer);
    let (socket, _) = connect_async(request).await.map_err(|error| unreachable(&error))?;
    Ok(socket)
}

fn refusal(told: &Told) -> Option<Failure> {
    if told.name != "ERROR" {
        return None;
    }
    let code = told.code.as_deref().unwrap_or("UNEXPECTED_ANSWER");
    let exit = if code == "SESSION_NOT_FOUND" { Exit::NotFound } else { Exit::Failed };
    Some(Failure::new(exit, code, told.message.clone().unwrap_or_default()))
}

fn unreachable(error: &Error) -> Failure {
    Failure::new(Exit::Unreachable, "NODE_UNREACHABLE", format!("the node gave no socket: {}", chain(error)))
}
