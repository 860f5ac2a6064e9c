//! `cargo xtask screenshot`: pictures that are taken of the real thing: the dashboard for the README, from a real node
//! with real jobs, and the desktop app with its windows, its tray menu and its icon in each state.

use anyhow::Result;

use crate::{command, requirements, ui, workspace};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Of what to take pictures
    #[arg(value_enum, default_value_t = Subject::Dashboard)]
    of: Subject,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Subject {
    /// The dashboard in a browser, into docs/dashboard.png
    Dashboard,
    /// The desktop app, into docs/desktop
    Desktop,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    match options.of {
        Subject::Dashboard => dashboard(),
        Subject::Desktop => desktop(),
    }
}

fn dashboard() -> Result<()> {
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

fn desktop() -> Result<()> {
    requirements::for_pictures()?;
    ui::build()?;
    command::run(command::cargo().args(["build", "--package", "flowork-cli", "--package", "flowork-desktop"]))?;
    command::run(
        command::in_root("node")
            .args(["tests/desktop/pictures.mjs", "docs/desktop"])
            .env("FLOWORK_BIN", workspace::program("debug", "flowork"))
            .env("FLOWORK_DESKTOP_BIN", workspace::program("debug", "flowork-desktop")),
    )
}
