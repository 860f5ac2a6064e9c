//! What is in the packages of Linux systems.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Release, documents, sorted, stage::Stage};
use crate::{command, icons, workspace};

/// A package. The two share no file, so that either can be there without the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Package {
    /// The node and the command line; no GTK, no WebKit, no screen.
    Headless,
    /// The desktop app.
    Desktop,
}

/// Whose habits a package follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Debian,
    Fedora,
}

impl Package {
    pub(crate) const ALL: &[Self] = &[Self::Headless, Self::Desktop];

    /// The name of the package, and of the program in it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Headless => "flowork",
            Self::Desktop => "flowork-desktop",
        }
    }

    /// Lays the package out below `root`.
    pub(super) fn stage(self, release: &Release, family: Family, root: PathBuf) -> Result<Stage> {
        let stage = Stage::new(root);
        let built = workspace::program(release.profile.folder(), self.name());
        stage.program(&built, &format!("usr/bin/{}", self.name()))?;
        match self {
            Self::Headless => headless(release, family, &built, &stage)?,
            Self::Desktop => desktop(release, &stage)?,
        }
        self.documents(release, family, &stage)?;
        Ok(stage)
    }

    /// The papers that every package has.
    fn documents(self, release: &Release, family: Family, stage: &Stage) -> Result<()> {
        let root = workspace::root();
        let name = self.name();
        let doc = format!("usr/share/doc/{name}");
        let changelog = documents::changelog()?;
        documents::put(stage, &format!("{doc}/"))?;
        stage.file(&root.join(format!("installers/linux/{name}.PACKAGE.md")), &format!("{doc}/PACKAGE.md"))?;
        match family {
            Family::Debian => {
                stage.file(&root.join("installers/debian/copyright"), &format!("{doc}/copyright"))?;
                stage.gzipped(&changelog, &format!("{doc}/changelog"))?;
                let changes = release.filled("debian/changelog")?.replace("@NAME@", name);
                stage.gzipped(&changes, &format!("{doc}/changelog.Debian"))?;
                let overrides = root.join(format!("installers/debian/{name}.lintian-overrides"));
                stage.file(&overrides, &format!("usr/share/lintian/overrides/{name}"))?;
            }
            Family::Fedora => {
                stage.text(&changelog, &format!("{doc}/CHANGELOG.md"))?;
                for license in ["LICENSE", "LICENSE-MIT", "LICENSE-APACHE"] {
                    stage.file(&root.join(license), &format!("usr/share/licenses/{name}/{license}"))?;
                }
            }
        }
        Ok(())
    }
}

fn headless(release: &Release, family: Family, program: &Path, stage: &Stage) -> Result<()> {
    let root = workspace::root();
    let linux = root.join("installers/linux");
    stage.file(&linux.join("flowork.service"), "usr/lib/systemd/user/flowork.service")?;
    stage.file(&linux.join("90-flowork.preset"), "usr/lib/systemd/user-preset/90-flowork.preset")?;
    let zsh = match family {
        Family::Debian => "usr/share/zsh/vendor-completions/_flowork",
        Family::Fedora => "usr/share/zsh/site-functions/_flowork",
    };
    stage.text(&completions(program, "bash")?, "usr/share/bash-completion/completions/flowork")?;
    stage.text(&completions(program, "zsh")?, zsh)?;
    stage.text(&completions(program, "fish")?, "usr/share/fish/vendor_completions.d/flowork.fish")?;
    for page in manual_pages(program, &release.workshop("man")?)? {
        let name = page.file_name().context("the page has no name")?.to_string_lossy();
        stage.gzipped(&fs::read_to_string(&page)?, &format!("usr/share/man/man1/{name}"))?;
    }
    Ok(())
}

/// What a desktop needs to show, start and find the app; the `AppImage` has the same.
pub(super) fn desktop(release: &Release, stage: &Stage) -> Result<()> {
    let linux = workspace::root().join("installers/linux");
    let entry = "usr/share/applications/flowork-desktop.desktop";
    stage.file(&linux.join("flowork-desktop.desktop"), entry)?;
    let metainfo = release.filled("linux/dev.flowork.desktop.metainfo.xml")?;
    stage.text(&metainfo, "usr/share/metainfo/dev.flowork.desktop.metainfo.xml")?;
    stage.gzipped(&release.filled("linux/flowork-desktop.1")?, "usr/share/man/man1/flowork-desktop.1")?;
    for size in icons::HICOLOR_SIZES {
        let to = format!("usr/share/icons/hicolor/{size}x{size}/apps/flowork.png");
        stage.file(&icons::hicolor(*size), &to)?;
    }
    stage.file(&icons::scalable(), "usr/share/icons/hicolor/scalable/apps/flowork.svg")
}

/// Returns what completes the commands of the built program in a shell.
pub(super) fn completions(program: &Path, shell: &str) -> Result<String> {
    command::output(command::in_root(program).args(["completions", shell]))
}

/// Writes a manual page for each command of the built program, and returns them.
pub(super) fn manual_pages(program: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    command::quietly(command::in_root(program).args(["man", "--out"]).arg(folder))?;
    sorted(folder)
}
