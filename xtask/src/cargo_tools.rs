//! Cargo subcommands that the suites need, installed from crates.io when they are missing.

use anyhow::{Context, Result};

use crate::{command, requirements, workspace};

/// Makes sure that `cargo nextest` is there.
pub(crate) fn nextest() -> Result<()> {
    ensure("nextest", "cargo-nextest")
}

/// Makes sure that `cargo deny` is there.
pub(crate) fn deny() -> Result<()> {
    ensure("deny", "cargo-deny")
}

/// Makes sure that `cargo fuzz` is there.
pub(crate) fn fuzz() -> Result<()> {
    ensure("fuzz", "cargo-fuzz")
}

/// Installs the crate behind `cargo <subcommand>` unless it is there.
fn ensure(subcommand: &str, package: &str) -> Result<()> {
    if command::succeeds(command::cargo().args([subcommand, "--version"])) {
        return Ok(());
    }
    println!("installing {package} (once, takes some minutes)");
    // Its own target directory inside ours: a try that was interrupted goes on where it stopped. Optimizing would take
    // longer than these tools ever run.
    let target = workspace::target().join("tools");
    requirements::retry(|| {
        command::run(
            command::cargo()
                .args([
                    "install",
                    package,
                    "--locked",
                    "--debug",
                    "--config",
                    "profile.dev.debug=false",
                    "--target-dir",
                ])
                .arg(&target),
        )
    })
    .with_context(|| format!("installing {package}; by hand: cargo install {package} --locked"))?;
    std::fs::remove_dir_all(&target).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    Ok(())
}
