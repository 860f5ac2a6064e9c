//! What a machine must have, how to see whether it has it, and how it gets it.
//!
//! Debian packages are installed when this runs as root or `sudo` works without a password. Everything else is named
//! together with the command that installs it.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

/// The oldest Node.js that the GUI's build tools run on.
const NODE_MAJOR_MIN: u32 = 20;
/// How often a step that needs the network is tried; a package mirror fails now and then.
const NETWORK_TRIES: u32 = 3;

/// How to see that a requirement is there.
enum Probe {
    /// A program of this name starts.
    Program(&'static str),
    /// `pkg-config` knows a library of this name.
    Library(&'static str),
    /// A font is installed: without one a browser draws no text at all.
    Font,
    /// The system's own Python has a module of this name; another Python in front of it does not see such packages.
    PythonModule(&'static str),
    /// Python can make environments with packages of their own.
    PythonEnvironments,
}

/// Something the machine must have, and the Debian package that brings it.
struct Requirement {
    probe: Probe,
    package: &'static str,
    purpose: &'static str,
}

const fn need(probe: Probe, package: &'static str, purpose: &'static str) -> Requirement {
    Requirement { probe, package, purpose }
}

const BUILD: &[Requirement] = &[
    need(Probe::Program("cc"), "build-essential", "a C compiler, for SQLite and the TLS library"),
    need(Probe::Program("git"), "git", "listing the project's files"),
];

const DESKTOP: &[Requirement] = &[
    need(Probe::Program("pkg-config"), "pkg-config", "finding the desktop libraries"),
    need(Probe::Library("webkit2gtk-4.1"), "libwebkit2gtk-4.1-dev", "the desktop app's window"),
    need(Probe::Library("gtk+-3.0"), "libgtk-3-dev", "the desktop app's window"),
    need(Probe::Library("librsvg-2.0"), "librsvg2-dev", "the desktop app's icons"),
];

const BROWSER: &[Requirement] = &[need(Probe::Program("chromium"), "chromium", "the browser tests"), FONT];

const FONT: Requirement = need(Probe::Font, "fonts-dejavu-core", "text in the browser tests");

const SCRIPTS: &[Requirement] = &[need(Probe::Program("shellcheck"), "shellcheck", "checking scripts")];

const SCREEN: &[Requirement] = &[
    need(Probe::Program("Xvfb"), "xvfb", "the desktop tests: a screen that nobody sees"),
    need(Probe::Program("WebKitWebDriver"), "webkit2gtk-driver", "the desktop tests: driving the windows"),
    need(Probe::Program("openbox"), "openbox", "the desktop tests: a window manager"),
    need(Probe::Program("wmctrl"), "wmctrl", "the desktop tests: closing windows"),
    need(Probe::Program("xdotool"), "xdotool", "the desktop tests: hiding windows"),
    need(Probe::Program("xprop"), "x11-utils", "the desktop tests: which window is in front"),
    need(Probe::Program("xclip"), "xclip", "the desktop tests: what was copied"),
    // Not `convert`: other programs have that name, too.
    need(Probe::Program("identify"), "imagemagick", "the desktop tests: which picture is in the tray"),
    need(Probe::Program("dbus-daemon"), "dbus-daemon", "the desktop tests: a session bus of their own"),
    need(
        Probe::Program("busctl"),
        "systemd",
        "the desktop tests: speaking on that bus, starting what a session starts",
    ),
    need(Probe::Program("xdg-mime"), "xdg-utils", "the desktop tests: what opens links"),
    need(Probe::Program("xfce4-panel"), "xfce4-panel", "the desktop tests: a tray to be in"),
    need(Probe::PythonModule("dbusmock"), "python3-dbusmock", "the desktop tests: a place for notifications"),
];

const PICTURES: &[Requirement] = &[need(Probe::Program("import"), "imagemagick", "pictures of the desktop app"), FONT];

const PACKING: &[Requirement] = &[
    need(Probe::Program("dpkg-shlibdeps"), "dpkg-dev", "packages: what a program is linked with"),
    need(Probe::Program("rpmbuild"), "rpm", "rpm packages"),
];

const APP_IMAGE: &[Requirement] = &[
    need(Probe::Program("mksquashfs"), "squashfs-tools", "the AppImage"),
    need(Probe::Program("patchelf"), "patchelf", "the AppImage: libraries of its own"),
    need(Probe::Program("glib-compile-schemas"), "libglib2.0-bin", "the AppImage: settings of GTK's dialogs"),
];

const PACKAGES: &[Requirement] = &[
    need(Probe::Program("lintian"), "lintian", "the package tests"),
    need(Probe::Program("rpm2archive"), "rpm2cpio", "the package tests: what is in rpm packages"),
    need(Probe::Program("desktop-file-validate"), "desktop-file-utils", "the package tests: the desktop entry"),
    need(Probe::Program("appstreamcli"), "appstream", "the package tests: the AppStream metadata"),
    need(Probe::Program("groff"), "groff-base", "the package tests: manual pages"),
    need(Probe::Program("zsh"), "zsh", "the package tests: completions"),
    need(Probe::Program("fish"), "fish", "the package tests: completions"),
    need(Probe::Program("systemd-analyze"), "systemd", "the package tests: the user unit"),
    need(Probe::Program("debootstrap"), "debootstrap", "the package tests: a fresh system to install in"),
];

const CHAOS: &[Requirement] = &[
    need(Probe::Program("strace"), "strace", "the crash tests: stopping the node at a chosen write"),
    need(Probe::Program("unshare"), "util-linux", "the full disk test: a small file system of its own"),
    need(Probe::Program("mount"), "mount", "the full disk test: a small file system of its own"),
];

const SCHEMATHESIS: &[Requirement] = &[
    need(Probe::Program("python3"), "python3", "the API tests: schemathesis is a Python program"),
    need(Probe::PythonEnvironments, "python3-venv", "the API tests: an environment for schemathesis"),
];

const VAULT: &[Requirement] = &[
    need(Probe::Program("dbus-run-session"), "dbus", "the vault tests: a bus of their own"),
    need(Probe::Program("gnome-keyring-daemon"), "gnome-keyring", "the vault tests: a real keychain"),
];

const BENCH: &[Requirement] =
    &[need(Probe::Program("strace"), "strace", "counting what a queue syncs before it answers")];

/// Makes sure that the node and its GUI can be built.
pub(crate) fn for_serve() -> Result<()> {
    install(&missing(&[BUILD]))?;
    node()
}

/// Makes sure that the desktop app can be built.
pub(crate) fn for_desktop() -> Result<()> {
    install(&missing(&[BUILD, DESKTOP]))?;
    node()
}

/// Makes sure that the desktop app can be measured on a screen that nobody sees.
pub(crate) fn for_screen() -> Result<()> {
    install(&missing(&[BUILD, DESKTOP, SCREEN]))?;
    node()
}

/// Makes sure that pictures of the desktop app can be taken.
pub(crate) fn for_pictures() -> Result<()> {
    install(&missing(&[BUILD, DESKTOP, SCREEN, PICTURES]))?;
    node()
}

/// Makes sure that a browser is there for the picture of the dashboard.
pub(crate) fn for_browser() -> Result<()> {
    install(&missing(&[BUILD, BROWSER]))?;
    node()
}

/// Makes sure that the node can be measured, beside others that npm has.
pub(crate) fn for_bench() -> Result<()> {
    install(&missing(if cfg!(target_os = "linux") { &[BUILD, BENCH] } else { &[BUILD] }))?;
    node()
}

/// Makes sure that every suite can run.
pub(crate) fn for_test() -> Result<()> {
    install(&missing(&[
        BUILD,
        DESKTOP,
        BROWSER,
        SCRIPTS,
        SCREEN,
        PACKING,
        APP_IMAGE,
        PACKAGES,
        CHAOS,
        VAULT,
        SCHEMATHESIS,
    ]))?;
    node()
}

/// Makes sure that what people download can be packed.
pub(crate) fn for_dist(headless: bool) -> Result<()> {
    let linux = cfg!(target_os = "linux");
    install(&missing(match (linux, headless) {
        (true, true) => &[BUILD, PACKING],
        (true, false) => &[BUILD, DESKTOP, PACKING, APP_IMAGE],
        (false, _) => &[BUILD],
    }))?;
    node()
}

/// Makes sure that packages can be packed and checked.
pub(crate) fn for_packages() -> Result<()> {
    install(&missing(&[BUILD, DESKTOP, PACKING, APP_IMAGE, PACKAGES]))?;
    node()
}

/// Makes sure that the API can be held to its document.
pub(crate) fn for_schemathesis() -> Result<()> {
    install(&missing(&[BUILD, SCHEMATHESIS]))?;
    node()
}

/// Makes sure that the durability suites can run.
pub(crate) fn for_chaos() -> Result<()> {
    install(&missing(&[BUILD, CHAOS]))?;
    node()
}

fn missing(groups: &[&'static [Requirement]]) -> Vec<&'static Requirement> {
    groups.iter().flat_map(|group| group.iter()).filter(|requirement| !is_there(&requirement.probe)).collect()
}

fn is_there(probe: &Probe) -> bool {
    match probe {
        Probe::Program(name) => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            // Tools of the system are not on everybody's path.
            std::env::split_paths(&path)
                .chain([std::path::PathBuf::from("/usr/sbin")])
                .any(|dir| dir.join(name).is_file() || dir.join(format!("{name}.exe")).is_file())
        }
        // Windows and macOS bring their web view along; there is no library to find.
        Probe::Library(name) => {
            !cfg!(target_os = "linux") || command::succeeds(Command::new("pkg-config").args(["--exists", name]))
        }
        Probe::PythonModule(name) => {
            command::succeeds(Command::new("/usr/bin/python3").args(["-c", &format!("import {name}")]))
        }
        Probe::PythonEnvironments => command::succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])),
        Probe::Font => {
            !cfg!(target_os = "linux")
                || ["/usr/share/fonts", "/usr/local/share/fonts"]
                    .iter()
                    .any(|dir| std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()))
        }
    }
}

