//! `POST /v1/engine/finish`

use axum::{Json, extract::State};
use flowork_api_types::engine::{FinishAnswerList, FinishRequest};

use super::REPORT_BYTES_MAX;
use crate::{app::AppState, auth::credentials::CallingEngine, error::ApiError, extract::JsonBody};

/// Stores how attempts ended. Repeating a finish that was accepted is accepted again.
#[utoipa::path(
    post,
    path = "/v1/engine/finish",
    tag = "engine",
    request_body = FinishRequest,
    responses(
        (status = 200, description = "What became of each", body = FinishAnswerList),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 413, description = "`BODY_TOO_LARGE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn finish(
    State(app): State<AppState>,
    CallingEngine(engine_id): CallingEngine,
    JsonBody(request): JsonBody<FinishRequest, REPORT_BYTES_MAX>,
) -> Result<Json<FinishAnswerList>, ApiError> {
    let answer = app.state.engines.finish(engine_id, request).await?;
    Ok(Json(answer))
}
