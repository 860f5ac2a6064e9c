//! The one place that reads credentials, and the one that decides.
//!
//! [`authorize`] wraps every route: it looks the route's permission up in the table of `router.rs`, finds out who calls,
//! and lets pass or not. A route without an entry in the table is refused to everybody.
//!
//! There are three carriers: `Authorization: Bearer` for access tokens of people, admin tokens and short tokens of
//! engines, `X-Engine-Token` for an engine's own token, and `?ticket=` on the streams that browsers open, who can't send
//! headers there. A request has one of them, once.

use axum::extract::{Query, Request};
use flowork_api_types::{Timestamp, audit::ActorKind, auth::Role};
use flowork_control::EngineProof;
use flowork_engine::clock::wall_now;
use flowork_tokens::{EngineClaims, TokenError, Verified};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};

pub(crate) use super::person::{Account, CallingEngine, EnginePass, Person};
use super::{
    permission::{Permission, Standing},
    tickets::{self, TICKET_PARAMETER},
};
use crate::{
    app::App,
    edge::{audit::AuditNote, route_of},
    error::ApiError,
};

/// Where an engine puts its token.
pub(crate) const ENGINE_TOKEN: HeaderName = HeaderName::from_static("x-engine-token");

enum Identity {
    Nobody,
    Person(Person),
    Engine(EnginePass),
}

impl Identity {
    fn standing(&self) -> Standing {
        match self {
            Self::Nobody => Standing::Nobody,
            Self::Person(person) => person.standing(),
            Self::Engine(_) => Standing::Engine,
        }
    }

    /// Says who it is to the audit log.
    fn tell(&self, note: &AuditNote) {
        match self {
            Self::Nobody => {}
            Self::Person(person) if person.scopes.is_some() => note.actor(ActorKind::Admin, &*person.subject),
            // Everybody can be a guest.
            Self::Person(person) if person.role == Role::Guest => {}
            Self::Person(person) => note.actor(ActorKind::Person, &*person.subject),
            Self::Engine(pass) => note.actor(ActorKind::Engine, pass.proof.id.to_string()),
        }
    }
}

/// Lets a request pass to its route, or not.
pub(crate) fn authorize(app: &App, request: &mut Request) -> Result<(), ApiError> {
    // Without a matched path the request goes to the fallback, which serves the GUI's files and 404.
    let Some(route) = route_of(request) else { return Ok(()) };
    if !app.permissions.has_path(route) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "FORBIDDEN", "this route declares no permission"));
    }
    // A method that the path does not have goes on to the answer 405.
    let Some(permission) = app.permissions.of(request.method(), route) else { return Ok(()) };
    if permission != Permission::Public {
        let identity = identify(app, route, request)?;
        if let Some(note) = AuditNote::of(request) {
            identity.tell(&note);
        }
        if !permission.allows(identity.standing()) {
            return Err(refusal(permission, &identity));
        }
        let extensions = request.extensions_mut();
        match identity {
            Identity::Nobody => {}
            Identity::Person(person) => _ = extensions.insert(person),
            Identity::Engine(pass) => {
                extensions.insert(CallingEngine(pass.proof.id));
                extensions.insert(pass);
            }
        }
    }
    Ok(())
}

/// Finds out who calls.
fn identify(app: &App, route: &str, request: &Request) -> Result<Identity, ApiError> {
    let headers = request.headers();
    let bearer = only(headers, &header::AUTHORIZATION)?;
    let engine_token = only(headers, &ENGINE_TOKEN)?;
    let ticket = ticket(route, request)?;
    match (bearer, engine_token, ticket) {
        (None, None, None) => Ok(Identity::Nobody),
        (Some(bearer), None, None) => of_bearer(app, bearer),
        (None, None, Some(ticket)) => of_ticket(app, &ticket, request.uri().path()).map(Identity::Person),
        (None, Some(token), None) => match app.state.control.engine_of_token(token, app.state.clock.now()) {
            Some(proof) => Ok(Identity::Engine(EnginePass { proof, short: None })),
            None => Err(ApiError::unauthorized("ENGINE_TOKEN_INVALID", "this engine token is not known here").hint(
                "it was revoked, replaced, or made on another node; `flowork engine token rotate` makes a new one",
            )),
        },
        _ => Err(ambiguous("credentials came in more than one place")),
    }
}

