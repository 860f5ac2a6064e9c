//! `POST /v1/engine/heartbeat`

use axum::{Json, extract::State};
use flowork_api_types::engine::{HeartbeatAnswer, HeartbeatRequest};

use super::HEARTBEAT_BYTES_MAX;
use crate::{app::AppState, auth::credentials::CallingEngine, error::ApiError, extract::JsonBody};

/// Says that an engine is there and what it runs; due every 15 s.
#[utoipa::path(
    post,
    path = "/v1/engine/heartbeat",
    tag = "engine",
    request_body = HeartbeatRequest,
    responses(
        (status = 200, description = "What the node wants of the engine", body = HeartbeatAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 413, description = "`BODY_TOO_LARGE`")
    )
)]
pub(crate) async fn heartbeat(
    State(app): State<AppState>,
    CallingEngine(engine_id): CallingEngine,
    JsonBody(request): JsonBody<HeartbeatRequest, HEARTBEAT_BYTES_MAX>,
) -> Result<Json<HeartbeatAnswer>, ApiError> {
    let kinds = request.kinds.clone();
    let answer = app.state.engines.heartbeat(engine_id, request)?;
    // For the next start of the node. What the engine is told does not hang on it.
    if let Err(error) = app.state.control.keep_engine_kinds(engine_id, kinds, app.state.clock.now()).await {
        tracing::warn!(%engine_id, %error, "the kinds of an engine could not be kept; the next start does not know them");
    }
    Ok(Json(answer))
}
