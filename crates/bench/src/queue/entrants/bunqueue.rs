//! bunqueue, embedded in its harness. It runs on Bun only, which npm has too.

use std::{path::Path, process::Command};

use crate::queue::{contender::Contender, install};

const BUN: &str = "node_modules/.bin/bun";

pub(super) fn start(dir: &Path) -> anyhow::Result<Contender> {
    let harness = install::npm("bunqueue")?;
    let directory = tempfile::Builder::new().prefix("bunqueue").tempdir_in(dir)?;
    let mut bun = Command::new(harness.join(BUN));
    bun.arg("harness.mjs").current_dir(harness).env("DATA_DIR", directory.path().canonicalize()?);
    Contender::start(bun, Vec::new(), directory)
}
