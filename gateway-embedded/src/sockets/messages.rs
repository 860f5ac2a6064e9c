//! What is said over a socket. The envelope is in camel case, the state in snake case.

use axum::body::Bytes;
use flowork_api_types::SyncSessionId;
use serde::{Deserialize, Serialize};

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Is anybody there?
    Ping,
    /// Tell me everything again.
    Reconnect,
    /// JSON of another type.
    Unknown,
    /// No JSON object with a type.
    Malformed,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    name: String,
}

impl Heard {
    pub(super) fn read(text: &str) -> Self {
        match serde_json::from_str::<Envelope>(text) {
            Ok(Envelope { name }) if name == "PING" => Self::Ping,
            Ok(Envelope { name }) if name == "RECONNECT" => Self::Reconnect,
            Ok(_) => Self::Unknown,
            Err(_) => Self::Malformed,
        }
    }
}

/// What we say, besides states, which are encoded where they come from.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub(super) enum Said<'a> {
    Connected { session_id: SyncSessionId, timestamp: i64 },
    SessionDeleted { session_id: SyncSessionId, timestamp: i64 },
    Pong { timestamp: i64 },
    Error { code: &'a str, message: &'a str },
}

impl From<Said<'_>> for Bytes {
    fn from(said: Said<'_>) -> Self {
        serde_json::to_vec(&said).expect("words and numbers are JSON").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart_and_nonsense_is_told() {
        for (text, expected) in [
            (r#"{"type":"PING"}"#, Heard::Ping),
            (r#"{"type":"RECONNECT","sessionId":"x"}"#, Heard::Reconnect),
            (r#"{"type":"ping"}"#, Heard::Unknown),
            (r#"{"type":7}"#, Heard::Malformed),
            ("[]", Heard::Malformed),
            ("PING", Heard::Malformed),
            ("", Heard::Malformed),
        ] {
            assert_eq!(Heard::read(text), expected, "{text}");
        }
    }

    #[test]
    fn the_envelope_is_in_camel_case() {
        let session_id = "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90".parse().unwrap();
        let text = |said: Said<'_>| String::from_utf8(Bytes::from(said).into()).unwrap();
        assert_eq!(
            text(Said::Connected { session_id, timestamp: 7 }),
            r#"{"type":"CONNECTED","sessionId":"0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90","timestamp":7}"#
        );
        assert_eq!(text(Said::Pong { timestamp: 7 }), r#"{"type":"PONG","timestamp":7}"#);
        assert!(text(Said::SessionDeleted { session_id, timestamp: 7 }).contains(r#""type":"SESSION_DELETED""#));
        let error = text(Said::Error { code: "A", message: "b" });
        assert_eq!(error, r#"{"type":"ERROR","code":"A","message":"b"}"#);
    }
}
