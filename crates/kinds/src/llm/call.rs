//! One HTTP exchange with a provider: the request with its key, and what a refusal means.

use flowork_egress::{
    EgressPolicy, Limits, Method, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use flowork_engine::{JobContext, JobFailure};
use serde_json::Value;

use super::{
    provider::{Api, Candidate},
    trouble::{Class, Trouble},
};
use crate::failure::retry_after;

/// Of a whole answer. Each token comes wrapped in some hundred bytes of JSON.
const RESPONSE_BYTES_MAX: u64 = 64 << 20;
/// Of an error a provider sends.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// Of an error a provider sends, in our message.
const ERROR_CHARS: usize = 500;
/// The version of Anthropic's protocol that is spoken here.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Asks one candidate under a policy.
pub(crate) struct Call<'a> {
    pub(crate) candidate: &'a Candidate<'a>,
    pub(crate) policy: &'a EgressPolicy,
    pub(crate) context: &'a JobContext,
}

impl Call<'_> {
    /// Sends `body` to `path` below the base URL; answers once a success begins.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Response, Trouble> {
        let provider = self.candidate.provider;
        let request = Request {
            method: Method::POST,
            url: provider.url(path),
            headers: self.headers()?,
            body: Some(body.to_string().into()),
            limits: Limits {
                total_timeout: self.context.deadline.saturating_duration_since(tokio::time::Instant::now()),
                read_timeout: provider.options.timeout,
                response_bytes_max: RESPONSE_BYTES_MAX,
                // The key is for this host; an endpoint that moved is a matter for the configuration.
                redirects_max: 0,
            },
        };
        let sent = provider.egress(self.policy).send(request).await;
        let mut response = sent.map_err(|error| Trouble::egress(self.candidate, &error))?;
        if response.status.is_success() { Ok(response) } else { Err(self.refused(&mut response).await) }
    }

    fn headers(&self) -> Result<HeaderMap, Trouble> {
        let options = &self.candidate.provider.options;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        if options.api == Api::Anthropic {
            let version = HeaderName::from_static("anthropic-version");
            headers.insert(version, HeaderValue::from_static(ANTHROPIC_VERSION));
        }
        if let Some(key) = &options.api_key {
            let (name, text) = match options.api {
                Api::OpenAi => (AUTHORIZATION, format!("Bearer {}", key.expose())),
                Api::Anthropic => (HeaderName::from_static("x-api-key"), key.expose().to_owned()),
            };
            let mut value = HeaderValue::from_str(&text).map_err(|_| {
                let name = self.candidate.name;
                let message = format!("the API key of {name} is not a valid header");
                let failure = JobFailure::permanent("PROVIDER_AUTH_FAILED", message);
                Trouble::new(Class::Unusable, failure.hint("set the key again; it must be one line"))
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    async fn refused(&self, response: &mut Response) -> Trouble {
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
        let mut trouble = self.by_status(response.status, &reason);
        if trouble.failure.retryable {
            trouble.failure.retry_after = retry_after(&response.headers);
        }
        trouble
    }

    fn by_status(&self, status: StatusCode, reason: &str) -> Trouble {
        let Candidate { name, provider, model } = self.candidate;
        let message = |text: String| if reason.is_empty() { text } else { format!("{text}: {reason}") };
        let permanent = |class, code, text, hint: String| {
            Trouble::new(class, JobFailure::permanent(code, message(text)).hint(hint))
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => permanent(
                Class::Unusable,
                "PROVIDER_AUTH_FAILED",
                format!("{name} refuses the API key ({status})"),
                format!("set the right key with `flowork provider set-key {name}`; it is kept in the vault"),
            ),
            StatusCode::NOT_FOUND => {
                let is_ollama = provider.looks_like_ollama();
                let pull = if is_ollama { format!("run `ollama pull {model}`, ") } else { String::new() };
                permanent(
                    Class::Unusable,
                    "MODEL_NOT_FOUND",
                    format!("{name} does not know {model:?}"),
                    format!(
                        "{pull}check the name of the model, and that providers.{name}.base_url ends like the provider \
                         says, often in /v1"
                    ),
                )
            }
            StatusCode::TOO_MANY_REQUESTS => Trouble::new(
                Class::Throttled,
                JobFailure::retryable("RATE_LIMITED", message(format!("{name} wants fewer requests")))
                    .hint("the job is tried again later; a larger plan of the provider allows more"),
            ),
            StatusCode::PAYLOAD_TOO_LARGE => permanent(
                Class::Rejected,
                "PROVIDER_REJECTED",
                format!("the request is too long for {name}"),
                "send fewer or shorter messages".to_owned(),
            ),
            // Anthropic's 529, overloaded, is one of these.
            _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Trouble::down(&message(format!("{name} answered {status}")))
            }
            _ if status.is_redirection() => permanent(
                Class::Unusable,
                "PROVIDER_MOVED",
                format!("{name} redirects elsewhere ({status})"),
                format!("put the new address into providers.{name}.base_url"),
            ),
            _ => permanent(
                Class::Rejected,
                "PROVIDER_REJECTED",
                format!("{name} answered {status}"),
                "change the payload as the provider says".to_owned(),
            ),
        }
    }

    /// The message of a provider's error, cut, and without the key, which some repeat.
    pub(crate) fn quote(&self, error: &Value) -> String {
        let text = match error {
            Value::String(text) => text.clone(),
            error => error["message"].as_str().map_or_else(|| error.to_string(), ToOwned::to_owned),
        };
        let text = match &self.candidate.provider.options.api_key {
            Some(key) if !key.expose().is_empty() => text.replace(key.expose(), "[API key]"),
            _ => text,
        };
        text.chars().take(ERROR_CHARS).collect()
    }
}
