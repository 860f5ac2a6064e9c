//! `llm.embed`: texts as vectors.

use std::{collections::BTreeMap, time::Instant};

use async_trait::async_trait;
use flowork_api_types::{kind::KindDescriptor, limit::LimitTarget};
use flowork_egress::{EgressError, EgressPolicy};
use flowork_engine::{JobContext, JobFailure, JobKind};
use serde::Deserialize;
use serde_json::{Number, Value, json};

use crate::{
    failure::{parse_payload, until_cancelled},
    llm::{
        Api, Providers,
        call::Call,
        provider::Candidate,
        route::{self, Answered, Question},
        trouble::{Class, Trouble},
    },
};

/// Texts in one job. OpenAI takes 2,048, but the result has to hold all their vectors.
const INPUTS_MAX: usize = 256;
/// Vectors of one job as JSON; a result holds 1 MiB, and there is more in it than these.
const EMBEDDINGS_BYTES_MAX: usize = (1 << 20) - (32 << 10);
/// A large batch on a slow machine, with retries.
const TIMEOUT_MS: u64 = 300_000;

/// The kind `llm.embed`.
pub struct LlmEmbed {
    descriptor: KindDescriptor,
    providers: Providers,
    policy: EgressPolicy,
}

#[derive(Debug, Deserialize)]
struct Payload {
    provider: Option<String>,
    model: Option<String>,
    fallback: Option<bool>,
    input: Input,
    dimensions: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
}

impl LlmEmbed {
    /// The kind, asking `providers` under `policy`; a provider's own host is always allowed for that provider.
    pub fn new(providers: Providers, policy: &EgressPolicy) -> Self {
        let descriptor = KindDescriptor {
            name: "llm.embed".to_owned(),
            title: "Embed texts".to_owned(),
            description:
                "Turns texts into vectors by a model of any OpenAI-compatible endpoint; texts of like meaning \
                          have vectors that are near each other."
                    .to_owned(),
            payload_schema: schema(&providers),
            timeout_ms: TIMEOUT_MS,
            reaches_machine: false,
        };
        Self { descriptor, providers, policy: policy.clone() }
    }

    /// Whom to ask, in order. Vectors of two models can't be compared, so only who has the very same model stands in.
    fn candidates<'a>(&'a self, payload: &'a Payload) -> Result<Vec<Candidate<'a>>, JobFailure> {
        let (name, provider) = self.providers.wanted(payload.provider.as_deref())?;
        if provider.options.api == Api::Anthropic {
            return Err(JobFailure::permanent("EMBEDDINGS_NOT_SUPPORTED", format!("{name} has no embeddings"))
                .hint("name another provider in the payload; Anthropic itself recommends those of others"));
        }
        let model = payload.model.as_deref().or(provider.options.embed_model.as_deref()).ok_or_else(|| {
            let message = format!("neither the job nor provider {name:?} names a model for embeddings");
            JobFailure::permanent("NO_MODEL", message)
                .hint(format!("set model in the payload, or providers.{name}.embed_model in config.toml"))
        })?;
        let mut candidates = vec![Candidate { name, provider, model }];
        if payload.fallback.unwrap_or(true) {
            let others = self.providers.fallbacks(provider);
            let same = others.filter(|(_, other)| {
                other.options.api == Api::OpenAi && other.options.embed_model.as_deref() == Some(model)
            });
            candidates.extend(same.map(|(name, provider)| Candidate { name, provider, model }));
        }
        Ok(candidates)
    }
}

#[async_trait]
impl JobKind for LlmEmbed {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    fn limit_targets(&self, payload: &Value) -> Vec<LimitTarget> {
        self.providers.limit_targets(payload)
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        let payload: Payload = parse_payload(&context)?;
        let candidates = self.candidates(&payload)?;
        let texts = match &payload.input {
            Input::One(text) => std::slice::from_ref(text),
            Input::Many(texts) => texts.as_slice(),
        };
        let question = Batch { texts, dimensions: payload.dimensions, policy: &self.policy };
        until_cancelled(&context, async {
            let started = Instant::now();
            let Answered { answer, candidate, tries } = route::ask(&candidates, &context, &question).await?;
            Ok(json!({
                "embeddings": answer.embeddings,
                "dimensions": answer.dimensions,
                "model": answer.model.as_deref().unwrap_or(candidate.model),
                "provider": candidate.name,
                "usage": answer.usage,
                "elapsed_ms": started.elapsed().as_millis() as u64,
                "tries": tries,
            }))
        })
        .await
    }
}

/// What is to be embedded.
struct Batch<'a> {
    texts: &'a [String],
    dimensions: Option<u32>,
    policy: &'a EgressPolicy,
}

#[derive(Debug)]
struct Embedded {
    /// In the order of the texts.
    embeddings: Vec<Vec<Number>>,
    dimensions: usize,
    model: Option<String>,
    usage: Value,
}

/// The answer, as OpenAI documents it.
#[derive(Debug, Deserialize)]
struct Document {
    data: Vec<Item>,
    model: Option<String>,
    #[serde(default)]
    usage: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Item {
    /// Which text; some servers leave it out and keep the order.
    index: Option<usize>,
    embedding: Vec<f32>,
}

#[async_trait]
impl Question for Batch<'_> {
    type Answer = Embedded;

