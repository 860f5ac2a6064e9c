//! Whom to ask: address, protocol, models, key, limits, and who stands in.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use flowork_api_types::limit::LimitTarget;
use flowork_egress::{Egress, EgressPolicy, Url};
use flowork_engine::{JobFailure, kind::nearest};
use serde_json::Value;
use zeroize::Zeroizing;

use super::admission::Admission;

/// The protocol a provider speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// OpenAI's chat completions and embeddings, which most others speak too.
    #[default]
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
}

impl Api {
    /// Where a provider answers whose address is not configured; `None` if it has to be.
    pub fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => None,
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
        }
    }
}

/// An API key. Never printed; wiped when dropped.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Wraps a key.
    pub fn new(key: String) -> Self {
        Self(Zeroizing::new(key))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What the owner says about a provider.
#[derive(Clone, Debug)]
pub struct ProviderOptions {
    /// The protocol.
    pub api: Api,
    /// Up to and including `/v1`.
    pub base_url: String,
    /// For chats that name none.
    pub model: Option<String>,
    /// For embeddings that name none.
    pub embed_model: Option<String>,
    /// Sent with each request.
    pub api_key: Option<ApiKey>,
    /// Who is asked next where this one can't answer, in this order.
    pub fallback: Vec<String>,
    /// How often a request is repeated within an attempt.
    pub max_retries: u32,
    /// Requests at once; no bound without it.
    pub concurrency: Option<u32>,
    /// Requests a minute; no bound without it.
    pub requests_per_minute: Option<u32>,
    /// How long it may be silent: before its answer, and between two pieces of it.
    pub timeout: Duration,
}

impl ProviderOptions {
    /// A silence this long is one of a local model that is loaded from disk, or a failure.
    pub const TIMEOUT_DEFAULT: Duration = Duration::from_mins(3);
    /// More would keep a worker from other jobs; the queue retries too.
    pub const MAX_RETRIES_DEFAULT: u32 = 2;

    /// An OpenAI-compatible provider without a key and without limits.
    pub fn new(base_url: &str) -> Self {
        Self {
            api: Api::OpenAi,
            base_url: base_url.to_owned(),
            model: None,
            embed_model: None,
            api_key: None,
            fallback: Vec::new(),
            max_retries: Self::MAX_RETRIES_DEFAULT,
            concurrency: None,
            requests_per_minute: None,
            timeout: Self::TIMEOUT_DEFAULT,
        }
    }
}

/// A provider. Clones share its limits, its breaker and its connections.
#[derive(Clone)]
pub struct Provider {
    base_url: Url,
    pub(crate) options: Arc<ProviderOptions>,
    pub(crate) admission: Arc<Admission>,
    /// Made on first use; shared by all jobs, so that connections are.
    egress: Arc<OnceLock<Egress>>,
}

/// A base URL that can't be one.
#[derive(Debug, thiserror::Error)]
#[error("{base_url:?} is not the base URL of a provider: {reason}")]
pub struct InvalidProviderError {
    base_url: String,
    reason: String,
}

impl Provider {
    /// A provider whose chat completions are at `{base_url}/chat/completions`, or its messages at
    /// `{base_url}/messages`.
    ///
    /// # Errors
    /// The base URL is not an http or https URL, or carries credentials.
    pub fn new(options: ProviderOptions) -> Result<Self, InvalidProviderError> {
        let fail = |reason: String| InvalidProviderError { base_url: options.base_url.clone(), reason };
        let url = Url::parse(&options.base_url).map_err(|error| fail(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(fail("it must start with http:// or https://".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            // Not repeated: it holds a password.
            return Err(InvalidProviderError {
                base_url: url.host_str().unwrap_or_default().to_owned(),
                reason: "put the key into the vault (flowork provider set-key), not into the URL".to_owned(),
            });
        }
        let admission = Arc::new(Admission::new(options.concurrency, options.requests_per_minute));
        Ok(Self { base_url: url, options: Arc::new(options), admission, egress: Arc::default() })
    }

    /// The address of `path` below the base URL.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}/{path}", self.base_url.path().trim_end_matches('/')));
        url
    }

    /// The way to it; its own host is always allowed.
    pub(crate) fn egress(&self, policy: &EgressPolicy) -> &Egress {
        self.egress.get_or_init(|| Egress::new(policy.clone().and_host_of(&self.base_url)))
    }

    pub(crate) fn looks_like_ollama(&self) -> bool {
        self.base_url.port() == Some(11_434) || self.base_url.host_str().is_some_and(|host| host.contains("ollama"))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("options", &self.options).finish_non_exhaustive()
    }
}

/// One to ask, and the model to ask for.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'a str,
    pub(crate) provider: &'a Provider,
    pub(crate) model: &'a str,
}

/// The configured providers.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    by_name: BTreeMap<String, Provider>,
    default: Option<String>,
}

impl Providers {
    /// Providers by name, and the one to ask where a job names none; without it the first by name.
    pub fn new(by_name: BTreeMap<String, Provider>, default: Option<String>) -> Self {
        Self { by_name, default }
    }

    /// The name to use where a job names none.
    pub fn default_name(&self) -> Option<&str> {
        self.default.as_deref().or_else(|| self.names().next())
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The provider to ask where a job names none.
    pub(crate) fn default_provider(&self) -> Option<&Provider> {
        self.by_name.get(self.default_name()?)
    }

    /// The provider a job wants, or the default one.
    pub(crate) fn wanted(&self, name: Option<&str>) -> Result<(&str, &Provider), JobFailure> {
        let Some(name) = name.or(self.default_name()) else {
            return Err(JobFailure::permanent("NO_PROVIDER", "no language model is configured").hint(
                "add providers.<name>.base_url to config.toml, for example http://127.0.0.1:11434/v1 for Ollama",
            ));
        };
        self.find(name).ok_or_else(|| {
            let near = nearest(name, self.names());
            let known: Vec<_> = if near.is_empty() { self.names().map(str::to_owned).collect() } else { near };
            JobFailure::permanent("UNKNOWN_PROVIDER", format!("there is no provider named {name:?}"))
                .hint(format!("configured are: {}", known.join(", ")))
        })
    }

    /// What counts a job with this payload: the provider it asks first. That one may be known only to an engine elsewhere,
    /// and a limit holds there too.
    pub(crate) fn limit_targets(&self, payload: &Value) -> Vec<LimitTarget> {
        let name = payload["provider"].as_str().or(self.default_name());
        // A name that no limit can have is none of a provider either.
        name.and_then(|name| format!("provider:{name}").parse().ok()).into_iter().collect()
    }

    /// Who stands in for `provider`, in order.
    pub(crate) fn fallbacks<'a>(&'a self, provider: &'a Provider) -> impl Iterator<Item = (&'a str, &'a Provider)> {
        provider.options.fallback.iter().filter_map(|name| self.find(name))
    }

    fn find(&self, name: &str) -> Option<(&str, &Provider)> {
        self.by_name.get_key_value(name).map(|(name, provider)| (name.as_str(), provider))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(base_url: &str) -> Result<Provider, InvalidProviderError> {
        let api_key = Some(ApiKey::new("sk-canary".to_owned()));
        Provider::new(ProviderOptions { api_key, ..ProviderOptions::new(base_url) })
    }

    #[test]
    fn keys_are_never_printed() {
        let provider = new("https://api.example/v1/").unwrap();
        assert!(!format!("{provider:?}").contains("canary"));
        assert_eq!(provider.url("chat/completions").as_str(), "https://api.example/v1/chat/completions");
        let error = new("https://u:canary@api.example/v1").unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
        assert!(new("ftp://x/").is_err());
        assert!(new("localhost:11434/v1").is_err());
    }
}
