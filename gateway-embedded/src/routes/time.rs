//! `GET /v1/time`

use axum::{Json, extract::State, response::IntoResponse};
use flowork_api_types::session::{DRIFT_TOLERANCE_MS, ServerTime};
use http::header;

use crate::app::AppState;

/// Tells the time that sync sessions go by, for clients that set their clocks by it.
///
/// Ask five times, 100 ms apart; an offset is `timestamp_ms - sent_at - round_trip / 2`; drop those with a round trip
/// over 500 ms and take the median.
#[utoipa::path(
    get,
    path = "/v1/time",
    tag = "sessions",
    responses((status = 200, description = "The time", body = ServerTime))
)]
pub(crate) async fn server_time(State(app): State<AppState>) -> impl IntoResponse {
    let time = ServerTime {
        timestamp_ms: app.state.sync.now_ms(),
        server_version: app.state.node.version.clone(),
        drift_tolerance_ms: DRIFT_TOLERANCE_MS,
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(time))
}
