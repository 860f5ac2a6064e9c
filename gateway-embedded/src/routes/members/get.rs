//! `GET /v1/members/{subject}`

use axum::{
    Json,
    extract::{Path, State},
};
use flowork_api_types::member::Member;

use super::describe;
use crate::{app::AppState, auth::credentials::Person, error::ApiError};

/// Shows a member.
#[utoipa::path(
    get,
    path = "/v1/members/{subject}",
    tag = "members",
    params(("subject" = String, Path)),
    responses(
        (status = 200, description = "The member", body = Member),
        (status = 404, description = "`MEMBER_NOT_FOUND`")
    )
)]
pub(crate) async fn get_member(
    State(app): State<AppState>,
    person: Person,
    Path(subject): Path<String>,
) -> Result<Json<Member>, ApiError> {
    describe(&app, &person, &subject).await.map(Json)
}
