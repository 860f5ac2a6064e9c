//! Signing in: `/v1/auth`.

pub(crate) mod challenge;
pub(crate) mod guest;
pub(crate) mod keys;
pub(crate) mod links;
pub(crate) mod logout;
pub(crate) mod me;
pub(crate) mod pair;
pub(crate) mod proof;
pub(crate) mod refresh;
pub(crate) mod reset;
pub(crate) mod sessions;
pub(crate) mod ticket;
pub(crate) mod verify;

use flowork_api_types::auth::{Me, TokenAnswer};
use flowork_control::OpenedSession;

use crate::{
    app::App,
    auth::{ACCESS_TTL, permission::Standing},
    edge::audit::AuditNote,
    error::ApiError,
};

/// The answer to a sign-in: an access token for now and a refresh token for later. The audit learns whose it is.
fn token_answer(app: &App, session: &OpenedSession, note: &AuditNote) -> TokenAnswer {
    note.signed_in(session);
    let (access_token, access_expires_at) = app.state.tokens.sign_access_at(
        &session.subject,
        session.role,
        Some(session.id),
        ACCESS_TTL,
        flowork_engine::clock::wall_now(),
    );
    TokenAnswer {
        access_token,
        access_expires_at,
        refresh_token: session.refresh_token.expose().to_owned(),
        me: Me {
            subject: session.subject.clone(),
            role: session.role,
            session_id: Some(session.id),
            permissions: Standing::Person(session.role).permissions(),
        },
    }
}

/// The refusal of a sign-in, which is the same for every reason. The audit learns the reason.
fn refused(note: &AuditNote, error: ApiError) -> ApiError {
    if let Some(reason) = error.chain() {
        note.detail(serde_json::json!({ "reason": reason }));
    }
    error
}
