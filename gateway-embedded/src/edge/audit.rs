//! Writes down who did what: each route says in the table of `router.rs` whether it is audited, and as what.
//!
//! The entry is written after the handler and before the answer leaves, so that nothing that was acknowledged is missing
//! from the log. If it can't be written the answer is 503, and says that the operation may have been done. Only an answer
//! with a session's tokens, and one about a drain that the same disk did not take, is given all the same, and the node's own
//! log has that line.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request},
    response::{IntoResponse, Response},
};
use flowork_api_types::{audit::ActorKind, member::OWNER_SUBJECT};
use flowork_audit::{Actor, Entry};
use flowork_control::{OpenedSession, StoreError};
use http::{Method, StatusCode, request::Parts};
use serde_json::Value;
use tracing::Instrument;

use super::{client::ClientIp, scope::Scope};
use crate::{app::AppState, error::ApiError, router::RouteEntry};

/// How soon to try again when the log can't be written.
const RETRY: Duration = Duration::from_secs(5);

/// Actions whose answer is given though it could not be written down.
const OPENS_SESSION: &[&str] = &["session.sign_in", "session.pair", "session.refresh"];

/// Whether calls of a route are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditRule {
    /// They are, as this action.
    Action(&'static str),
    /// They are not, for this reason.
    Exempt(&'static str),
}

/// The action of each method of each path that is audited.
#[derive(Debug)]
pub(crate) struct AuditedRoutes(HashMap<String, Vec<(Method, &'static str)>>);

impl AuditedRoutes {
    pub(crate) fn new(entries: &[RouteEntry]) -> Self {
        let mut paths: HashMap<String, Vec<_>> = HashMap::new();
        for entry in entries {
            if let Some(AuditRule::Action(action)) = entry.audit {
                paths.entry(entry.path.clone()).or_default().push((entry.method.clone(), action));
            }
        }
        Self(paths)
    }

    fn action_of(&self, method: &Method, path: &str) -> Option<&'static str> {
        self.0.get(path)?.iter().find(|(own, _)| own == method).map(|(_, action)| *action)
    }
}

/// What is known of an audited call beside its route. The layer makes it, and whoever knows more adds it: the check of
/// credentials who calls, a handler what it is about. Any handler may ask for it; on a route that is not audited it
/// leads nowhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditNote(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    actor: Option<Actor>,
    object: Option<String>,
    detail: Option<Value>,
    is_answered_anyway: bool,
}

impl AuditNote {
    /// The note of a request, if its route is audited.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        request.extensions().get().cloned()
    }

    /// Says who it is.
    pub(crate) fn actor(&self, kind: ActorKind, subject: impl Into<String>) {
        self.change(|noted| noted.actor = Some(Actor::named(kind, subject)));
    }

    /// Says who signed in, and that it is about their session.
    pub(crate) fn signed_in(&self, session: &OpenedSession) {
        self.actor(ActorKind::Person, &*session.subject);
        self.object(session.id.to_string());
    }

    /// Says what it is about. Without it, that is the id in the path.
    pub(crate) fn object(&self, object: impl Into<String>) {
        let object = object.into();
        self.change(|noted| noted.object = Some(object));
    }

    /// Says more. What looks like a secret is left out, but better not to give it.
    pub(crate) fn detail(&self, detail: Value) {
        self.change(|noted| noted.detail = Some(detail));
    }

    /// The answer of a success is given also where it can't be written down, and the node's own log has that line: it says
    /// what to know of a disk that takes nothing.
    pub(crate) fn answer_anyway(&self) {
        self.change(|noted| noted.is_answered_anyway = true);
    }

    fn is_answered_anyway(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_answered_anyway
    }

    fn change(&self, change: impl FnOnce(&mut Noted)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whose room in the log the call takes. A name that is known is the caller's own, whatever came of the call: what a
    /// stolen token was tried for must not drown in what strangers try.
    fn share(&self, status: StatusCode) -> Share {
        match &self.0.lock().unwrap_or_else(PoisonError::into_inner).actor {
            None => Share::Anybody,
            Some(actor) if *actor == Actor::named(ActorKind::Person, OWNER_SUBJECT) && !status.is_client_error() => {
                Share::Owner
            }
            Some(_) => Share::Caller,
        }
    }

    fn add_to(&self, entry: Entry) -> Entry {
        let Noted { actor, object, detail, .. } =
            std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let entry = actor.into_iter().fold(entry, Entry::actor);
        let entry = object.into_iter().fold(entry, Entry::object);
        detail.iter().fold(entry, Entry::detail)
    }
}

/// How much of the log's room there is for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// That of all whose name is not known.
    Anybody,
    /// The caller's own.
    Caller,
    /// All of it: the disk is theirs. Not for what they are refused, which they did not do.
    Owner,
}

