//! `GET /v1/auth/sessions`, `DELETE /v1/auth/sessions/{session_id}` and `POST /v1/auth/sign-out-everywhere`

use axum::{Json, extract::State};
use flowork_api_types::{
    SessionId,
    auth::{Role, SignInSession, SignInSessionList, SignOutAnswer, SignOutRequest},
};
use flowork_control::SessionRecord;
use flowork_identity::checksummed;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::SMALL_BODY_BYTES_MAX;
use crate::{
    app::AppState,
    auth::credentials::Person,
    edge::audit::AuditNote,
    error::ApiError,
    extract::{OptionalJsonBody, PathId, QueryOf},
};

/// Query of `GET /v1/auth/sessions`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListSignInSessionsQuery {
    /// Those of everybody; for the owner only.
    #[serde(default)]
    all: bool,
}

/// Lists where the caller is signed in, the last used first.
#[utoipa::path(
    get,
    path = "/v1/auth/sessions",
    tag = "auth",
    params(ListSignInSessionsQuery),
    responses(
        (status = 200, description = "The sessions that are open", body = SignInSessionList),
        (status = 400, description = "`VALIDATION_ERROR`"),
        (status = 403, description = "`FORBIDDEN`")
    )
)]
pub(crate) async fn list_sessions(
    State(app): State<AppState>,
    person: Person,
    QueryOf(query): QueryOf<ListSignInSessionsQuery>,
) -> Result<Json<SignInSessionList>, ApiError> {
    if query.all && person.role != Role::Owner {
        return Err(owner_only("only the owner sees the sessions of everybody").hint("leave `all` out for your own"));
    }
    let subject = (!query.all).then_some(&*person.subject);
    let records = app.state.control.sessions(subject).await?;
    let items = records.into_iter().map(|record| shown(record, person.session_id)).collect();
    Ok(Json(SignInSessionList { items }))
}

/// Ends a session: its tokens stop working at once. The owner may end anybody's, everybody else their own.
#[utoipa::path(
    delete,
    path = "/v1/auth/sessions/{session_id}",
    tag = "auth",
    params(("session_id" = SessionId, Path)),
    responses(
        (status = 204, description = "It has ended"),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`SESSION_NOT_FOUND`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn end_session(
    State(app): State<AppState>,
    person: Person,
    PathId(session_id): PathId<SessionId>,
) -> Result<StatusCode, ApiError> {
    let subject = (person.role != Role::Owner).then_some(&*person.subject);
    if app.state.control.end_session_of(session_id, subject, app.state.clock.now()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let message = format!("no session {session_id} is open");
    Err(ApiError::new(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND", message)
        .hint("it may have ended already; GET /v1/auth/sessions lists those that are open"))
}

/// Ends every session of the caller, this one included. The owner may name somebody else.
///
/// Links that were made for them and that nobody has used stop working, too. A script's token belongs to no session and
/// ends by itself.
#[utoipa::path(
    post,
    path = "/v1/auth/sign-out-everywhere",
    tag = "auth",
    request_body = Option<SignOutRequest>,
    responses(
        (status = 200, description = "They have ended", body = SignOutAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 403, description = "`FORBIDDEN`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn sign_out_everywhere(
    State(app): State<AppState>,
    person: Person,
    note: AuditNote,
    OptionalJsonBody(request): OptionalJsonBody<SignOutRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<SignOutAnswer>, ApiError> {
    let subject = request.subject.as_deref().unwrap_or(&person.subject);
    note.object(subject);
    if subject != &*person.subject && person.role != Role::Owner {
        return Err(owner_only("only the owner signs somebody else out").hint("leave `subject` out for yourself"));
    }
    let ended = app.state.control.end_sessions_of(subject, app.state.clock.now()).await?;
    Ok(Json(SignOutAnswer { ended_sessions: ended as u64 }))
}

fn owner_only(message: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
}

fn shown(record: SessionRecord, current: Option<SessionId>) -> SignInSession {
    SignInSession {
        session_id: record.id,
        subject: record.subject,
        device_name: record.device_name,
        address: record.key.map(checksummed),
        created_at: record.created_at,
        last_used_at: record.last_used_at,
        current: current == Some(record.id),
    }
}
