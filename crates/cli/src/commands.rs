//! The commands, one file each.

mod audit;
mod auth;
mod completions;
mod config;
mod drain;
mod engine;
mod job;
mod key;
mod keys;
mod limit;
mod link;
mod man;
mod member;
mod module;
mod openapi;
mod provider;
mod queue;
mod schedule;
mod serve;
mod session;
mod shard;
mod status;
mod token;
mod vault;
mod version;

use clap::Subcommand;

use crate::{
    args::{Cli, load_config},
    client::Client,
    exit::Failure,
    output::Format,
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the node and print a link that signs you in
    Serve(serve::Args),
    /// Show what the running node does
    Status,
    /// Print a new link that signs a browser in, once
    Link(link::Args),
    /// Enqueue jobs and follow them
    #[command(subcommand)]
    Job(job::Command),
    /// List queues, hold them back and let them go on
    #[command(subcommand)]
    Queue(queue::Command),
    /// Limit how much runs at once and how often jobs start
    #[command(subcommand)]
    Limit(limit::Command),
    /// Let what runs finish and start nothing new
    #[command(subcommand)]
    Drain(drain::Command),
    /// Enqueue jobs by the clock
    #[command(subcommand)]
    Schedule(schedule::Command),
    /// Keep many clients agreed on who is active and how much time is left
    #[command(subcommand)]
    Session(session::Command),
    /// Run and list engines
    #[command(subcommand)]
    Engine(engine::Command),
    /// Make, check and list modules
    #[command(subcommand)]
    Module(module::Command),
    /// Show providers of language models and set their keys
    #[command(subcommand)]
    Provider(provider::Command),
    /// Show where the secrets are and move them
    #[command(subcommand)]
    Vault(vault::Command),
    /// Check, repair and export shard files while the node is stopped
    #[command(subcommand)]
    Shard(shard::Command),
    /// Say who may do what on this node
    #[command(subcommand)]
    Member(member::Command),
    /// See who did what, and check that nobody changed the log of it
    #[command(subcommand)]
    Audit(audit::Command),
    /// Show who is signed in, and sign everybody out
    #[command(subcommand)]
    Auth(auth::Command),
    /// Show, back up and replace the owner's own key
    #[command(subcommand)]
    Key(key::Command),
    /// Make tokens for scripts
    #[command(subcommand)]
    Token(token::Command),
    /// Show and replace the keys that sign tokens
    #[command(subcommand)]
    Keys(keys::Command),
    /// Show the settings and where each came from
    #[command(subcommand)]
    Config(config::Command),
    /// Print completions for a shell
    Completions(completions::Args),
    /// Print the version
    Version,
    /// Print the OpenAPI document of the HTTP interface
    #[command(hide = true)]
    Openapi,
    /// Write a manual page for each command
    #[command(hide = true)]
    Man(man::Args),
}

pub(crate) async fn run(cli: Cli, format: Format) -> Result<(), Failure> {
    let flags = cli.flags();
    match cli.command {
        Command::Serve(args) => serve::run(args, flags, format).await,
        Command::Status => status::run(&Client::connect(&load_config(&flags)?)?, format).await,
        Command::Link(args) => link::run(args, &load_config(&flags)?, format).await,
        Command::Job(command) => job::run(command, &Client::connect(&load_config(&flags)?)?, format).await,
        Command::Queue(command) => queue::run(command, &Client::connect(&load_config(&flags)?)?, format).await,
        Command::Limit(command) => limit::run(command, &Client::connect(&load_config(&flags)?)?, format).await,
        Command::Drain(command) => drain::run(command, &Client::connect(&load_config(&flags)?)?, format).await,
        Command::Schedule(command) => schedule::run(command, &Client::connect(&load_config(&flags)?)?, format).await,
        Command::Session(command) => session::run(command, &Client::connect(&load_config(&flags)?)?, format).await,
        Command::Engine(command) => engine::run(command, &flags, format).await,
        Command::Module(command) => module::run(command, &flags, format).await,
        Command::Provider(command) => provider::run(command, &load_config(&flags)?, format),
        Command::Vault(command) => vault::run(command, &load_config(&flags)?, format),
        Command::Shard(command) => shard::run(command, &load_config(&flags)?, format),
        Command::Member(command) => member::run(command, &Client::connect(&load_config(&flags)?)?, format).await,
        Command::Audit(command) => audit::run(command, &load_config(&flags)?, format).await,
        Command::Auth(command) => auth::run(command, &load_config(&flags)?, format).await,
        Command::Key(command) => key::run(command, &load_config(&flags)?, format).await,
        Command::Token(command) => token::run(command, &load_config(&flags)?, format).await,
        Command::Keys(command) => keys::run(command, &Client::connect(&load_config(&flags)?)?, format).await,
        Command::Config(command) => config::run(&command, &load_config(&flags)?, format),
        Command::Completions(args) => completions::run(args),
        Command::Version => version::run(format),
        Command::Openapi => openapi::run(),
        Command::Man(args) => man::run(args),
    }
}
