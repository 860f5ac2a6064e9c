//! `GET /v1/members`

use axum::{Json, extract::State};
use flowork_api_types::member::MemberList;

use super::describe_all;
use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Lists the members, the owner first.
#[utoipa::path(
    get,
    path = "/v1/members",
    tag = "members",
    responses((status = 200, description = "The members", body = MemberList))
)]
pub(crate) async fn list_members(State(app): State<AppState>, person: Person) -> Result<Json<MemberList>, ApiError> {
    let version = app.state.control.allow_list_version();
    Ok(Json(MemberList { items: describe_all(&app, &person).await?, version }))
}
