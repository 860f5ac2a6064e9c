//! `GET /health` and `GET /ready`

use axum::{Json, extract::State};
use flowork_api_types::node::{Health, Ready};
use http::StatusCode;

use crate::app::AppState;

/// Says that the process answers.
#[utoipa::path(get, path = "/health", tag = "node", responses((status = 200, description = "It answers", body = Health)))]
pub(crate) async fn health(State(app): State<AppState>) -> Json<Health> {
    Json(Health { status: "ok".to_owned(), version: app.state.node.version.clone() })
}

/// Says whether jobs are accepted.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "node",
    responses(
        (status = 200, description = "Jobs are accepted", body = Ready),
        (status = 503, description = "The node drains or stops", body = Ready)
    )
)]
pub(crate) async fn ready(State(app): State<AppState>) -> (StatusCode, Json<Ready>) {
    let reason = if app.stopping.is_cancelled() {
        Some("stopping")
    } else if app.state.engines.is_draining() {
        Some("draining")
    } else {
        None
    };
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready: reason.is_none(), reason: reason.map(ToOwned::to_owned) }))
}
