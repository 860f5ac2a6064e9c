//! `GET /ws`

use axum::{
    extract::{Query, State},
    response::Response,
};
use flowork_api_types::SyncSessionId;
use http::Uri;

use crate::{
    app::AppState,
    auth::credentials::Person,
    error::ApiError,
    sockets::{self, Conversation, Handshake},
};

/// The parameter that names the session.
const SESSION_ID: &str = "sessionId";

/// Follows a sync session over a WebSocket.
///
/// The server says `CONNECTED` and `STATE_SYNC`, then `STATE_UPDATE` with each change, or with several that
/// were stored together, and `SESSION_DELETED` at the end. It answers `PING` with `PONG`, `RECONNECT` with `STATE_SYNC`, and everything else with `ERROR`. Whoever reads slowly
/// gets the newest state and not those in between. Without a usable `sessionId` the socket is closed with 1008, when the
/// session is deleted with 1000, and when the node stops with 1001.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "sessions",
    params(
        ("sessionId" = SyncSessionId, Query, description = "Which session"),
        ("ticket" = Option<String>, Query, description = "From `POST /v1/auth/ticket` for the path `/ws`, where no header can be sent")
    ),
    responses(
        (status = 101, description = "It is a WebSocket now"),
        (status = 426, description = "`UPGRADE_REQUIRED`: this is not a request for a WebSocket"),
        (status = 503, description = "`SOCKETS_FULL`, `SHUTTING_DOWN`, with `Retry-After`")
    )
)]
pub(crate) async fn socket(
    State(app): State<AppState>,
    person: Person,
    uri: Uri,
    handshake: Handshake,
) -> Result<Response, ApiError> {
    if app.stopping.is_cancelled() {
        return Err(ApiError::shutting_down());
    }
    let seated = app.sockets.seat(&person)?;
    let tracked = app.sockets.track();
    let Some(session_id) = session_of(&uri) else {
        let reason = "sessionId must be the UUID of a session";
        return Ok(handshake.accept(move |wire| async move {
            let _held = (tracked, seated);
            sockets::refuse(wire, "VALIDATION_ERROR", reason).await;
        }));
    };
    let Ok(subscription) = app.state.sync.subscribe(&person.session_caller(), session_id) else {
        return Ok(handshake.accept(move |wire| async move {
            let _held = (tracked, seated);
            sockets::refuse(wire, "SESSION_NOT_FOUND", "there is no such session").await;
        }));
    };
    let conversation = Conversation::new(&app, &person, session_id, subscription, seated);
    Ok(handshake.accept(move |wire| async move {
        let _held = tracked;
        conversation.hold(wire).await;
    }))
}

/// The session that the query names, if it names one, once.
fn session_of(uri: &Uri) -> Option<SyncSessionId> {
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let mut values = query.iter().filter(|(name, _)| name == SESSION_ID);
    match (values.next(), values.next()) {
        (Some((_, text)), None) => text.parse().ok(),
        _ => None,
    }
}
