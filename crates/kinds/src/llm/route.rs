//! Asks a provider, asks it again, goes on to the next one, and tells what came of it.

use std::time::Duration;

use async_trait::async_trait;
use flowork_api_types::{job::LogLevel, limit::LimitTarget};
use flowork_engine::{JobContext, JobFailure};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    backoff::Patience,
    provider::Candidate,
    trouble::{Class, Trouble},
};

/// What is asked; the same of every candidate.
#[async_trait]
pub(crate) trait Question: Sync {
    /// What a good answer is.
    type Answer: Send;

    /// Asks one candidate once.
    async fn ask(&self, candidate: &Candidate<'_>, context: &JobContext) -> Result<Self::Answer, Trouble>;
}

/// One request to one provider, for the result or the failure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Try {
    provider: String,
    model: String,
    /// `answered`, or the code of the failure.
    outcome: String,
    elapsed_ms: u64,
}

/// An answer, and how it was come by.
#[derive(Debug)]
pub(crate) struct Answered<'a, T> {
    pub(crate) answer: T,
    /// Who gave it.
    pub(crate) candidate: &'a Candidate<'a>,
    pub(crate) tries: Vec<Try>,
}

/// Asks the candidates in order; the first is the one the job wants.
pub(crate) async fn ask<'a, Q: Question>(
    candidates: &'a [Candidate<'a>],
    context: &JobContext,
    question: &Q,
) -> Result<Answered<'a, Q::Answer>, JobFailure> {
    let mut route = Route { context, patience: Patience::default(), tries: Vec::new() };
    let mut troubles: Vec<(&str, Trouble)> = Vec::new();
    for candidate in candidates {
        let Candidate { name, model, .. } = *candidate;
        let message = match troubles.last() {
            None => format!("asking {model} at {name}"),
            Some((before, _)) => format!("asking {model} at {name} instead of {before}"),
        };
        context.reporter.progress(None, Some(&message));
        match route.insist(candidate, question).await {
            Ok(answer) => return Ok(Answered { answer, candidate, tries: route.tries }),
            Err(trouble) => {
                let is_everywhere = trouble.is_everywhere();
                troubles.push((name, trouble));
                if is_everywhere {
                    break;
                }
            }
        }
    }
    Err(route.give_up(candidates, troubles))
}

struct Route<'a> {
    context: &'a JobContext,
    patience: Patience,
    tries: Vec<Try>,
}

impl Route<'_> {
    /// Asks one candidate until it answers, or until there is no sense in asking it again.
    async fn insist<Q: Question>(&mut self, candidate: &Candidate<'_>, question: &Q) -> Result<Q::Answer, Trouble> {
        for retry in 0.. {
            let trouble = match self.ask_once(candidate, question).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            // What was written so far is not part of the next answer.
            self.context.reporter.restart_output();
            let wait = if trouble.may_pass() && retry < candidate.provider.options.max_retries {
                let until_deadline = self.context.deadline.saturating_duration_since(Instant::now());
                self.patience.wait(retry, trouble.asked(), until_deadline)
            } else {
                None
            };
            self.log(&trouble.failure, wait);
            match wait {
                Some(wait) => sleep(wait).await,
                None => return Err(trouble),
            }
        }
        unreachable!("the count of retries is bounded")
    }

    async fn ask_once<Q: Question>(&mut self, candidate: &Candidate<'_>, question: &Q) -> Result<Q::Answer, Trouble> {
        let admission = &candidate.provider.admission;
        let started = Instant::now();
        let permit = match admission.enter().await {
            Ok(permit) => permit,
            Err(shut) => {
                let trouble = Trouble::shut(candidate.name, &shut);
                self.record(candidate, &trouble.failure.error.code, started);
                return Err(trouble);
            }
        };
        let outcome = question.ask(candidate, self.context).await;
        match &outcome {
            Ok(_) => permit.ticket.succeed(),
            // The time of the job was up, which says nothing about the provider.
            Err(_) if Instant::now() >= self.context.deadline => drop(permit),
            Err(trouble) if trouble.class == Class::Down => permit.ticket.fail(&trouble.failure.error.message),
            Err(trouble) => {
                if let (Class::Throttled, Some(wait)) = (trouble.class, trouble.asked()) {
                    admission.hold(wait);
                }
                permit.ticket.succeed();
            }
        }
        let code = outcome.as_ref().err().map_or("answered", |trouble| &trouble.failure.error.code);
        self.record(candidate, code, started);
        outcome
    }

    fn record(&mut self, candidate: &Candidate<'_>, outcome: &str, started: Instant) {
        self.tries.push(Try {
            provider: candidate.name.to_owned(),
            model: candidate.model.to_owned(),
            outcome: outcome.to_owned(),
            elapsed_ms: started.elapsed().as_millis() as u64,
        });
    }

    fn log(&self, failure: &JobFailure, wait: Option<Duration>) {
        let again = wait.map(|wait| format!("; asking again in {} ms", wait.as_millis())).unwrap_or_default();
        self.context.reporter.log(LogLevel::Warn, &format!("{}{again}", failure.error.message));
    }

    /// The failure of an attempt that nobody answered: the code and the hint are those of the provider the job wanted.
    fn give_up(self, candidates: &[Candidate<'_>], troubles: Vec<(&str, Trouble)>) -> JobFailure {
        let retryable = troubles.iter().any(|(_, trouble)| trouble.failure.retryable);
        let held_back = troubles.iter().all(|(_, t)| matches!(t.class, Class::Throttled | Class::Paused));
        // One that may be asked at any time needs no wait.
        let waits = troubles.iter().filter(|(_, trouble)| trouble.failure.retryable);
        let wait = waits.map(|(_, trouble)| trouble.asked()).min().flatten();
        let messages: Vec<_> = troubles.iter().map(|(_, trouble)| trouble.failure.error.message.clone()).collect();
        let Some((name, first)) = troubles.into_iter().next() else {
            return JobFailure::permanent("NO_PROVIDER", "there is no provider to ask");
        };
        let mut failure = JobFailure { retryable, retry_after: wait, ..first.failure };
        if self.tries.len() > 1 {
            failure.error.message = messages.join("; then ");
            let details = failure.error.details.get_or_insert_with(|| json!({}));
            details["tries"] = json!(self.tries);
        }
        // Others of this provider may go on to fallbacks that this job did without.
        let asked_all =
            candidates.first().is_some_and(|first| candidates.len() > first.provider.options.fallback.len());
        match wait {
            Some(wait) if held_back && asked_all => failure.throttled(LimitTarget::Provider(name.to_owned()), wait),
            _ => failure,
        }
    }
}
