//! `GET /v1/autoscaler`

use axum::{Json, extract::State};
use flowork_api_types::autoscale::Autoscaler;

use crate::app::AppState;

/// Says how many workers the local engine has, what they go by, and why they last changed.
#[utoipa::path(
    get,
    path = "/v1/autoscaler",
    tag = "engines",
    responses((status = 200, description = "Workers, windows and decisions", body = Autoscaler))
)]
pub(crate) async fn get_autoscaler(State(app): State<AppState>) -> Json<Autoscaler> {
    Json(app.state.engines.describe_workers())
}
