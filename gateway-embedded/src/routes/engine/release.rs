//! `POST /v1/engine/release`

use axum::extract::State;
use flowork_api_types::engine::ReleaseRequest;
use http::StatusCode;

use super::RELEASE_BYTES_MAX;
use crate::{app::AppState, auth::credentials::CallingEngine, error::ApiError, extract::JsonBody};

/// Gives leases back unused: the jobs are ready again at once, and the attempts do not count.
///
/// A lease that the engine does not hold is left alone, so that repeating a release changes nothing.
#[utoipa::path(
    post,
    path = "/v1/engine/release",
    tag = "engine",
    request_body = ReleaseRequest,
    responses(
        (status = 204, description = "Given back"),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 413, description = "`BODY_TOO_LARGE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn release(
    State(app): State<AppState>,
    CallingEngine(engine_id): CallingEngine,
    JsonBody(request): JsonBody<ReleaseRequest, RELEASE_BYTES_MAX>,
) -> Result<StatusCode, ApiError> {
    app.state.engines.release(engine_id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}
