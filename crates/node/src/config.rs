//! Settings of a node: `config.toml`, overridden by the environment, overridden by flags.
//!
//! [`settings::SETTINGS`] is the one list of what there is. Each value remembers where it came from ([`Place`]), for
//! `flowork config show` and for error messages.

mod duration;
mod file;
mod gateway;
mod layers;
mod providers;
pub mod settings;
mod value;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use flowork_api_types::node::Notice;
use flowork_engine::{AutoscaleOptions, Retention};
use flowork_gateway::GatewayOptions;
pub use flowork_kinds::Api;
use flowork_vault::VaultOptions;

pub use duration::parse_duration;
use layers::Values;
pub use providers::{CommandsConfig, ProviderConfig};
pub use value::Value;

/// What was given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--workers`
    pub workers: Option<String>,
    /// `--recovery`
    pub recovery: bool,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nobody set it.
    Default,
    /// `config.toml`.
    File {
        /// The file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
    },
    /// An environment variable.
    Env(&'static str),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not TOML.
    #[error("{place}: {reason}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser said.
        reason: String,
    },
    /// There is no such setting.
    #[error("{place}: there is no setting {key:?}")]
    UnknownKey {
        /// Where.
        place: Place,
        /// What was written.
        key: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// The setting decides where the file is.
    #[error("{place}: {key} cannot be set in the file that lies in it")]
    NotInFile {
        /// Where.
        place: Place,
        /// The setting.
        key: &'static str,
    },
    /// The value does not fit.
    #[error("{place}: {key} must be {expected}, not {found}")]
    WrongValue {
        /// Where.
        place: Place,
        /// The setting.
        key: String,
        /// What fits.
        expected: String,
        /// What was written.
        found: String,
    },
    /// Serving others needs more than an address.
    #[error("{place}: {address} is reachable from other machines, and gateway.beyond_loopback is not set")]
    NotLoopback {
        /// Where.
        place: Place,
        /// The address.
        address: SocketAddr,
    },
    /// A setting that does nothing without another one.
    #[error("{place}: {key} needs {needs}, which is not set")]
    Incomplete {
        /// Where.
        place: Place,
        /// The setting.
        key: &'static str,
        /// The other one.
        needs: &'static str,
    },
    /// The default provider is none of those configured.
    #[error("{place}: there is no provider {name:?}")]
    UnknownProvider {
        /// Where.
        place: Place,
        /// What was written.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A provider without an address.
    #[error("{place}: the provider {name:?} has no base_url")]
    ProviderWithoutUrl {
        /// Where.
        place: Place,
        /// The provider.
        name: String,
    },
    /// The system names no place for data.
    #[error("this account has no directory for data")]
    NoDataDir,
}

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownKey { nearest: Some(nearest), .. } => format!("did you mean {nearest:?}?"),
            Self::UnknownKey { nearest: None, .. } => "`flowork config show` lists all settings".to_owned(),
            Self::NotInFile { .. } => "use --data-dir or FLOWORK_DATA_DIR".to_owned(),
            Self::NotLoopback { .. } => {
                "listen on 127.0.0.1 or [::1], and let others in by a tunnel; gateway.beyond_loopback = true takes the \
                 address as it is, without encryption"
                    .to_owned()
            }
            Self::UnknownProvider { known, .. } => format!("configured are: {}", known.join(", ")),
            Self::ProviderWithoutUrl { name, .. } => format!("add base_url = \"https://…\" under [providers.{name}]"),
            Self::Incomplete { needs, .. } => format!("set {needs}, too; `flowork config show` tells what it is"),
            Self::NoDataDir => "name one with --data-dir or FLOWORK_DATA_DIR".to_owned(),
            Self::Read { .. } | Self::Syntax { .. } | Self::WrongValue { .. } => return None,
        })
    }
}

/// A setting as `flowork config show` prints it.
#[derive(Clone, Debug)]
pub struct ShownSetting {
    /// Dotted key.
    pub key: String,
    /// Its value; `None` where nothing is set and there is no default.
    pub value: Option<Value>,
    /// Where the value came from.
    pub place: Place,
    /// What it does.
    pub doc: &'static str,
}

