//! What a client says over a socket, for fuzz targets and for nothing else.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_tungstenite::tungstenite::Message;

use super::{
    messages::Heard,
    wire::{MESSAGE_BYTES_MAX, Silence, Wire},
};

/// More than a socket says to what it hears here.
const ANSWERS_BYTES_MAX: usize = 4 << 20;

/// How a socket took what a client sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Messages with a meaning.
    pub understood: usize,
    /// Other text, and what is no text.
    pub others: usize,
    /// The code with which the client was sent away.
    pub fault: Option<u16>,
}

/// Hears all that a client sends before it leaves, as the bytes of its connection.
///
/// # Panics
/// A message is longer than any may be.
pub async fn hear(bytes: &[u8]) -> Taken {
    let (server, mut client) = duplex(ANSWERS_BYTES_MAX.max(bytes.len()));
    let talking = async {
        // A socket that has heard enough is gone before all is sent.
        let _ = client.write_all(bytes).await;
        let _ = client.shutdown().await;
        let mut said = Vec::new();
        let _ = client.read_to_end(&mut said).await;
    };
    let listening = async {
        let mut taken = Taken::default();
        let mut wire = Wire::new(server).await;
        loop {
            match wire.heard().await {
                Ok(Message::Text(text)) => {
                    assert!(text.len() <= MESSAGE_BYTES_MAX, "{} bytes", text.len());
                    match Heard::read(&text) {
                        Heard::Ping | Heard::Reconnect => taken.understood += 1,
                        Heard::Unknown | Heard::Malformed => taken.others += 1,
                    }
                }
                Ok(other) => {
                    assert!(other.len() <= MESSAGE_BYTES_MAX, "{} bytes", other.len());
                    taken.others += 1;
                }
                Err(Silence::Gone) => break,
                Err(Silence::Fault(code, reason)) => {
                    taken.fault = Some(code);
                    if wire.close(code, reason).await.is_ok() {
                        wire.drain().await;
                    }
                    break;
                }
            }
        }
        taken
    };
    tokio::join!(talking, listening).1
}
