//! Gets the peers: from npm and crates.io as their lock files say, from Debian without installing anything on the system.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

/// Where the harnesses of the peers are.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
/// The most that one step may take, in seconds; a package mirror may be slow.
const STEP_SECONDS: &str = "900";

/// A program of a Debian package, installed or only unpacked.
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Where the libraries are that were unpacked with it.
    libraries: Option<OsString>,
}

impl Program {
    /// Makes a command, so that the program ends with this process and runs as `user` where one is named.
    pub(super) fn command(&self, user: Option<(u32, u32)>) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Some((user, group)) = user {
            command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
        }
        command.arg(&self.path).envs(self.libraries.iter().map(|libraries| ("LD_LIBRARY_PATH", libraries)));
        command
    }

    /// A program that was installed or unpacked beside this one; where this is a link, beside what it leads to.
    pub(super) fn beside(&self, name: &str) -> anyhow::Result<Self> {
        let path = self.path.canonicalize()?.with_file_name(name);
        Ok(Self { path, libraries: self.libraries.clone() })
    }
}

/// Installs the npm packages of a peer exactly as its lock file says, unless they are those already.
pub(super) fn npm(peer: &str) -> anyhow::Result<PathBuf> {
    let folder = Path::new(PEERS).join(peer);
    let wanted = std::fs::read_to_string(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.flowork-stamp");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    let mut command = step("npm");
    run(command.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    std::fs::write(stamp, wanted)?;
    Ok(folder)
}

/// Builds the harness of a peer that is a crate of its own, with optimizations.
pub(super) fn cargo(peer: &str, target: &Path) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = step(&cargo.to_string_lossy());
    command
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(Path::new(PEERS).join(peer).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target);
    run(&mut command)?;
    Ok(target.join("release").join(format!("flowork-bench-{peer}")))
}

/// Finds a program in `PATH` and `places`; else gets its Debian package, with what that needs and is not installed, and
/// unpacks both below `cache`.
pub(super) fn debian(name: &str, package: &str, places: &[&str], cache: &Path) -> anyhow::Result<Program> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed =
        std::env::split_paths(&path).find_map(|folder| at(&folder, name)).or_else(|| search("/", places, name));
    if let Some(path) = installed {
        return Ok(Program { path, libraries: None });
    }
    let root = cache.join(package).join("root");
    let unpacked = |root: &Path| at(&root.join("usr/bin"), name).or_else(|| search(root, places, name));
    if unpacked(&root).is_none() {
        unpack(package, &cache.join(package))?;
    }
    let path = unpacked(&root).with_context(|| format!("the package {package} has no {name}"))?;
    let mut libraries = vec![root.join("usr/lib")];
    libraries.extend(std::fs::read_dir(root.join("usr/lib"))?.flatten().map(|entry| entry.path()));
    Ok(Program { path, libraries: Some(std::env::join_paths(libraries)?) })
}

fn at(folder: &Path, name: &str) -> Option<PathBuf> {
    // The name stays as it is: a program that goes by several looks at the one it is called by.
    let path = folder.canonicalize().ok()?.join(name);
    path.is_file().then_some(path)
}

/// Looks in `places` below `root`; a `*` stands for any one folder.
fn search(root: impl AsRef<Path>, places: &[&str], name: &str) -> Option<PathBuf> {
    places.iter().find_map(|place| {
        let (before, after) = place.split_once("/*/").unwrap_or((place, ""));
        let folders = std::fs::read_dir(root.as_ref().join(before)).ok()?;
        folders.flatten().find_map(|entry| at(&entry.path().join(after), name))
    })
}

fn unpack(package: &str, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let needed = needed(package).or_else(|_| {
        run(step("apt-get").args(["update", "--quiet"]))?;
        needed(package)
    })?;
    ensure!(!needed.is_empty(), "{package} is said to be installed, but its program is not where it should be");
    run(step("apt-get").arg("download").args(&needed).current_dir(folder))?;
    for file in std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()) {
        if file.extension().is_some_and(|extension| extension == "deb") {
            run(step("dpkg").arg("--extract").arg(&file).arg(folder.join("root")))?;
        }
    }
    Ok(())
}

/// The packages that an installation would bring.
fn needed(package: &str) -> anyhow::Result<Vec<String>> {
    let mut command = step("apt-get");
    let simulated = run(command.args(["install", "--simulate", "--no-install-recommends", package]))?;
    let installs = simulated.lines().filter_map(|line| line.strip_prefix("Inst "));
    Ok(installs.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// A command that asks nobody anything and does not take for ever.
fn step(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args([STEP_SECONDS, program]).env("CI", "1").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn run(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_args().nth(1).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        // npm begins with warnings and ends with usage; what is wrong stands between.
        let errors: Vec<_> = said.lines().map(str::trim).filter(|line| line.contains("rror")).take(3).collect();
        bail!("{name} ended with {}: {}", output.status, errors.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
