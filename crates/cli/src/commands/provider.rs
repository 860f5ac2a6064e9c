//! `flowork provider`

use flowork_node::{Config, config::Api};
use flowork_vault::{Vault, VaultError, provider_item};
use serde_json::{Value, json};

use crate::{
    audit_note,
    exit::{Exit, Failure},
    output::{Format, table},
    secret_input,
};

/// Longer than any key of a provider.
const KEY_BYTES_MAX: usize = 8 << 10;

/// Show providers of language models and set their keys
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Every provider of config.toml, and whether the vault holds a key of it
    List,
    /// Put a provider's API key in the vault; the key is asked for, or read from standard input
    SetKey {
        /// The provider, as under [providers.NAME] in config.toml
        name: String,
    },
    /// Remove a provider's API key from the vault
    DeleteKey {
        /// The provider
        name: String,
    },
}

pub(super) fn run(command: Command, config: &Config, format: Format) -> Result<(), Failure> {
    match command {
        Command::List => list(config, format),
        Command::SetKey { name } => set_key(&name, config, format),
        Command::DeleteKey { name } => {
            let item = provider_item(&name);
            open(config)?.delete(&item).map_err(|error| failed(&error))?;
            // What is done is said in any case.
            let noted = audit_note::leave(config, "provider.delete_key", &json!({"provider": name}));
            format.print(&json!({"deleted": item}), |_| format!("The vault holds no key of {name} any more."))?;
            noted
        }
    }
}

/// What is configured; keys are told of, not told.
fn list(config: &Config, format: Format) -> Result<(), Failure> {
    let vault = match Vault::open(config.vault_options()) {
        Ok(vault) => Some(vault),
        Err(flowork_vault::OpenError::NoVault(_)) => None,
        Err(error) => return Err(Failure::from_error(Exit::Refused, "VAULT", &error).hint(error.hint())),
    };
    let mut providers = Vec::new();
    for (name, provider) in &config.providers {
        let key = vault.as_ref().map(|vault| vault.get(&provider_item(name))).transpose();
        let key = key.map_err(|error| failed(&error))?.flatten();
        providers.push(json!({
            "name": name,
            "default": *name == config.default_provider,
            "api": match provider.api { Api::OpenAi => "openai", Api::Anthropic => "anthropic" },
            "base_url": provider.base_url,
            "model": provider.model,
            "embed_model": provider.embed_model,
            "has_key": key.is_some(),
            "fallback": provider.fallback,
            "max_retries": provider.max_retries,
            "concurrency": provider.concurrency,
            "requests_per_minute": provider.requests_per_minute,
        }));
    }
    format.print(&json!({"providers": providers}), |_| {
        table(&["NAME", "API", "ADDRESS", "MODEL", "KEY", "FALLBACK"], &providers.iter().map(row).collect::<Vec<_>>())
    })
}

fn row(provider: &Value) -> Vec<String> {
    let text = |name: &str| provider[name].as_str().unwrap_or("-").to_owned();
    let fallback: Vec<_> =
        provider["fallback"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
    let is_default = if provider["default"] == true { " (default)" } else { "" };
    vec![
        format!("{}{is_default}", text("name")),
        text("api"),
        text("base_url"),
        text("model"),
        if provider["has_key"] == true { "in the vault" } else { "-" }.to_owned(),
        if fallback.is_empty() { "-".to_owned() } else { fallback.join(", ") },
    ]
}

fn set_key(name: &str, config: &Config, format: Format) -> Result<(), Failure> {
    if !config.providers.contains_key(name) {
        let known: Vec<_> = config.providers.keys().map(String::as_str).collect();
        let message = format!("there is no provider {name:?}; configured are: {}", known.join(", "));
        let hint = format!("add [providers.{name}] with its base_url to config.toml first");
        return Err(Failure::new(Exit::NotFound, "UNKNOWN_PROVIDER", message).hint(hint));
    }
    let key = secret_input::read(&format!("API key of {name} (not shown): "), KEY_BYTES_MAX)?;
    if key.expose().is_empty() {
        return Err(Failure::new(Exit::Usage, "EMPTY_KEY", "the key is empty"));
    }
    let vault = open(config)?;
    vault.set(&provider_item(name), &key).map_err(|error| failed(&error))?;
    // What is done is said in any case.
    let noted = audit_note::leave(config, "provider.set_key", &json!({"provider": name}));
    let (item, backend) = (provider_item(name), vault.back_end().as_str());
    format.print(&json!({"stored": item, "vault": backend}), |_| {
        format!("The key of {name} is in the vault ({backend}). A node that is running reads it when it next starts.")
    })?;
    noted
}

fn open(config: &Config) -> Result<Vault, Failure> {
    Vault::open(config.vault_options()).map_err(|error| {
        let exit = if matches!(error, flowork_vault::OpenError::NoVault(_)) { Exit::NotFound } else { Exit::Refused };
        Failure::from_error(exit, "VAULT", &error).hint(error.hint())
    })
}

fn failed(error: &VaultError) -> Failure {
    Failure::from_error(Exit::Failed, "VAULT", error).hint(error.hint())
}
