//! `POST /v1/auth/links`

use axum::{Json, extract::State};
use flowork_api_types::{
    auth::{LinkRequest, PairingLink},
    member::OWNER_SUBJECT,
};
use http::StatusCode;

use super::super::SMALL_BODY_BYTES_MAX;
use crate::{
    app::AppState,
    auth::credentials::Person,
    edge::{audit::AuditNote, client::SiteOrigin},
    error::ApiError,
    extract::OptionalJsonBody,
};

/// The link that signs a browser in. The code is in the fragment, which browsers send to nobody.
pub fn pairing_url(base_url: &str, code: &str) -> String {
    format!("{}/#pair={code}", base_url.trim_end_matches('/'))
}

/// Makes a link that signs one browser in, once, within ten minutes, as the owner or as the member that is named.
#[utoipa::path(
    post,
    path = "/v1/auth/links",
    tag = "auth",
    request_body = Option<LinkRequest>,
    responses(
        (status = 201, description = "The link", body = PairingLink),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 404, description = "`MEMBER_NOT_FOUND`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn create_link(
    State(app): State<AppState>,
    SiteOrigin(origin): SiteOrigin,
    person: Person,
    note: AuditNote,
    OptionalJsonBody(request): OptionalJsonBody<LinkRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<(StatusCode, Json<PairingLink>), ApiError> {
    let subject = request.subject.as_deref().unwrap_or(OWNER_SUBJECT);
    note.object(subject);
    let _held = app.door.hold(&app.state, &person).await?;
    let pairing = app.state.control.create_pairing_code_for(subject, app.state.clock.now()).await?;
    let pairing = pairing.ok_or_else(|| {
        let message = format!("there is no member {subject:?}, or they are kept out");
        ApiError::new(StatusCode::NOT_FOUND, "MEMBER_NOT_FOUND", message)
            .hint("GET /v1/members lists them; let somebody in again before you make a link for them")
    })?;
    let url = pairing_url(&origin, pairing.code.expose());
    Ok((StatusCode::CREATED, Json(PairingLink { url, expires_at: pairing.expires_at })))
}
