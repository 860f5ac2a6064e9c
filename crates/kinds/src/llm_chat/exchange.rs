//! One question to one provider, and its answer while it is written.

use std::time::Instant;

use async_trait::async_trait;
use flowork_egress::{EgressError, EgressPolicy, Response, header::CONTENT_TYPE};
use flowork_engine::{JobContext, JobFailure};
use serde_json::{Map, Value, json};

use super::{
    answer::{self, Answer},
    anthropic, openai,
};
use crate::llm::{
    Api,
    call::Call,
    provider::Candidate,
    route::Question,
    sse::Events,
    trouble::{Class, Trouble},
};

/// A conversation to go on with.
pub(super) struct Conversation<'a> {
    /// The payload without what says whom to ask.
    pub(super) payload: &'a Map<String, Value>,
    pub(super) policy: &'a EgressPolicy,
}

#[async_trait]
impl Question for Conversation<'_> {
    type Answer = Answer;

    async fn ask(&self, candidate: &Candidate<'_>, context: &JobContext) -> Result<Answer, Trouble> {
        let started = Instant::now();
        let call = Call { candidate, policy: self.policy, context };
        let mut response = match candidate.provider.options.api {
            Api::OpenAi => call.post(openai::PATH, &openai::body(self.payload, candidate.model)).await?,
            Api::Anthropic => {
                self.check_options(candidate.name)?;
                call.post(anthropic::PATH, &anthropic::body(self.payload, candidate.model)).await?
            }
        };
        let content_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_json = content_type.contains("json");
        let reading = Reading { call, api: candidate.provider.options.api, answer: Answer::new(started) };
        if is_json { reading.whole(&mut response).await } else { reading.stream(&mut response).await }
    }
}

impl Conversation<'_> {
    fn check_options(&self, name: &str) -> Result<(), Trouble> {
        match anthropic::UNSUPPORTED.iter().find(|option| self.payload.contains_key(**option)) {
            None => Ok(()),
            Some(option) => Err(Trouble::new(
                Class::Unusable,
                JobFailure::permanent("OPTION_NOT_SUPPORTED", format!("{name} speaks a protocol without {option}"))
                    .hint(format!(
                        "leave {option} out and describe the format in the messages, or ask another provider"
                    )),
            )),
        }
    }
}

struct Reading<'a> {
    call: Call<'a>,
    api: Api,
    answer: Answer,
}

impl Reading<'_> {
    async fn stream(mut self, response: &mut Response) -> Result<Answer, Trouble> {
        let mut events = Events::default();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Err(EgressError::Transfer { .. }) if !self.answer.is_complete() => return Err(self.cut()),
                Ok(None) | Err(EgressError::Transfer { .. }) => break,
                Err(error) => return Err(self.explain(&error)),
            };
            events.feed(&chunk).map_err(|reason| self.garbage(reason))?;
            while let Some(data) = events.next_data() {
                if self.api == Api::OpenAi && data == openai::END {
                    self.answer.mark_done();
                    return self.complete();
                }
                self.take(&data)?;
            }
        }
        if !events.saw_any() {
            return Err(self.garbage("it is no stream of events"));
        }
        if self.answer.is_complete() { self.complete() } else { Err(self.cut()) }
    }

    fn take(&mut self, data: &str) -> Result<(), Trouble> {
        let piece: Value = serde_json::from_str(data).map_err(|_| self.garbage("a piece is not JSON"))?;
        if let Some(error) = piece.get("error").filter(|error| !error.is_null()) {
            return Err(self.stopped(error));
        }
        let text = match self.api {
            Api::OpenAi => openai::take_piece(&mut self.answer, &piece),
            Api::Anthropic => anthropic::take_piece(&mut self.answer, &piece),
        }?;
        if let Some(text) = text {
            self.call.context.reporter.output(&text);
        }
        Ok(())
    }

    async fn whole(mut self, response: &mut Response) -> Result<Answer, Trouble> {
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(EgressError::Transfer { .. }) => return Err(self.cut()),
                Err(error) => return Err(self.explain(&error)),
            }
            if bytes.len() > answer::ANSWER_BYTES_MAX * 2 {
                return Err(answer::too_large());
            }
        }
        let document: Value = serde_json::from_slice(&bytes).map_err(|_| self.garbage("it is not valid JSON"))?;
        let text = match self.api {
            Api::OpenAi => openai::take_whole(&mut self.answer, &document),
            Api::Anthropic => anthropic::take_whole(&mut self.answer, &document),
        };
        let text = text.ok_or_else(|| self.garbage("it holds no answer"))??;
        self.call.context.reporter.output(&text);
        Ok(self.answer)
    }

    fn complete(self) -> Result<Answer, Trouble> {
        if self.answer.is_begun() { Ok(self.answer) } else { Err(self.garbage("it ended without an answer")) }
    }

    /// An error in the middle of a stream, where no status can tell what it is.
    fn stopped(&self, error: &Value) -> Trouble {
        let message = format!("{} stopped: {}", self.call.candidate.name, self.call.quote(error));
        match error["type"].as_str().unwrap_or_default() {
            "rate_limit_error" => Trouble::new(
                Class::Throttled,
                JobFailure::retryable("RATE_LIMITED", message).hint("the job is tried again later"),
            ),
            "invalid_request_error" | "request_too_large" => Trouble::new(
                Class::Rejected,
                JobFailure::permanent("PROVIDER_REJECTED", message).hint("change the payload as the provider says"),
            ),
            _ => Trouble::down(&message),
        }
    }

    fn cut(&self) -> Trouble {
        let name = self.call.candidate.name;
        let failure =
            JobFailure::retryable("PROVIDER_STREAM_CUT", format!("{name} stopped in the middle of its answer"))
                .hint("the job is tried again; if this comes often, look at the provider's log")
                .details(json!({"content_bytes": self.answer.content_bytes()}));
        Trouble::new(Class::Down, failure)
    }

    fn explain(&self, error: &EgressError) -> Trouble {
        match error {
            EgressError::ResponseTooLarge { .. } => answer::too_large(),
            error => Trouble::egress(self.call.candidate, error),
        }
    }

    fn garbage(&self, reason: &str) -> Trouble {
        Trouble::garbage(self.call.candidate.name, reason)
    }
}
