//! The life of a package on a machine: installed, upgraded and removed, in root folders that are no part of this one.
//!
//! The [`root`] folders need root and the network the first time; where that cannot be, a remark says so, and what was only
//! unpacked is all that was run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{Packages, root};
use crate::dist::Package;
use crate::test::Outcome;
use crate::{command, requirements, workspace};

/// How long a whole life may take, in seconds; it is some ten on an idle machine.
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
    let fresh = match root::fresh(prefix) {
        Ok(fresh) => fresh,
        Err(error) => {
            outcome.remarks.push(format!("NOTE packages: no fresh system to install in, only unpacked: {error:#}"));
            return;
        }
    };
    let [headless, desktop] = [0, 1].map(|at| [packages.older[at].as_path(), packages.packed.debs[at].as_path()]);
    outcome.step("installed, used, upgraded while it runs, removed", || {
        life(prefix, &fresh.folder, "lifecycle.sh", headless, &[])
    });
    let base = fresh.with_needs_of(desktop[1], prefix);
    if matches!(base, Ok(None)) {
        let why = "apt cannot reach what the app depends on, so the app was only unpacked";
        outcome.remarks.push(format!("NOTE packages: {why}"));
        return;
    }
    outcome.step("the app: installed, opened, upgraded while it runs, removed", || {
        let base = base?.context("there is one")?;
        let asks = packages.root_of(Package::Headless).join("usr/bin/flowork");
        life(prefix, &base, "desktop-lifecycle.sh", desktop, &[asks])
    });
}

/// Runs a script of tests/packages as root in a copy of a root folder.
fn life(prefix: &[&str], base: &Path, script: &str, [older, newer]: [&Path; 2], further: &[PathBuf]) -> Result<()> {
    let mut life = as_root(prefix, "timeout");
    life.args(["--kill-after=30", LIFE_MAX]).arg(workspace::root().join("tests/packages/in-root.sh"));
    life.arg(base).arg(workspace::target().join("xtask/debian-copy")).arg(script).arg(older).arg(newer).args(further);
    command::run(&mut life)
}

fn rpms(packages: &Packages, prefix: &[&str]) -> Result<()> {
    let root = workspace::target().join("xtask/rpm-root");
    let clear = || command::quietly(as_root(prefix, "rm").arg("-rf").arg(&root));
    clear()?;
    let result = rpms_in(packages, prefix, &root);
    clear()?;
    result
}

fn rpms_in(packages: &Packages, prefix: &[&str], root: &Path) -> Result<()> {
    let rpm = || {
        let mut rpm = as_root(prefix, "rpm");
        rpm.arg("--root").arg(root).args(["--dbpath", "/var/lib/rpm"]);
        rpm
    };
    command::quietly(as_root(prefix, "mkdir").arg("-p").arg(root))?;
    for (package, file) in Package::ALL.iter().zip(&packages.packed.rpms) {
        // This system's libraries are not rpm packages, so there is nothing that could meet a dependency.
        command::quietly(rpm().args(["--install", "--nodeps"]).arg(file))?;
        let program = root.join("usr/bin").join(package.name());
        ensure!(program.is_file(), "{} was not installed", program.display());
        command::quietly(rpm().args(["--verify", "--nodeps", package.name()]))?;
        command::quietly(rpm().args(["--erase", package.name()]))?;
    }
    let mut find = as_root(prefix, "find");
    find.arg(root).args(["-not", "-type", "d", "-not", "-path", "*/var/*"]);
    let left = command::output(&mut find)?;
    ensure!(left.trim().is_empty(), "left behind: {left}");
    Ok(())
}

pub(super) fn as_root(prefix: &[&str], program: &str) -> std::process::Command {
    let mut words = prefix.to_vec();
    words.push(program);
    let mut command = command::in_root(words[0]);
    command.args(&words[1..]);
    command
}
