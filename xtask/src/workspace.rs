//! Where things are in the workspace.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command;

/// Returns the root of the workspace that `cargo xtask` was started in.
pub(crate) fn root() -> PathBuf {
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}

/// Returns the directory that cargo builds into.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Returns where a built program of the workspace is, for `profile` "debug" or "release".
pub(crate) fn program(profile: &str, name: &str) -> PathBuf {
    target().join(profile).join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

/// Lists the files that belong to the project: those git tracks and those it would, with `/` as the separator.
pub(crate) fn files() -> Result<Vec<String>> {
    let listed =
        command::output(command::in_root("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]))
            .context("listing the project's files")?;
    let mut files: Vec<String> = listed.split('\0').filter(|file| !file.is_empty()).map(String::from).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}
