//! `GET /openapi.json`

use axum::{extract::State, response::IntoResponse};
use http::header;

use crate::{app::AppState, openapi::openapi};

/// This document. The GUI shows a readable page of it at `/api-docs`.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "node",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
pub(crate) async fn openapi_document(State(app): State<AppState>) -> impl IntoResponse {
    // Shared by all answers: whoever does not read theirs holds no copy.
    let document = app.document.get_or_init(|| openapi().to_json().expect("the document is plain data").into());
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], document.clone())
}
