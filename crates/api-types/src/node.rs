//! The node itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Timestamp, drain::Drain, engine::Engine};

/// Answer of `GET /health`: the process answers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: String,
    /// The node's version.
    pub version: String,
}

/// Answer of `GET /ready`: jobs are accepted. 503 while starting or draining.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// Whether jobs are accepted.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// Something a person should know about this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// Stable, in `UPPER_SNAKE`.
    pub code: String,
    /// For a person.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Answer of `GET /v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The node's version.
    pub version: String,
    /// Where it listens, such as `http://127.0.0.1:7717`.
    pub url: String,
    /// Where others reach it, such as `https://node.example.com`: by the first of its public names, or by the one under
    /// which it was asked. Null without a tunnel, and for guests.
    pub public_url: Option<String>,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// Its data directory.
    pub data_dir: String,
    /// Who keeps the key to the secrets: `keychain`, `systemd`, `passphrase` or `file`.
    pub vault: String,
    /// It finishes what runs and takes nothing new.
    pub draining: bool,
    /// Since when, by whom and why, and how many jobs still run.
    pub drain: Drain,
    /// Memory it uses, in bytes.
    pub memory_bytes: u64,
    /// Its engines.
    pub engines: Vec<Engine>,
    /// What to know, such as a vault that protects less than it could.
    pub notices: Vec<Notice>,
}
