//! `POST /v1/engines/{engine_id}/token/rotate` and `POST /v1/engines/{engine_id}/token/revoke`

use std::time::Duration;

use axum::{Json, extract::State};
use flowork_api_types::{
    EngineId,
    admin::{ENGINE_TOKEN_GRACE_MAX_S, ENGINE_TOKEN_GRACE_S, RotateEngineTokenRequest, RotatedEngineToken},
    engine::EngineLocation,
    event::Event,
};
use http::StatusCode;

use crate::{
    app::{App, AppState},
    auth::credentials::Person,
    edge::audit::AuditNote,
    error::ApiError,
    extract::{JsonBody, PathId},
    routes::SMALL_BODY_BYTES_MAX,
};

/// Gives an engine a new token, and shows it this once. The old one works until the grace is over, so that the engine can
/// be told in peace.
#[utoipa::path(
    post,
    path = "/v1/engines/{engine_id}/token/rotate",
    tag = "engines",
    params(("engine_id" = EngineId, Path)),
    request_body = RotateEngineTokenRequest,
    responses(
        (status = 200, description = "The new token", body = RotatedEngineToken),
        (status = 400, description = "`INVALID_ID`, `VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 404, description = "`ENGINE_NOT_FOUND`"),
        (status = 409, description = "`ENGINE_LOCAL`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn rotate_token(
    State(app): State<AppState>,
    person: Person,
    note: AuditNote,
    PathId(engine_id): PathId<EngineId>,
    JsonBody(request): JsonBody<RotateEngineTokenRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<RotatedEngineToken>, ApiError> {
    let grace_s = request.grace_seconds.unwrap_or(ENGINE_TOKEN_GRACE_S);
    if grace_s > ENGINE_TOKEN_GRACE_MAX_S {
        return Err(ApiError::field("/grace_seconds", format!("is more than {ENGINE_TOKEN_GRACE_MAX_S}, a week")));
    }
    note.detail(serde_json::json!({"grace_seconds": grace_s}));
    check_external(&app, engine_id)?;
    let _held = app.door.hold(&app.state, &person).await?;
    let (control, now) = (&app.state.control, app.state.clock.now());
    let token = control.rotate_engine_token(engine_id, Duration::from_secs(grace_s), now).await?;
    let token = token.ok_or_else(|| not_found(engine_id))?;
    app.state.engines.events().publish(None, Event::EnginesChanged);
    Ok(Json(RotatedEngineToken {
        engine_id,
        token: token.expose().to_owned(),
        old_token_ends_at: control.engine_token_state(engine_id, now).and_then(|state| state.old_until),
    }))
}

/// Takes an engine's tokens away, at once. Its jobs wait until it has a new one; their leases end by themselves.
#[utoipa::path(
    post,
    path = "/v1/engines/{engine_id}/token/revoke",
    tag = "engines",
    params(("engine_id" = EngineId, Path)),
    responses(
        (status = 204, description = "Revoked"),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`ENGINE_NOT_FOUND`"),
        (status = 409, description = "`ENGINE_LOCAL`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn revoke_token(
    State(app): State<AppState>,
    PathId(engine_id): PathId<EngineId>,
) -> Result<StatusCode, ApiError> {
    check_external(&app, engine_id)?;
    if !app.state.control.revoke_engine_token(engine_id, app.state.clock.now()).await? {
        return Err(not_found(engine_id));
    }
    app.state.engines.events().publish(None, Event::EnginesChanged);
    Ok(StatusCode::NO_CONTENT)
}

/// The local engine is part of this process and shows nobody a token.
fn check_external(app: &App, engine_id: EngineId) -> Result<(), ApiError> {
    let engine = app.state.engines.get(engine_id).ok_or_else(|| not_found(engine_id))?;
    match engine.location {
        EngineLocation::External => Ok(()),
        EngineLocation::Local => {
            Err(ApiError::new(StatusCode::CONFLICT, "ENGINE_LOCAL", "the node's own engine uses no token")
                .hint("tokens are for engines that run elsewhere: `flowork engine create` makes one"))
        }
    }
}

fn not_found(engine_id: EngineId) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "ENGINE_NOT_FOUND", format!("there is no engine {engine_id}"))
        .hint("GET /v1/engines lists the engines")
}
