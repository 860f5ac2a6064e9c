//! `llm.chat`: a chat completion by any OpenAI-compatible endpoint. Tokens come as output while the model writes.

mod answer;
mod provider;
mod schema;
mod sse;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use flowork_api_types::kind::KindDescriptor;
use flowork_egress::{
    Egress, EgressError, EgressPolicy, Limits, Method, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use flowork_engine::{JobContext, JobFailure, JobKind, kind::nearest};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::provider::{ApiKey, InvalidProviderError, Provider, Providers};
use self::{answer::Answer, sse::Events};
use crate::failure::{from_egress, parse_payload, retry_after, until_cancelled};

/// Between two pieces of an answer. A local model may have to be loaded from disk before the first.
const READ_TIMEOUT: Duration = Duration::from_mins(3);
const TIMEOUT_MS: u64 = 600_000;
/// Of the whole stream. Each token comes wrapped in some hundred bytes of JSON.
const STREAM_BYTES_MAX: u64 = 64 << 20;
/// Of an error a provider sends.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// Of an error a provider sends, in our message.
const ERROR_CHARS: usize = 500;

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
    /// Everything else goes to the provider as it is.
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// One call: whom to ask, for the error messages.
struct Call<'a> {
    name: &'a str,
    provider: &'a Provider,
    model: &'a str,
}

impl LlmChat {
    /// The kind, asking `providers` under `policy`; a provider's own host is always allowed for that provider.
    pub fn new(providers: Providers, policy: &EgressPolicy) -> Self {
        let descriptor = KindDescriptor {
            name: "llm.chat".to_owned(),
            title: "Chat with a language model".to_owned(),
            description: "Asks a language model of any OpenAI-compatible endpoint (OpenAI, Groq, Ollama, llama.cpp, \
                          vLLM, LM Studio) and shows the answer while it is written."
                .to_owned(),
            payload_schema: schema::schema(&providers),
            timeout_ms: TIMEOUT_MS,
        };
        Self { descriptor, providers, policy: policy.clone() }
    }

    fn provider(&self, wanted: Option<&str>) -> Result<(&str, &Provider), JobFailure> {
        let Some(name) = wanted.or(self.providers.default_name()) else {
            return Err(JobFailure::permanent("NO_PROVIDER", "no language model is configured").hint(
                "add providers.<name>.base_url to config.toml, for example http://127.0.0.1:11434/v1 for Ollama",
            ));
        };
        self.providers.get(name).ok_or_else(|| {
            let near = nearest(name, self.providers.names());
            let known: Vec<_> =
                if near.is_empty() { self.providers.names().map(str::to_owned).collect() } else { near };
            JobFailure::permanent("UNKNOWN_PROVIDER", format!("there is no provider named {name:?}"))
                .hint(format!("configured are: {}", known.join(", ")))
        })
    }
}

#[async_trait]
impl JobKind for LlmChat {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        let payload: Payload = parse_payload(&context)?;
        let (name, provider) = self.provider(payload.provider.as_deref())?;
        let model = payload.model.as_deref().or(provider.model.as_deref()).ok_or_else(|| {
            JobFailure::permanent("NO_MODEL", format!("neither the job nor provider {name:?} names a model"))
                .hint(format!("set model in the payload, or providers.{name}.model in config.toml"))
        })?;
        let call = Call { name, provider, model };
        context.reporter.progress(None, Some(&format!("asking {model} at {name}")));
        until_cancelled(&context, call.run(&self.policy, &payload.rest, &context)).await
    }
}