/// Installs the Debian packages behind what is missing, or says what to type.
fn install(missing: &[&Requirement]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing on this machine:");
    for requirement in missing {
        println!("  {} ({})", requirement.package, requirement.purpose);
    }
    let packages: Vec<&str> = missing.iter().map(|requirement| requirement.package).collect();
    if !is_there(&Probe::Program("apt-get")) {
        bail!("install these, or what your system calls them, and run this again: {}", packages.join(" "));
    }
    let typed = format!("sudo apt-get update && sudo apt-get install -y {}", packages.join(" "));
    let Some(prefix) = elevation() else {
        bail!("this needs root; run this, then try again:\n  {typed}");
    };
    retry(|| apt_get(prefix, &["update"]))?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(&packages);
    retry(|| apt_get(prefix, &arguments))
}

/// Returns what must stand before a command to run it as root: nothing, `sudo`, or `None` when neither works.
pub(crate) fn elevation() -> Option<&'static [&'static str]> {
    let user = Command::new("id").arg("-u").output().ok()?;
    if user.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    command::succeeds(Command::new("sudo").args(["-n", "true"])).then_some(&["sudo", "-n"])
}

fn apt_get(prefix: &[&str], arguments: &[&str]) -> Result<()> {
    let mut words: Vec<&str> = prefix.to_vec();
    // Through `env`, because sudo drops the variables of its caller; the time-out is for another apt that is at work.
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"]);
    words.extend(arguments);
    command::run(command::in_root(words[0]).args(&words[1..]))
}

