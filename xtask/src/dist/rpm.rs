//! Packages for Fedora, openSUSE and their kin, made by `rpmbuild`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::package::{Family, Package};
use super::{Profile, Release, sorted};
use crate::command;

pub(super) fn pack(release: &Release, package: Package) -> Result<PathBuf> {
    let name = package.name();
    let work = release.workshop(&format!("{name}-rpm"))?;
    let stage = package.stage(release, Family::Fedora, work.join("root"))?;
    stage.finish(release.epoch)?;
    let files: Vec<String> = stage.files()?.iter().map(|file| marked(file)).collect();
    let spec = release
        .filled(&format!("rpm/{name}.spec"))?
        .replace("@ROOT@", &stage.root().display().to_string())
        .replace("@FILES@", &files.join("\n"));
    let spec_file = work.join(format!("{name}.spec"));
    fs::write(&spec_file, spec)?;

    let mut build = command::in_root("rpmbuild");
    build.env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    build.args(["-bb", "--quiet", "--define", &format!("_topdir {}", work.join("top").display())]);
    // Its scripts, too, are thrown away with the rest.
    build.args(["--define", &format!("_tmppath {}", work.join("tmp").display())]);
    let payload = match release.profile {
        Profile::Release => "w19.zstdio",
        Profile::Dev => "w1.gzdio",
    };
    build.args(["--define", &format!("_binary_payload {payload}")]);
    for reproducible in
        ["use_source_date_epoch_as_buildtime 1", "clamp_mtime_to_source_date_epoch 1", "_buildhost flowork"]
    {
        build.args(["--define", reproducible]);
    }
    command::run(build.arg(&spec_file))?;
    let mut built = Vec::new();
    for architecture in sorted(&work.join("top/RPMS"))? {
        built.extend(sorted(&architecture)?);
    }
    let [package] = built.as_slice() else { bail!("rpmbuild made {} packages, not one", built.len()) };
    let file = release.out.join(package.file_name().context("the package has no name")?);
    fs::copy(package, &file)?;
    Ok(file)
}

/// Returns a line of `%files`: what is documentation or a license is called so.
fn marked(file: &str) -> String {
    let mark = if file.starts_with("/usr/share/licenses/") {
        "%license "
    } else if file.starts_with("/usr/share/doc/") || file.starts_with("/usr/share/man/") {
        "%doc "
    } else {
        ""
    };
    format!("{mark}\"{file}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_called_documents() {
        assert_eq!(marked("/usr/bin/flowork"), "\"/usr/bin/flowork\"");
        assert_eq!(marked("/usr/share/doc/flowork/README.md"), "%doc \"/usr/share/doc/flowork/README.md\"");
        assert_eq!(marked("/usr/share/licenses/flowork/LICENSE"), "%license \"/usr/share/licenses/flowork/LICENSE\"");
    }
}
