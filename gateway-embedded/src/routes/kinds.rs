//! `GET /v1/kinds`

use axum::{Json, extract::State};
use flowork_api_types::kind::KindList;

use crate::app::AppState;

/// Lists every kind with the JSON Schema of its payload and the engines that run it.
#[utoipa::path(
    get,
    path = "/v1/kinds",
    tag = "kinds",
    responses((status = 200, description = "Kinds by name, and modules that can't be used", body = KindList))
)]
pub(crate) async fn list_kinds(State(app): State<AppState>) -> Json<KindList> {
    Json(app.state.engines.list_kinds())
}
