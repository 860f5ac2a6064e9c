//! What a failed call means: for the same provider, for the next one, for the breaker, and for the job.

use std::time::Duration;

use flowork_egress::EgressError;
use flowork_engine::JobFailure;

use super::{admission::Shut, provider::Candidate};
use crate::failure::from_egress;

/// What a failed call says about its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It is down or not well; it may be back in a moment.
    Down,
    /// It wants fewer requests.
    Throttled,
    /// It is not asked now: its breaker is open, or the owner's limits are used up.
    Paused,
    /// It can't answer this as it is configured; another may.
    Unusable,
    /// The request is at fault, and would be anywhere.
    Rejected,
}

/// A call that failed.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) class: Class,
    pub(crate) failure: JobFailure,
}

impl Trouble {
    pub(crate) fn new(class: Class, failure: JobFailure) -> Self {
        Self { class, failure }
    }

    /// Whether the same provider may be asked again within the attempt.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.class, Class::Down | Class::Throttled)
    }

    /// Whether another provider would fail in the same way.
    pub(crate) fn is_everywhere(&self) -> bool {
        self.class == Class::Rejected
    }

    /// The provider can't be called now.
    pub(crate) fn shut(name: &str, shut: &Shut) -> Self {
        match shut {
            Shut::Broken(refused) => Self::new(
                Class::Paused,
                JobFailure::retryable(
                    "PROVIDER_PAUSED",
                    format!(
                        "{name} failed again and again and is left alone for a while; the last time: {}",
                        refused.reason
                    ),
                )
                .hint("it is asked again by itself; a fallback for this provider would answer meanwhile")
                .retry_after(refused.wait),
            ),
            Shut::Held { wait } => Self::new(
                Class::Throttled,
                JobFailure::retryable("RATE_LIMITED", format!("{name} has asked for a pause"))
                    .hint("the job is tried again later; a larger plan of the provider allows more")
                    .retry_after(*wait),
            ),
            Shut::Busy { wait } => Self::new(
                Class::Paused,
                JobFailure::retryable("PROVIDER_BUSY", format!("the limits of {name} are used up by other jobs"))
                    .hint(format!(
                        "the job is tried again later; providers.{name}.concurrency and \
                         providers.{name}.requests_per_minute allow more"
                    ))
                    .retry_after(*wait),
            ),
        }
    }

    /// The way to the provider failed.
    pub(crate) fn egress(candidate: &Candidate<'_>, error: &EgressError) -> Self {
        let (name, failure) = (candidate.name, from_egress(error));
        match error {
            EgressError::Connect { .. } | EgressError::Dns { .. } => {
                let start = if candidate.provider.looks_like_ollama() {
                    "start it with `ollama serve`"
                } else {
                    "check that it runs"
                };
                let message = format!("{name} can't be reached: {}", error.chain());
                let failure = JobFailure::retryable("PROVIDER_UNREACHABLE", message)
                    .hint(format!("{start}, or change providers.{name}.base_url in config.toml"));
                Self::new(Class::Down, failure)
            }
            EgressError::Timeout { .. } => {
                let failure =
                    JobFailure::retryable("PROVIDER_TIMEOUT", format!("{name}: {}", error.chain())).hint(format!(
                        "a smaller model or a shorter conversation is faster; timeout_ms of the job and \
                         providers.{name}.timeout_ms allow more time"
                    ));
                Self::new(Class::Down, failure)
            }
            EgressError::Transfer { .. } => Self::new(Class::Down, failure),
            EgressError::ResponseTooLarge { .. } => Self::new(Class::Rejected, failure),
            _ => Self::new(Class::Unusable, failure),
        }
    }

    /// The provider says that it is not well.
    pub(crate) fn down(message: &str) -> Self {
        let failure = JobFailure::retryable("PROVIDER_ERROR", message)
            .hint("the provider has a problem of its own; the job is tried again later");
        Self::new(Class::Down, failure)
    }

    /// What came is not the protocol.
    pub(crate) fn garbage(name: &str, reason: &str) -> Self {
        let failure = JobFailure::permanent(
            "PROVIDER_INVALID_ANSWER",
            format!("the answer of {name} can't be understood: {reason}"),
        )
        .hint(format!(
            "check that providers.{name}.base_url is the root of the API, often ending in /v1, and that \
             providers.{name}.api names the protocol it speaks"
        ));
        Self::new(Class::Unusable, failure)
    }

    /// How long the provider asked to be left alone.
    pub(crate) fn asked(&self) -> Option<Duration> {
        self.failure.retry_after
    }
}
