//! `cargo xtask bench`: measures, always with optimizations.

use anyhow::Result;

use crate::{command, requirements, ui};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to measure: `queue` or `node`
    what: String,
    /// Further arguments for the measurement
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    requirements::for_serve()?;
    if options.what == "node" {
        ui::build()?;
        command::run(command::cargo().args(["build", "--release", "--package", "flowork-cli"]))?;
    }
    command::run(
        command::cargo()
            .args(["run", "--release", "--quiet", "--package", "flowork-bench", "--", &options.what])
            .args(&options.arguments),
    )
}
