//! The desktop app as one file that a person downloads, makes executable and opens.
//!
//! An `AppImage` is a small program that mounts the file system behind it. That program is pinned in
//! installers/appimage; the file system is made by `mksquashfs`. The app brings its libraries along, the web view among
//! them, apart from those that every desktop has and that belong to its hardware ([`libraries`]).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::stage::Stage;
use super::{Profile, Release, libraries, package};
use crate::{command, icons, workspace};

const HOME: &str = "installers/appimage";
/// The crate that brings the program at the start, and where in it that is.
const CRATE: &str = "appimage";
const RUNTIME: &str = "assets/runtime-x86_64";

pub(super) fn pack(release: &Release) -> Result<PathBuf> {
    if cfg!(not(target_arch = "x86_64")) {
        bail!("there is no AppImage runtime for this architecture");
    }
    let work = release.workshop("appimage")?;
    let stage = Stage::new(work.join("root"));
    let built = workspace::program(release.profile.folder(), "flowork-desktop");
    let program = stage.program(&built, "usr/bin/flowork-desktop")?;
    package::desktop(release, &stage)?;
    libraries::bring(&stage, &built, &program)?;
    let installers = workspace::root().join("installers");
    stage.script(&fs::read_to_string(installers.join("appimage/AppRun"))?, "AppRun")?;
    stage.file(&installers.join("linux/flowork-desktop.desktop"), "flowork-desktop.desktop")?;
    stage.file(&icons::hicolor(256), "flowork.png")?;
    stage.file(&icons::hicolor(256), ".DirIcon")?;
    stage.finish(release.epoch)?;

    let file = release.out.join(format!("Flowork-{}-x86_64.AppImage", release.version));
    let squashed = work.join("app.squashfs");
    let mut squash = command::in_root("mksquashfs");
    squash.arg(stage.root()).arg(&squashed).args(["-comp", "gzip", "-all-root", "-noappend", "-no-progress", "-quiet"]);
    squash.args(["-mkfs-time", &release.epoch.to_string()]);
    if release.profile == Profile::Dev {
        squash.args(["-Xcompression-level", "1"]);
    }
    command::run(&mut squash)?;
    join(&runtime()?, &squashed, &file)?;
    Ok(file)
}

/// Writes the program that mounts and, behind it, what it mounts.
fn join(runtime: &Path, squashed: &Path, to: &Path) -> Result<()> {
    // The copy is executable, as the program is.
    fs::copy(runtime, to).with_context(|| format!("copying {}", runtime.display()))?;
    let mut image = File::options().append(true).open(to)?;
    io::copy(&mut File::open(squashed)?, &mut image)?;
    make_executable(to)
}

/// Returns the program that mounts an image, out of the crate that brings it.
fn runtime() -> Result<PathBuf> {
    let manifest = format!("{HOME}/Cargo.toml");
    let metadata = command::output(command::cargo().args([
        "metadata",
        "--locked",
        "--format-version=1",
        "--manifest-path",
        &manifest,
    ]))
    .context("fetching the AppImage runtime")?;
    let metadata: Value = serde_json::from_str(&metadata).context("reading what cargo metadata printed")?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("cargo names no packages")?;
    let package = packages.iter().find(|package| package.get("name").and_then(Value::as_str) == Some(CRATE));
    let manifest = package.and_then(|package| package.get("manifest_path")?.as_str()).context("it is not there")?;
    Ok(Path::new(manifest).with_file_name(RUNTIME))
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// Only Linux has these images.
#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}
