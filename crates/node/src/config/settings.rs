//! The one table of settings. Parsing, `flowork config show` and the messages about unknown keys all come from it.

mod gateway;

use std::time::Duration;

use self::gateway::GATEWAY;
use super::value::{Items, ValueKind};

/// The longest that ended jobs are kept: ten years.
const RETENTION_MAX: Duration = Duration::from_hours(24 * 3_650);

/// Entries of the audit log are kept at least this long.
const AUDIT_RETENTION_MIN: Duration = Duration::from_hours(24 * 90);

/// One thing that can be set.
#[derive(Clone, Copy, Debug)]
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
pub static SETTINGS: &[Setting] = &joined::<{ GENERAL.len() + GATEWAY.len() }>(GENERAL, GATEWAY);

const GENERAL: &[Setting] = &[
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
        key: "sync.retention",
        env: Some("FLOWORK_SYNC_RETENTION"),
        flag: None,
        in_file: true,
        kind: RETENTION,
        default: || Some("1h".to_owned()),
        doc: "How long sync sessions are kept that have ended, or that nobody has started; their events stay for 90 days",
    },
    Setting {
        key: "sync.switches_per_second",
        env: Some("FLOWORK_SYNC_SWITCHES_PER_SECOND"),
        flag: None,
        in_file: true,
        kind: ValueKind::Integer { min: 0, max: 100_000 },
        default: || Some("10".to_owned()),
        doc: "How often one sync session may be switched; 0 for no limit",
    },
    Setting {
        key: "audit.retention",
        env: Some("FLOWORK_AUDIT_RETENTION"),
        flag: None,
        in_file: true,
        kind: ValueKind::Duration { min: AUDIT_RETENTION_MIN, max: RETENTION_MAX },
        default: || Some("180d".to_owned()),
        doc: "How long entries of the audit log are kept, at least 90d; then they are cut at a signed checkpoint",
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
        kind: ValueKind::Choice(&["auto", "keychain", "systemd", "passphrase", "file"]),
        default: || Some("auto".to_owned()),
        doc: "Who keeps the key to a new node's secrets; auto is the first that works: the OS keychain, a credential of \
              systemd, a passphrase that is configured, a key file",
    },
    Setting {
        key: "vault_key_dir",
        env: Some("FLOWORK_VAULT_KEY_DIR"),
        flag: None,
        in_file: true,
        kind: ValueKind::Path,
        default: || None,
        doc: "Where the key file of the vault is, outside the data directory; the user's configuration directory \
              without it",
    },
    Setting {
        key: "vault_passphrase_file",
        env: Some("FLOWORK_VAULT_PASSPHRASE_FILE"),
        flag: None,
        in_file: true,
        kind: ValueKind::Path,
        default: || None,
        doc: "A file with the vault's passphrase, outside the data directory; for vault = \"passphrase\"",
    },
    Setting {
        key: "vault_passphrase_fd",
        env: Some("FLOWORK_VAULT_PASSPHRASE_FD"),
        flag: None,
        in_file: false,
        kind: ValueKind::Integer { min: 0, max: 1_048_576 },
        default: || None,
        doc: "An open file descriptor to read the vault's passphrase from, once; closed after that",
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
pub(super) const OTHER_VARIABLES: &[&str] = &["FLOWORK_ENGINE_TOKEN", "FLOWORK_KEYSTORE_PASSPHRASE_FILE"];

const fn joined<const ALL: usize>(first: &[Setting], second: &[Setting]) -> [Setting; ALL] {
    let mut all = [first[0]; ALL];
    let mut index = 0;
    while index < ALL {
        all[index] = if index < first.len() { first[index] } else { second[index - first.len()] };
        index += 1;
    }
    all
}

impl Setting {
    /// One that the file and the environment hold.
    const fn new(
        key: &'static str,
        env: &'static str,
        kind: ValueKind,
        default: fn() -> Option<String>,
        doc: &'static str,
    ) -> Self {
        Self { env: Some(env), default, ..Self::in_file(key, kind, doc) }
    }

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
