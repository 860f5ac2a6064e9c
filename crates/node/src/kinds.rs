//! Which kinds of jobs run here: the built-in ones, and the modules in the data directory.
//!
//! A node registers them in its own pool; `flowork engine run` uses [`EngineKinds`] for the same set on another host.

use std::{collections::BTreeMap, error::Error, net::IpAddr};

use flowork_api_types::node::Notice;
use flowork_egress::{EgressPolicy, Url};
use flowork_engine::KindRegistry;
use flowork_kinds::{
    ApiKey, CommandOptions, KindsOptions, ModuleHost, ModuleOptions, Provider, ProviderOptions, Providers,
};
use flowork_vault::{OpenError, Secret, Vault, VaultError, provider_item};

use crate::{config::Config, data_dir::DataDir, start_error::StartError};

/// API keys by provider.
pub(crate) type ProviderKeys = BTreeMap<String, Secret>;

/// Reads the keys of those providers that have one.
pub(crate) fn read_provider_keys(vault: &Vault, config: &Config) -> Result<ProviderKeys, VaultError> {
    let mut keys = ProviderKeys::new();
    for name in config.providers.keys() {
        if let Some(key) = vault.get(&provider_item(name))? {
            keys.insert(name.clone(), key);
        }
    }
    Ok(keys)
}

/// What a person should know about providers and programs.
pub(crate) fn kind_notices(config: &Config, keys: &ProviderKeys) -> Vec<Notice> {
    let mut notices = keys_in_the_clear(config, keys);
    notices.extend(unusable_commands(config));
    notices
}

/// `command.run` is there if it is turned on and has something to run.
fn runs_commands(config: &Config) -> bool {
    config.commands.enabled && !config.commands.programs.is_empty()
}

/// Programs and folders that are listed and can't be used as they are.
fn unusable_commands(config: &Config) -> Vec<Notice> {
    let commands = &config.commands;
    if !commands.enabled {
        return Vec::new();
    }
    let notice = |code: &str, message: String, hint: &str| Notice {
        code: code.to_owned(),
        message,
        hint: Some(hint.to_owned()),
    };
    if commands.programs.is_empty() {
        let message = "commands.enabled is set, but commands.programs lists nothing that may be run.".to_owned();
        return vec![notice("COMMANDS_WITHOUT_PROGRAMS", message, "list absolute paths of programs, and restart")];
    }
    let programs = commands.programs.iter().filter(|path| !path.is_file()).map(|path| {
        let message = format!("The program {} in commands.programs is not there.", path.display());
        notice("COMMAND_NOT_FOUND", message, "install it or correct its path, and restart")
    });
    let folders = commands.work_dirs.iter().filter(|path| !path.is_dir()).map(|path| {
        let message = format!("The folder {} in commands.work_dirs is not there.", path.display());
        notice("WORK_DIR_NOT_FOUND", message, "make it or correct its path, and restart")
    });
    programs.chain(folders).collect()
}

/// Providers whose key would be sent where others on the way can read it.
fn keys_in_the_clear(config: &Config, keys: &ProviderKeys) -> Vec<Notice> {
    let with_key = config.providers.iter().filter(|(name, _)| keys.contains_key(*name));
    with_key
        .filter(|(_, provider)| is_in_the_clear(&provider.base_url))
        .map(|(name, provider)| Notice {
            code: "PROVIDER_KEY_IN_CLEAR".to_owned(),
            message: format!("The key of provider {name} goes to {} without encryption.", provider.base_url),
            hint: Some(format!("set providers.{name}.base_url to its https:// address")),
        })
        .collect()
}

