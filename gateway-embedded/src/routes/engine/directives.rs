//! `GET /v1/engine/directives`

use axum::{extract::State, response::Response};
use flowork_api_types::engine::Directive;

use crate::{
    app::AppState,
    auth::person::EnginePass,
    edge::client::Ingress,
    error::ApiError,
    sse::{self, engine_feed::EngineFeed},
};

/// Streams what the node wants of the engine, as soon as it does.
///
/// Each server-sent event has the type of its data. The first one is `drain`, with what holds now. Nothing is kept for
/// an engine that is away: renew all leases after connecting, the answer names the jobs that are to be stopped. `bye` is
/// the last event; its data says why: `stopping`, `too_old`, `token_revoked`.
#[utoipa::path(
    get,
    path = "/v1/engine/directives",
    tag = "engine",
    responses((status = 200, description = "Server-sent events", body = Directive, content_type = "text/event-stream"))
)]
pub(crate) async fn directives(
    State(app): State<AppState>,
    ingress: Ingress,
    pass: EnginePass,
) -> Result<Response, ApiError> {
    let seat = app.streams.seat_engine(pass.proof.id, ingress)?;
    let feed = app.state.engines.directives(pass.proof.id)?;
    Ok(sse::answer(&app, seat, EngineFeed::new(&app, feed, pass)))
}
