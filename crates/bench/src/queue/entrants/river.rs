//! River's Rust crate on SQLite, in a harness outside the workspace.

use std::{path::Path, process::Command};

use crate::queue::{contender::Contender, install};

pub(super) fn start(dir: &Path) -> anyhow::Result<Contender> {
    let program = install::cargo("river", &dir.join("river"))?;
    let directory = tempfile::Builder::new().prefix("river-").tempdir_in(dir)?;
    let mut harness = Command::new(program);
    harness.env("DATA_DIR", directory.path());
    Contender::start(harness, Vec::new(), directory)
}
