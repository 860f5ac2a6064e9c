//! `llm.chat`: a chat completion. Tokens come as output while the model writes.

mod answer;
mod anthropic;
mod exchange;
pub(crate) mod fuzzing;
mod openai;
mod schema;

use async_trait::async_trait;
use flowork_api_types::{kind::KindDescriptor, limit::LimitTarget};
use flowork_egress::EgressPolicy;
use flowork_engine::{JobContext, JobFailure, JobKind};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::exchange::Conversation;
use crate::{
    failure::{parse_payload, until_cancelled},
    llm::{
        Provider, Providers,
        provider::Candidate,
        route::{self, Answered},
    },
};

/// A long answer of a slow model, with retries.
const TIMEOUT_MS: u64 = 600_000;

/// The kind `llm.chat`.
pub struct LlmChat {
    descriptor: KindDescriptor,
    providers: Providers,
    policy: EgressPolicy,
}

#[derive(Debug, Deserialize)]
struct Payload {
    provider: Option<String>,
    model: Option<String>,
    fallback: Option<bool>,
    /// Everything else goes to the provider.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl LlmChat {
    /// The kind, asking `providers` under `policy`; a provider's own host is always allowed for that provider.
    pub fn new(providers: Providers, policy: &EgressPolicy) -> Self {
        let descriptor = KindDescriptor {
            name: "llm.chat".to_owned(),
            title: "Chat with a language model".to_owned(),
            description: "Asks a language model of any OpenAI-compatible endpoint (OpenAI, Groq, Ollama, llama.cpp, \
                          vLLM, LM Studio) or of Anthropic, and shows the answer while it is written."
                .to_owned(),
            payload_schema: schema::schema(&providers),
            timeout_ms: TIMEOUT_MS,
            reaches_machine: false,
        };
        Self { descriptor, providers, policy: policy.clone() }
    }

    /// Whom to ask, in order. A model that a job names is one of the first; the others answer with their own.
    fn candidates<'a>(&'a self, payload: &'a Payload) -> Result<Vec<Candidate<'a>>, JobFailure> {
        let (name, provider) = self.providers.wanted(payload.provider.as_deref())?;
        let model = payload.model.as_deref().or(provider.options.model.as_deref()).ok_or_else(|| {
            JobFailure::permanent("NO_MODEL", format!("neither the job nor provider {name:?} names a model"))
                .hint(format!("set model in the payload, or providers.{name}.model in config.toml"))
        })?;
        let mut candidates = vec![Candidate { name, provider, model }];
        if payload.fallback.unwrap_or(true) {
            let model_of = |provider: &'a Provider| provider.options.model.as_deref().unwrap_or(model);
            let others = self.providers.fallbacks(provider);
            candidates.extend(others.map(|(name, provider)| Candidate { name, provider, model: model_of(provider) }));
        }
        Ok(candidates)
    }
}

#[async_trait]
impl JobKind for LlmChat {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    fn limit_targets(&self, payload: &Value) -> Vec<LimitTarget> {
        self.providers.limit_targets(payload)
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        let payload: Payload = parse_payload(&context)?;
        let candidates = self.candidates(&payload)?;
        let question = Conversation { payload: &payload.rest, policy: &self.policy };
        until_cancelled(&context, async {
            let Answered { answer, candidate, tries } = route::ask(&candidates, &context, &question).await?;
            let mut result = answer.into_result(candidate.model);
            result["provider"] = candidate.name.into();
            result["tries"] = json!(tries);
            Ok(result)
        })
        .await
    }
}
