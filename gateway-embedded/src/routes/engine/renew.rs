//! `POST /v1/engine/renew`

use axum::{Json, extract::State};
use flowork_api_types::engine::{RenewAnswer, RenewRequest};

use super::REPORT_BYTES_MAX;
use crate::{app::AppState, auth::credentials::CallingEngine, error::ApiError, extract::JsonBody};

/// Renews leases, and takes progress and log lines with them.
#[utoipa::path(
    post,
    path = "/v1/engine/renew",
    tag = "engine",
    request_body = RenewRequest,
    responses(
        (status = 200, description = "What became of each", body = RenewAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 413, description = "`BODY_TOO_LARGE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn renew(
    State(app): State<AppState>,
    CallingEngine(engine_id): CallingEngine,
    JsonBody(request): JsonBody<RenewRequest, REPORT_BYTES_MAX>,
) -> Result<Json<RenewAnswer>, ApiError> {
    let answer = app.state.engines.renew(engine_id, request).await?;
    Ok(Json(answer))
}
