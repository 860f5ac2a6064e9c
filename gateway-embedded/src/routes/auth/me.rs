//! `GET /v1/auth/me`

use axum::Json;
use flowork_api_types::auth::Me;

use crate::auth::credentials::Person;

/// Says who the caller is.
#[utoipa::path(get, path = "/v1/auth/me", tag = "auth", responses((status = 200, description = "The caller", body = Me)))]
pub(crate) async fn me(person: Person) -> Json<Me> {
    Json(Me {
        subject: person.subject.to_string(),
        role: person.role,
        session_id: person.session_id,
        permissions: person.standing().permissions(),
    })
}
