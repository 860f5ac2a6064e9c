//! The desktop app for macOS and Windows, as Tauri's bundler makes it: a disk image, an installer.

use std::env::consts::OS;
use std::ffi::OsStr;
use std::fs;

use anyhow::{Context, Result, bail};

use super::{Profile, Release, sorted};
use crate::{command, ui, workspace};

pub(super) fn pack(release: &Release) -> Result<()> {
    let (kind, extension) = match OS {
        "macos" => ("dmg", "dmg"),
        "windows" => ("msi", "msi"),
        other => bail!("there is no bundle for {other}"),
    };
    let mut build = ui::tauri()?;
    build.args(["build", "--ci", "--bundles", kind]);
    if release.profile == Profile::Dev {
        build.arg("--debug");
    }
    // A secret that nobody has set comes as an empty text, which the bundler would take for a certificate.
    for (name, _) in std::env::vars().filter(|(name, value)| name.starts_with("APPLE_") && value.is_empty()) {
        build.env_remove(name);
    }
    // What follows `--` is cargo's: the app is no default member, so it has to be named.
    command::run(build.args(["--", "--package", "flowork-desktop"]))?;
    let folder = workspace::target().join(release.profile.folder()).join("bundle").join(kind);
    let made = sorted(&folder)?.into_iter().filter(|path| path.extension() == Some(OsStr::new(extension)));
    let mut count = 0;
    for path in made {
        fs::copy(&path, release.out.join(path.file_name().context("the bundle has no name")?))?;
        count += 1;
    }
    if count == 0 {
        bail!("no {kind} in {}", folder.display());
    }
    Ok(())
}
