//! `flowork token create`

use std::time::Duration;

use clap::ValueEnum;
use flowork_api_types::auth;
use flowork_node::{Config, access::TokenSigner};
use serde_json::json;

use crate::{client::access_failure, duration, exit::Failure, output::Format};

/// Make tokens for scripts
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print a bearer token, signed with the node's own key from the vault
    Create {
        /// What it may do
        #[arg(long, value_enum, default_value_t = Role::Owner)]
        role: Role,
        /// How long it lives, at most 24h
        #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration::parse)]
        ttl: Duration,
    },
}

/// [`auth::Role`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// Everything
    Owner,
    /// Jobs, queues and drain
    Operator,
    /// Own jobs
    Member,
    /// Reading
    Viewer,
}

pub(super) fn run(command: &Command, config: &Config, format: Format) -> Result<(), Failure> {
    let &Command::Create { role, ttl } = command;
    let role = match role {
        Role::Owner => auth::Role::Owner,
        Role::Operator => auth::Role::Operator,
        Role::Member => auth::Role::Member,
        Role::Viewer => auth::Role::Viewer,
    };
    let token = TokenSigner::open(config).and_then(|signer| signer.sign(role, ttl));
    let token = token.map_err(|error| access_failure(&error))?;
    let document = json!({"token": token, "role": role, "expires_in_ms": ttl.as_millis() as u64});
    format.print(&document, |_| token.clone())
}
