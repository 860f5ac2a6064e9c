//! The one table of settings. Parsing, `flowork config show` and the messages about unknown keys all come from it.

use std::thread;

use super::value::{Items, ValueKind};

/// Workers where nobody said how many: one a core, but no more than this.
const WORKERS_DEFAULT_MAX: usize = 8;

/// One thing that can be set.
#[derive(Debug)]
pub struct Setting {
    /// Dotted key in `config.toml`; `*` stands for a name that a person chooses.
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
        default: || {
            let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
            Some(cores.clamp(1, WORKERS_DEFAULT_MAX).to_string())
        },
        doc: "Jobs the local engine runs at once",
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
    Setting {
        key: "providers.*.base_url",
        env: None,
        flag: None,
        in_file: true,
        kind: ValueKind::Url,
        default: || None,
        doc: "Where an OpenAI-compatible provider answers, such as https://api.openai.com/v1",
    },
    Setting {
        key: "providers.*.model",
        env: None,
        flag: None,
        in_file: true,
        kind: ValueKind::Text,
        default: || None,
        doc: "The model for jobs that name none",
    },
];

/// Variables that begin like settings and are read elsewhere.
pub(super) const OTHER_VARIABLES: &[&str] = &["FLOWORK_ENGINE_TOKEN"];

/// The setting of a dotted key, and the chosen names in it.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| matches(setting.key, key))
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
                .map(|(index, part)| if part == "*" { parts.get(index).copied().unwrap_or("<name>") } else { part })
                .collect();
            named.join(".")
        })
        .map(|known| (strsim::jaro_winkler(key, &known), known))
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

fn matches(pattern: &str, key: &str) -> bool {
    let mut key = key.split('.');
    pattern.split('.').all(|part| key.next().is_some_and(|name| part == "*" || part == name)) && key.next().is_none()
}
