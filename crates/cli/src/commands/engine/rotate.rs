//! `flowork engine token rotate` and `flowork engine token revoke`

use std::time::Duration;

use flowork_api_types::{
    admin::{RotateEngineTokenRequest, RotatedEngineToken},
    engine::{Engine, EngineList},
};
use serde_json::json;

use crate::{
    client::Client,
    duration,
    exit::{Exit, Failure},
    output::Format,
};

/// Replace and revoke tokens of engines that run elsewhere
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Give an engine a new token and print it, once; the old one works until the grace is over
    Rotate {
        /// Id or name
        engine: String,
        /// How long the old token works as well, at most 7d; 0s ends it at once
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration::parse)]
        grace: Duration,
    },
    /// Take an engine's tokens away, at once; it stays, and so do its jobs
    Revoke {
        /// Id or name
        engine: String,
    },
}

pub(super) async fn run(command: Command, client: &Client, format: Format) -> Result<(), Failure> {
    match command {
        Command::Rotate { engine, grace } => {
            let engine = find(client, &engine).await?;
            let request = RotateEngineTokenRequest { grace_seconds: Some(grace.as_secs()) };
            let path = format!("/v1/engines/{}/token/rotate", engine.id);
            let rotated: RotatedEngineToken = client.post(&path, Some(&request)).await?;
            format.print(&rotated, |rotated| {
                let old = match rotated.old_token_ends_at {
                    Some(at) => format!("The old token works until {at}."),
                    None => "The old token has stopped.".to_owned(),
                };
                format!(
                    "token {}\nIt is not shown again. {old} On the engine's host, `flowork engine set-token` keeps it.",
                    rotated.token
                )
            })
        }
        Command::Revoke { engine } => {
            let engine = find(client, &engine).await?;
            client.post_empty(&format!("/v1/engines/{}/token/revoke", engine.id)).await?;
            format.print(&json!({"revoked": engine.id}), |_| format!("{} is let in no more.", engine.name))
        }
    }
}

/// The engine that is named by id or by name.
pub(super) async fn find(client: &Client, engine: &str) -> Result<Engine, Failure> {
    let engines: EngineList = client.get("/v1/engines").await?;
    let found = engines.items.into_iter().find(|known| known.id.to_string() == engine || known.name == engine);
    found.ok_or_else(|| {
        Failure::new(Exit::NotFound, "ENGINE_NOT_FOUND", format!("there is no engine {engine:?}"))
            .hint("`flowork engine list` lists the engines".to_owned())
    })
}
