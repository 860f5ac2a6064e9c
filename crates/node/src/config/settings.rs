//! The one table of settings. Parsing, `flowork config show` and the messages about unknown keys all come from it.

use std::time::Duration;

use super::value::{Items, ValueKind};

/// The longest that ended jobs are kept: ten years.
const RETENTION_MAX: Duration = Duration::from_hours(24 * 3_650);

/// One thing that can be set.
#[derive(Debug)]
pub struct Setting {
    /// Dotted key in `config.toml`; `*` stands for a name that a person chooses, `**` for one that may have dots.
    pub key: &'static str,
    /// Environment variable.
    pub env: Option<&'static str>,
    /// Flag of `flowork`.
    pub flag: Option<&'static str>,
    /// Whether `config.toml` may hold it.
    pub in_file: bool,
    /// What values it takes.
    pub(super) kind: ValueKind,
    /// The value where nobody says otherwise, as one would write it in the environment.
    pub(super) default: fn() -> Option<String>,
    /// What it does.
    pub doc: &'static str,
}

const RETENTION: ValueKind = ValueKind::Duration { min: Duration::from_secs(1), max: RETENTION_MAX };

/// All settings, in the order they are shown.
pub static SETTINGS: &[Setting] = &[
    Setting {
        key: "data_dir",
        env: Some("FLOWORK_DATA_DIR"),
        flag: Some("--data-dir"),
        in_file: false,
        kind: ValueKind::Path,
        default: || dirs::data_dir().map(|dir| dir.join("flowork").to_string_lossy().into_owned()),
        doc: "Where everything of this node is, config.toml included",
    },
    Setting {
        key: "listen",
        env: Some("FLOWORK_LISTEN"),
        flag: Some("--listen"),
        in_file: true,
        kind: ValueKind::Address,
        default: || Some("127.0.0.1:7717".to_owned()),
        doc: "Loopback address and port to serve on; port 0 takes a free one",
    },
    Setting {
        key: "workers",
        env: Some("FLOWORK_WORKERS"),
        flag: Some("--workers"),
        in_file: true,
        kind: ValueKind::Integer { min: 1, max: 256 },
        default: || None,
        doc: "Jobs the local engine runs at once. A number here is fixed; without it their number follows the load, \
              from core_min_workers to core_max_workers, and is that of the cores at the start",
    },
    Setting {
        key: "core_min_workers",
        env: Some("CORE_MIN_WORKERS"),
        flag: None,
        in_file: true,
        kind: ValueKind::Integer { min: 1, max: 256 },
        default: || Some("1".to_owned()),
        doc: "The fewest workers, where their number follows the load",
    },
    Setting {
        key: "core_max_workers",
        env: Some("CORE_MAX_WORKERS"),
        flag: None,
        in_file: true,
        kind: ValueKind::Integer { min: 1, max: 256 },
        default: || Some("8".to_owned()),
        doc: "The most workers, where their number follows the load",
    },
    Setting {
        key: "slo_target_latency",
        env: Some("SLO_TARGET_LATENCY"),
        flag: None,
        in_file: true,
        kind: ValueKind::Seconds { min: 0.001, max: 3_600.0 },
        default: || Some("0.5".to_owned()),
        doc: "Seconds that a ready job may wait for a worker; far more brings a worker, far less takes one away",
    },
    Setting {
        key: "headroom_factor",
        env: Some("HEADROOM_FACTOR"),
        flag: None,
        in_file: true,
        kind: ValueKind::Decimal { min: 1.0, max: 10.0 },
        default: || Some("1.3".to_owned()),
        doc: "How much more than the last hour's peak the workers must be able to do before one is taken away",
    },
    Setting {
        key: "retention.default",
        env: Some("FLOWORK_RETENTION_DEFAULT"),
        flag: None,
        in_file: true,
        kind: RETENTION,
        default: || Some("7d".to_owned()),
        doc: "How long jobs that ended are kept, with their results",
    },
    Setting {
        key: "retention.kinds.**",
        env: None,
        flag: None,
        in_file: true,
        kind: RETENTION,
        default: || None,
        doc: "How long ended jobs of this kind are kept, such as 30d",
    },
    Setting {
        key: "shards",
        env: Some("FLOWORK_SHARDS"),
        flag: None,
        in_file: true,
        kind: ValueKind::Integer { min: 1, max: 64 },
        // One file is one fsync for a group of finishes; a second one pays off where the writer's CPU is the limit.
        default: || Some("1".to_owned()),
        doc: "Database files of an engine made from now on; engines that are there keep theirs",
    },
    Setting {
        key: "queue_hard_cap",
        env: Some("FLOWORK_QUEUE_HARD_CAP"),
        flag: None,
        in_file: true,
        kind: ValueKind::Integer { min: 1, max: 100_000_000 },
        default: || Some("10000".to_owned()),
        doc: "Jobs that may wait in one engine before more are refused",
    },
    Setting {
        key: "drain_deadline_ms",
        env: Some("FLOWORK_DRAIN_DEADLINE_MS"),
        flag: None,
        in_file: true,
        kind: ValueKind::Integer { min: 0, max: 86_400_000 },
        default: || Some("30000".to_owned()),
        doc: "How long running jobs may take to finish when the node is told to stop",
    },
    Setting {
        key: "log",
        env: Some("FLOWORK_LOG"),
        flag: None,
        in_file: true,
        kind: ValueKind::Text,
        default: || Some("info".to_owned()),
        doc: "What to log: a level, or targets such as info,flowork_engine=debug",
    },
    Setting {
        key: "vault",
        env: Some("FLOWORK_VAULT"),
        flag: None,
        in_file: true,
        kind: ValueKind::Choice(&["auto", "keychain", "file"]),
        default: || Some("auto".to_owned()),
        doc: "Where a new node keeps its secrets; auto is the OS keychain, or an encrypted file where there is none",
    },
    Setting {
        key: "vault_key_dir",
        env: Some("FLOWORK_VAULT_KEY_DIR"),
        flag: None,
        in_file: true,
        kind: ValueKind::Path,
        default: || None,
        doc: "Where the key of the encrypted file is, outside the data directory; the user's configuration directory \
              without it",
    },
    Setting {
        key: "egress.allow_hosts",
        env: Some("FLOWORK_EGRESS_ALLOW_HOSTS"),
        flag: None,
        in_file: true,
        kind: ValueKind::List(Items::Targets),
        default: || Some(String::new()),
        doc: "Private hosts that jobs may reach anyway, such as 192.168.1.20:8080 or nas.local",
    },
    Setting {
        key: "gateway.allowed_hosts",
        env: Some("FLOWORK_GATEWAY_ALLOWED_HOSTS"),
        flag: None,
        in_file: true,
        kind: ValueKind::List(Items::Hosts),
        default: || Some(String::new()),
        doc: "Further Host headers to answer, beside the address listened on, such as flowork.lan",
    },
    Setting {
        key: "gateway.allowed_origins",
        env: Some("FLOWORK_GATEWAY_ALLOWED_ORIGINS"),
        flag: None,
        in_file: true,
        kind: ValueKind::List(Items::Origins),
        default: || Some(String::new()),
        doc: "Further web origins that may call the node from a browser, such as https://example.org",
    },
    Setting {
        key: "default_provider",
        env: Some("FLOWORK_DEFAULT_PROVIDER"),
        flag: None,
        in_file: true,
        kind: ValueKind::Text,
        default: || Some("ollama".to_owned()),
        doc: "The provider of language models for jobs that name none",
    },
    Setting::in_file(
        "providers.*.api",
        ValueKind::Choice(&["openai", "anthropic"]),
        "The protocol of a provider; openai without it, which most others speak too",
    ),
    Setting::in_file(
        "providers.*.base_url",
        ValueKind::Url,
        "Where a provider answers, such as https://api.openai.com/v1; Anthropic's own is known",
    ),
    Setting::in_file("providers.*.model", ValueKind::Text, "The model for chats that name none"),
    Setting::in_file("providers.*.embed_model", ValueKind::Text, "The model for embeddings that name none"),
    Setting::in_file(
        "providers.*.fallback",
        ValueKind::List(Items::Providers),
        "Providers that are asked next, in this order, where this one can't answer",
    ),
    Setting::in_file(
        "providers.*.max_retries",
        ValueKind::Integer { min: 0, max: 10 },
        "How often a request is repeated within an attempt; 2 without it",
    ),
    Setting::in_file(
        "providers.*.concurrency",
        ValueKind::Integer { min: 1, max: 10_000 },
        "Requests that this node sends to a provider at once; no bound without it",
    ),
    Setting::in_file(
        "providers.*.requests_per_minute",
        ValueKind::Integer { min: 1, max: 1_000_000 },
        "Requests that this node sends to a provider in a minute; no bound without it",
    ),
    Setting::in_file(
        "providers.*.timeout_ms",
        ValueKind::Integer { min: 100, max: 3_600_000 },
        "How long a provider may be silent, before its answer and within it; 180000 without it",
    ),
    Setting {
        env: Some("FLOWORK_COMMANDS_ENABLED"),
        default: || Some("false".to_owned()),
        ..Setting::in_file(
            "commands.enabled",
            ValueKind::Boolean,
            "Whether jobs may run programs (command.run), with the rights of the node",
        )
    },
    Setting {
        env: Some("FLOWORK_COMMANDS_PROGRAMS"),
        default: || Some(String::new()),
        ..Setting::in_file(
            "commands.programs",
            ValueKind::List(Items::Paths),
            "Absolute paths of the programs that jobs may run, such as /usr/bin/ffmpeg",
        )
    },
    Setting {
        env: Some("FLOWORK_COMMANDS_ENV"),
        default: || Some(String::new()),
        ..Setting::in_file(
            "commands.env",
            ValueKind::List(Items::Variables),
            "Variables that programs get from the node and that jobs may set, such as LANG",
        )
    },
    Setting {
        env: Some("FLOWORK_COMMANDS_WORK_DIRS"),
        default: || Some(String::new()),
        ..Setting::in_file(
            "commands.work_dirs",
            ValueKind::List(Items::Paths),
            "Folders that programs may run in, with what is below them",
        )
    },
    Setting {
        env: Some("FLOWORK_COMMANDS_MEMORY_MB"),
        default: || Some("2048".to_owned()),
        ..Setting::in_file(
            "commands.memory_mb",
            ValueKind::Integer { min: 16, max: 16_777_216 },
            "Memory in MiB that each process of a program may have of its own; on Linux",
        )
    },
];

