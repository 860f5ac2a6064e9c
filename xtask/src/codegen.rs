//! `cargo xtask codegen`: the node's `OpenAPI` document, and the TypeScript client that is generated from it.
//!
//! Both are committed, so that the GUI can be built without building the node first.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{command, requirements, ui, workspace};

const DOCUMENT: &str = "ui/openapi.json";
const REFRESH: &str = "cargo xtask codegen";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Change nothing; fail if something committed is not what would be generated
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    requirements::for_serve()?;
    ui::install("ui")?;
    command::run(command::cargo().args(["build", "--package", "flowork-cli"]))?;
    if options.check { check() } else { write() }
}

fn write() -> Result<()> {
    fs::write(workspace::root().join(DOCUMENT), document()?).with_context(|| format!("writing {DOCUMENT}"))?;
    command::run(ui::npm("ui").args(["run", "codegen"])).context("generating the client")
}

/// Fails when the committed document or client is not what the built node and the generator make now.
///
/// Needs a built `flowork`. The client is generated in place, because that is where the generator's settings put it,
/// and put back.
pub(crate) fn check() -> Result<()> {
    let root = workspace::root();
    let committed = fs::read_to_string(root.join(DOCUMENT)).with_context(|| format!("reading {DOCUMENT}"))?;
    if committed != document()? {
        bail!("{DOCUMENT} is not what the node says now; refresh it: {REFRESH}");
    }
    let generated: Vec<String> = workspace::files()?
        .into_iter()
        .filter(|file| file.starts_with("ui/src/") && file.contains("__generated__"))
        .collect();
    if generated.is_empty() {
        bail!("no generated client under ui/src; make it: {REFRESH}");
    }
    let read = |file: &String| fs::read(root.join(file)).with_context(|| format!("reading {file}"));
    let before = generated.iter().map(read).collect::<Result<Vec<_>>>()?;
    command::run(ui::npm("ui").args(["run", "codegen"])).context("generating the client")?;
    let after = generated.iter().map(read).collect::<Result<Vec<_>>>()?;
    for (file, bytes) in generated.iter().zip(&before) {
        fs::write(root.join(file), bytes).with_context(|| format!("putting {file} back"))?;
    }
    let stale: Vec<&str> = generated
        .iter()
        .zip(before.iter().zip(&after))
        .filter(|(_, (was, is))| was != is)
        .map(|(file, _)| file.as_str())
        .collect();
    if !stale.is_empty() {
        bail!("not what is generated from {DOCUMENT} now: {}; refresh: {REFRESH}", stale.join(", "));
    }
    Ok(())
}

/// Asks the built node for its `OpenAPI` document, and ends it with a line break.
fn document() -> Result<String> {
    let text = command::output(command::in_root(workspace::program("debug", "flowork")).arg("openapi"))
        .context("asking the node for its OpenAPI document")?;
    Ok(format!("{}\n", text.trim_end()))
}
