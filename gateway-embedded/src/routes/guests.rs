//! `GET /v1/guests` and `PUT /v1/guests`

use axum::{Json, extract::State};
use flowork_api_types::member::GuestPolicy;

use super::SMALL_BODY_BYTES_MAX;
use crate::{app::AppState, edge::audit::AuditNote, error::ApiError, extract::JsonBody};

/// Says whether guests are let in, and what they may look at beyond the node's status.
#[utoipa::path(
    get,
    path = "/v1/guests",
    tag = "members",
    responses((status = 200, description = "What guests may do", body = GuestPolicy))
)]
pub(crate) async fn get_guests(State(app): State<AppState>) -> Json<GuestPolicy> {
    Json(app.state.control.guest_policy())
}

/// Decides what guests may do. It counts at once, also for guests who are there.
#[utoipa::path(
    put,
    path = "/v1/guests",
    tag = "members",
    request_body = GuestPolicy,
    responses(
        (status = 200, description = "What guests may do", body = GuestPolicy),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn set_guests(
    State(app): State<AppState>,
    note: AuditNote,
    JsonBody(mut policy): JsonBody<GuestPolicy, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<GuestPolicy>, ApiError> {
    policy.open.sort_unstable();
    policy.open.dedup();
    note.detail(serde_json::json!({"enabled": policy.enabled, "open": policy.open}));
    app.state.control.set_guest_policy(policy.clone()).await?;
    Ok(Json(policy))
}
