//! `POST /v1/auth/ticket`

use axum::{Json, extract::State};
use flowork_api_types::auth::{TicketAnswer, TicketRequest};
use http::StatusCode;

use super::super::SMALL_BODY_BYTES_MAX;
use crate::{
    app::AppState,
    auth::{credentials::Person, tickets},
    edge::client::ClientIp,
    error::ApiError,
    extract::JsonBody,
};

/// Makes a ticket that opens one stream, once, within half a minute, with the caller's own rights.
///
/// It is for the places where a browser can send no headers: event sources and WebSockets.
#[utoipa::path(
    post,
    path = "/v1/auth/ticket",
    tag = "auth",
    request_body = TicketRequest,
    responses(
        (status = 201, description = "The ticket", body = TicketAnswer),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`")
    )
)]
pub(crate) async fn ticket(
    State(app): State<AppState>,
    person: Person,
    ClientIp(address): ClientIp,
    JsonBody(request): JsonBody<TicketRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<(StatusCode, Json<TicketAnswer>), ApiError> {
    if !tickets::is_stream(&request.path) {
        return Err(ApiError::field("/path", "tickets are for streams alone")
            .hint("name /v1/events, /v1/jobs/{job_id}/events or /ws, without a query; the rest takes a header"));
    }
    let (ticket, expires_at) = app.tickets.issue(&request.path, person, address, app.state.clock.now());
    Ok((StatusCode::CREATED, Json(TicketAnswer { ticket, expires_at })))
}
