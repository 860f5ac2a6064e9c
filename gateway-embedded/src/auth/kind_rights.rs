//! Who may enqueue jobs of which kind: by what the owner decided, else by what the kind asks for.

use flowork_api_types::{auth::Role, kind::default_roles, member::KindRoles};
use http::StatusCode;

use super::{credentials::Person, permission::Permission};
use crate::{app::App, error::ApiError};

/// Who may enqueue jobs of this kind. The owner always may.
pub(crate) fn roles_of(app: &App, kind: &str, reaches_machine: bool) -> KindRoles {
    let grant = app.state.control.kind_grant(kind);
    let decided = grant.is_some();
    let roles = match grant {
        Some(roles) => std::iter::once(Role::Owner).chain(roles).collect(),
        None => default_roles(reaches_machine).to_vec(),
    };
    KindRoles { kind: kind.to_owned(), roles, decided }
}

/// Refuses who may not enqueue jobs of this kind. A kind that nobody runs is left to whoever knows the kinds.
pub(crate) fn check(app: &App, person: &Person, kind: &str) -> Result<(), ApiError> {
    if person.role == Role::Owner {
        return Ok(());
    }
    let Some(reaches_machine) = app.state.engines.kind_reaches_machine(kind) else { return Ok(()) };
    let KindRoles { roles, decided, .. } = roles_of(app, kind, reaches_machine);
    if roles.contains(&person.role) {
        return Ok(());
    }
    let message = format!("the role {} may not enqueue jobs of the kind {kind}", person.role.as_str());
    let hint = if decided {
        "the owner decided so; ask them for another role, or to open this kind to yours"
    } else {
        "this kind reaches what is on the machine; the owner can open it with PUT /v1/kinds/{kind}/roles"
    };
    Err(ApiError::new(StatusCode::FORBIDDEN, "KIND_NOT_ALLOWED", message)
        .hint(hint)
        .details(serde_json::json!({"kind": kind, "roles": roles})))
}

/// What the caller may do with a kind.
pub(crate) fn allowed_actions(person: &Person, roles: &[Role]) -> Vec<String> {
    let standing = person.standing();
    let may_enqueue = Permission::JobsWrite.allows(standing) && roles.contains(&person.role);
    let may_decide = Permission::PoliciesWrite.allows(standing);
    [(may_enqueue, "enqueue"), (may_decide, "set_roles")]
        .into_iter()
        .filter(|(may, _)| *may)
        .map(|(_, action)| action.to_owned())
        .collect()
}