impl<S: Sync> FromRequestParts<S> for AuditNote {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Writes the call down, if its route is audited.
pub(crate) async fn record<F>(app: &AppState, mut request: Request, call: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    let matched = request.extensions().get::<MatchedPath>();
    let action = matched.and_then(|matched| app.audited.action_of(request.method(), matched.as_str()));
    let (Some(action), Some(matched)) = (action, matched.cloned()) else { return call(request).await };
    let note = AuditNote::default();
    request.extensions_mut().insert(note.clone());
    let mut entry = Entry::new(Actor::nobody(), action).route(request.method().as_str(), matched.as_str());
    if let Some(ClientIp(ip)) = request.extensions().get::<ClientIp>() {
        entry = entry.ip(ip.to_string());
    }
    if let Some(scope) = request.extensions().get::<Scope>() {
        entry = entry.trace_id(&*scope.trace_id);
    }
    if let Some(object) = object_in(matched.as_str(), request.uri().path()) {
        entry = entry.object(object);
    }
    // A request is dropped when its caller goes away. What it did must be written down all the same, so it runs to its
    // end in a task of its own.
    let tasks = app.audited_calls.clone();
    let answer = call(request);
    let app = app.clone();
    let call = async move {
        let response = answer.await;
        let status = response.status();
        let code = response.extensions().get::<ApiError>().map(ApiError::code);
        let share = note.share(status);
        // The answer of a sign-in has the only copy of tokens whose predecessors are used up: without it the caller is shut out.
        let is_answered_anyway = OPENS_SESSION.contains(&action) || note.is_answered_anyway();
        let entry = note.add_to(entry.answered(status.as_u16(), code));
        // What anybody can do or try must not fill the disk, and no member may either.
        let written = match share {
            Share::Anybody => app.state.audit.record_or_count(entry).await.map(|_| ()),
            Share::Caller => app.state.audit.record_or_count_of_actor(entry).await.map(|_| ()),
            Share::Owner => app.state.audit.record(entry).await.map(|_| ()),
        };
        match written {
            Ok(()) => response,
            Err(error) if status.is_success() && is_answered_anyway => {
                tracing::error!(error = ?error, action, "an entry of the audit log could not be written");
                response
            }
            Err(error) => unavailable(error, status).into_response(),
        }
    };
    match tasks.spawn(call.in_current_span()).await {
        Ok(response) => response,
        Err(error) => ApiError::internal(error).into_response(),
    }
}

/// 503 in place of an answer that could not be written down.
fn unavailable(error: StoreError, answered: StatusCode) -> ApiError {
    let message = if answered.is_client_error() {
        "this was refused, and that could not be written to the audit log"
    } else {
        "this may have been done, but it could not be written to the audit log"
    };
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "AUDIT_UNAVAILABLE", message)
        .hint("look whether it was done before you repeat it; the node's disk may be full, and its log says more")
        .retry_after(RETRY)
        .source(error)
}

/// What the path names in its parameters: `/v1/members/m_1/keys/0xab` is about `m_1/0xab`.
fn object_in(pattern: &str, path: &str) -> Option<String> {
    let parts = pattern.split('/').zip(path.split('/'));
    let named: Vec<&str> = parts.filter(|(part, _)| part.starts_with('{')).map(|(_, value)| value).collect();
    (!named.is_empty()).then(|| named.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_what_the_path_names() {
        assert_eq!(
            object_in("/v1/members/{subject}/keys/{address}", "/v1/members/m_1/keys/0xab").as_deref(),
            Some("m_1/0xab")
        );
        assert_eq!(object_in("/v1/members", "/v1/members"), None);
    }

    #[test]
    fn an_answer_that_could_not_be_written_down_says_what_may_have_happened() {
        let done = unavailable(StoreError::Full, StatusCode::OK);
        assert_eq!((done.status().as_u16(), done.code()), (503, "AUDIT_UNAVAILABLE"));
        assert!(done.body(None).message.contains("may have been done"));
        assert!(unavailable(StoreError::Full, StatusCode::FORBIDDEN).body(None).message.contains("refused"));
    }
}
