//! `cargo xtask bench`: measures, always with optimizations.

use anyhow::Result;

use crate::{command, requirements, ui, workspace};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to measure: `queue`, `node`, `security`, `sync` or `desktop`
    what: String,
    /// Further arguments for the measurement, such as `--peers`; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.what == "desktop" {
        return desktop();
    }
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

/// Measures the desktop app on a screen that nobody sees.
fn desktop() -> Result<()> {
    requirements::for_screen()?;
    ui::build()?;
    let packages = ["--package", "flowork-cli", "--package", "flowork-desktop"];
    command::run(command::cargo().args(["build", "--release"]).args(packages))?;
    command::run(
        command::in_root("node")
            .arg("tests/desktop/bench.mjs")
            .env("FLOWORK_BIN", workspace::program("release", "flowork"))
            .env("FLOWORK_DESKTOP_BIN", workspace::program("release", "flowork-desktop")),
    )
}
