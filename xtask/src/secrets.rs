//! Secrets that somebody left in a file: keys of clouds and providers, private keys, passwords in URLs, our own tokens.
//!
//! secretlint knows what such things look like; `xtask/secrets/.secretlintrc.json` adds ours, and allows credentials for
//! host names that can't exist. Every scan first shows that it finds something.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{command, ui, workspace};

/// Where secretlint and its rules are.
const PACKAGE: &str = "xtask/secrets";
/// Files on one command line, which is bounded.
const FILES_A_TIME: usize = 400;

/// Scans every file of the project.
pub(crate) fn scan() -> Result<()> {
    ui::install(PACKAGE)?;
    control()?;
    let files = workspace::files()?;
    for files in files.chunks(FILES_A_TIME) {
        if !is_clean(files)? {
            bail!("there is what looks like a secret; take it out, and make a new one if it was real");
        }
    }
    println!("{} files hold nothing that looks like a secret", files.len());
    Ok(())
}

/// Shows that a secret would be found: one that was never valid, put together here so that this file holds none.
fn control() -> Result<()> {
    let folder = workspace::target().join("xtask/secrets");
    fs::create_dir_all(&folder)?;
    let secret = |letters: &str, length: usize| -> String { letters.chars().cycle().take(length).collect() };
    let token = format!("{}_{}", "fle", secret("0a1b2c3d4e5f6g7h8", 76));
    let key = format!("ghp_{}", secret("0a1b2c3d4e5f6g7h8i", 36));
    let planted = [("token.md", token), ("cloud.txt", format!("token = {key}\n")), ("plain.md", String::new())];
    for (name, text) in planted {
        let path = folder.join(name);
        fs::write(&path, format!("# A file\n\n{text}\n")).with_context(|| format!("writing {}", path.display()))?;
        let found = !is_clean(&[path.display().to_string()])?;
        if found == text.is_empty() {
            bail!("the scan is broken: it {} {name}", if found { "finds a secret in" } else { "sees no secret in" });
        }
    }
    Ok(())
}

fn is_clean(files: &[String]) -> Result<bool> {
    let mut scan = command::in_root("node");
    scan.arg(format!("{PACKAGE}/node_modules/secretlint/bin/secretlint.js"));
    scan.args(["--no-glob", "--no-color", "--secretlintrc", &format!("{PACKAGE}/.secretlintrc.json")]);
    let output = scan.args(files).output().context("starting node")?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => {
            print!("{}", String::from_utf8_lossy(&output.stdout));
            Ok(false)
        }
        _ => bail!("secretlint failed: {}", String::from_utf8_lossy(&output.stderr)),
    }
}
