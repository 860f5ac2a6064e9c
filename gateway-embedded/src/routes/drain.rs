//! `GET /drain` and `POST /drain`

use std::time::Duration;

use axum::{Json, extract::State};
use flowork_api_types::{
    drain::{DRAIN_REASON_CHARS_MAX, Drain, DrainAction, DrainRequest},
    engine::EngineLocation,
    job::WAIT_MS_MAX,
};
use flowork_control::DrainRecord;
use serde::Deserialize;
use tokio::time::timeout;
use utoipa::IntoParams;

use super::SMALL_BODY_BYTES_MAX;
use crate::{
    app::{App, AppState},
    auth::{credentials::Person, permission::Permission},
    edge::audit::AuditNote,
    error::ApiError,
    extract::{JsonBody, QueryOf},
    policies,
};

/// Query of `GET /drain`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetDrainQuery {
    /// Wait at most this long until no job runs any more.
    #[serde(default)]
    #[param(maximum = 30_000)]
    wait_ms: u64,
}

/// Says whether the node drains, since when, by whom, and how many jobs still run.
#[utoipa::path(
    get,
    path = "/drain",
    tag = "node",
    params(GetDrainQuery),
    responses(
        (status = 200, description = "The drain", body = Drain),
        (status = 400, description = "`VALIDATION_ERROR`")
    )
)]
pub(crate) async fn get_drain(
    State(app): State<AppState>,
    person: Person,
    QueryOf(query): QueryOf<GetDrainQuery>,
) -> Result<Json<Drain>, ApiError> {
    if query.wait_ms > WAIT_MS_MAX {
        return Err(ApiError::field("?wait_ms", format!("is more than {WAIT_MS_MAX}")));
    }
    tokio::select! {
        // Whether it was in time is what the answer tells.
        _ = timeout(Duration::from_millis(query.wait_ms), nothing_runs(&app)) => {}
        () = app.stopping.cancelled() => {}
    }
    Ok(Json(describe(&app, &person)))
}

/// Stops taking and claiming jobs, or goes back to work. Jobs that run finish. It stays so across restarts.
///
/// A drain that the disk does not take is in force all the same, until the node stops; the answer has `unstored` then.
#[utoipa::path(
    post,
    path = "/drain",
    tag = "node",
    request_body = DrainRequest,
    responses(
        (status = 200, description = "The drain", body = Drain),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`, where the drain was to end")
    )
)]
pub(crate) async fn set_drain(
    State(app): State<AppState>,
    person: Person,
    note: AuditNote,
    JsonBody(request): JsonBody<DrainRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<Drain>, ApiError> {
    let reason = check_reason(request.reason)?;
    let by = person.subject.to_string();
    let drain = request.on.then(|| DrainRecord { since: app.state.clock.now(), by, reason, stored: false });
    policies::change(&app, move |control| async move { control.set_drain(drain).await }).await?;
    let drain = describe(&app, &person);
    if drain.unstored {
        tracing::error!("the disk did not take the drain: it is in force until a restart");
        note.answer_anyway();
    }
    Ok(Json(drain))
}

fn check_reason(reason: Option<String>) -> Result<Option<String>, ApiError> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason
        .as_ref()
        .is_some_and(|text| text.chars().count() > DRAIN_REASON_CHARS_MAX || text.contains(char::is_control))
    {
        let message = format!("must be one line of at most {DRAIN_REASON_CHARS_MAX} characters");
        return Err(ApiError::field("/reason", message));
    }
    Ok(reason)
}

/// The drain as this person sees it.
pub(crate) fn describe(app: &App, person: &Person) -> Drain {
    let engines = &app.state.engines;
    let (on, stopping) = (engines.is_draining(), engines.is_ending() || app.stopping.is_cancelled());
    let record = app.state.control.policies().drain;
    let allowed_actions = match (on, stopping) {
        _ if !Permission::OpsDrain.allows(person.standing()) => Vec::new(),
        (false, false) => vec![DrainAction::Start],
        _ if record.is_some() => vec![DrainAction::Stop],
        _ => vec![DrainAction::Start],
    };
    let by = record.as_ref().filter(|_| person.caller().sees_all).map(|record| record.by.clone());
    Drain {
        on,
        unstored: record.as_ref().is_some_and(|record| !record.stored),
        stopping,
        since: record.as_ref().map(|record| record.since),
        by,
        reason: record.and_then(|record| record.reason),
        running: running(app),
        allowed_actions,
    }
}

/// A node that is about to stop waits for its own workers only: engines elsewhere go on without it.
fn running(app: &App) -> u64 {
    let ending = app.state.engines.is_ending();
    let engines = app.state.engines.list().into_iter();
    engines.filter(|engine| !ending || engine.location == EngineLocation::Local).map(|engine| engine.leased).sum()
}

async fn nothing_runs(app: &App) {
    // Listening comes first, so that no end of a job falls between the two.
    let mut events = app.state.engines.events().subscribe(None);
    while running(app) > 0 && events.next().await.is_some() {}
}
