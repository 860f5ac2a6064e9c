//! `POST /v1/sessions/{session_id}/switch`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use flowork_api_types::{
    SyncSessionId, Timestamp,
    session::{SessionData, SwitchSessionRequest, SwitchedSession},
};
use flowork_sync::{Changed, machine::Command};

use super::{
    CHANGE_BYTES_MAX, data,
    request::{IfMatch, OptionalSessionBody, SessionPath},
    with_version,
};
use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Makes somebody else active: the next in the list, or whom the body names.
#[utoipa::path(
    post,
    path = "/v1/sessions/{session_id}/switch",
    tag = "sessions",
    params(
        ("session_id" = SyncSessionId, Path),
        ("If-Match" = Option<String>, Header, description = "The version that the change is meant for")
    ),
    request_body(content = Option<SwitchSessionRequest>),
    responses(
        (
            status = 200,
            description = "Who is active now",
            body = SessionData<SwitchedSession>,
            headers(("ETag" = String, description = "The session's version"))
        ),
        (status = 400, description = "`VALIDATION_ERROR`, `INVALID_STATE_TRANSITION`"),
        (status = 404, description = "`SESSION_NOT_FOUND`"),
        (status = 409, description = "`CONFLICT`: it is at another version"),
        (status = 412, description = "`PRECONDITION_FAILED`: `If-Match` has a weak tag"),
        (status = 413, description = "`BODY_TOO_LARGE`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 429, description = "`RATE_LIMIT_EXCEEDED`, with `Retry-After` and `RateLimit`"),
        (status = 503, description = "`OVERLOADED`, `SHUTTING_DOWN`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn switch_session(
    State(app): State<AppState>,
    person: Person,
    SessionPath(session_id): SessionPath,
    expected: IfMatch,
    OptionalSessionBody(request): OptionalSessionBody<SwitchSessionRequest, CHANGE_BYTES_MAX>,
) -> Result<Response, ApiError> {
    let expected = expected.or(request.expected_version)?;
    let command = Command::Switch { next: request.next_participant_id };
    let changed = app.state.sync.change(&person.session_caller(), session_id, expected, command).await?;
    Ok(with_version(&changed.snapshot, data(switched(&changed)).into_response()))
}

fn switched(Changed { snapshot, expired }: &Changed) -> SwitchedSession {
    let session = snapshot.session();
    let (participants, active) = (session.participants(), session.active_participant_id());
    SwitchedSession {
        session_id: session.id(),
        active_participant_id: active,
        cycle_started_at: session.cycle_started_at_ms().map(Timestamp),
        participants,
        status: session.status(),
        version: session.version(),
        expired_participant_id: *expired,
    }
}
