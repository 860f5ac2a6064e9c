//! Packages for Debian and its kin, made by `dpkg-deb`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::package::{Family, Package};
use super::{Profile, Release};
use crate::command;

/// The revision of the packaging: it grows when only that changes.
const REVISION: u32 = 1;

pub(super) fn pack(release: &Release, package: Package) -> Result<PathBuf> {
    let name = package.name();
    let work = release.workshop(&format!("{name}-deb"))?;
    let stage = package.stage(release, Family::Debian, work.join("root"))?;
    let architecture = command::output(command::in_root("dpkg").arg("--print-architecture"))?;
    let architecture = architecture.trim();
    let depends = libraries(&work, name, &stage.root().join("usr/bin").join(name))?;
    let control = release
        .filled(&format!("debian/{name}.control"))?
        .replace("@REVISION@", &REVISION.to_string())
        .replace("@ARCHITECTURE@", architecture)
        .replace("@DEPENDS@", &depends)
        .replace("@SIZE@", &stage.kibibytes()?.to_string());
    let files = stage.files()?;
    let mut sums = command::in_root("md5sum");
    sums.current_dir(stage.root()).args(files.iter().map(|file| file.trim_start_matches('/')));
    let sums = command::output(&mut sums)?;
    stage.text(&control, "DEBIAN/control")?;
    stage.text(&sums, "DEBIAN/md5sums")?;
    stage.finish(release.epoch)?;

    let file = release.out.join(format!("{name}_{}-{REVISION}_{architecture}.deb", release.version));
    let mut build = command::in_root("dpkg-deb");
    build.env("SOURCE_DATE_EPOCH", release.epoch.to_string()).arg("--root-owner-group");
    build.args(match release.profile {
        Profile::Release => ["-Zxz", "-z6"],
        Profile::Dev => ["-Zgzip", "-z1"],
    });
    command::run(build.arg("--build").arg(stage.root()).arg(&file))?;
    Ok(file)
}

/// Returns the packages that bring the libraries the program is linked with, in the versions it needs.
fn libraries(work: &Path, name: &str, program: &Path) -> Result<String> {
    // It reads the names of source and package from here and nothing else.
    let sources = work.join("debian");
    fs::create_dir_all(&sources)?;
    fs::write(sources.join("control"), format!("Source: flowork\n\nPackage: {name}\nArchitecture: any\n"))?;
    let mut shlibdeps = command::in_root("dpkg-shlibdeps");
    let found = command::output(shlibdeps.current_dir(work).arg("-O").arg(format!("-e{}", program.display())))?;
    let depends = found.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    Ok(depends.context("dpkg-shlibdeps found no libraries")?.to_owned())
}
