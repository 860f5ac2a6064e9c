//! `flowork token create`

use std::time::Duration;

use clap::ValueEnum;
use flowork_api_types::{
    admin::{AdminToken, CreateAdminTokenRequest, Scope},
    auth,
};
use flowork_node::{Config, access::TokenSigner};
use serde_json::json;

use crate::{
    audit_note,
    client::{Client, access_failure},
    duration,
    exit::Failure,
    output::Format,
};

/// Make tokens for scripts
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print a bearer token, signed with the node's own key from the vault
    Create {
        /// What it may do
        #[arg(long, value_enum, default_value_t = Role::Owner, conflicts_with = "scope")]
        role: Role,
        /// Make an admin token instead, for this task and nothing else, at most 15m; repeat it for more
        #[arg(long, value_name = "SCOPE", value_parser = parse_scope)]
        scope: Vec<Scope>,
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

pub(super) async fn run(command: Command, config: &Config, format: Format) -> Result<(), Failure> {
    let Command::Create { role, scope, ttl } = command;
    if !scope.is_empty() {
        return create_for(scope, ttl, &Client::connect(config)?, format).await;
    }
    let role = match role {
        Role::Owner => auth::Role::Owner,
        Role::Operator => auth::Role::Operator,
        Role::Member => auth::Role::Member,
        Role::Viewer => auth::Role::Viewer,
    };
    let token = TokenSigner::open(config).and_then(|signer| signer.sign(role, ttl));
    let token = token.map_err(|error| access_failure(&error))?;
    let ttl_ms = ttl.as_millis() as u64;
    audit_note::leave(config, "token.create", &json!({"role": role, "ttl_ms": ttl_ms}))?;
    let document = json!({"token": token, "role": role, "expires_in_ms": ttl_ms});
    format.print(&document, |_| token.clone())
}

/// The node makes these itself: it counts them as made by the owner, and knows their keys.
async fn create_for(scopes: Vec<Scope>, ttl: Duration, client: &Client, format: Format) -> Result<(), Failure> {
    let request = CreateAdminTokenRequest { scopes, ttl_seconds: Some(ttl.as_secs()) };
    let made: AdminToken = client.post("/v1/admin-tokens", Some(&request)).await?;
    format.print(&made, |made| made.token.clone())
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    let names = || Scope::ALL.map(Scope::as_str).join(", ");
    Scope::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| format!("the scopes are {}", names()))
}
