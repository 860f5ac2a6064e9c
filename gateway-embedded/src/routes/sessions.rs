//! Sync sessions: `/v1/sessions`. Answers are in the envelope `{"data": …}`.

pub(crate) mod complete;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod events;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod request;
pub(crate) mod start;
pub(crate) mod switch;

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use flowork_api_types::{
    SyncSessionId,
    session::{PARTICIPANTS_MAX, SessionData},
};
use flowork_sync::{Changed, Snapshot, machine::Command};
use http::{HeaderValue, header};
use serde::Serialize;

use crate::{app::App, auth::credentials::Person, error::ApiError};

/// Room for each participant with its ids and times, also with line breaks, and for the metadata.
const CREATE_BYTES_MAX: usize = 512 * PARTICIPANTS_MAX + (64 << 10);
/// A version and an id.
const CHANGE_BYTES_MAX: usize = 4 << 10;

/// Changes a session and answers its state.
async fn change(
    app: &App,
    person: &Person,
    session_id: SyncSessionId,
    expected: Option<u64>,
    command: Command,
) -> Result<Response, ApiError> {
    let Changed { snapshot, .. } =
        app.state.sync.change(&person.session_caller(), session_id, expected, command).await?;
    Ok(state(&snapshot))
}

/// The state as it was encoded for everybody.
fn state(snapshot: &Snapshot) -> Response {
    encoded(snapshot, &snapshot.state_json())
}

/// JSON in the envelope, with the version for `If-Match`.
fn encoded(snapshot: &Snapshot, json: &[u8]) -> Response {
    let body = [b"{\"data\":".as_slice(), json, b"}"].concat();
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    with_version(snapshot, (headers, Body::from(body)).into_response())
}

fn data<T: Serialize>(data: T) -> Json<SessionData<T>> {
    Json(SessionData { data })
}

fn with_version(snapshot: &Snapshot, mut response: Response) -> Response {
    let tag = format!("\"{}\"", snapshot.session().version());
    response.headers_mut().insert(header::ETAG, HeaderValue::from_str(&tag).expect("digits are header text"));
    response
}
