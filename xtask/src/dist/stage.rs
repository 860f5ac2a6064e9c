//! A folder that lies as its package will lie on a machine.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::sorted;
use crate::command;

const PROGRAM_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// The folder while it is filled. Paths in it are relative, with `/`.
pub(super) struct Stage {
    root: PathBuf,
}

impl Stage {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Puts a program there, on Linux without its symbols. Elsewhere the compiler leaves them out of what is given to
    /// people, and taking them out later would break the signature that macOS asks for.
    pub(super) fn program(&self, from: &Path, to: &str) -> Result<PathBuf> {
        let path = self.place(to)?;
        if cfg!(target_os = "linux") {
            let mut strip = command::in_root("strip");
            command::run(strip.arg("-o").arg(&path).arg(from))?;
        } else {
            fs::copy(from, &path).with_context(|| format!("copying {}", from.display()))?;
        }
        set_mode(&path, PROGRAM_MODE)?;
        Ok(path)
    }

    /// Puts a script there that people or the system start.
    pub(super) fn script(&self, text: &str, to: &str) -> Result<()> {
        self.text(text, to)?;
        set_mode(&self.root.join(to), PROGRAM_MODE)
    }

    /// Puts a copy of a file there.
    pub(super) fn file(&self, from: &Path, to: &str) -> Result<()> {
        let path = self.place(to)?;
        fs::copy(from, &path).with_context(|| format!("copying {}", from.display()))?;
        set_mode(&path, FILE_MODE)
    }

    /// Puts a text there.
    pub(super) fn text(&self, text: &str, to: &str) -> Result<()> {
        let path = self.place(to)?;
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        set_mode(&path, FILE_MODE)
    }

    /// Puts a text there as `gzip` packs it without a name and a time; `.gz` is added to its name.
    pub(super) fn gzipped(&self, text: &str, to: &str) -> Result<()> {
        self.text(text, to)?;
        command::quietly(command::in_root("gzip").args(["-9", "--no-name", "--force"]).arg(self.root.join(to)))
    }

    /// Lists what was put there, sorted, as absolute paths of a machine.
    pub(super) fn files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        walk(&self.root, &mut |path| {
            if !path.is_dir() {
                files.push(format!("/{}", path.strip_prefix(&self.root)?.to_string_lossy()));
            }
            Ok(())
        })?;
        Ok(files)
    }

    /// Adds up what was put there, in KiB as packages tell it.
    pub(super) fn kibibytes(&self) -> Result<u64> {
        let mut bytes = 0;
        walk(&self.root, &mut |path| {
            bytes += path.symlink_metadata()?.len();
            Ok(())
        })?;
        Ok(bytes.div_ceil(1024))
    }

    /// Gives everything one time, and folders the mode that the system's have.
    pub(super) fn finish(&self, epoch: u64) -> Result<()> {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
        walk(&self.root, &mut |path| {
            if path.is_symlink() {
                return Ok(());
            }
            if path.is_dir() {
                set_mode(path, PROGRAM_MODE)?;
            }
            let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
            file.set_times(FileTimes::new().set_modified(time)).with_context(|| format!("dating {}", path.display()))
        })
    }

    fn place(&self, to: &str) -> Result<PathBuf> {
        let path = self.root.join(to);
        let folder = path.parent().context("a file has a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(path)
    }
}

/// Visits a folder and everything below it, what is in a folder before the folder itself.
fn walk(path: &Path, visit: &mut impl FnMut(&Path) -> Result<()>) -> Result<()> {
    if path.is_dir() && !path.is_symlink() {
        for below in sorted(path)? {
            walk(&below, visit)?;
        }
    }
    visit(path)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(|| format!("opening {}", path.display()))
}

/// Windows has no such modes.
#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Result<()> {
    Ok(())
}
