//! The web GUI and the other npm packages: installed and built only when what they are made from has changed.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context, Result};

use crate::{command, requirements, workspace};

/// Returns the bundler of the desktop app, installed, which also draws icons.
pub(crate) fn tauri() -> Result<Command> {
    let script = workspace::root().join("installers/node_modules/@tauri-apps/cli/tauri.js");
    let bundler = || {
        let mut node = command::in_root("node");
        node.arg(&script);
        node
    };
    install_and("installers", || command::quietly(bundler().arg("--version")))?;
    Ok(bundler())
}

/// Installs the npm packages of `dir` exactly as its lock file says, unless they are those already.
pub(crate) fn install(dir: &str) -> Result<()> {
    install_and(dir, || Ok(()))
}

/// Installs packages and tries them: npm passes over an optional package that it can't get, and succeeds, so that one
/// with a program for each system may be there without any.
fn install_and(dir: &str, tried: impl Fn() -> Result<()>) -> Result<()> {
    let folder = workspace::root().join(dir);
    let stamp = folder.join("node_modules/.flowork-stamp");
    let wanted = fingerprint(&folder, &["package.json".into(), "package-lock.json".into()])?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let install = || command::run(npm(dir).args(["ci", "--no-audit", "--no-fund"])).and_then(|()| tried());
    requirements::retry(install).with_context(|| format!("installing the packages of {dir}"))?;
    fs::create_dir_all(folder.join("node_modules"))?;
    fs::write(&stamp, wanted)?;
    Ok(())
}

/// Installs the GUI's packages and builds it, unless what is built came from these very sources.
pub(crate) fn build() -> Result<()> {
    install("ui")?;
    let root = workspace::root();
    let mut sources: Vec<PathBuf> =
        workspace::files()?.into_iter().filter_map(|file| file.strip_prefix("ui/").map(PathBuf::from)).collect();
    // A page shows this piece of the documentation.
    sources.push("../docs/remote-access.md".into());
    let wanted = fingerprint(&root.join("ui"), &sources)?;
    let stamp = workspace::target().join("xtask/ui-dist.stamp");
    let built = root.join("ui/dist/index.html").is_file();
    if built && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    command::run(npm("ui").args(["run", "build"])).context("building the GUI")?;
    fs::create_dir_all(workspace::target().join("xtask"))?;
    fs::write(&stamp, wanted)?;
    Ok(())
}

/// Returns an npm command that runs in `dir`.
pub(crate) fn npm(dir: &str) -> Command {
    let mut command = command::in_root(requirements::npm());
    command.current_dir(workspace::root().join(dir)).env("CI", "1");
    command
}

/// Returns a text that changes when one of these files, or which of them there are, changes.
fn fingerprint(folder: &Path, files: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        hasher.write(file.as_os_str().as_encoded_bytes());
        match fs::read(folder.join(file)) {
            Ok(bytes) => {
                hasher.write_usize(bytes.len());
                hasher.write(&bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => hasher.write_usize(usize::MAX),
            Err(error) => return Err(error).with_context(|| format!("reading {}", folder.join(file).display())),
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_changes_with_the_content_and_with_the_list() {
        let folder = workspace::root().join("xtask");
        let one = fingerprint(&folder, &["Cargo.toml".into()]).unwrap();
        let same = fingerprint(&folder, &["Cargo.toml".into()]).unwrap();
        let more = fingerprint(&folder, &["Cargo.toml".into(), "absent.toml".into()]).unwrap();
        let other = fingerprint(&folder, &["src/main.rs".into()]).unwrap();
        assert_eq!(one, same, "the same files give the same text");
        assert_ne!(one, more, "a file more changes it, even one that is not there");
        assert_ne!(one, other, "other content changes it");
    }
}
