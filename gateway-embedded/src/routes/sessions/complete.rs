//! `POST /v1/sessions/{session_id}/complete` and `POST /v1/sessions/{session_id}/cancel`

use axum::{extract::State, response::Response};
use flowork_api_types::{
    SyncSessionId,
    session::{ChangeSessionRequest, SessionData, SessionState},
};
use flowork_sync::machine::Command;

use super::{
    CHANGE_BYTES_MAX, change,
    request::{IfMatch, OptionalSessionBody, SessionPath},
};
use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Ends a sync session, after charging the open cycle.
#[utoipa::path(
    post,
    path = "/v1/sessions/{session_id}/complete",
    tag = "sessions",
    params(
        ("session_id" = SyncSessionId, Path),
        ("If-Match" = Option<String>, Header, description = "The version that the change is meant for")
    ),
    request_body(content = Option<ChangeSessionRequest>),
    responses(
        (
            status = 200,
            description = "The session",
            body = SessionData<SessionState>,
            headers(("ETag" = String, description = "Its version"))
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
pub(crate) async fn complete_session(
    State(app): State<AppState>,
    person: Person,
    SessionPath(session_id): SessionPath,
    expected: IfMatch,
    OptionalSessionBody(request): OptionalSessionBody<ChangeSessionRequest, CHANGE_BYTES_MAX>,
) -> Result<Response, ApiError> {
    let expected = expected.or(request.expected_version)?;
    change(&app, &person, session_id, expected, Command::Complete).await
}

/// Calls a sync session off.
#[utoipa::path(
    post,
    path = "/v1/sessions/{session_id}/cancel",
    tag = "sessions",
    params(
        ("session_id" = SyncSessionId, Path),
        ("If-Match" = Option<String>, Header, description = "The version that the change is meant for")
    ),
    request_body(content = Option<ChangeSessionRequest>),
    responses(
        (
            status = 200,
            description = "The session",
            body = SessionData<SessionState>,
            headers(("ETag" = String, description = "Its version"))
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
pub(crate) async fn cancel_session(
    State(app): State<AppState>,
    person: Person,
    SessionPath(session_id): SessionPath,
    expected: IfMatch,
    OptionalSessionBody(request): OptionalSessionBody<ChangeSessionRequest, CHANGE_BYTES_MAX>,
) -> Result<Response, ApiError> {
    let expected = expected.or(request.expected_version)?;
    change(&app, &person, session_id, expected, Command::Cancel).await
}