/// The ticket in the query, where tickets are looked at: on streams. Everywhere else it is a parameter like any other.
fn ticket(route: &str, request: &Request) -> Result<Option<String>, ApiError> {
    if request.method() != Method::GET || !tickets::is_stream_route(route) {
        return Ok(None);
    }
    // A query that can't be read has no ticket; its route says what is wrong with it.
    let Ok(Query(query)) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()) else { return Ok(None) };
    let mut values = query.into_iter().filter(|(name, _)| name == TICKET_PARAMETER);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some((_, ticket)), None) => Ok(Some(ticket)),
        (Some(_), Some(_)) => Err(ambiguous("the parameter ticket came more than once")),
    }
}

/// Whoever had the ticket made, if the records still let them in.
fn of_ticket(app: &App, ticket: &str, path: &str) -> Result<Person, ApiError> {
    let person = app.tickets.redeem(ticket, path, app.state.clock.now());
    person.filter(|person| person.is_let_in(&app.state) && !person.time_left().is_zero()).ok_or_else(|| {
        ApiError::unauthorized("TICKET_INVALID", "this ticket was used, has expired, or is for another path")
            .hint("POST /v1/auth/ticket makes one; it works once, within 30 seconds")
    })
}

fn of_bearer(app: &App, authorization: &str) -> Result<Identity, ApiError> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ApiError::unauthorized(
            "TOKEN_INVALID",
            "the Authorization header is not of the form Bearer <token>",
        )
        .hint("send `Authorization: Bearer <token>`; an engine's token goes into X-Engine-Token"));
    }
    let control = &app.state.control;
    match app.state.tokens.verify(token.trim(), wall_now()).map_err(invalid_token)? {
        Verified::User(claims) => Person::of_user(control, claims).map(Identity::Person),
        Verified::Admin(claims) => Person::of_admin(control, claims).map(Identity::Person),
        Verified::Engine(EngineClaims { engine_id, generation, expires_at_s, signed_by }) => {
            let until = Some(Timestamp(expires_at_s as i64 * 1_000));
            let pass = EnginePass { proof: EngineProof { id: engine_id, until, generation }, short: Some(signed_by) };
            pass.check(&app.state)?;
            Ok(Identity::Engine(pass))
        }
    }
}

fn invalid_token(error: TokenError) -> ApiError {
    match error {
        TokenError::Expired => ApiError::unauthorized("TOKEN_EXPIRED", error.to_string())
            .hint("refresh it with POST /v1/auth/refresh, or make one with `flowork token create`"),
        TokenError::NotYet => ApiError::unauthorized("TOKEN_NOT_YET", error.to_string()).hint(
            "the clock of this node was set back; set it right, or sign in again for a token of the time it shows",
        ),
        TokenError::Invalid => ApiError::unauthorized("TOKEN_INVALID", error.to_string())
            .hint("tokens are valid only on the node that made them, and until its keys are ended"),
    }
}

/// The header's value if it is there exactly once: two values mean that somebody along the way may read the other one.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(ApiError::unauthorized("TOKEN_INVALID", format!("the header {name} is not text"))
                .hint("tokens are plain ASCII; copy it again")),
        },
        (Some(_), Some(_)) => Err(ambiguous(&format!("the header {name} came more than once"))),
    }
}

fn ambiguous(message: &str) -> ApiError {
    ApiError::unauthorized("CREDENTIALS_AMBIGUOUS", message).hint("send one token, in one place, once")
}

fn refusal(permission: Permission, identity: &Identity) -> ApiError {
    let (message, hint) = match (permission, identity) {
        (Permission::EngineCall, Identity::Nobody) => {
            return ApiError::unauthorized("UNAUTHENTICATED", "this call needs an engine's token")
                .hint("send the header X-Engine-Token");
        }
        (_, Identity::Nobody) => return ApiError::unauthenticated(),
        (Permission::EngineCall, _) => {
            ("this call is for engines".to_owned(), "send an engine's token in X-Engine-Token")
        }
        (_, Identity::Engine(_)) => {
            ("this call is for people; engines have /v1/engine".to_owned(), "sign in, or use `flowork token create`")
        }
        (_, Identity::Person(person)) if person.scopes.is_some() => match permission.scope() {
            Some(scope) => (
                format!("this admin token is not for {}", scope.as_str()),
                "the owner makes one that is with `flowork token create --scope`",
            ),
            None => ("admin tokens are not for this call".to_owned(), "sign in, or use `flowork token create`"),
        },
        (_, Identity::Person(person)) => (
            format!("the role {} may not do this", person.role.as_str()),
            "ask the owner of this node for another role",
        ),
    };
    ApiError::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
        .hint(hint)
        .details(serde_json::json!({"permission": permission.as_str()}))
}
