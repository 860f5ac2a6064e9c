//! Requests for sync sessions.

use flowork_api_types::{GroupId, ParticipantId, SyncSessionId, session::CreateSessionRequest};
use serde_json::{Value, json};
use uuid::Uuid;

/// A session id that is always the same for a number.
pub fn session_id(number: u32) -> SyncSessionId {
    SyncSessionId::from_uuid(Uuid::from_u128(0x5e55_0000 << 64 | u128::from(number)))
}

/// A participant's id that is always the same for a number.
pub fn participant(number: u32) -> ParticipantId {
    ParticipantId::from_uuid(Uuid::from_u128(0xa000_0000 << 64 | u128::from(number)))
}

/// A group's id that is always the same for a number.
pub fn group(number: u32) -> GroupId {
    GroupId::from_uuid(Uuid::from_u128(0xb000_0000 << 64 | u128::from(number)))
}

/// A chess clock of two players with 10 s each, with other fields.
pub fn request(more: &Value) -> CreateSessionRequest {
    numbered(0, more)
}

/// The same, as session `number`.
pub fn numbered(number: u32, more: &Value) -> CreateSessionRequest {
    let player = |number: u32| json!({"participant_id": participant(number), "participant_index": number, "total_time_ms": 10_000});
    let mut body = json!({
        "session_id": session_id(number), "sync_mode": "per_participant", "participants": [player(0), player(1)],
        "total_time_ms": 20_000,
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        body[field] = value.clone();
    }
    serde_json::from_value(body).expect("the fields are those of a request")
}
