//! What is in the packages, looked at by the programs that will read it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::{Packages, files_in, silent};
use crate::command;
use crate::dist::Package;
use crate::test::Outcome;
use crate::tidy::documents::linked;

/// What the headless package must never need, by a part of the name of a package or library.
const NO_SCREEN: &[&str] = &["gtk", "webkit", "libx11", "wayland", "gdk", "librsvg"];

pub(super) fn check(outcome: &mut Outcome, packages: &Packages) {
    let headless = packages.root_of(Package::Headless);
    let desktop = packages.root_of(Package::Desktop);
    outcome.step("lintian has nothing to say", || lintian(packages));
    outcome.step("the headless packages need no screen", || needs_no_screen(packages));
    outcome.step("packages share no file", || share_no_file(&headless, &desktop));
    outcome.step("rpm packages are whole and own what they bring", || rpms(packages));
    outcome.step("desktop entry", || {
        silent(
            command::in_root("desktop-file-validate")
                .arg(desktop.join("usr/share/applications/flowork-desktop.desktop")),
        )
    });
    outcome.step("AppStream metadata", || metainfo(&desktop));
    outcome.step("manual pages", || manual_pages(&headless, &desktop));
    outcome.step("the app's manual page has its options", || options(&desktop));
    outcome.step("documents lead to nothing that is not there", || documents(packages));
    outcome.step("completions", || completions(&headless));
    outcome.step("user unit", || unit(&headless));
    outcome.step("AppImage", || app_image(packages));
}

fn lintian(packages: &Packages) -> Result<()> {
    for deb in &packages.packed.debs {
        let mut lintian = command::in_root("lintian");
        lintian.args(["--fail-on", "error,warning", "--tag-display-limit", "0", "--no-cfg", "--allow-root"]);
        command::run(lintian.arg(deb))?;
    }
    Ok(())
}

fn needs_no_screen(packages: &Packages) -> Result<()> {
    let (deb, rpm) = (&packages.packed.debs[0], &packages.packed.rpms[0]);
    let mut needs = command::output(command::in_root("dpkg-deb").arg("--field").arg(deb).arg("Depends"))?;
    needs += &command::output(command::in_root("rpm").args(["-qp", "--requires"]).arg(rpm))?;
    ensure!(needs.contains("libc6") && needs.contains("libc.so.6"), "it needs no C library? {needs}");
    match NO_SCREEN.iter().find(|part| needs.to_lowercase().contains(*part)) {
        Some(part) => bail!("it needs {part}: {needs}"),
        None => Ok(()),
    }
}

/// Both can be installed: no path is in both, apart from folders.
fn share_no_file(headless: &Path, desktop: &Path) -> Result<()> {
    let find =
        |root: &Path| command::output(command::in_root("find").current_dir(root).args([".", "-not", "-type", "d"]));
    let (first, second) = (find(headless)?, find(desktop)?);
    let shared: Vec<&str> = first.lines().filter(|file| second.lines().any(|other| other == *file)).collect();
    ensure!(first.contains("./usr/bin/flowork\n") && second.contains("./usr/bin/flowork-desktop\n"), "no programs");
    ensure!(shared.is_empty(), "in both: {}", shared.join(", "));
    Ok(())
}

fn rpms(packages: &Packages) -> Result<()> {
    for (package, rpm) in Package::ALL.iter().zip(&packages.packed.rpms) {
        let digests = command::output(command::in_root("rpm").arg("-K").arg(rpm))?;
        ensure!(digests.trim().ends_with("digests OK"), "{digests}");
        let listed = command::output(command::in_root("rpm").args(["-qpl"]).arg(rpm))?;
        let program = format!("/usr/bin/{}", package.name());
        for file in [program.as_str(), "/usr/share/licenses/", "/usr/share/man/man1/"] {
            ensure!(listed.lines().any(|line| line.starts_with(file)), "no {file} in {}", rpm.display());
        }
        // What a package does not own stays behind when it is removed.
        for folder in ["", "/docs"].map(|below| format!("/usr/share/doc/{}{below}", package.name())) {
            ensure!(listed.lines().any(|line| line == folder), "{folder} is not its own");
        }
        let scripts = command::output(command::in_root("rpm").args(["-qp", "--scripts"]).arg(rpm))?;
        ensure!(scripts.trim().is_empty(), "it runs scripts: {scripts}");
    }
    Ok(())
}

fn metainfo(desktop: &Path) -> Result<()> {
    let file = desktop.join("usr/share/metainfo/dev.flowork.desktop.metainfo.xml");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    ensure!(!text.contains('@'), "something was not filled in");
    command::run(command::in_root("appstreamcli").args(["validate", "--no-net", "--explain"]).arg(file))
}

fn manual_pages(headless: &Path, desktop: &Path) -> Result<()> {
    let mut pages = files_in(&headless.join("usr/share/man/man1"))?;
    pages.extend(files_in(&desktop.join("usr/share/man/man1"))?);
    for wanted in ["flowork.1.gz", "flowork-serve.1.gz", "flowork-job-enqueue.1.gz", "flowork-desktop.1.gz"] {
        ensure!(pages.iter().any(|page| page.ends_with(wanted)), "there is no {wanted}");
    }
    for page in &pages {
        // Every warning there is; the text itself goes nowhere.
        let script = "zcat -- \"$1\" | groff -ww -z -man -K utf8 -T utf8";
        silent(command::in_root("sh").args(["-c", script, "sh"]).arg(page))?;
    }
    println!("{} pages render", pages.len());
    Ok(())
}

