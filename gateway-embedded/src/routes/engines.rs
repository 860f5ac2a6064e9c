//! `GET /v1/engines` and `POST /v1/engines`; what is below an engine is below here

pub(crate) mod token;
pub(crate) mod workers;

use axum::{Json, extract::State};
use flowork_api_types::engine::{
    CreateEngineRequest, CreatedEngine, Engine, EngineList, EngineLocation, EngineTokenState,
};
use flowork_engine::EngineSpec;
use http::StatusCode;

use super::SMALL_BODY_BYTES_MAX;
use crate::{
    app::{App, AppState},
    auth::{
        credentials::Person,
        permission::{Permission, Standing},
    },
    edge::audit::AuditNote,
    error::ApiError,
    extract::JsonBody,
};

/// Shard files of an engine made here. They share the disk's fsyncs, so more would only cost open files.
const SHARDS: u16 = 1;

/// Lists the engines, the local one first.
#[utoipa::path(
    get,
    path = "/v1/engines",
    tag = "engines",
    responses((status = 200, description = "The engines", body = EngineList))
)]
pub(crate) async fn list_engines(State(app): State<AppState>, person: Person) -> Json<EngineList> {
    let engines = app.state.engines.list();
    Json(EngineList { items: engines.into_iter().map(|engine| for_person(&app, engine, person.standing())).collect() })
}

/// Adds what the control store knows of the engine, and what the caller may do with it.
pub(crate) fn for_person(app: &App, mut engine: Engine, standing: Standing) -> Engine {
    if Permission::Operate.allows(standing) {
        engine.allowed_actions.push("set_workers".to_owned());
    }
    if engine.location == EngineLocation::Local {
        return engine;
    }
    let state = app.state.control.engine_token_state(engine.id, app.state.clock.now());
    engine.token = state.map(|state| EngineTokenState {
        usable: state.usable,
        changed_at: state.changed_at,
        old_ends_at: state.old_until,
    });
    if Permission::EnginesWrite.allows(standing) {
        engine.allowed_actions.push("rotate_token".to_owned());
        engine.allowed_actions.extend(state.filter(|state| state.usable).map(|_| "revoke_token".to_owned()));
    }
    engine
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
    person: Person,
    note: AuditNote,
    JsonBody(request): JsonBody<CreateEngineRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<(StatusCode, Json<CreatedEngine>), ApiError> {
    let held = app.clone();
    let _held = held.door.hold(&held.state, &person).await?;
    // A task of its own: half of it would leave an engine that has no store until the next start, and a token that
    // nobody saw.
    let created = tokio::spawn(async move { create(&app, &request.name, person.standing()).await });
    let created = created.await.map_err(ApiError::internal)??;
    note.object(created.engine.id.to_string());
    Ok((StatusCode::CREATED, Json(created)))
}

async fn create(app: &App, name: &str, standing: Standing) -> Result<CreatedEngine, ApiError> {
    let (control, engines) = (&app.state.control, &app.state.engines);
    let made = control.create_engine(name, EngineLocation::External, SHARDS, app.state.clock.now()).await?;
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
    Ok(CreatedEngine { engine: for_person(app, engine, standing), token: made.token.expose().to_owned() })
}