/// All settings of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// Absolute.
    pub data_dir: PathBuf,
    /// Where the gateway listens, whom it believes, and how much it takes.
    pub gateway: GatewayOptions,
    /// Jobs the local engine runs at once; where their number follows the load, how many at the start.
    pub workers: u32,
    /// How their number follows the load; it does not where `workers` is set.
    pub autoscale: Option<AutoscaleOptions>,
    /// Whether the node is started to be looked at: it runs no jobs and no modules, and fires no schedules.
    pub recovery: bool,
    /// How long ended jobs are kept.
    pub retention: Retention,
    /// How long entries of the audit log are kept.
    pub audit_retention: Duration,
    /// How long sync sessions are kept that have ended, or that nobody has started.
    pub sync_retention: Duration,
    /// How often one sync session may be switched.
    pub sync_switches: flowork_sync::Pace,
    /// Database files of a new engine.
    pub shards: u16,
    /// Jobs that may wait in one engine.
    pub queue_hard_cap: u64,
    /// How long running jobs may take at the end.
    pub drain_deadline: Duration,
    /// What to log.
    pub log: String,
    /// Where this node's secrets are looked for.
    pub vault: VaultOptions,
    /// Private hosts that jobs may reach.
    pub egress_allow_hosts: Vec<String>,
    /// The provider for jobs that name none.
    pub default_provider: String,
    /// Programs that jobs may run.
    pub commands: CommandsConfig,
    /// Providers of language models, by name.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// What a person should know about the settings.
    pub notices: Vec<Notice>,
    /// All of it with its provenance.
    pub shown: Vec<ShownSetting>,
}

impl Config {
    /// Reads the settings of this process: its environment, the flags, and the file in the data directory.
    ///
    /// # Errors
    /// A value does not fit, a key is unknown, or the file cannot be read.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .collect();
        Self::load_with(flags, &environment)
    }

    /// Like [`load`](Self::load), with the environment given.
    ///
    /// # Errors
    /// As there.
    pub fn load_with(flags: &Flags, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut values = Values::with_defaults();
        values.override_by(flags, environment)?;
        let data_dir = data_dir(&values)?;
        if let Some(text) = read_file(&data_dir.join("config.toml"))? {
            for (key, value, place) in file::read(&data_dir.join("config.toml"), &text)? {
                values.0.insert(key, (value, place));
            }
            values.override_by(flags, environment)?;
        }
        let mut config = values.into_config(data_dir, unknown_variables(environment))?;
        // The name is systemd's, so it is no setting of ours.
        config.vault.credentials_dir = environment.get("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        if flags.recovery {
            config.recover();
        }
        Ok(config)
    }

    /// Says where the data of this process's node are, whatever the file in there and the other settings say: for what has to
    /// know it even when they cannot be read.
    ///
    /// # Errors
    /// The system names no place, and nobody else did.
    pub fn find_data_dir(flags: &Flags) -> Result<PathBuf, ConfigError> {
        let flags = Flags { data_dir: flags.data_dir.clone(), ..Flags::default() };
        let variable = settings::SETTINGS.iter().find(|setting| setting.key == "data_dir").and_then(|found| found.env);
        let environment = variable.and_then(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
        let mut values = Values::with_defaults();
        values.override_by(&flags, &environment.into_iter().collect())?;
        data_dir(&values)
    }

    /// Turns everything off that works by itself. It is no setting: nobody wants it to last.
    fn recover(&mut self) {
        self.recovery = true;
        (self.workers, self.autoscale) = (0, None);
        self.notices.push(Notice {
            code: "RECOVERY_MODE".to_owned(),
            message: "The node was started for recovery: no jobs run, here or on other engines, modules are off, no schedule \
                      fires, and no job or session that ended is removed. What has a due time still meets it: leases and \
                      jobs expire, batches end, and the turns of sync sessions go on."
                .to_owned(),
            hint: Some("see what is wrong in the logs and the other notices, then start it the usual way".to_owned()),
        });
    }

    /// Where this node's secrets are looked for.
    pub fn vault_options(&self) -> VaultOptions {
        self.vault.clone()
    }
}

/// Makes it absolute: the process may go elsewhere later.
fn data_dir(values: &Values) -> Result<PathBuf, ConfigError> {
    let data_dir = values.text("data_dir").ok_or(ConfigError::NoDataDir)?;
    std::path::absolute(&data_dir).map_err(|source| ConfigError::Read { path: PathBuf::from(&data_dir), source })
}

fn read_file(path: &Path) -> Result<Option<String>, ConfigError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        // A data directory that is not there, or is a file, is the next step's to report.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(ConfigError::Read { path: path.to_owned(), source }),
    }
}

fn unknown_variables(environment: &BTreeMap<String, String>) -> Vec<Notice> {
    let known: Vec<_> = settings::SETTINGS.iter().filter_map(|setting| setting.env).collect();
    let unknown = environment.keys().filter(|name| name.starts_with("FLOWORK_"));
    unknown
        .filter(|name| !known.contains(&name.as_str()) && !settings::OTHER_VARIABLES.contains(&name.as_str()))
        .map(|name| {
            let nearest =
                known.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
            Notice {
                code: "UNKNOWN_VARIABLE".to_owned(),
                message: format!("The environment variable {name} is none of Flowork's and was ignored."),
                hint: nearest.map(|nearest| format!("did you mean {nearest}?")),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
