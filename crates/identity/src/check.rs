//! What a message must say to count here, field by field.

use std::time::Duration;

use flowork_api_types::{Timestamp, member::KeyAddress};

use crate::message::SignInMessage;

/// What the message of this sign-in must say.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The scheme of the page that asks; `None` for `https`.
    pub scheme: Option<&'a str>,
    /// Host and port of the page that asks.
    pub domain: &'a str,
    /// What is signed in to.
    pub uri: &'a str,
    /// The chains that are taken.
    pub chain_ids: &'a [u64],
    /// What signing means.
    pub statement: &'a str,
    /// Whose message was asked for.
    pub address: KeyAddress,
    /// The nonce that was given out.
    pub nonce: &'a str,
    /// Now.
    pub now: Timestamp,
    /// The longest time from a message's beginning to its end.
    pub lifetime_max: Duration,
}

/// The field for which a message does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldRefusal {
    /// It was made for a page of another scheme.
    #[error("the message names another scheme")]
    Scheme,
    /// It was made for another page, which may show it to this node's people.
    #[error("the message names the domain {0:?}")]
    Domain(String),
    /// It signs in to something else.
    #[error("the message names the URI {0:?}")]
    Uri(String),
    /// It is of a chain that is not taken.
    #[error("the message names the chain {0}")]
    ChainId(u64),
    /// It says something else to the person.
    #[error("the message has another statement")]
    Statement,
    /// It was asked for by another address.
    #[error("the message names another address")]
    Address,
    /// It is another message than the one given out.
    #[error("the message has another nonce")]
    Nonce,
    /// It is from the future.
    #[error("the message was issued at {0}, which has not come yet")]
    IssuedLater(Timestamp),
    /// It does not end.
    #[error("the message has no expiration time")]
    Endless,
    /// It has ended.
    #[error("the message expired at {0}")]
    Expired(Timestamp),
    /// It works for longer than it should.
    #[error("the message works for longer than {} s", .0.as_secs())]
    TooLong(Duration),
    /// It does not work yet.
    #[error("the message does not count before {0}")]
    NotYet(Timestamp),
    /// It has a request id, and none was given out.
    #[error("the message has a request id")]
    RequestId,
    /// It names resources, and none were given out.
    #[error("the message names resources")]
    Resources,
}

impl SignInMessage {
    /// Says whether every field is as it should be.
    ///
    /// # Errors
    /// The first field that is not.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), FieldRefusal> {
        let now = expected.now;
        let refusal = if self.scheme.as_deref() != expected.scheme {
            FieldRefusal::Scheme
        } else if self.domain != expected.domain {
            FieldRefusal::Domain(self.domain.clone())
        } else if self.uri != expected.uri {
            FieldRefusal::Uri(self.uri.clone())
        } else if !expected.chain_ids.contains(&self.chain_id) {
            FieldRefusal::ChainId(self.chain_id)
        } else if self.statement.as_deref() != Some(expected.statement) {
            FieldRefusal::Statement
        } else if self.address != expected.address {
            FieldRefusal::Address
        } else if self.nonce != expected.nonce {
            FieldRefusal::Nonce
        } else if self.request_id.is_some() {
            FieldRefusal::RequestId
        } else if !self.resources.is_empty() {
            FieldRefusal::Resources
        } else if self.issued_at > now {
            FieldRefusal::IssuedLater(self.issued_at)
        } else if let Some(not_before) = self.not_before.filter(|not_before| *not_before > now) {
            FieldRefusal::NotYet(not_before)
        } else {
            return self.check_end(now, expected.lifetime_max);
        };
        Err(refusal)
    }

    fn check_end(&self, now: Timestamp, lifetime_max: Duration) -> Result<(), FieldRefusal> {
        let end = self.expiration_time.ok_or(FieldRefusal::Endless)?;
        if end <= now {
            return Err(FieldRefusal::Expired(end));
        }
        let lifetime_ms = end.as_millis().saturating_sub(self.issued_at.as_millis());
        if lifetime_ms as u128 > lifetime_max.as_millis() {
            return Err(FieldRefusal::TooLong(lifetime_max));
        }
        Ok(())
    }
}