impl Call<'_> {
    async fn run(
        &self,
        policy: &EgressPolicy,
        rest: &serde_json::Map<String, Value>,
        context: &JobContext,
    ) -> Result<Value, JobFailure> {
        let started = Instant::now();
        let request = self.request(rest, context)?;
        let egress = self.provider.egress.get_or_init(|| Egress::new(policy.clone().and_host_of(&request.url)));
        let mut response = egress.send(request).await.map_err(|error| self.explain(&error))?;
        if !response.status.is_success() {
            return Err(self.refused(&mut response).await);
        }
        let answer = self.read(&mut response, started, context).await?;
        let mut result = answer.into_result(self.model);
        result["provider"] = self.name.into();
        result["elapsed_ms"] = json!(started.elapsed().as_millis() as u64);
        Ok(result)
    }

    fn request(&self, rest: &serde_json::Map<String, Value>, context: &JobContext) -> Result<Request, JobFailure> {
        let mut body = rest.clone();
        body.insert("model".to_owned(), self.model.into());
        body.insert("stream".to_owned(), true.into());
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        let mut request = Request::new(Method::POST, &self.provider.chat_url()).map_err(|error| from_egress(&error))?;
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        if let Some(key) = &self.provider.api_key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| {
                JobFailure::permanent(
                    "PROVIDER_AUTH_FAILED",
                    format!("the API key of {} is not a valid header", self.name),
                )
                .hint("set the key again; it must be one line")
            })?;
            value.set_sensitive(true);
            request.headers.insert(AUTHORIZATION, value);
        }
        request.body = Some(Value::Object(body).to_string().into());
        request.limits = Limits {
            total_timeout: context.deadline.saturating_duration_since(tokio::time::Instant::now()),
            read_timeout: READ_TIMEOUT,
            response_bytes_max: STREAM_BYTES_MAX,
            // The key is for this host; an endpoint that moved is a matter for the configuration.
            redirects_max: 0,
        };
        Ok(request)
    }

    async fn read(
        &self,
        response: &mut Response,
        started: Instant,
        context: &JobContext,
    ) -> Result<Answer, JobFailure> {
        let content_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_json = content_type.contains("json");
        let mut answer = Answer::new(started);
        let mut events = Events::default();
        let mut whole = Vec::new();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Err(EgressError::Transfer { .. }) if !answer.is_complete() => return Err(self.cut(&answer)),
                Ok(None) | Err(EgressError::Transfer { .. }) => break,

                Err(error) => return Err(self.explain(&error)),
            };
            if is_json {
                whole.extend_from_slice(&chunk);
                if whole.len() > answer::ANSWER_BYTES_MAX * 2 {
                    return Err(answer::too_large());
                }
                continue;
            }
            events.feed(&chunk).map_err(|reason| self.garbage(reason))?;
            while let Some(data) = events.next_data() {
                if data == "[DONE]" {
                    answer.mark_done();
                    return self.complete(answer);
                }
                let piece: Value = serde_json::from_str(&data).map_err(|_| self.garbage("a piece is not JSON"))?;
                if let Some(error) = piece.get("error").filter(|error| !error.is_null()) {
                    let message = self.quote(error);
                    return Err(JobFailure::retryable("PROVIDER_ERROR", format!("{} stopped: {message}", self.name)));
                }
                if let Some(delta) = answer.add_piece(&piece)? {
                    context.reporter.output(&delta);
                }
            }
        }
        if is_json {
            let document: Value = serde_json::from_slice(&whole).map_err(|_| self.garbage("it is not valid JSON"))?;
            let text = answer.add_whole(&document).ok_or_else(|| self.garbage("it holds no choices"))??;
            context.reporter.output(&text);
            return Ok(answer);
        }
        if !events.saw_any() {
            return Err(self.garbage("it is no stream of events"));
        }
        if answer.is_complete() { self.complete(answer) } else { Err(self.cut(&answer)) }
    }

    fn complete(&self, answer: Answer) -> Result<Answer, JobFailure> {
        if answer.saw_choice() { Ok(answer) } else { Err(self.garbage("it ended without an answer")) }
    }

    async fn refused(&self, response: &mut Response) -> JobFailure {
        let (name, model, status) = (self.name, self.model, response.status);
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ERROR_BYTES_MAX {
                break;
            }
        }
        let reason = match serde_json::from_slice::<Value>(&body) {
            Ok(document) => self.quote(document.get("error").unwrap_or(&document)),
            Err(_) => String::new(),
        };
        let message = |text: String| if reason.is_empty() { text } else { format!("{text}: {reason}") };
        let failure = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                JobFailure::permanent("PROVIDER_AUTH_FAILED", message(format!("{name} refuses the API key ({status})")))
                    .hint(format!("set the right API key for provider {name}; it is kept in the vault"))
            }
            StatusCode::NOT_FOUND => {
                let pull = if self.provider.looks_like_ollama() {
                    format!("run `ollama pull {model}`, ")
                } else {
                    String::new()
                };
                JobFailure::permanent("MODEL_NOT_FOUND", message(format!("{name} does not know {model:?}")))
                    .hint(format!("{pull}check the name of the model, and that providers.{name}.base_url ends like the provider says, often in /v1"))
            }
            StatusCode::TOO_MANY_REQUESTS => {
                JobFailure::retryable("RATE_LIMITED", message(format!("{name} wants fewer requests")))
                    .hint("the job is tried again later; a larger plan of the provider allows more")
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                JobFailure::permanent("PROVIDER_REJECTED", message(format!("the messages are too long for {name}")))
                    .hint("send fewer or shorter messages")
            }
            _ if status.is_server_error() => {
                JobFailure::retryable("PROVIDER_ERROR", message(format!("{name} answered {status}")))
                    .hint("the provider has a problem of its own; the job is tried again later")
            }
            _ if status.is_redirection() => {
                JobFailure::permanent("PROVIDER_MOVED", format!("{name} redirects elsewhere ({status})"))
                    .hint(format!("put the new address into providers.{name}.base_url"))
            }
            _ => JobFailure::permanent("PROVIDER_REJECTED", message(format!("{name} answered {status}")))
                .hint("change the payload as the provider says"),
        };
        match retry_after(&response.headers) {
            Some(wait) if failure.retryable => failure.retry_after(wait),
            _ => failure,
        }
    }

    /// The message of a provider's error, cut, and without the key, which some repeat.
    fn quote(&self, error: &Value) -> String {
        let text = match error {
            Value::String(text) => text.clone(),
            error => error["message"].as_str().map_or_else(|| error.to_string(), ToOwned::to_owned),
        };
        let text = match &self.provider.api_key {
            Some(key) if !key.expose().is_empty() => text.replace(key.expose(), "[API key]"),
            _ => text,
        };
        text.chars().take(ERROR_CHARS).collect()
    }

    fn explain(&self, error: &EgressError) -> JobFailure {
        let failure = from_egress(error);
        match error {
            EgressError::Connect { .. } | EgressError::Dns { .. } => {
                let name = self.name;
                let start = if self.provider.looks_like_ollama() {
                    "start it with `ollama serve`"
                } else {
                    "check that it runs"
                };
                let message = format!("{name} can't be reached: {}", error.chain());
                JobFailure::retryable("PROVIDER_UNREACHABLE", message)
                    .hint(format!("{start}, or change providers.{name}.base_url in config.toml"))
            }
            EgressError::Timeout { .. } => JobFailure {
                error: flowork_api_types::job::JobError { code: "PROVIDER_TIMEOUT".to_owned(), ..failure.error },
                ..failure
            }
            .hint("a smaller model or a shorter conversation is faster; timeout_ms of the job allows more time"),
            EgressError::ResponseTooLarge { .. } => answer::too_large(),
            _ => failure,
        }
    }

    fn garbage(&self, reason: &str) -> JobFailure {
        let name = self.name;
        JobFailure::permanent("PROVIDER_INVALID_ANSWER", format!("the answer of {name} can't be understood: {reason}"))
            .hint(format!(
                "check that providers.{name}.base_url is the root of an OpenAI-compatible API, often ending in /v1"
            ))
    }

    fn cut(&self, answer: &Answer) -> JobFailure {
        JobFailure::retryable("PROVIDER_STREAM_CUT", format!("{} stopped in the middle of its answer", self.name))
            .hint("the job is tried again; if this comes often, look at the provider's log")
            .details(json!({"content_bytes": answer.content_bytes()}))
    }
}
