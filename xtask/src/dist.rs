//! `cargo xtask dist`: what people download, into target/dist.
//!
//! A tar.gz of the headless `flowork` everywhere; on Linux also deb and rpm packages of `flowork` and, apart from it, of
//! `flowork-desktop`, and an `AppImage` of the desktop app; elsewhere the app as that system installs it ([`bundle`]).
//! Each package for Linux is a folder as it will lie on a machine ([`package`]), which the system's own tools pack. The
//! same programs give the same packages.

mod app_image;
mod archive;
mod bundle;
mod deb;
mod documents;
mod libraries;
mod package;
mod rpm;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{command, requirements, ui, workspace};
pub(crate) use package::Package;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build only the headless program: needs no GTK and no WebKit
    #[arg(long)]
    headless: bool,
    /// What to pack: optimized programs, or those that tests use
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

/// How the packed programs are built.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    Release,
    /// Debug builds, packed fast rather than small: to check the packages, not to give to anybody.
    Dev,
}

impl Profile {
    /// The folder below the target directory.
    fn folder(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "debug",
        }
    }
}

/// One version of the product on its way into packages.
pub(crate) struct Release {
    profile: Profile,
    /// As package managers compare it: `~` before a pre-release.
    version: String,
    /// When the sources were last changed, in seconds since 1970: the time of every file in every package.
    epoch: u64,
    /// Where packages are put.
    out: PathBuf,
}

/// What was packed.
pub(crate) struct Packed {
    pub(crate) debs: Vec<PathBuf>,
    pub(crate) rpms: Vec<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    requirements::for_dist(options.headless)?;
    ui::build()?;
    let mut build = command::cargo();
    build.args(["build", "--locked", "--package", "flowork-cli"]);
    if !options.headless {
        build.args(["--package", "flowork-desktop"]);
    }
    if options.profile == Profile::Release {
        build.arg("--release");
    }
    command::run(&mut build)?;
    let release = Release::of_these_sources(options.profile, workspace::target().join("dist"))?;
    archive::pack(&release)?;
    if cfg!(target_os = "linux") {
        let packages = if options.headless { &[Package::Headless][..] } else { Package::ALL };
        release.pack(packages)?;
        if !options.headless {
            app_image::pack(&release)?;
        }
    } else if !options.headless {
        bundle::pack(&release)?;
    }
    release.tidy_up()?;
    println!("in {}:", release.out.display());
    for entry in sorted(&release.out)?.into_iter().filter(|path| path.is_file()) {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!("  {name:<56} {:>9} KiB", entry.metadata()?.len() / 1024);
    }
    Ok(())
}

impl Release {
    /// The version of the built program, packed to an emptied folder.
    pub(crate) fn of_these_sources(profile: Profile, out: PathBuf) -> Result<Self> {
        if out.exists() {
            fs::remove_dir_all(&out).with_context(|| format!("emptying {}", out.display()))?;
        }
        fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;
        let program = workspace::program(profile.folder(), "flowork");
        let text = command::output(command::in_root(&program).arg("--version"))?;
        let version = version_in(&text).with_context(|| format!("no version in {text:?}"))?;
        Ok(Self { profile, version: version.replacen('-', "~", 1), epoch: epoch()?, out })
    }

    /// The same, to be put into another folder.
    pub(crate) fn again(&self, out: PathBuf) -> Result<Self> {
        fs::create_dir_all(&out)?;
        Ok(Self { version: self.version.clone(), out, ..*self })
    }

    /// The same programs under an earlier version, to upgrade from.
    pub(crate) fn made_older(&self, out: PathBuf) -> Result<Self> {
        Ok(Self { version: format!("{}~before", self.version), ..self.again(out)? })
    }

    /// Packs these packages as deb and as rpm.
    pub(crate) fn pack(&self, packages: &[Package]) -> Result<Packed> {
        let mut packed = Packed { debs: Vec::new(), rpms: Vec::new() };
        for package in packages {
            packed.debs.push(deb::pack(self, *package)?);
            packed.rpms.push(rpm::pack(self, *package)?);
        }
        Ok(packed)
    }

    /// Packs one package as deb.
    pub(crate) fn pack_deb(&self, package: Package) -> Result<PathBuf> {
        deb::pack(self, package)
    }

    /// Packs the desktop app as one file that runs where it lies.
    pub(crate) fn pack_app_image(&self) -> Result<PathBuf> {
        app_image::pack(self)
    }

    /// Fills in what a file of `installers/` leaves open, such as `@VERSION@`.
    fn filled(&self, template: &str) -> Result<String> {
        let path = workspace::root().join("installers").join(template);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(text
            .replace("@VERSION@", &self.version)
            .replace("@DATE@", &self.date("+%F")?)
            .replace("@RFC_DATE@", &self.date("-R")?)
            .replace("@RPM_DATE@", &self.date("+%a %b %d %Y")?))
    }

    /// Returns the time of the sources as `date` writes it.
    fn date(&self, format: &str) -> Result<String> {
        let mut date = command::in_root("date");
        date.env("LC_ALL", "C").args(["--utc", &format!("--date=@{}", self.epoch), format]);
        Ok(command::output(&mut date)?.trim().to_owned())
    }

    /// Takes away what was only needed to pack: it is several times as large as the packages.
    pub(crate) fn tidy_up(&self) -> Result<()> {
        fs::remove_dir_all(self.out.join("work")).context("removing what packages were made from")
    }

    /// Returns a folder to work in, empty.
    fn workshop(&self, name: &str) -> Result<PathBuf> {
        let folder = self.out.join("work").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Returns when the sources were last changed, or what `SOURCE_DATE_EPOCH` says instead.
fn epoch() -> Result<u64> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => command::output(command::in_root("git").args(["log", "-1", "--format=%ct"]))?,
    };
    text.trim().parse().with_context(|| format!("no time in {text:?}"))
}

/// Finds the version in what a program says of itself: its name, the version, and perhaps more.
fn version_in(text: &str) -> Option<&str> {
    text.split_whitespace().nth(1).filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

/// Lists a folder in the order of names.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
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

    #[test]
    fn every_template_is_filled_in() {
        let out = workspace::target().join("xtask/none");
        let release = Release { profile: Profile::Dev, version: "1.2.3".to_owned(), epoch: 1_000_000_000, out };
        for template in [
            "debian/changelog",
            "debian/flowork.control",
            "debian/flowork-desktop.control",
            "linux/dev.flowork.desktop.metainfo.xml",
            "linux/flowork-desktop.1",
            "rpm/flowork.spec",
            "rpm/flowork-desktop.spec",
        ] {
            let text = release.filled(template).unwrap();
            assert!(text.contains("1.2.3"), "{template} names the version");
            for open in ["@VERSION@", "@DATE@", "@RFC_DATE@", "@RPM_DATE@"] {
                assert!(!text.contains(open), "{template} leaves {open} open");
            }
        }
        assert_eq!(release.date("+%F").unwrap(), "2001-09-09");
    }
}
