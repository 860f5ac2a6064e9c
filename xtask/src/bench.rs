//! `cargo xtask bench`: measures, always with optimizations.

use anyhow::Result;

use crate::{command, requirements};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to measure: `queue`
    what: String,
    /// Further arguments for the measurement
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    requirements::for_serve()?;
    command::run(
        command::cargo()
            .args(["run", "--release", "--quiet", "--package", "flowork-bench", "--", &options.what])
            .args(&options.arguments),
    )
}
