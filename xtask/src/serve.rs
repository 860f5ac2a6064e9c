//! `cargo xtask serve`: from a fresh clone to a running node with a printed link.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{command, requirements, ui, workspace};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build the node with optimizations
    #[arg(long)]
    release: bool,
    /// Further arguments for `flowork serve`
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    requirements::for_serve()?;
    ui::build()?;
    let profile = if options.release { "release" } else { "debug" };
    let mut build = command::cargo();
    build.args(["build", "--package", "flowork-cli"]);
    if options.release {
        build.arg("--release");
    }
    command::run(&mut build)?;
    let mut node = Command::new(workspace::program(profile, "flowork"));
    node.arg("serve").args(&options.arguments);
    println!("$ {}", command::shown(&node));
    become_program(&mut node)
}

/// Replaces this process, so that Ctrl-C and the exit code are the program's own.
#[cfg(unix)]
pub(crate) fn become_program(program: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    let error = program.exec();
    Err(error).with_context(|| format!("starting `{}`", command::shown(program)))
}

/// Runs the program to its end: there is no exec here, and Ctrl-C reaches the whole console group anyway.
#[cfg(not(unix))]
pub(crate) fn become_program(program: &mut Command) -> Result<()> {
    let status = program.status().with_context(|| format!("starting `{}`", command::shown(program)))?;
    if !status.success() {
        anyhow::bail!("`{}` ended with {status}", command::shown(program));
    }
    Ok(())
}
