//! `DELETE /v1/sessions/{session_id}`

use axum::extract::State;
use flowork_api_types::SyncSessionId;
use http::StatusCode;

use super::request::{IfMatch, SessionPath};
use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Deletes a sync session. Deleting one that is not there is fine. Its events stay.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{session_id}",
    tag = "sessions",
    params(
        ("session_id" = SyncSessionId, Path),
        ("If-Match" = Option<String>, Header, description = "The version that is to be deleted")
    ),
    responses(
        (status = 204, description = "It is not there any more"),
        (status = 400, description = "`VALIDATION_ERROR`"),
        (status = 409, description = "`CONFLICT`: it is at another version"),
        (status = 412, description = "`PRECONDITION_FAILED`: `If-Match` has a weak tag"),
        (status = 429, description = "`RATE_LIMIT_EXCEEDED`, with `Retry-After` and `RateLimit`"),
        (status = 503, description = "`OVERLOADED`, `SHUTTING_DOWN`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn delete_session(
    State(app): State<AppState>,
    person: Person,
    SessionPath(session_id): SessionPath,
    expected: IfMatch,
) -> Result<StatusCode, ApiError> {
    app.state.sync.delete(&person.session_caller(), session_id, expected.or(None)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
