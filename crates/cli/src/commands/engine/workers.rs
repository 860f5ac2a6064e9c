//! `flowork engine workers`

use std::num::NonZeroU32;

use flowork_api_types::engine::{Engine, EngineLocation, SetWorkersRequest};

use super::rotate::find;
use crate::{client::Client, exit::Failure, output::Format};

/// Decide how many workers an engine has, or leave that to the load and the settings again
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It stays so across restarts. Jobs that run go on, also when there are more of them than workers."
)]
pub(crate) struct Args {
    /// Id or name, such as `local`
    engine: String,
    /// How many, 1 to 256
    #[arg(required_unless_present = "by_load", conflicts_with = "by_load", value_name = "NUMBER")]
    workers: Option<NonZeroU32>,
    /// Take back what was decided before
    #[arg(long)]
    by_load: bool,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    let engine = find(client, &args.engine).await?;
    let request = SetWorkersRequest { workers: args.workers.map(NonZeroU32::get) };
    let engine: Engine = client.put(&format!("/v1/engines/{}/workers", engine.id), &request).await?;
    format.print(&engine, describe)
}

fn describe(engine: &Engine) -> String {
    let name = &engine.name;
    match (engine.workers_fixed, engine.location) {
        (Some(1), _) => format!("{name} is to have 1 worker, until that is taken back."),
        (Some(fixed), _) => format!("{name} is to have {fixed} workers, until that is taken back."),
        (None, EngineLocation::Local) => {
            format!("{name} has as many workers as the load or the settings say, {} now.", engine.workers)
        }
        (None, EngineLocation::External) => format!("{name} has as many workers as it was started with."),
    }
}
