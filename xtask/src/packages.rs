//! The suite `packages`: what people install, packed from the debug programs that are built already, and checked with
//! the tools of those who would install it.
//!
//! What is in a package is checked in [`contents`], its life on a machine in [`lifecycle`], in a
//! root folder of [`root`].

mod contents;
mod lifecycle;
mod root;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::dist::{Package, Packed, Profile, Release};
use crate::test::Outcome;
use crate::{command, icons, requirements, suites, workspace};

/// The packages of one run.
struct Packages {
    release: Release,
    packed: Packed,
    app_image: PathBuf,
    /// The same deb packages under an earlier version.
    older: Vec<PathBuf>,
    /// What each package brings, as it would lie on a machine: below the name of the package.
    unpacked: PathBuf,
}

pub(crate) fn suite() -> Outcome {
    let mut outcome = Outcome::default();
    outcome.step("icons are what their source gives", icons::check);
    if !cfg!(target_os = "linux") {
        outcome.remarks.push("NOTE packages: only Linux packs and checks these".to_owned());
        return outcome;
    }
    let mut made = None;
    outcome.step("pack", || {
        requirements::for_packages()?;
        suites::build()?;
        made = Some(pack()?);
        Ok(())
    });
    let Some(packages) = made else { return outcome };
    outcome.step("packed again, a package is the same to the byte", || packed_again(&packages));
    contents::check(&mut outcome, &packages);
    lifecycle::check(&mut outcome, &packages);
    if outcome.tally.failed == 0 {
        outcome.step("what was packed is thrown away", throw_away);
    }
    outcome
}

/// What was packed and unpacked is large, and nobody is to install it. After a failure it stays, to be looked at.
fn throw_away() -> Result<()> {
    let folder = folder();
    fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))
}

/// Where packages are made.
fn folder() -> PathBuf {
    workspace::target().join("xtask/packages")
}

fn pack() -> Result<Packages> {
    let out = folder();
    let release = Release::of_these_sources(Profile::Dev, out.clone())?;
    let packed = release.pack(Package::ALL)?;
    let before = release.made_older(out.join("older"))?;
    let older = Package::ALL.iter().map(|package| before.pack_deb(*package)).collect::<Result<_>>()?;
    let app_image = release.pack_app_image()?;
    release.tidy_up()?;
    before.tidy_up()?;
    let unpacked = out.join("unpacked");
    for (package, deb) in Package::ALL.iter().zip(&packed.debs) {
        let folder = unpacked.join(package.name());
        fs::create_dir_all(&folder)?;
        command::run(command::in_root("dpkg-deb").arg("--extract").arg(deb).arg(&folder))?;
    }
    Ok(Packages { release, packed, app_image, older, unpacked })
}

/// What differed from one packing to the next would be a time, an order or an owner of this machine.
fn packed_again(packages: &Packages) -> Result<()> {
    let release = packages.release.again(folder().join("again"))?;
    let again = release.pack_deb(Package::Headless)?;
    release.tidy_up()?;
    command::run(command::in_root("cmp").arg(&packages.packed.debs[0]).arg(again))
}

impl Packages {
    fn root_of(&self, package: Package) -> PathBuf {
        self.unpacked.join(package.name())
    }
}

/// Runs a command that has to be silent: whatever it says is an error.
fn silent(command: &mut std::process::Command) -> Result<()> {
    let output = command.output().with_context(|| format!("starting `{}`", command::shown(command)))?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(
        output.status.success() && said.is_empty(),
        "`{}` ended with {}: {}",
        command::shown(command),
        output.status,
        String::from_utf8_lossy(&said)
    );
    Ok(())
}

/// Lists the files of a folder, which must be there and not be empty.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    ensure!(!files.is_empty(), "{} is empty", folder.display());
    files.sort();
    Ok(files)
}
