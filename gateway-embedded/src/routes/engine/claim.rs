//! `POST /v1/engine/claim`

use axum::{Json, extract::State};
use flowork_api_types::engine::{ClaimAnswer, ClaimRequest};

use super::super::SMALL_BODY_BYTES_MAX;
use crate::{
    app::AppState, auth::person::EnginePass, edge::client::Ingress, error::ApiError, extract::JsonBody,
    sse::engine_feed::PassEnd,
};

/// Takes jobs under a lease of 30 s; waits for the first one if there is none.
#[utoipa::path(
    post,
    path = "/v1/engine/claim",
    tag = "engine",
    request_body = ClaimRequest,
    responses(
        (status = 200, description = "Jobs, or none when the time is up", body = ClaimAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 503, description = "`SHUTTING_DOWN`, `STREAMS_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn claim(
    State(app): State<AppState>,
    ingress: Ingress,
    pass: EnginePass,
    JsonBody(request): JsonBody<ClaimRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<ClaimAnswer>, ApiError> {
    let _seat = if request.wait_ms > 0 { Some(app.streams.seat_claim(pass.proof.id, ingress)?) } else { None };
    let mut pass_end = PassEnd::new(&app, pass);
    let answer = tokio::select! {
        biased;
        answer = app.state.engines.claim(pass.proof.id, request) => answer?,
        () = app.stopping.cancelled() => ClaimAnswer { jobs: Vec::new() },
        // Nothing is handed to an engine that lost its token while it waited; its next call is refused.
        _ = pass_end.due() => ClaimAnswer { jobs: Vec::new() },
    };
    Ok(Json(answer))
}