/// The page is written by hand, so it can be behind.
fn options(desktop: &Path) -> Result<()> {
    let help = command::output(command::in_root(desktop.join("usr/bin/flowork-desktop")).arg("--help"))?;
    let page = desktop.join("usr/share/man/man1/flowork-desktop.1.gz");
    let page = command::output(command::in_root("zcat").arg(page))?.replace('\\', "");
    let named = |text: &str| -> Vec<String> {
        let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
        let mut options: Vec<String> = words.filter(|word| word.starts_with("--")).map(str::to_owned).collect();
        options.sort();
        options.dedup();
        options
    };
    let (has, tells) = (named(&help), named(&page));
    ensure!(!has.is_empty() && has == tells, "the program has {has:?}, the page tells of {tells:?}");
    Ok(())
}

/// Whoever reads a document of a package finds what its links lead to. An rpm package has them all, and `CHANGELOG.md`.
fn documents(packages: &Packages) -> Result<()> {
    for (package, rpm) in Package::ALL.iter().zip(&packages.packed.rpms) {
        let root = packages.root_of(*package);
        let unpacked = packages.unpacked.join(format!("{}-rpm", package.name()));
        fs::create_dir_all(&unpacked)?;
        let script = "rpm2archive - <\"$1\" | tar -xz -C \"$2\"";
        command::quietly(command::in_root("sh").args(["-c", script, "sh"]).arg(rpm).arg(&unpacked))?;
        for (root, least) in [(root, "docs/desktop.md"), (unpacked, "CHANGELOG.md")] {
            let folder = root.join("usr/share/doc").join(package.name());
            let found = command::output(command::in_root("find").current_dir(&folder).args([".", "-name", "*.md"]))?;
            let documents: Vec<&str> = found.lines().filter_map(|line| line.strip_prefix("./")).collect();
            for wanted in ["README.md", least] {
                ensure!(documents.contains(&wanted), "there is no {wanted} in {}", folder.display());
            }
            for document in documents {
                let text = fs::read_to_string(folder.join(document))?;
                let dead: Vec<String> =
                    linked(document, &text).into_iter().filter(|path| !folder.join(path).exists()).collect();
                ensure!(dead.is_empty(), "{document} of {} leads to {}", root.display(), dead.join(", "));
            }
        }
    }
    Ok(())
}

fn completions(headless: &Path) -> Result<()> {
    let share = headless.join("usr/share");
    let bash = share.join("bash-completion/completions/flowork");
    let script = "source \"$1\" && complete -p flowork >/dev/null";
    silent(command::in_root("bash").args(["--norc", "-c", script, "bash"]).arg(bash))?;
    silent(command::in_root("zsh").args(["-f", "-n"]).arg(share.join("zsh/vendor-completions/_flowork")))?;
    let fish = share.join("fish/vendor_completions.d/flowork.fish");
    silent(command::in_root("fish").arg("--no-execute").arg(fish))
}

/// What systemd does not know in a unit it ignores, so only its own check finds a wrong word.
fn unit(headless: &Path) -> Result<()> {
    let units = headless.join("usr/lib/systemd");
    let unit = units.join("user/flowork.service");
    let text = fs::read_to_string(&unit).with_context(|| format!("reading {}", unit.display()))?;
    ensure!(text.contains("ExecStart=/usr/bin/flowork serve"), "it starts something else");
    let preset = fs::read_to_string(units.join("user-preset/90-flowork.preset")).context("reading the preset")?;
    ensure!(preset.lines().any(|line| line == "disable flowork.service"), "it is not off by default");
    // The program is looked for, so it must be where it lies here.
    let folder = super::folder().join("unit");
    fs::create_dir_all(&folder)?;
    let here = folder.join("flowork.service");
    fs::write(&here, text.replace("/usr/bin/flowork", &headless.join("usr/bin/flowork").display().to_string()))?;
    let mut verify = command::in_root("systemd-analyze");
    verify.args(["verify", "--user", "--man=no", "--recursive-errors=no"]).arg(&here);
    silent(verify.env("XDG_RUNTIME_DIR", &folder))
}

fn app_image(packages: &Packages) -> Result<()> {
    let folder = packages.unpacked.join("appimage");
    fs::create_dir_all(&folder)?;
    command::quietly(command::in_root(&packages.app_image).current_dir(&folder).arg("--appimage-extract"))?;
    let root = folder.join("squashfs-root");
    for file in ["AppRun", "flowork-desktop.desktop", "flowork.png", ".DirIcon"] {
        ensure!(root.join(file).is_file(), "there is no {file}");
    }
    // What it brings along is found, whatever else is on the machine.
    let program = root.join("usr/bin/flowork-desktop");
    let libraries = command::output(command::in_root("ldd").arg(&program))?;
    let web = libraries.lines().find(|line| line.contains("libwebkit2gtk")).context("it has no web view")?;
    ensure!(web.contains("/squashfs-root/"), "the web view is the system's: {web}");
    let said = command::output(command::in_root(root.join("AppRun")).arg("--version"))?;
    let expected = command::output(
        command::in_root(packages.root_of(Package::Desktop).join("usr/bin/flowork-desktop")).arg("--version"),
    )?;
    ensure!(said == expected && !said.is_empty(), "it says {said:?}, the package says {expected:?}");
    Ok(())
}
