//! `cargo xtask desktop`: builds the desktop app and opens it.

use std::process::Command;

use anyhow::Result;

use crate::{command, requirements, serve, ui, workspace};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build with optimizations
    #[arg(long)]
    release: bool,
    /// Further arguments for the app
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    requirements::for_desktop()?;
    ui::build()?;
    let profile = if options.release { "release" } else { "debug" };
    let mut build = command::cargo();
    build.args(["build", "--package", "flowork-desktop"]);
    if options.release {
        build.arg("--release");
    }
    command::run(&mut build)?;
    let mut app = Command::new(workspace::program(profile, "flowork-desktop"));
    app.args(&options.arguments);
    println!("$ {}", command::shown(&app));
    serve::become_program(&mut app)
}