fn is_in_the_clear(base_url: &str) -> bool {
    let Ok(url) = Url::parse(base_url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    url.scheme() == "http" && host != "localhost" && !address.is_ok_and(|address| address.is_loopback())
}

/// Adds the built-in kinds.
pub(crate) fn register(
    config: &Config,
    data_dir: &DataDir,
    keys: &ProviderKeys,
    registry: &KindRegistry,
) -> Result<(), StartError> {
    let egress = EgressPolicy::parse(&config.egress_allow_hosts);
    let egress = egress.map_err(|error| StartError::Egress(error.to_string()))?;
    let mut providers = BTreeMap::new();
    for (name, provider) in &config.providers {
        let key = keys.get(name).and_then(Secret::expose_str).map(|key| ApiKey::new(key.to_owned()));
        let provider = Provider::new(ProviderOptions {
            api: provider.api,
            base_url: provider.base_url.clone(),
            model: provider.model.clone(),
            embed_model: provider.embed_model.clone(),
            api_key: key,
            fallback: provider.fallback.clone(),
            max_retries: provider.max_retries,
            concurrency: provider.concurrency,
            requests_per_minute: provider.requests_per_minute,
            timeout: provider.timeout,
        });
        providers.insert(name.clone(), provider.map_err(|error| StartError::Provider(error.to_string()))?);
    }
    let commands = runs_commands(config).then(|| CommandOptions {
        programs: config.commands.programs.clone(),
        environment: config.commands.env.clone(),
        work_dirs: config.commands.work_dirs.clone(),
        memory_bytes_max: Some(config.commands.memory_mb << 20),
        pid_dir: Some(data_dir.module_pids()),
    });
    let providers = Providers::new(providers, Some(config.default_provider.clone()));
    flowork_engine::kinds::register(registry)
        .and_then(|()| flowork_kinds::register_builtin(registry, KindsOptions { egress, providers, commands }))
        .map_err(|error| StartError::Kinds(error.to_string()))
}

/// The modules of a directory, registered and watched.
pub(crate) struct Modules(ModuleHost);

impl Modules {
    /// Installs the samples, registers what is there, and watches. What is wrong comes back as notices; it never stops
    /// a node. Blocks; needs a runtime.
    pub(crate) fn start(config: &Config, data_dir: &DataDir, registry: KindRegistry) -> (Option<Self>, Vec<Notice>) {
        let directory = data_dir.modules();
        let mut notices = Vec::new();
        if let Err(error) = flowork_sample_modules::install(&directory) {
            notices.push(notice("SAMPLE_MODULES", "The sample modules could not be installed", &error));
        }
        let options = ModuleOptions {
            allow_hosts: config.egress_allow_hosts.clone(),
            pid_dir: Some(data_dir.module_pids()),
            ..ModuleOptions::default()
        };
        match ModuleHost::start(&directory, registry, options) {
            Ok(host) => {
                notices.extend(host.notice().map(|notice| Notice {
                    code: notice.code.to_owned(),
                    message: notice.message.clone(),
                    hint: Some(notice.hint.clone()),
                }));
                (Some(Self(host)), notices)
            }
            Err(error) => {
                notices.push(notice("MODULES", "Modules are not available", &error));
                (None, notices)
            }
        }
    }

    pub(crate) async fn stop(self) {
        self.0.stop().await;
    }
}

/// What a node that is only to be looked at says in place of ending.
pub(crate) fn not_registered(error: &StartError) -> Notice {
    Notice { hint: error.hint(), ..notice("KINDS", "Some kinds of jobs are not available", error) }
}

fn notice(code: &str, what: &str, error: &dyn Error) -> Notice {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Notice { code: code.to_owned(), message: format!("{what}: {error}{cause}"), hint: None }
}

/// The kinds of an engine that has no node in its process.
pub struct EngineKinds {
    registry: KindRegistry,
    modules: Option<Modules>,
    notices: Vec<Notice>,
}

impl EngineKinds {
    /// Registers the built-in kinds and the modules of the data directory. Keys of providers come from the vault, if
    /// there is one. Blocks; needs a runtime.
    ///
    /// # Errors
    /// The data directory or the vault cannot be used, or the configuration does not fit.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        let data_dir = DataDir::prepare(&config.data_dir)?;
        flowork_kinds::end_orphans(&data_dir.module_pids());
        let keys = match Vault::open(config.vault_options()) {
            Ok(vault) => read_provider_keys(&vault, config).map_err(StartError::Secret)?,
            Err(OpenError::NoVault(_)) => ProviderKeys::new(),
            Err(error) => return Err(StartError::Vault(error)),
        };
        let registry = KindRegistry::default();
        register(config, &data_dir, &keys, &registry)?;
        let (modules, mut notices) = Modules::start(config, &data_dir, registry.clone());
        notices.splice(0..0, config.notices.iter().cloned().chain(kind_notices(config, &keys)));
        Ok(Self { registry, modules, notices })
    }

    /// What runs here now; changes with the modules.
    pub fn registry(&self) -> &KindRegistry {
        &self.registry
    }

    /// What a person should know.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Ends the watch.
    pub async fn stop(self) {
        if let Some(modules) = self.modules {
            modules.stop().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_to_another_machine_is_in_the_clear() {
        for url in ["http://api.example/v1", "http://192.168.1.20:8000/v1", "http://[fd00::1]/v1"] {
            assert!(is_in_the_clear(url), "{url}");
        }
        for url in ["https://api.example/v1", "http://127.0.0.1:11434/v1", "http://localhost/v1", "http://[::1]:1/v1"] {
            assert!(!is_in_the_clear(url), "{url}");
        }
    }
}