/// Runs a step that needs the network until it succeeds, a few times.
pub(crate) fn retry(mut step: impl FnMut() -> Result<()>) -> Result<()> {
    let mut tried = 0;
    loop {
        tried += 1;
        match step() {
            Ok(()) => return Ok(()),
            Err(error) if tried == NETWORK_TRIES => return Err(error),
            Err(error) => println!("try {tried} of {NETWORK_TRIES} failed: {error:#}"),
        }
    }
}

/// Makes sure of Node.js and npm. Debian's package is used only where it is new enough.
fn node() -> Result<()> {
    if node_major().is_none_or(|major| major < NODE_MAJOR_MIN) {
        install_node()?;
    }
    if !command::succeeds(Command::new(npm()).arg("--version")) {
        install(&[&need(Probe::Program("npm"), "npm", "the GUI's packages")])?;
    }
    Ok(())
}

fn install_node() -> Result<()> {
    let found = node_major().map_or_else(|| "none".to_owned(), |major| format!("version {major}"));
    if debian_node_major().is_some_and(|major| major >= NODE_MAJOR_MIN) {
        return install(&[&need(Probe::Program("node"), "nodejs", "building the GUI")]);
    }
    bail!(
        "building the GUI needs Node.js {NODE_MAJOR_MIN} or newer (found: {found}), and this system's packages have none \
         that new; install it from https://nodejs.org/en/download and run this again"
    )
}

fn node_major() -> Option<u32> {
    let version = Command::new("node").arg("--version").output().ok()?;
    major_of(&String::from_utf8_lossy(&version.stdout))
}

fn debian_node_major() -> Option<u32> {
    let policy = Command::new("apt-cache").args(["policy", "nodejs"]).output().ok()?;
    let text = String::from_utf8_lossy(&policy.stdout).into_owned();
    major_of(text.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?)
}

fn major_of(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split(['.', '~', '+']).next()?.parse().ok()
}

/// Returns what npm is called on this system.
pub(crate) fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_version_is_read_from_what_node_and_debian_print() {
        for (text, expected) in [
            ("v20.20.2\n", Some(20)),
            (" 18.20.4+dfsg-1~deb12u1", Some(18)),
            ("22", Some(22)),
            ("(none)", None),
            ("", None),
        ] {
            assert_eq!(major_of(text), expected, "of {text:?}");
        }
    }

    #[test]
    fn step_that_fails_twice_succeeds_at_the_third_try() {
        let mut tries = 0;
        let result = retry(|| {
            tries += 1;
            anyhow::ensure!(tries == 3, "mirror is down");
            Ok(())
        });
        assert!(result.is_ok(), "the third try succeeded");
        assert_eq!(tries, 3);
    }

    #[test]
    fn step_that_keeps_failing_ends_with_its_error() {
        let error = retry(|| bail!("mirror is down")).unwrap_err();
        assert_eq!(error.to_string(), "mirror is down");
    }
}