    async fn ask(&self, candidate: &Candidate<'_>, context: &JobContext) -> Result<Embedded, Trouble> {
        let call = Call { candidate, policy: self.policy, context };
        let mut body = json!({"model": candidate.model, "input": self.texts, "encoding_format": "float"});
        if let Some(dimensions) = self.dimensions {
            body["dimensions"] = dimensions.into();
        }
        let mut response = call.post("embeddings", &body).await?;
        let bytes = response.bytes().await.map_err(|error| match error {
            EgressError::ResponseTooLarge { .. } => too_large(self.texts.len(), None),
            error => Trouble::egress(candidate, &error),
        })?;
        let document: Document = serde_json::from_slice(&bytes)
            .map_err(|_| Trouble::garbage(candidate.name, "it is no list of embeddings"))?;
        self.collect(document).map_err(|problem| match problem {
            Problem::Garbage(reason) => Trouble::garbage(candidate.name, reason),
            Problem::TooLarge(fitting) => too_large(self.texts.len(), fitting),
        })
    }
}

enum Problem {
    Garbage(&'static str),
    /// With how many would fit.
    TooLarge(Option<usize>),
}

impl Batch<'_> {
    fn collect(&self, document: Document) -> Result<Embedded, Problem> {
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; self.texts.len()];
        for (position, item) in document.data.into_iter().enumerate() {
            let slot = vectors.get_mut(item.index.unwrap_or(position));
            let slot = slot.ok_or(Problem::Garbage("it holds more embeddings than texts were sent"))?;
            *slot = Some(item.embedding);
        }
        let vectors: Option<Vec<_>> = vectors.into_iter().collect();
        let vectors = vectors.ok_or(Problem::Garbage("an embedding is missing"))?;
        let dimensions = vectors.first().map_or(0, Vec::len);
        if dimensions == 0 || vectors.iter().any(|vector| vector.len() != dimensions) {
            return Err(Problem::Garbage("the embeddings are of different lengths"));
        }
        let mut bytes = 0;
        let mut embeddings = Vec::with_capacity(vectors.len());
        for vector in vectors {
            let numbers: Option<Vec<_>> = vector.into_iter().map(shortest).collect();
            let numbers = numbers.ok_or(Problem::Garbage("an embedding holds something that is no number"))?;
            bytes += numbers.iter().map(|number| number.to_string().len() + 1).sum::<usize>() + 2;
            if bytes > EMBEDDINGS_BYTES_MAX {
                return Err(Problem::TooLarge(Some(embeddings.len())));
            }
            embeddings.push(numbers);
        }
        let tokens = |name| document.usage.get(name).and_then(Value::as_u64);
        let usage = json!({"prompt_tokens": tokens("prompt_tokens"), "total_tokens": tokens("total_tokens")});
        Ok(Embedded { embeddings, dimensions, model: document.model.filter(|model| !model.is_empty()), usage })
    }
}

/// The shortest text that reads back as the same number: models give 32 bits, and the digits behind them are noise
/// that would double the result.
fn shortest(value: f32) -> Option<Number> {
    Number::from_f64(value.to_string().parse().ok()?)
}

fn too_large(count: usize, fitting: Option<usize>) -> Trouble {
    let fitting = fitting.map_or(String::new(), |fitting| format!("; {fitting} of them would fit"));
    let failure = JobFailure::permanent(
        "RESULT_TOO_LARGE",
        format!(
            "the embeddings of {count} texts are larger than a result may be, {EMBEDDINGS_BYTES_MAX} bytes{fitting}"
        ),
    )
    .hint("embed fewer texts in one job, or ask for fewer dimensions");
    Trouble::new(Class::Rejected, failure)
}

fn schema(providers: &Providers) -> Value {
    let model = providers.default_provider().and_then(|provider| provider.options.embed_model.as_deref());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "required": ["input"],
        "properties": {
            "input": {
                "title": "Input", "description": "A text, or several.",
                "oneOf": [
                    {"type": "string", "title": "One text", "minLength": 1, "x-multiline": true},
                    {
                        "type": "array", "title": "Several texts", "minItems": 1, "maxItems": INPUTS_MAX,
                        "items": {"type": "string", "title": "Text", "minLength": 1, "x-multiline": true}
                    }
                ],
                "examples": ["A text whose meaning is to be found again."]
            },
            "provider": providers.provider_schema(),
            "model": Providers::model_schema(model),
            "fallback": {
                "type": "boolean", "title": "Ask others", "default": true,
                "description": "Whether those fallbacks of the provider that have the very same model are asked where it can't answer."
            },
            "dimensions": {
                "type": "integer", "title": "Dimensions", "minimum": 1, "maximum": 65_536,
                "description": "Length of each vector, where the model lets one choose."
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_nothing_and_are_short() {
        for value in [0.1_f32, -0.012_345_679, 1.0e-12, f32::MIN_POSITIVE, 0.0] {
            let number = shortest(value).unwrap();
            assert_eq!((number.as_f64().unwrap() as f32).to_bits(), value.to_bits(), "{number}");
        }
        assert_eq!(shortest(0.1).unwrap().to_string(), "0.1");
    }
}
