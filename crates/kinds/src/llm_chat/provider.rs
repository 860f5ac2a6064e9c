//! Whom to ask: address, model, key.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use flowork_egress::{Egress, Url};
use zeroize::Zeroizing;

/// An API key. Never printed; wiped when dropped.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Wraps a key.
    pub fn new(key: String) -> Self {
        Self(Zeroizing::new(key))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// An OpenAI-compatible endpoint.
#[derive(Clone)]
pub struct Provider {
    base_url: Url,
    pub(super) model: Option<String>,
    pub(super) api_key: Option<ApiKey>,
    /// Made on first use; shared by all jobs, so that connections are.
    pub(super) egress: Arc<OnceLock<Egress>>,
}

/// A base URL that can't be one.
#[derive(Debug, thiserror::Error)]
#[error("{base_url:?} is not the base URL of a provider: {reason}")]
pub struct InvalidProviderError {
    base_url: String,
    reason: String,
}

impl Provider {
    /// An endpoint whose chat completions are at `{base_url}/chat/completions`.
    ///
    /// # Errors
    /// The base URL is not an http or https URL, or carries credentials.
    pub fn new(base_url: &str, model: Option<String>, api_key: Option<ApiKey>) -> Result<Self, InvalidProviderError> {
        let fail = |reason: String| InvalidProviderError { base_url: base_url.to_owned(), reason };
        let url = Url::parse(base_url).map_err(|error| fail(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(fail("it must start with http:// or https://".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            // Not repeated: it holds a password.
            return Err(InvalidProviderError {
                base_url: url.host_str().unwrap_or_default().to_owned(),
                reason: "put the key into api_key, not into the URL".to_owned(),
            });
        }
        Ok(Self { base_url: url, model, api_key, egress: Arc::default() })
    }

    pub(super) fn chat_url(&self) -> String {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}/chat/completions", self.base_url.path().trim_end_matches('/')));
        url.to_string()
    }

    pub(super) fn looks_like_ollama(&self) -> bool {
        self.base_url.port() == Some(11_434) || self.base_url.host_str().is_some_and(|host| host.contains("ollama"))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("base_url", &self.base_url.as_str())
            .field("model", &self.model)
            .field("api_key", &self.api_key)
            .finish_non_exhaustive()
    }
}

/// The configured endpoints.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    by_name: BTreeMap<String, Provider>,
    default: Option<String>,
}

impl Providers {
    /// Endpoints by name, and the one to ask where a job names none; without it the first by name.
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

    pub(super) fn get<'a>(&'a self, name: &str) -> Option<(&'a str, &'a Provider)> {
        self.by_name.get_key_value(name).map(|(name, provider)| (name.as_str(), provider))
    }

    pub(super) fn default_model(&self) -> Option<&str> {
        self.by_name.get(self.default_name()?)?.model.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_never_printed() {
        let provider =
            Provider::new("https://api.example/v1/", None, Some(ApiKey::new("sk-canary".to_owned()))).unwrap();
        assert!(!format!("{provider:?}").contains("canary"));
        assert_eq!(provider.chat_url(), "https://api.example/v1/chat/completions");
        let error = Provider::new("https://u:canary@api.example/v1", None, None).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
        assert!(Provider::new("ftp://x/", None, None).is_err());
        assert!(Provider::new("localhost:11434/v1", None, None).is_err());
    }
}
