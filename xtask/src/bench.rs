//! `cargo xtask bench`: measures, always with optimizations.

use anyhow::Result;

use crate::{command, requirements, ui, workspace};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to measure: `queue`, `node`, `security` or `sync`
    what: String,
    /// Further arguments for the measurement, such as `--peers`; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    requirements::for_bench()?;
    // Both are measured on the program as people get it.
    ui::build()?;
    command::run(command::cargo().args([
        "build",
        "--release",
        "--package",
        "flowork-bench",
        "--package",
        "flowork-cli",
    ]))?;
    command::run(
        command::in_root(workspace::program("release", "flowork-bench")).arg(&options.what).args(&options.arguments),
    )
}
