//! `GET /v1/engines` and `POST /v1/engines`

use axum::{Json, extract::State};
use flowork_api_types::engine::{CreateEngineRequest, CreatedEngine, EngineList, EngineLocation};
use flowork_engine::EngineSpec;
use http::StatusCode;

use super::SMALL_BODY_BYTES_MAX;
use crate::{app::AppState, error::ApiError, extract::JsonBody};

/// Shard files of an engine made here. They share the disk's fsyncs, so more would only cost open files.
const SHARDS: u16 = 1;

/// Lists the engines, the local one first.
#[utoipa::path(
    get,
    path = "/v1/engines",
    tag = "engines",
    responses((status = 200, description = "The engines", body = EngineList))
)]
pub(crate) async fn list_engines(State(app): State<AppState>) -> Json<EngineList> {
    Json(EngineList { items: app.state.engines.list() })
}

/// Makes an engine whose workers run elsewhere, and shows its token this once.
#[utoipa::path(
    post,
    path = "/v1/engines",
    tag = "engines",
    request_body = CreateEngineRequest,
    responses(
        (status = 201, description = "The engine and its token", body = CreatedEngine),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 409, description = "`ENGINE_NAME_TAKEN`, `ENGINES_FULL`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn create_engine(
    State(app): State<AppState>,
    JsonBody(request): JsonBody<CreateEngineRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<(StatusCode, Json<CreatedEngine>), ApiError> {
    let (control, engines) = (&app.state.control, &app.state.engines);
    let now = app.state.clock.now();
    let made = control.create_engine(&request.name, EngineLocation::External, SHARDS, now).await?;
    let record = made.record;
    let spec = EngineSpec {
        id: record.id,
        slot: record.slot,
        name: record.name,
        location: record.location,
        shards: record.shards,
    };
    engines.add(spec).await.map_err(ApiError::internal)?;
    let engine = engines.get(record.id).ok_or_else(ApiError::unexplained)?;
    Ok((StatusCode::CREATED, Json(CreatedEngine { engine, token: made.token.expose().to_owned() })))
}
