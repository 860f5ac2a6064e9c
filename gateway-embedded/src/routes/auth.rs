//! Signing in: `/v1/auth`.

pub(crate) mod keys;
pub(crate) mod links;
pub(crate) mod logout;
pub(crate) mod me;
pub(crate) mod pair;
pub(crate) mod refresh;

use flowork_api_types::auth::{Me, TokenAnswer};
use flowork_control::OpenedSession;

use crate::{app::App, auth::tokens::ACCESS_TTL};

/// The answer to a sign-in: an access token for now and a refresh token for later.
fn token_answer(app: &App, session: &OpenedSession) -> TokenAnswer {
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
        me: Me { subject: session.subject.clone(), role: session.role, session_id: Some(session.id) },
    }
}
