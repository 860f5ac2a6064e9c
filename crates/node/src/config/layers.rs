//! The layers of settings, each over the one before, and what they come to.

use std::{collections::BTreeMap, path::PathBuf, thread, time::Duration};

use flowork_api_types::node::Notice;
use flowork_engine::{AutoscaleOptions, Retention};
use flowork_sync::Pace;
use flowork_vault::{PassphraseSource, VaultChoice, VaultOptions};

use super::{
    Config, ConfigError, Flags, Place, ShownSetting, duration::parse_duration, gateway, settings, value::Value,
};

/// The provider that is there without being configured: Ollama on this machine.
const OLLAMA: (&str, &str) = ("ollama", "http://127.0.0.1:11434/v1");

/// Values by key, before they become a [`Config`].
pub(super) struct Values(pub(super) BTreeMap<String, (Value, Place)>);

impl Values {
    pub(super) fn with_defaults() -> Self {
        let mut values = Self(BTreeMap::new());
        for setting in settings::SETTINGS {
            if let Some(value) = (setting.default)().and_then(|text| setting.kind.parse_text(&text)) {
                values.0.insert(setting.key.to_owned(), (value, Place::Default));
            }
        }
        let (name, url) = OLLAMA;
        values.0.insert(format!("providers.{name}.base_url"), (Value::Text(url.to_owned()), Place::Default));
        values
    }

