//! `PATCH /v1/members/{subject}` and `DELETE /v1/members/{subject}`

use axum::{
    Json,
    extract::{Path, State},
};
use flowork_api_types::member::{Member, UpdateMemberRequest};
use flowork_control::MemberChange;
use http::StatusCode;

use super::{check_change, describe};
use crate::{
    app::AppState, auth::credentials::Person, edge::audit::AuditNote, error::ApiError, extract::JsonBody,
    routes::SMALL_BODY_BYTES_MAX,
};

/// Changes a member. A new role counts from the next request on. Who is disabled is signed out at once.
#[utoipa::path(
    patch,
    path = "/v1/members/{subject}",
    tag = "members",
    params(("subject" = String, Path)),
    request_body = UpdateMemberRequest,
    responses(
        (status = 200, description = "The member", body = Member),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 404, description = "`MEMBER_NOT_FOUND`"),
        (status = 409, description = "`MEMBER_NAME_TAKEN`, `OWNER_STAYS`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn update_member(
    State(app): State<AppState>,
    person: Person,
    note: AuditNote,
    Path(subject): Path<String>,
    JsonBody(request): JsonBody<UpdateMemberRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<Member>, ApiError> {
    note.detail(serde_json::json!({"role": request.role, "disabled": request.disabled}));
    check_change(&person, &subject)?;
    let _held = app.door.hold(&app.state, &person).await?;
    let change = MemberChange { name: request.name, role: request.role, disabled: request.disabled };
    app.state.control.update_member(&subject, change, app.state.clock.now()).await?;
    describe(&app, &person, &subject).await.map(Json)
}

/// Removes a member with their keys, and signs them out at once. Their jobs stay, under their subject.
#[utoipa::path(
    delete,
    path = "/v1/members/{subject}",
    tag = "members",
    params(("subject" = String, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 404, description = "`MEMBER_NOT_FOUND`"),
        (status = 409, description = "`OWNER_STAYS`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn delete_member(
    State(app): State<AppState>,
    person: Person,
    Path(subject): Path<String>,
) -> Result<StatusCode, ApiError> {
    check_change(&person, &subject)?;
    app.state.control.delete_member(&subject, app.state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
