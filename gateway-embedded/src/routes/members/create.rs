//! `POST /v1/members`

use axum::{Json, extract::State};
use flowork_api_types::member::{CreateMemberRequest, Member};
use http::StatusCode;

use super::describe;
use crate::{
    app::AppState, auth::credentials::Person, edge::audit::AuditNote, error::ApiError, extract::JsonBody,
    routes::SMALL_BODY_BYTES_MAX,
};

/// Adds a member. To let them in, add a key of theirs, or send them a link (`POST /v1/auth/links`).
#[utoipa::path(
    post,
    path = "/v1/members",
    tag = "members",
    request_body = CreateMemberRequest,
    responses(
        (status = 201, description = "The member", body = Member),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 409, description = "`MEMBER_NAME_TAKEN`, `MEMBERS_FULL`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn create_member(
    State(app): State<AppState>,
    person: Person,
    note: AuditNote,
    JsonBody(request): JsonBody<CreateMemberRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<(StatusCode, Json<Member>), ApiError> {
    let _held = app.door.hold(&app.state, &person).await?;
    let made = app.state.control.create_member(&request.name, request.role, app.state.clock.now()).await?;
    note.object(&*made.subject);
    note.detail(serde_json::json!({"role": made.role}));
    Ok((StatusCode::CREATED, Json(describe(&app, &person, &made.subject).await?)))
}
