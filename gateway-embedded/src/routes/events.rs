//! `GET /v1/events`

use axum::{extract::State, response::IntoResponse};
use flowork_api_types::event::EventEnvelope;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    app::AppState,
    auth::credentials::Person,
    error::ApiError,
    extract::QueryOf,
    sse::{self, node_feed::NodeFeed},
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Query of `GET /v1/events`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Go on after this cursor. The header `Last-Event-ID` says the same and comes first.
    #[serde(default)]
    cursor: Option<String>,
    /// From `POST /v1/auth/ticket`, where no header can be sent. Looked at before this.
    #[serde(default, rename = "ticket")]
    _ticket: Option<String>,
}

/// Streams what changes, as it changes, filtered by what the caller may see.
///
/// Each server-sent event has the type of its data, and its cursor as `id`. `resync` means that events were missed:
/// fetch everything anew. `bye` is the last one; its data says why: `stopping`, `token_expired`, `signed_out`,
/// `access_changed`.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "Cursor of the last event received")),
    responses(
        (status = 200, description = "Server-sent events", body = EventEnvelope, content_type = "text/event-stream"),
        (status = 400, description = "`VALIDATION_ERROR`")
    )
)]
pub(crate) async fn events(
    State(app): State<AppState>,
    person: Person,
    headers: HeaderMap,
    QueryOf(query): QueryOf<EventsQuery>,
) -> Result<impl IntoResponse, ApiError> {
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let cursor = last.or(query.cursor);
    let seat = app.streams.seat(&person)?;
    Ok(sse::answer(&app, seat, NodeFeed::new(&app, person, cursor.as_deref())))
}
