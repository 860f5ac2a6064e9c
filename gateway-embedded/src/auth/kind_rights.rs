//! Who may enqueue jobs of which kind: by what the owner decided, else by what the kind asks for.

use flowork_api_types::{auth::Role, member::KindRoles};
use http::StatusCode;

use super::{credentials::Person, permission::Permission};
use crate::{app::App, error::ApiError};

/// Who may enqueue jobs of this kind. The owner always may.
pub(crate) fn roles_of(app: &App, kind: &str) -> KindRoles {
    app.state.control.kind_roles(kind, app.state.engines.kind_reaches_machine(kind))
}

/// Whether this person may enqueue jobs of this kind.
pub(crate) fn may_enqueue(app: &App, person: &Person, kind: &str) -> bool {
    person.role == Role::Owner || roles_of(app, kind).roles.contains(&person.role)
}

/// Refuses who may not enqueue jobs of this kind. A kind that no engine runs now may be of an engine that comes back, so
/// it is no more open than one that reaches the machine.
pub(crate) fn check(app: &App, person: &Person, kind: &str) -> Result<(), ApiError> {
    if may_enqueue(app, person, kind) {
        return Ok(());
    }
    let KindRoles { roles, decided, .. } = roles_of(app, kind);
    let kind: String = kind.chars().take(100).collect();
    let message = format!("the role {} may not enqueue jobs of the kind {kind}", person.role.as_str());
    let hint = if decided {
        "the owner decided so; ask them for another role, or to open this kind to yours"
    } else if app.state.engines.kind_reaches_machine(&kind).is_none() {
        "no engine runs this kind now; GET /v1/kinds lists the kinds that are there and who may enqueue them"
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
