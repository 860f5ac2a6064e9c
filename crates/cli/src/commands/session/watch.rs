//! `flowork session watch`

use flowork_api_types::{SyncSessionId, session::SessionState};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::describe;
use crate::{
    client::Client,
    exit::{Exit, Failure, chain},
    output::{Format, say},
};

/// What the node says, as far as it matters here.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    name: String,
    state: Option<SessionState>,
    code: Option<String>,
    message: Option<String>,
}

pub(super) async fn run(id: SyncSessionId, client: &Client, format: Format) -> Result<(), Failure> {
    tokio::select! {
        watched = watch(id, client, format) => watched,
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::new(Exit::Interrupted, "INTERRUPTED", format!("stopped watching; {id} goes on")))
        }
    }
}

/// Prints every state. A socket ends with the token it was opened with, and then the next one goes on.
async fn watch(id: SyncSessionId, client: &Client, format: Format) -> Result<(), Failure> {
    let mut last = 0;
    loop {
        let (url, token) = client.socket(&format!("/ws?sessionId={id}"))?;
        let mut request = url.into_client_request().map_err(|error| unreachable(&error))?;
        let bearer = format!("Bearer {token}").parse().expect("tokens are header text");
        request.headers_mut().insert("authorization", bearer);
        let (mut socket, _) = connect_async(request).await.map_err(|error| unreachable(&error))?;
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let told: Told = serde_json::from_str(&text).map_err(|error| {
                        Failure::new(Exit::Failed, "UNEXPECTED_ANSWER", format!("the node said {text}: {error}"))
                    })?;
                    if let Some(failure) = refusal(&told) {
                        return Err(failure);
                    }
                    // What was printed before the socket was replaced comes again.
                    if let Some(state) = told.state.filter(|state| state.version > last) {
                        last = state.version;
                        format.print(&state, describe)?;
                    }
                }
                Some(Ok(Message::Close(Some(CloseFrame { code: CloseCode::Normal, .. })))) => {
                    if !format.is_json() {
                        say(&format!("{id} was deleted"));
                    }
                    return Ok(());
                }
                Some(Ok(Message::Close(Some(CloseFrame { reason, .. })))) if reason.as_str() == "token_expired" => {
                    break;
                }
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                    let message = format!("the node closed the socket: {reason}");
                    return Err(Failure::new(Exit::Unreachable, "NODE_UNREACHABLE", message));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(unreachable(&error)),
                None => break,
            }
        }
    }
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
