//! The life of a package on a machine: installed, upgraded and removed, in root folders that are no part of this one.
//!
//! A fresh Debian is made once by `debootstrap` and kept below the target directory. It needs root and the network the
//! first time; where that cannot be, a remark says so, and what was only unpacked is all that was run.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::Packages;
use crate::dist::Package;
use crate::test::Outcome;
use crate::{command, requirements, workspace};

/// How long the whole life may take, in seconds; it is some ten on an idle machine.
const LIFE_MAX: &str = "240";

pub(super) fn check(outcome: &mut Outcome, packages: &Packages) {
    outcome.step("the unpacked program runs", || {
        let program = packages.root_of(Package::Headless).join("usr/bin/flowork");
        command::run(command::in_root(program).arg("--version"))
    });
    outcome.step("what the desktop package needs, this system has", || {
        // It changes nothing, and needs no root for that.
        let mut simulate = command::in_root("apt-get");
        simulate.args(["install", "--simulate", "--no-install-recommends"]).arg(&packages.packed.debs[1]);
        command::quietly(&mut simulate)
    });
    let Some(prefix) = requirements::elevation() else {
        outcome.remarks.push("NOTE packages: without root, none was installed, only unpacked".to_owned());
        return;
    };
    outcome.step("rpm packages install, and leave nothing when they are removed", || rpms(packages, prefix));
    match debian(prefix) {
        Ok(base) => {
            outcome.step("installed, used, upgraded while it runs, removed", || life(packages, prefix, &base));
        }
        Err(error) => {
            outcome.remarks.push(format!("NOTE packages: no fresh Debian to install in, only unpacked: {error:#}"));
        }
    }
}

fn life(packages: &Packages, prefix: &[&str], base: &PathBuf) -> Result<()> {
    let mut script = as_root(prefix, "timeout");
    script.args(["--kill-after=10", LIFE_MAX]).arg(workspace::root().join("tests/packages/in-root.sh"));
    script.arg(base).arg(workspace::target().join("xtask/debian-copy"));
    command::run(script.arg(&packages.older).arg(&packages.packed.debs[0]))
}

/// Returns a fresh Debian, or what else this machine runs, in a folder.
fn debian(prefix: &[&str]) -> Result<PathBuf> {
    let release = fs::read_to_string("/etc/os-release").context("reading what system this is")?;
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.context("this system's release has no name")?.trim_matches('"');
    let base = workspace::target().join("xtask").join(format!("root-{name}"));
    if base.is_dir() {
        return Ok(base);
    }
    // The same place that this machine has its own packages from.
    let sources =
        command::output(command::in_root("apt-get").args(["indextargets", "--format", "$(CODENAME) $(REPO_URI)"]))?;
    let mirror = sources.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let mirror = mirror.with_context(|| format!("apt knows no place for {name}"))?;
    let unfinished = base.with_extension("unfinished");
    command::quietly(as_root(prefix, "rm").arg("-rf").arg(&unfinished))?;
    let mut make = as_root(prefix, "debootstrap");
    command::quietly(make.args(["--variant=minbase", name]).arg(&unfinished).arg(mirror))?;
    command::quietly(as_root(prefix, "rm").arg("-rf").arg(unfinished.join("var/cache/apt/archives")))?;
    command::quietly(as_root(prefix, "mv").arg(&unfinished).arg(&base))?;
    Ok(base)
}

fn rpms(packages: &Packages, prefix: &[&str]) -> Result<()> {
    let root = workspace::target().join("xtask/packages/rpm-root");
    let rpm = || {
        let mut rpm = as_root(prefix, "rpm");
        rpm.arg("--root").arg(&root).args(["--dbpath", "/var/lib/rpm"]);
        rpm
    };
    command::quietly(as_root(prefix, "mkdir").arg("-p").arg(&root))?;
    for (package, file) in Package::ALL.iter().zip(&packages.packed.rpms) {
        // This system's libraries are not rpm packages, so there is nothing that could meet a dependency.
        command::quietly(rpm().args(["--install", "--nodeps"]).arg(file))?;
        let program = root.join("usr/bin").join(package.name());
        ensure!(program.is_file(), "{} was not installed", program.display());
        command::quietly(rpm().args(["--verify", "--nodeps", package.name()]))?;
        command::quietly(rpm().args(["--erase", package.name()]))?;
    }
    let mut find = as_root(prefix, "find");
    find.arg(&root).args(["-not", "-type", "d", "-not", "-path", "*/var/*"]);
    let left = command::output(&mut find)?;
    command::quietly(as_root(prefix, "rm").arg("-rf").arg(&root))?;
    if !left.trim().is_empty() {
        bail!("left behind: {left}");
    }
    Ok(())
}

fn as_root(prefix: &[&str], program: &str) -> std::process::Command {
    let mut words = prefix.to_vec();
    words.push(program);
    let mut command = command::in_root(words[0]);
    command.args(&words[1..]);
    command
}
