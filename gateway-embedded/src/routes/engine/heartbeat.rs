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
    let answer = app.state.engines.heartbeat(engine_id, request)?;
    Ok(Json(answer))
}
