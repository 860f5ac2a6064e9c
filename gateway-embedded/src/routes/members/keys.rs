//! `POST /v1/members/{subject}/keys` and `DELETE /v1/members/{subject}/keys/{address}`

use axum::{
    Json,
    extract::{Path, State},
};
use flowork_api_types::member::{AddMemberKeyRequest, KeyAddress, Member};
use flowork_control::MemberError;
use http::StatusCode;

use super::{check_change, describe};
use crate::{
    app::AppState, auth::credentials::Person, edge::audit::AuditNote, error::ApiError, extract::JsonBody,
    routes::SMALL_BODY_BYTES_MAX,
};

/// Lets a member sign in with one more key: of a wallet, or of a device.
#[utoipa::path(
    post,
    path = "/v1/members/{subject}/keys",
    tag = "members",
    params(("subject" = String, Path)),
    request_body = AddMemberKeyRequest,
    responses(
        (status = 201, description = "The member", body = Member),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 404, description = "`MEMBER_NOT_FOUND`"),
        (status = 409, description = "`ADDRESS_TAKEN`, `KEYS_FULL`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn add_key(
    State(app): State<AppState>,
    person: Person,
    note: AuditNote,
    Path(subject): Path<String>,
    JsonBody(request): JsonBody<AddMemberKeyRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<(StatusCode, Json<Member>), ApiError> {
    let AddMemberKeyRequest { address, kind, name } = request;
    note.detail(serde_json::json!({"address": address, "kind": kind}));
    check_change(&person, &subject)?;
    let _held = app.door.hold(&app.state, &person).await?;
    app.state.control.add_member_key(&subject, address, kind, &name, app.state.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(describe(&app, &person, &subject).await?)))
}

/// Takes a key from a member, and ends the sessions that were opened with it.
#[utoipa::path(
    delete,
    path = "/v1/members/{subject}/keys/{address}",
    tag = "members",
    params(("subject" = String, Path), ("address" = KeyAddress, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`KEY_NOT_FOUND`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn remove_key(
    State(app): State<AppState>,
    person: Person,
    Path((subject, address)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    check_change(&person, &subject)?;
    let address: KeyAddress =
        address.parse().map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "INVALID_ID", format!("{error}")))?;
    let control = &app.state.control;
    if control.member_of_address(address).is_none_or(|member| member.subject != subject) {
        return Err(MemberError::UnknownKey { address }.into());
    }
    control.remove_member_key(address, app.state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
