//! `GET /v1/audit`, `GET /v1/audit/export` and `GET /v1/audit/verify`

mod verify;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use flowork_api_types::audit::{AuditList, AuditQuery};
use flowork_audit::{Export, ListError};
use flowork_control::StoreError;
use futures_util::stream;
use http::{StatusCode, header};

pub(crate) use verify::*;

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::QueryOf};

/// Lists what was done to this node, by whom and from where, newest first, in pages.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "audit",
    params(AuditQuery),
    responses(
        (status = 200, description = "A page of entries", body = AuditList),
        (status = 400, description = "`VALIDATION_ERROR`, `INVALID_CURSOR`")
    )
)]
pub(crate) async fn list_audit(
    State(app): State<AppState>,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Json<AuditList>, ApiError> {
    Ok(Json(app.state.audit.list(query).await?))
}

/// Streams the entries as CloudEvents 1.0, one a line, oldest first; an export of all of them ends with the signed heads
/// of the days. An export that ends early, because rights were taken away or the file can't be read, breaks off.
#[utoipa::path(
    get,
    path = "/v1/audit/export",
    tag = "audit",
    params(AuditQuery),
    responses(
        (status = 200, description = "JSON lines", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "`VALIDATION_ERROR`")
    )
)]
pub(crate) async fn export_audit(
    State(app): State<AppState>,
    person: Person,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Response, ApiError> {
    if query.cursor.is_some() || query.limit.is_some() {
        let field = if query.cursor.is_some() { "?cursor" } else { "?limit" };
        return Err(ApiError::field(field, "an export has no pages").hint("from and to choose a part of the log"));
    }
    let pieces = stream::unfold(Some((app, person, Export::new(query))), async |state| {
        let (app, person, mut export) = state?;
        if app.stopping.is_cancelled() || !person.is_let_in(&app.state) {
            return Some((Err(StoreError::Closed), None));
        }
        match export.next_piece(&app.state.audit).await {
            Ok(Some(piece)) => Some((Ok(Bytes::from(piece)), Some((app, person, export)))),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(error = ?error, "an export of the audit log broke off");
                Some((Err(error), None))
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"flowork-audit.jsonl\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

impl From<ListError> for ApiError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Cursor(_) => Self::new(StatusCode::BAD_REQUEST, "INVALID_CURSOR", error.to_string())
                .hint("take next_cursor of the page before, or leave it out for the first page"),
            ListError::Limit => Self::field("?limit", error.to_string()),
            ListError::Store(error) => error.into(),
        }
    }
}
