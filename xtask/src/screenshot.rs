//! `cargo xtask screenshot`: the picture of the dashboard in the README, taken from a real node with real jobs.

use anyhow::Result;

use crate::{command, requirements, ui, workspace};

pub(crate) fn run() -> Result<()> {
    requirements::for_browser()?;
    ui::build()?;
    ui::install("tests/browser")?;
    command::run(command::cargo().args(["build", "--package", "flowork-cli"]))?;
    command::run(
        command::in_root("node")
            .args(["tests/browser/screenshot.mjs", "docs/dashboard.png"])
            .env("FLOWORK_BIN", workspace::program("debug", "flowork")),
    )
}
