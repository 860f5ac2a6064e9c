//! What is to be written.

use flowork_api_types::{
    Timestamp,
    audit::{ActorKind, AuditOutcome},
};
use serde_json::Value;

use crate::detail;

/// The longest text of a field, in bytes. Longer ones are cut: they are names, and names are shorter.
const TEXT_BYTES_MAX: usize = 256;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What kind of caller.
    pub kind: ActorKind,
    /// Which one.
    pub subject: Option<String>,
}

impl Actor {
    /// The node itself.
    pub fn node() -> Self {
        Self { kind: ActorKind::Node, subject: None }
    }

    /// Somebody at the machine.
    pub fn machine() -> Self {
        Self { kind: ActorKind::Machine, subject: None }
    }

    /// Somebody who is not signed in.
    pub fn nobody() -> Self {
        Self { kind: ActorKind::Nobody, subject: None }
    }

    /// A caller that has a name.
    pub fn named(kind: ActorKind, subject: impl Into<String>) -> Self {
        Self { kind, subject: Some(clipped(subject.into())) }
    }
}

/// One entry, not yet in the chain.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) actor: Actor,
    pub(crate) ip: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) action: String,
    pub(crate) object: Option<String>,
    pub(crate) outcome: AuditOutcome,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) detail: Option<String>,
}

impl Entry {
    /// Says that `actor` did something, such as `member.create`. It was done, until said otherwise.
    pub fn new(actor: Actor, action: impl Into<String>) -> Self {
        Self {
            at: Timestamp(0),
            actor,
            ip: None,
            method: None,
            route: None,
            action: clipped(action.into()),
            object: None,
            outcome: AuditOutcome::Done,
            status: None,
            code: None,
            trace_id: None,
            detail: None,
        }
    }

    /// Who, where that became known later.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// From where.
    pub fn ip(mut self, ip: impl Into<String>) -> Self {
        self.ip = Some(clipped(ip.into()));
        self
    }

    /// By which call.
    pub fn route(mut self, method: &str, route: &str) -> Self {
        self.method = Some(clipped(method.to_owned()));
        self.route = Some(clipped(route.to_owned()));
        self
    }

    /// To what. A secret that somebody put into a path is left out.
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(detail::without_secret(clipped(object.into())));
        self
    }

    /// How it came out.
    pub fn outcome(mut self, outcome: AuditOutcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// What was answered. A client's mistake is a refusal, the node's a failure.
    pub fn answered(mut self, status: u16, code: Option<&str>) -> Self {
        self.status = Some(status);
        self.code = code.map(|code| clipped(code.to_owned()));
        self.outcome = match status {
            0..400 => AuditOutcome::Done,
            400..500 => AuditOutcome::Refused,
            _ => AuditOutcome::Failed,
        };
        self
    }

    /// Of the request.
    pub fn trace_id(mut self, trace_id: impl Into<String>) -> Self {
        self.trace_id = Some(clipped(trace_id.into()));
        self
    }

    /// More about it. What looks like a secret is left out, and so is what is too long.
    pub fn detail(mut self, detail: &Value) -> Self {
        self.detail = Some(detail::to_text(detail));
        self
    }
}

fn clipped(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        let entry = Entry::new(Actor::node(), "é".repeat(400));
        assert_eq!(entry.action.len(), TEXT_BYTES_MAX);
        assert!(entry.action.chars().all(|letter| letter == 'é'));
    }

    #[test]
    fn the_status_tells_the_outcome() {
        let of = |status| Entry::new(Actor::node(), "a").answered(status, None).outcome;
        assert_eq!([of(200), of(204), of(302)], [AuditOutcome::Done; 3]);
        assert_eq!([of(400), of(401), of(429)], [AuditOutcome::Refused; 3]);
        assert_eq!([of(500), of(503)], [AuditOutcome::Failed; 2]);
    }
}
