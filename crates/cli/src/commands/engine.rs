//! `flowork engine …`

mod list;
mod rotate;
mod run;
mod token;
mod workers;

use clap::Subcommand;
use flowork_node::Flags;

use crate::{args::load_config, client::Client, exit::Failure, output::Format};

/// Run and list engines
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run jobs for a node elsewhere, until told to stop
    Run(run::Args),
    /// Put the token of this host's engine in the vault; it is asked for, or read from standard input
    SetToken,
    /// List the engines of the running node
    List,
    /// Add an engine that runs elsewhere, and print its token, once
    Create {
        /// For people; 1 to 64 characters
        name: String,
    },
    /// Decide how many workers an engine has, or leave that to the load and the settings again
    Workers(workers::Args),
    /// Replace and revoke tokens of engines that run elsewhere
    #[command(subcommand)]
    Token(rotate::Command),
}

pub(super) async fn run(command: Command, flags: &Flags, format: Format) -> Result<(), Failure> {
    match command {
        Command::Run(args) => run::run(args, flags, format).await,
        Command::SetToken => token::set(&load_config(flags)?, format),
        Command::List => list::list(&Client::connect(&load_config(flags)?)?, format).await,
        Command::Workers(args) => workers::run(args, &Client::connect(&load_config(flags)?)?, format).await,
        Command::Token(command) => rotate::run(command, &Client::connect(&load_config(flags)?)?, format).await,
        Command::Create { name } => list::create(name, &Client::connect(&load_config(flags)?)?, format).await,
    }
}
