//! The one place that reads credentials, and the one that decides.
//!
//! [`authorize`] wraps every route: it looks the route's permission up in the table of `router.rs`, finds out who calls,
//! and lets pass or not. A route without an entry in the table is refused to everybody.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use flowork_api_types::{EngineId, SessionId, auth::Role};
use flowork_engine::jobs::Caller;
use http::{HeaderMap, HeaderName, StatusCode, header, request::Parts};

use super::{
    permission::{Permission, Standing},
    tokens::TokenError,
};
use crate::{
    app::{App, AppState},
    error::ApiError,
};

/// Where an engine puts its token.
pub(crate) const ENGINE_TOKEN: HeaderName = HeaderName::from_static("x-engine-token");

/// A signed-in person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) subject: Arc<str>,
    pub(crate) role: Role,
    pub(crate) session_id: Option<SessionId>,
    /// Seconds since the epoch at which the token ends.
    expires_at_s: u64,
}

impl Person {
    /// What this person sees and may do about jobs.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            subject: Arc::clone(&self.subject),
            sees_all: matches!(self.role, Role::Owner | Role::Operator | Role::Viewer),
            may_act: matches!(self.role, Role::Owner | Role::Operator | Role::Member),
        }
    }

    /// How this person stands, as far as permissions care.
    pub(crate) fn standing(&self) -> Standing {
        Standing::Person(self.role)
    }

    /// Whether an event about a job of `owner` is for this person.
    pub(crate) fn sees(&self, owner: Option<&str>) -> bool {
        self.caller().sees_all || owner.is_none_or(|owner| owner == &*self.subject)
    }

    /// How long the token still works.
    pub(crate) fn time_left(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(self.expires_at_s).saturating_sub(now)
    }
}

/// The engine that calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallingEngine(pub(crate) EngineId);

enum Identity {
    Nobody,
    Person(Person),
    Engine(CallingEngine),
}

impl Identity {
    fn standing(&self) -> Standing {
        match self {
            Self::Nobody => Standing::Nobody,
            Self::Person(person) => person.standing(),
            Self::Engine(_) => Standing::Engine,
        }
    }
}

/// Lets a request pass to its route, or not.
pub(crate) async fn authorize(
    State(app): State<AppState>,
    matched: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    // Without a matched path the request goes to the fallback, which serves the GUI's files and 404.
    let Some(matched) = matched else { return Ok(next.run(request).await) };
    if !app.permissions.has_path(matched.as_str()) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "FORBIDDEN", "this route declares no permission"));
    }
    // A method that the path does not have goes on to the answer 405.
    let Some(permission) = app.permissions.of(request.method(), matched.as_str()) else {
        return Ok(next.run(request).await);
    };
    if permission != Permission::Public {
        let identity = identify(&app, request.headers())?;
        if !permission.allows(identity.standing()) {
            return Err(refusal(permission, &identity));
        }
        match identity {
            Identity::Nobody => {}
            Identity::Person(person) => _ = request.extensions_mut().insert(person),
            Identity::Engine(engine) => _ = request.extensions_mut().insert(engine),
        }
    }
    Ok(next.run(request).await)
}

/// Finds out who calls. Credentials are taken from headers only, never from the URL.
fn identify(app: &App, headers: &HeaderMap) -> Result<Identity, ApiError> {
    let bearer = only(headers, &header::AUTHORIZATION)?;
    let engine_token = only(headers, &ENGINE_TOKEN)?;
    match (bearer, engine_token) {
        (None, None) => Ok(Identity::Nobody),
        (Some(bearer), None) => person(app, bearer).map(Identity::Person),
        (None, Some(token)) => match app.state.control.engine_of_token(token) {
            Some(id) => Ok(Identity::Engine(CallingEngine(id))),
            None => Err(ApiError::unauthorized("ENGINE_TOKEN_INVALID", "this engine token is not known here")
                .hint("make the engine on this node and use the token it shows once")),
        },
        (Some(_), Some(_)) => Err(ambiguous("send either Authorization or X-Engine-Token, not both")),
    }
}

fn person(app: &App, authorization: &str) -> Result<Person, ApiError> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ApiError::unauthorized(
            "TOKEN_INVALID",
            "the Authorization header is not of the form Bearer <token>",
        ));
    }
    let claims = app.state.tokens.verify(token.trim()).map_err(|error| match error {
        TokenError::Expired => ApiError::unauthorized("TOKEN_EXPIRED", error.to_string())
            .hint("refresh it with POST /v1/auth/refresh, or make one with `flowork token create`"),
        TokenError::Invalid => ApiError::unauthorized("TOKEN_INVALID", error.to_string())
            .hint("tokens are valid only on the node that made them"),
    })?;
    if claims.sid.is_some_and(|id| !app.state.control.session_is_live(id)) {
        return Err(ApiError::unauthorized("SESSION_ENDED", "this session has ended").hint("sign in again"));
    }
    Ok(Person { subject: claims.sub.into(), role: claims.role, session_id: claims.sid, expires_at_s: claims.exp })
}

/// The header's value if it is there exactly once: two values mean that somebody along the way may read the other one.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(ApiError::unauthorized("TOKEN_INVALID", format!("the header {name} is not text"))),
        },
        (Some(_), Some(_)) => Err(ambiguous(&format!("the header {name} came more than once"))),
    }
}

fn ambiguous(message: &str) -> ApiError {
    ApiError::unauthorized("CREDENTIALS_AMBIGUOUS", message)
}

fn refusal(permission: Permission, identity: &Identity) -> ApiError {
    let message = match (permission, identity) {
        (Permission::EngineCall, Identity::Nobody) => {
            return ApiError::unauthorized("UNAUTHENTICATED", "this call needs an engine's token")
                .hint("send the header X-Engine-Token");
        }
        (_, Identity::Nobody) => return ApiError::unauthenticated(),
        (Permission::EngineCall, _) => "this call is for engines".to_owned(),
        (_, Identity::Engine(_)) => "this call is for people; engines have /v1/engine".to_owned(),
        (_, Identity::Person(person)) => format!("the role {} may not do this", person.role.as_str()),
    };
    ApiError::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
        .details(serde_json::json!({"permission": permission.as_str()}))
}

impl<S: Sync> FromRequestParts<S> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthenticated)
    }
}

impl<S: Sync> FromRequestParts<S> for CallingEngine {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().copied().ok_or_else(ApiError::unauthenticated)
    }
}
