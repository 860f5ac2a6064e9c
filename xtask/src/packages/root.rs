//! Root folders to install packages in: a fresh Debian, or what else this machine runs, and the same with what the desktop
//! app depends on.
//!
//! They are made once, kept below the target directory, and never changed: a package is installed in a copy. Making them
//! needs root and the network.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::lifecycle::as_root;
use crate::{command, workspace};

/// What the life of the desktop package needs beside what that depends on: a screen, a session bus, a font, and who looks
/// whether a window is there.
const DESK: &[&str] = &["xvfb", "dbus-daemon", "fonts-dejavu-core", "xdotool"];
/// How long fetching and installing it may take, in seconds; it is some sixty.
const NEEDS_MAX: &str = "900";
/// What the script ends with where no package source can be reached.
const UNREACHABLE: i32 = 75;

/// A system without anything but itself.
pub(super) struct Fresh {
    pub(super) folder: PathBuf,
    /// Where its packages come from, as apt's sources.list has it.
    sources: String,
}

/// Returns a fresh system of the kind that this machine runs.
pub(super) fn fresh(prefix: &[&str]) -> Result<Fresh> {
    let system = fs::read_to_string("/etc/os-release").context("reading what system this is")?;
    let says = |key: &str| system.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let release = says("VERSION_CODENAME").context("this system's release has no name")?.trim_matches('"');
    let vendor = says("ID").context("this system has no name")?.trim_matches('"');
    // The same places that this machine has its own packages from.
    let format = "$(ORIGIN) $(RELEASE) $(REPO_URI) $(COMPONENT) $(CREATED_BY)";
    let targets = command::output(command::in_root("apt-get").args(["indextargets", "--format", format]))?;
    let places = places(&targets, vendor, release);
    let first = places.iter().find(|place| place.release == release);
    let mirror = first.with_context(|| format!("apt knows no place for {release}"))?.uri.clone();
    let sources: Vec<String> = places.iter().map(Place::line).collect();

    let folder = workspace::target().join("xtask").join(format!("root-{release}"));
    if !folder.is_dir() {
        let unfinished = folder.with_extension("unfinished");
        remove(prefix, &unfinished)?;
        let mut make = as_root(prefix, "debootstrap");
        command::quietly(make.args(["--variant=minbase", release]).arg(&unfinished).arg(mirror))?;
        remove(prefix, &unfinished.join("var/cache/apt/archives"))?;
        command::quietly(as_root(prefix, "mv").arg(&unfinished).arg(&folder))?;
    }
    Ok(Fresh { folder, sources: sources.join("\n") })
}

impl Fresh {
    /// Returns a root folder with what a package depends on, but not the package; `None` where nothing can be fetched.
    pub(super) fn with_needs_of(&self, deb: &Path, prefix: &[&str]) -> Result<Option<PathBuf>> {
        let depends = command::output(command::in_root("dpkg-deb").arg("--field").arg(deb).arg("Depends"))?;
        let depends = depends.trim();
        let folder = self.folder.with_extension("desktop");
        // What is in it: another package has other needs.
        let label = folder.with_extension("desktop.txt");
        let has = [depends, &DESK.join(" "), &self.sources].join("\n");
        if folder.is_dir() && fs::read_to_string(&label).is_ok_and(|text| text == has) {
            return Ok(Some(folder));
        }
        remove(prefix, &folder)?;
        let unfinished = folder.with_extension("unfinished");
        let mut make = as_root(prefix, "timeout");
        make.args(["--kill-after=10", NEEDS_MAX]).arg(workspace::root().join("tests/packages/root-with.sh"));
        make.arg(&self.folder).arg(&unfinished).arg(&self.sources).arg(depends).args(DESK);
        println!("$ {}", command::shown(&make));
        let output = make.output().context("starting it")?;
        if !output.status.success() {
            print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            remove(prefix, &unfinished)?;
            if output.status.code() == Some(UNREACHABLE) {
                return Ok(None);
            }
            bail!("what {} depends on cannot be installed: {}", deb.display(), output.status);
        }
        command::quietly(as_root(prefix, "mv").arg(&unfinished).arg(&folder))?;
        fs::write(&label, has).with_context(|| format!("writing {}", label.display()))?;
        Ok(Some(folder))
    }
}

fn remove(prefix: &[&str], folder: &Path) -> Result<()> {
    command::quietly(as_root(prefix, "rm").arg("-rf").arg("--one-file-system").arg(folder))
}

/// A place that packages come from.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    release: String,
    uri: String,
    component: String,
}

impl Place {
    fn line(&self) -> String {
        format!("deb {} {} {}", self.uri, self.release, self.component)
    }
}

/// Reads what apt says of its sources: those of the vendor itself for a release and what mends it.
fn places(targets: &str, vendor: &str, release: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for line in targets.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [origin, of, uri, component, "Packages"] = words.as_slice() else { continue };
        let is_wanted = of.strip_prefix(release).is_some_and(|rest| matches!(rest, "" | "-updates" | "-security"));
        if is_wanted && origin.eq_ignore_ascii_case(vendor) {
            let place = Place { release: (*of).to_owned(), uri: (*uri).to_owned(), component: (*component).to_owned() };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_vendors_own_for_this_release() {
        let targets = "\
            Debian bookworm http://deb.debian.org/debian/ main DEP-11\n\
            Debian bookworm http://deb.debian.org/debian/ main Packages\n\
            Debian bookworm http://deb.debian.org/debian/ main Packages\n\
            Debian bookworm-security http://deb.debian.org/debian-security/ main Packages\n\
            Debian bookworm-backports http://deb.debian.org/debian/ main Packages\n\
            Debian trixie http://deb.debian.org/debian/ main Packages\n\
            Docker bookworm https://download.docker.com/linux/debian/ stable Packages\n";
        let lines: Vec<String> = places(targets, "debian", "bookworm").iter().map(Place::line).collect();
        let expected = [
            "deb http://deb.debian.org/debian/ bookworm main",
            "deb http://deb.debian.org/debian-security/ bookworm-security main",
        ];
        assert_eq!(lines, expected, "each once, and nobody else's");
    }
}