    pub(super) fn override_by(
        &mut self,
        flags: &Flags,
        environment: &BTreeMap<String, String>,
    ) -> Result<(), ConfigError> {
        for setting in settings::SETTINGS {
            // An empty variable is one that a wrapper left unset.
            let variable = setting.env.and_then(|name| Some((environment.get(name).filter(|v| !v.is_empty())?, name)));
            let flag = match setting.key {
                "data_dir" => flags.data_dir.as_ref(),
                "listen" => flags.listen.as_ref(),
                "workers" => flags.workers.as_ref(),
                _ => None,
            };
            let given = match (flag, variable) {
                (Some(text), _) => Some((text, Place::Flag(setting.flag.expect("settings with a flag name it")))),
                (None, Some((text, name))) => Some((text, Place::Env(name))),
                (None, None) => None,
            };
            let Some((text, place)) = given else { continue };
            let Some(value) = setting.kind.parse_text(text) else {
                return Err(ConfigError::WrongValue {
                    place,
                    key: setting.key.to_owned(),
                    expected: setting.kind.expected(),
                    found: format!("{text:?}"),
                });
            };
            self.0.insert(setting.key.to_owned(), (value, place));
        }
        Ok(())
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        match &self.0.get(key)?.0 {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) | Value::List(_) => None,
        }
    }

    pub(super) fn integer(&self, key: &str) -> u64 {
        match self.0.get(key) {
            Some((Value::Integer(number), _)) => *number,
            _ => unreachable!("{key} is an integer with a default in the table of settings"),
        }
    }

    fn decimal(&self, key: &str) -> f64 {
        match self.0.get(key) {
            Some((Value::Decimal(number), _)) => *number,
            _ => unreachable!("{key} is a number with a default in the table of settings"),
        }
    }

    pub(super) fn boolean(&self, key: &str) -> bool {
        matches!(self.0.get(key), Some((Value::Boolean(true), _)))
    }

    pub(super) fn list(&self, key: &str) -> Vec<String> {
        match self.0.get(key) {
            Some((Value::List(items), _)) => items.clone(),
            _ => unreachable!("{key} is a list with a default in the table of settings"),
        }
    }

    pub(super) fn place(&self, key: &str) -> Place {
        self.0.get(key).map_or(Place::Default, |(_, place)| place.clone())
    }

    /// How many workers there are at the start, and how their number changes: not at all where it is set.
    fn workers(&self) -> Result<(u32, Option<AutoscaleOptions>), ConfigError> {
        if self.0.contains_key("workers") {
            return Ok((self.integer("workers") as u32, None));
        }
        let options = AutoscaleOptions {
            target_latency: Duration::from_secs_f64(self.decimal("slo_target_latency")),
            headroom_factor: self.decimal("headroom_factor"),
            workers_min: self.integer("core_min_workers") as u32,
            workers_max: self.integer("core_max_workers") as u32,
        };
        if options.workers_min > options.workers_max {
            return Err(ConfigError::WrongValue {
                place: self.place("core_min_workers"),
                key: "core_min_workers".to_owned(),
                expected: format!("no more than core_max_workers, which is {}", options.workers_max),
                found: options.workers_min.to_string(),
            });
        }
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = (cores as u32).clamp(options.workers_min, options.workers_max);
        Ok((workers, Some(options)))
    }

    fn duration(&self, key: &str) -> Duration {
        self.text(key).and_then(|text| parse_duration(&text).ok()).expect("durations were checked")
    }

    fn retention(&self) -> Retention {
        let kinds = self.0.range("retention.kinds.".to_owned().."retention.kinds/".to_owned());
        Retention {
            default: self.duration("retention.default"),
            by_kind: kinds.map(|(key, _)| (key["retention.kinds.".len()..].to_owned(), self.duration(key))).collect(),
        }
    }

    fn vault_passphrase(&self) -> PassphraseSource {
        let file = self.text("vault_passphrase_file").map(PathBuf::from);
        let descriptor = self.0.contains_key("vault_passphrase_fd").then(|| self.integer("vault_passphrase_fd") as u32);
        PassphraseSource::new(file, descriptor)
    }

    pub(super) fn into_config(mut self, data_dir: PathBuf, mut notices: Vec<Notice>) -> Result<Config, ConfigError> {
        let place = self.place("data_dir");
        self.0.insert("data_dir".to_owned(), (Value::Text(data_dir.to_string_lossy().into_owned()), place));
        let providers = self.providers()?;
        let default_provider = self.text("default_provider").unwrap_or_default();
        if !providers.contains_key(&default_provider) {
            return Err(ConfigError::UnknownProvider {
                place: self.place("default_provider"),
                name: default_provider,
                known: providers.into_keys().collect(),
            });
        }
        let (workers, autoscale) = self.workers()?;
        let gateway = self.gateway()?;
        notices.extend(gateway::reachable(&gateway));
        Ok(Config {
            gateway,
            workers,
            autoscale,
            recovery: false,
            retention: self.retention(),
            audit_retention: self.duration("audit.retention"),
            sync_retention: self.duration("sync.retention"),
            sync_switches: Pace { per_second: self.integer("sync.switches_per_second") as u32 },
            shards: self.integer("shards") as u16,
            queue_hard_cap: self.integer("queue_hard_cap"),
            drain_deadline: Duration::from_millis(self.integer("drain_deadline_ms")),
            log: self.text("log").unwrap_or_default(),
            vault: VaultOptions {
                data_dir: data_dir.clone(),
                choice: self.text("vault").and_then(|text| VaultChoice::parse(&text)).unwrap_or_default(),
                key_dir: self.text("vault_key_dir").map(PathBuf::from),
                credentials_dir: None,
                passphrase: self.vault_passphrase(),
            },
            egress_allow_hosts: self.list("egress.allow_hosts"),
            shown: self.shown(),
            data_dir,
            commands: self.commands(),
            default_provider,
            providers,
            notices,
        })
    }

    /// In the order of the table; chosen names in alphabetical order.
    fn shown(&self) -> Vec<ShownSetting> {
        let mut shown = Vec::new();
        for setting in settings::SETTINGS {
            if setting.key.contains('*') {
                let keys = self.0.iter().filter(|(key, _)| settings::find(key).is_some_and(|s| s.key == setting.key));
                shown.extend(keys.map(|(key, (value, place))| ShownSetting {
                    key: key.clone(),
                    value: Some(value.clone()),
                    place: place.clone(),
                    doc: setting.doc,
                }));
            } else {
                let (key, place) = (setting.key.to_owned(), self.place(setting.key));
                let value = self.0.get(setting.key).map(|(value, _)| value.clone());
                shown.push(ShownSetting { key, value, place, doc: setting.doc });
            }
        }
        shown
    }
}
