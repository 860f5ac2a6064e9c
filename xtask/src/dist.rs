//! `cargo xtask dist`: what people download, into target/dist.
//!
//! Today: the headless `flowork` as a tar.gz, and the desktop app as deb and rpm.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{command, requirements, ui, workspace};

/// What goes beside the program in the archive.
const DOCUMENTS: &[&str] = &["README.md", "CHANGELOG.md", "LICENSE", "LICENSE-MIT", "LICENSE-APACHE"];
const SHELLS: &[&str] = &["bash", "zsh", "fish"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build only the headless archive: needs no GTK and no WebKit
    #[arg(long)]
    headless: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.headless { requirements::for_serve() } else { requirements::for_desktop() }?;
    ui::build()?;
    let dist = workspace::target().join("dist");
    fs::create_dir_all(&dist).with_context(|| format!("making {}", dist.display()))?;
    archive(&dist)?;
    if !options.headless {
        packages(&dist)?;
    }
    println!("in {}:", dist.display());
    for entry in fs::read_dir(&dist)? {
        let entry = entry?;
        if entry.path().is_file() {
            println!("  {:<56} {:>9} KiB", entry.file_name().to_string_lossy(), entry.metadata()?.len() / 1024);
        }
    }
    Ok(())
}

/// Packs the program, its documents and its shell completions.
fn archive(dist: &Path) -> Result<()> {
    command::run(command::cargo().args(["build", "--release", "--locked", "--package", "flowork-cli"]))?;
    let program = workspace::program("release", "flowork");
    let name = format!("flowork-{}-{}", version(&program)?, host()?);
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("completions"))?;
    fs::copy(&program, folder.join(program.file_name().context("the program has no name")?))?;
    for document in DOCUMENTS {
        fs::copy(workspace::root().join(document), folder.join(document))
            .with_context(|| format!("copying {document}"))?;
    }
    for shell in SHELLS {
        let script = command::output(command::in_root(&program).args(["completions", shell]))?;
        fs::write(folder.join("completions").join(format!("flowork.{shell}")), script)?;
    }
    let file = dist.join(format!("{name}.tar.gz"));
    command::run(command::in_root("tar").arg("-czf").arg(&file).arg("-C").arg(dist).arg(&name))?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Bundles the desktop app for the package managers.
fn packages(dist: &Path) -> Result<()> {
    ui::install("installers")?;
    let tauri = workspace::root().join("installers/node_modules/@tauri-apps/cli/tauri.js");
    let mut build = command::in_root("node");
    build.arg(tauri).args(["build", "--ci", "--bundles", "deb,rpm"]);
    // What follows `--` is cargo's: the app is no default member, so it has to be named.
    build.args(["--", "--package", "flowork-desktop"]);
    command::run(&mut build)?;
    for kind in ["deb", "rpm"] {
        let folder = workspace::target().join("release/bundle").join(kind);
        let mut found = 0;
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            if path.extension() == Some(OsStr::new(kind)) {
                fs::copy(&path, dist.join(path.file_name().context("the package has no name")?))?;
                found += 1;
            }
        }
        if found == 0 {
            bail!("no {kind} in {}", folder.display());
        }
    }
    Ok(())
}

fn version(program: &Path) -> Result<String> {
    let text = command::output(command::in_root(program).arg("--version"))?;
    version_in(&text).map(str::to_owned).with_context(|| format!("no version in {text:?}"))
}

/// Finds the version in what a program says of itself: its name, the version, and perhaps more.
fn version_in(text: &str) -> Option<&str> {
    text.split_whitespace().nth(1).filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

/// Returns the triple of this machine, like `x86_64-unknown-linux-gnu`.
fn host() -> Result<String> {
    let text = command::output(command::in_root("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_word_after_the_name() {
        assert_eq!(version_in("flowork 0.1.0 (SQLite 3.54.1)\n"), Some("0.1.0"));
        assert_eq!(version_in("flowork 0.1.0"), Some("0.1.0"));
        assert_eq!(version_in("flowork"), None);
        assert_eq!(version_in("flowork (SQLite 3.54.1)"), None);
    }
}
