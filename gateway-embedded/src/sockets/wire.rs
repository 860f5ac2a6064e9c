//! A socket's bytes. Long messages leave in short frames: what a frame needs is kept for as long as the socket is open,
//! so one large state would otherwise be paid for ever after by each socket that was sent it.

use axum::body::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

/// The longest message a client may send, in bytes: all of theirs are a few words.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Bytes that are read at once. The library's own choice of 128 KiB would be the most of what a socket costs.
const READ_BYTES: usize = 1 << 10;
/// The longest frame that leaves, in bytes. Nearly every state fits into one.
const FRAME_BYTES_MAX: usize = 4 << 10;
/// Bytes that may wait in a socket before it counts as broken: a frame, and answers to pings. The next frame waits until
/// the one before has left, so this is reached by no client.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Codes of a close. Source: RFC 6455, section 7.4.1.
const PROTOCOL: u16 = 1_002;
const NOT_UTF8: u16 = 1_007;
const TOO_BIG: u16 = 1_009;

/// Why nothing more is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The client has gone.
    Gone,
    /// It broke the rules, which is told it with this code and reason. Nothing else can be said to it.
    Fault(u16, &'static str),
}

/// A WebSocket, from the side of the server.
pub(crate) struct Wire<S = TokioIo<Upgraded>>(WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) async fn new(stream: S) -> Self {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX))
            .max_write_buffer_size(WRITE_BYTES_MAX)
            .write_buffer_size(0)
            .read_buffer_size(READ_BYTES);
        Self(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
    }

    /// Sends UTF-8, and waits until all of it has left. Whoever gives up in between may only close.
    pub(super) async fn text(&mut self, mut text: Bytes) -> Result<(), Error> {
        let mut kind = Data::Text;
        loop {
            let part = text.split_to(text.len().min(FRAME_BYTES_MAX));
            let last = text.is_empty();
            self.0.send(Message::Frame(Frame::message(part, OpCode::Data(kind), last))).await?;
            if last {
                return Ok(());
            }
            kind = Data::Continue;
        }
    }

    pub(super) async fn ping(&mut self) -> Result<(), Error> {
        self.0.send(Message::Ping(Bytes::new())).await
    }

    pub(super) async fn close(&mut self, code: u16, reason: &'static str) -> Result<(), Error> {
        self.0.send(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))).await
    }

    /// What the client says. Dropping the future loses nothing.
    pub(super) async fn heard(&mut self) -> Result<Message, Silence> {
        match self.0.next().await {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(Silence::of(&error)),
            None => Err(Silence::Gone),
        }
    }

    /// Listens, and does nothing but what the protocol asks for, until the client has gone: it is given the end of the
    /// stream, and whatever it still sends is thrown away. Unread, it would make the system cut the connection, and the
    /// client might lose what was said last.
    pub(super) async fn drain(&mut self) {
        while self.heard().await.is_ok() {}
        let stream = self.0.get_mut();
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut rest = [0; READ_BYTES];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}

impl Silence {
    fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Fault(TOO_BIG, "the message is too long"),
            Error::Utf8(_) => Self::Fault(NOT_UTF8, "the text is not UTF-8"),
            Error::Protocol(rule) if *rule != ProtocolError::ResetWithoutClosingHandshake => {
                Self::Fault(PROTOCOL, "that is not how a client talks")
            }
            _ => Self::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_long_message_leaves_in_frames_that_are_short() {
        let text: Bytes = (0..10_000_u32).map(|number| b'a' + (number % 26) as u8).collect::<Vec<_>>().into();
        let (server, mut client) = duplex(1 << 20);
        Wire::new(server).await.text(text.clone()).await.unwrap();
        let mut sent = Vec::new();
        client.read_to_end(&mut sent).await.unwrap();
        let (mut heard, mut kinds, mut rest) = (Vec::new(), Vec::new(), &sent[..]);
        while !rest.is_empty() {
            // No frame is shorter than 126 bytes or longer than 64 KiB here, so its length has two bytes.
            assert_eq!(rest[1], 126);
            let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            assert!(length <= FRAME_BYTES_MAX, "{length}");
            kinds.push(rest[0]);
            heard.extend_from_slice(&rest[4..4 + length]);
            rest = &rest[4 + length..];
        }
        assert_eq!(heard, text);
        assert_eq!(kinds, [0x01, 0x00, 0x80], "text, more of it, and the end");
    }

    #[tokio::test]
    async fn whoever_breaks_the_rules_is_told_which() {
        let masked = |head: [u8; 2], body: &[u8]| [&head[..], &[0; 4], body].concat();
        for (sent, expected) in [
            // A text of two bytes that are no UTF-8.
            (masked([0x81, 0x82], &[0xc3, 0x28]), NOT_UTF8),
            // A frame without a mask.
            (vec![0x81, 0x02, b'{', b'}'], PROTOCOL),
            // The beginning of a frame that says it has 64,000 bytes.
            ([&[0x81, 0xfe, 0xfa, 0x00][..], &[0; 64]].concat(), TOO_BIG),
        ] {
            let (server, mut client) = duplex(1 << 10);
            let mut wire = Wire::new(server).await;
            client.write_all(&sent).await.unwrap();
            let Err(Silence::Fault(code, reason)) = wire.heard().await else { panic!("{expected} was heard") };
            assert_eq!(code, expected, "{reason}");
            let goodbye = async {
                wire.close(code, reason).await.unwrap();
                wire.drain().await;
            };
            let listening = async {
                let mut heard = Vec::new();
                client.read_to_end(&mut heard).await.unwrap();
                drop(client);
                heard
            };
            let ((), heard) = tokio::join!(goodbye, listening);
            assert_eq!(heard[..2], [0x88, 2 + reason.len() as u8], "a close with a code");
            assert_eq!(heard[2..4], expected.to_be_bytes());
            assert_eq!(heard[4..], *reason.as_bytes());
        }
        let (server, client) = duplex(1 << 10);
        drop(client);
        assert_eq!(Wire::new(server).await.heard().await, Err(Silence::Gone));
    }

    #[tokio::test]
    async fn a_short_message_is_one_frame() {
        let (server, mut client) = duplex(1 << 10);
        Wire::new(server).await.text(Bytes::from_static(b"{}")).await.unwrap();
        let mut sent = Vec::new();
        client.read_to_end(&mut sent).await.unwrap();
        assert_eq!(sent, [0x81, 2, b'{', b'}']);
    }
}
