//! `cargo xtask icons`: exports the app's icons from their one source, assets/icons/flowork.svg.

use std::fs;

use anyhow::{Context, Result};

use crate::{command, requirements, ui, workspace};

/// What the bundles for Linux, macOS and Windows take; the exporter makes many more.
const EXPORTS: &[&str] = &["32x32.png", "128x128.png", "128x128@2x.png", "icon.png", "icon.ico", "icon.icns"];

pub(crate) fn run() -> Result<()> {
    requirements::for_serve()?;
    ui::install("installers")?;
    let all = workspace::target().join("xtask/icons");
    let tauri = workspace::root().join("installers/node_modules/@tauri-apps/cli/tauri.js");
    command::run(command::in_root("node").arg(tauri).args(["icon", "assets/icons/flowork.svg", "--output"]).arg(&all))?;
    for file in EXPORTS {
        fs::copy(all.join(file), workspace::root().join("assets/icons").join(file))
            .with_context(|| format!("copying {file}"))?;
    }
    Ok(())
}
