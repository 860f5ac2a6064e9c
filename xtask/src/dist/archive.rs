//! The headless program with its documents, pages and completions as a tar.gz, for every system.

use std::fs;

use anyhow::{Context, Result};

use super::{Release, documents, package, stage::Stage};
use crate::{command, workspace};

/// What goes beside the program.
const LICENSES: &[&str] = &["LICENSE", "LICENSE-MIT", "LICENSE-APACHE"];

pub(super) fn pack(release: &Release) -> Result<()> {
    let name = format!("flowork-{}-{}", release.version, host()?);
    let folder = release.workshop("archive")?;
    let stage = Stage::new(folder.join(&name));
    let program = workspace::program(release.profile.folder(), "flowork");
    stage.program(&program, &program.file_name().context("the program has no name")?.to_string_lossy())?;
    documents::put(&stage, "")?;
    stage.text(&documents::changelog()?, "CHANGELOG.md")?;
    for license in LICENSES {
        stage.file(&workspace::root().join(license), license)?;
    }
    for (shell, file) in [("bash", "flowork.bash"), ("zsh", "flowork.zsh"), ("fish", "flowork.fish")] {
        stage.text(&package::completions(&program, shell)?, &format!("completions/{file}"))?;
    }
    for page in package::manual_pages(&program, &folder.join("man"))? {
        let page_name = page.file_name().context("the page has no name")?.to_string_lossy();
        stage.text(&fs::read_to_string(&page)?, &format!("man/{page_name}"))?;
    }
    stage.finish(release.epoch)?;
    let file = release.out.join(format!("{name}.tar.gz"));
    let mut tar = command::in_root("tar");
    if cfg!(target_os = "linux") {
        tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    }
    // Without it, macOS adds a second file with its own attributes to each.
    tar.env("COPYFILE_DISABLE", "1");
    command::run(tar.env("GZIP", "-n").arg("-czf").arg(&file).arg("-C").arg(&folder).arg(&name))
}

/// Returns the triple of this machine, like `x86_64-unknown-linux-gnu`.
fn host() -> Result<String> {
    let text = command::output(command::in_root("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_owned())
}
