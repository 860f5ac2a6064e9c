//! `[providers.<name>]` and `[commands]`: what jobs may ask and run.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use flowork_kinds::{Api, ProviderOptions};

use super::{ConfigError, layers::Values, value::Value};

/// A provider of language models. Its key, if it needs one, is in the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderConfig {
    /// The protocol it speaks.
    pub api: Api,
    /// Up to and including `/v1`.
    pub base_url: String,
    /// For chats that name none.
    pub model: Option<String>,
    /// For embeddings that name none.
    pub embed_model: Option<String>,
    /// Who is asked next, in this order.
    pub fallback: Vec<String>,
    /// How often a request is repeated within an attempt.
    pub max_retries: u32,
    /// Requests at once; no bound without it.
    pub concurrency: Option<u32>,
    /// Requests a minute; no bound without it.
    pub requests_per_minute: Option<u32>,
    /// How long it may be silent.
    pub timeout: Duration,
}

/// What `command.run` may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandsConfig {
    /// Whether there is such a kind.
    pub enabled: bool,
    /// Absolute paths of the programs that may be run.
    pub programs: Vec<PathBuf>,
    /// Names of variables that programs get, and that jobs may set.
    pub env: Vec<String>,
    /// Folders that programs may run in.
    pub work_dirs: Vec<PathBuf>,
    /// Memory of each process, in MiB.
    pub memory_mb: u64,
}

impl Values {
    pub(super) fn providers(&self) -> Result<BTreeMap<String, ProviderConfig>, ConfigError> {
        let mut providers = BTreeMap::new();
        for key in self.0.range("providers.".to_owned().."providers/".to_owned()).map(|(key, _)| key) {
            let Some((name, _)) = key["providers.".len()..].rsplit_once('.') else { continue };
            if !providers.contains_key(name) {
                providers.insert(name.to_owned(), self.provider(name, key)?);
            }
        }
        self.check_fallbacks(&providers)?;
        Ok(providers)
    }

    /// `key` is one of its settings.
    fn provider(&self, name: &str, key: &str) -> Result<ProviderConfig, ConfigError> {
        let of = |setting: &str| format!("providers.{name}.{setting}");
        let number = |setting| self.optional_integer(&of(setting));
        let api = match self.text(&of("api")).as_deref() {
            Some("anthropic") => Api::Anthropic,
            _ => Api::OpenAi,
        };
        let base_url = self.text(&of("base_url")).or_else(|| api.default_base_url().map(str::to_owned));
        let base_url = base_url
            .ok_or_else(|| ConfigError::ProviderWithoutUrl { place: self.place(key), name: name.to_owned() })?;
        Ok(ProviderConfig {
            api,
            base_url,
            model: self.text(&of("model")),
            embed_model: self.text(&of("embed_model")),
            fallback: self.optional_list(&of("fallback")),
            max_retries: number("max_retries").map_or(ProviderOptions::MAX_RETRIES_DEFAULT, |count| count as u32),
            concurrency: number("concurrency").map(|count| count as u32),
            requests_per_minute: number("requests_per_minute").map(|count| count as u32),
            timeout: number("timeout_ms").map_or(ProviderOptions::TIMEOUT_DEFAULT, Duration::from_millis),
        })
    }

    fn check_fallbacks(&self, providers: &BTreeMap<String, ProviderConfig>) -> Result<(), ConfigError> {
        for (name, provider) in providers {
            let key = format!("providers.{name}.fallback");
            for (position, other) in provider.fallback.iter().enumerate() {
                if !providers.contains_key(other) {
                    return Err(ConfigError::UnknownProvider {
                        place: self.place(&key),
                        name: other.clone(),
                        known: providers.keys().cloned().collect(),
                    });
                }
                if other == name || provider.fallback[..position].contains(other) {
                    return Err(ConfigError::WrongValue {
                        place: self.place(&key),
                        key,
                        expected: "other providers, each once".to_owned(),
                        found: format!("{other:?}"),
                    });
                }
            }
        }
        Ok(())
    }

    pub(super) fn commands(&self) -> CommandsConfig {
        let paths = |key| self.optional_list(key).into_iter().map(PathBuf::from).collect();
        CommandsConfig {
            enabled: self.boolean("commands.enabled"),
            programs: paths("commands.programs"),
            env: self.optional_list("commands.env"),
            work_dirs: paths("commands.work_dirs"),
            memory_mb: self.optional_integer("commands.memory_mb").expect("it has a default in the table of settings"),
        }
    }

    fn optional_integer(&self, key: &str) -> Option<u64> {
        match self.0.get(key) {
            Some((Value::Integer(number), _)) => Some(*number),
            _ => None,
        }
    }

    fn optional_list(&self, key: &str) -> Vec<String> {
        match self.0.get(key) {
            Some((Value::List(items), _)) => items.clone(),
            _ => Vec::new(),
        }
    }
}