/// Variables that begin like settings and are read elsewhere.
pub(super) const OTHER_VARIABLES: &[&str] = &["FLOWORK_ENGINE_TOKEN"];

impl Setting {
    /// One that only the file holds, and that has no default.
    const fn in_file(key: &'static str, kind: ValueKind, doc: &'static str) -> Self {
        Self { key, env: None, flag: None, in_file: true, kind, default: || None, doc }
    }

    /// Its name ends with one that may have dots, so that tables below it are parts of that name.
    pub(super) fn takes_dotted_names(&self) -> bool {
        self.key.ends_with(".**")
    }

    /// Settings that are known by their variable everywhere may be called so in the file, too.
    pub(super) fn is_called(&self, key: &str) -> bool {
        self.env == Some(key) && !key.starts_with("FLOWORK_")
    }
}

/// The setting of a dotted key, and the chosen names in it.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| matches(setting.key, key) || setting.is_called(key))
}

/// Whether a key begins a longer one, so that it must be a table.
pub(super) fn is_table(key: &str) -> bool {
    let depth = key.split('.').count();
    SETTINGS.iter().any(|setting| {
        let parts: Vec<_> = setting.key.split('.').collect();
        parts.len() > depth && matches(&parts[..depth].join("."), key)
    })
}

/// The known key most like `key`, with the names in it kept.
pub(super) fn nearest(key: &str) -> Option<String> {
    let parts: Vec<_> = key.split('.').collect();
    SETTINGS
        .iter()
        .filter(|setting| setting.in_file)
        .map(|setting| {
            let named: Vec<_> = setting
                .key
                .split('.')
                .enumerate()
                .map(
                    |(index, part)| {
                        if part.starts_with('*') { parts.get(index).copied().unwrap_or("<name>") } else { part }
                    },
                )
                .collect();
            named.join(".")
        })
        .map(|known| (strsim::jaro_winkler(key, &known), known))
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

fn matches(pattern: &str, key: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix("**") {
        return key.strip_prefix(prefix).is_some_and(|name| !name.is_empty());
    }
    let mut key = key.split('.');
    pattern.split('.').all(|part| key.next().is_some_and(|name| part == "*" || part == name)) && key.next().is_none()
}
