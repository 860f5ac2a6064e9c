//! `PUT /v1/engines/{engine_id}/workers`

use axum::{Json, extract::State};
use flowork_api_types::{
    EngineId,
    engine::{Engine, SetWorkersRequest},
};
use flowork_control::WorkersRecord;
use serde_json::json;

use super::for_person;
use crate::{
    app::AppState,
    auth::credentials::Person,
    edge::audit::AuditNote,
    error::ApiError,
    extract::{JsonBody, PathId},
    policies,
    routes::SMALL_BODY_BYTES_MAX,
};

/// Decides how many workers an engine has, or leaves that to the load and the settings again. It stays so across
/// restarts. What runs goes on, also past a smaller number.
///
/// An engine elsewhere is told at once, or when it is back; without a decision it has as many as it was started with.
#[utoipa::path(
    put,
    path = "/v1/engines/{engine_id}/workers",
    tag = "engines",
    params(("engine_id" = EngineId, Path)),
    request_body = SetWorkersRequest,
    responses(
        (status = 200, description = "The engine", body = Engine),
        (status = 400, description = "`INVALID_ID`, `VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 404, description = "`ENGINE_NOT_FOUND`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn set_workers(
    State(app): State<AppState>,
    person: Person,
    note: AuditNote,
    PathId(engine_id): PathId<EngineId>,
    JsonBody(request): JsonBody<SetWorkersRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<Engine>, ApiError> {
    let engines = &app.state.engines;
    engines.check_workers(engine_id, request.workers)?;
    note.detail(json!({"workers": request.workers}));
    let (since, by) = (app.state.clock.now(), person.subject.to_string());
    let record = request.workers.map(|workers| WorkersRecord { workers, since, by });
    policies::change(&app, move |control| async move { control.set_workers(engine_id, record).await }).await?;
    let engine = engines.get(engine_id).ok_or_else(ApiError::unexplained)?;
    Ok(Json(for_person(&app, engine, person.standing())))
}
