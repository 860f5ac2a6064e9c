//! `POST /v1/sessions`

use axum::{extract::State, response::IntoResponse};
use flowork_api_types::session::{CreateSessionRequest, SessionData, SessionState};
use http::{HeaderName, StatusCode, header};

use super::{CREATE_BYTES_MAX, request::SessionBody, state};
use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Makes a sync session. Its id is the caller's choice.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    tag = "sessions",
    request_body = CreateSessionRequest,
    responses(
        (
            status = 201,
            description = "The session",
            body = SessionData<SessionState>,
            headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Its version"))
        ),
        (status = 400, description = "`VALIDATION_ERROR`; each of the details has `field`, `message` and `code`"),
        (status = 409, description = "`SESSION_EXISTS`, `SESSIONS_FULL`"),
        (status = 413, description = "`BODY_TOO_LARGE`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 429, description = "`RATE_LIMIT_EXCEEDED`, with `Retry-After` and `RateLimit`; also where one person has as many sessions as one may have"),
        (status = 503, description = "`OVERLOADED`, `SHUTTING_DOWN`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn create_session(
    State(app): State<AppState>,
    person: Person,
    SessionBody(request): SessionBody<CreateSessionRequest, CREATE_BYTES_MAX>,
) -> Result<(StatusCode, [(HeaderName, String); 1], impl IntoResponse), ApiError> {
    let snapshot = app.state.sync.create(&person.session_caller(), request).await?;
    let location = format!("/v1/sessions/{}", snapshot.session().id());
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], state(&snapshot)))
}
