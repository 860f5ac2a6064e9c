//! `GET /v1/kinds` and `PUT /v1/kinds/{kind}/roles`

use axum::{
    Json,
    extract::{Path, State},
};
use flowork_api_types::{
    auth::Role,
    event::Event,
    kind::KindList,
    member::{KindRoles, KindRolesRequest},
};
use http::StatusCode;

use super::SMALL_BODY_BYTES_MAX;
use crate::{
    app::AppState,
    auth::{credentials::Person, kind_rights, permission::Permission},
    edge::audit::AuditNote,
    error::ApiError,
    extract::JsonBody,
};

/// Lists every kind with the JSON Schema of its payload, the engines that run it and who may enqueue it.
///
/// Modules that can't be used are told to the owner and to operators, who can do something about them.
#[utoipa::path(
    get,
    path = "/v1/kinds",
    tag = "kinds",
    responses((status = 200, description = "Kinds by name, and modules that can't be used", body = KindList))
)]
pub(crate) async fn list_kinds(State(app): State<AppState>, person: Person) -> Json<KindList> {
    let mut kinds = app.state.engines.list_kinds();
    for kind in &mut kinds.items {
        let rights = kind_rights::roles_of(&app, &kind.descriptor.name);
        kind.allowed_actions = kind_rights::allowed_actions(&person, &rights.roles);
        (kind.roles, kind.roles_decided) = (rights.roles, rights.decided);
    }
    if !Permission::Operate.allows(person.standing()) {
        kinds.broken_modules.clear();
    }
    Json(kinds)
}

/// Decides who may enqueue jobs of a kind. It counts from the next enqueue on, and leaves jobs alone that are there.
#[utoipa::path(
    put,
    path = "/v1/kinds/{kind}/roles",
    tag = "kinds",
    params(("kind" = String, Path)),
    request_body = KindRolesRequest,
    responses(
        (status = 200, description = "Who may enqueue it", body = KindRoles),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 404, description = "`KIND_NOT_FOUND`"),
        (status = 409, description = "`KIND_ROLES_FULL`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn set_kind_roles(
    State(app): State<AppState>,
    note: AuditNote,
    Path(kind): Path<String>,
    JsonBody(request): JsonBody<KindRolesRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<KindRoles>, ApiError> {
    if app.state.engines.kind_reaches_machine(&kind).is_none() {
        let message = format!("no engine runs the kind {:?}", kind.chars().take(100).collect::<String>());
        return Err(ApiError::new(StatusCode::NOT_FOUND, "KIND_NOT_FOUND", message)
            .hint("GET /v1/kinds lists the kinds; start the engine that runs it first"));
    }
    let roles = request.roles.map(checked).transpose()?;
    note.object(&*kind);
    note.detail(serde_json::json!({"roles": roles}));
    app.state.control.set_kind_grant(&kind, roles, app.state.clock.now()).await?;
    app.state.engines.events().publish(None, Event::KindsChanged);
    Ok(Json(kind_rights::roles_of(&app, &kind)))
}

/// The roles other than the owner's, strongest first.
fn checked(mut roles: Vec<Role>) -> Result<Vec<Role>, ApiError> {
    if let Some(role) = roles.iter().find(|role| matches!(role, Role::Viewer | Role::Guest)) {
        return Err(ApiError::field("/roles", format!("a {} enqueues nothing", role.as_str())));
    }
    roles.retain(|role| *role != Role::Owner);
    roles.sort_by_key(|role| Role::ALL.iter().position(|known| known == role));
    roles.dedup();
    Ok(roles)
}
