//! `cargo xtask icons`: every picture of the product, exported from its one source, assets/icons/flowork.svg.
//!
//! The app's icon is the source as it is drawn. A state of the tray is the source cropped to its tile, with the group
//! of that state laid over it; the tray names states by these file names, so [`STATES`] and the app agree. The exporter
//! is pinned by a lock file and draws the same everywhere, so [`check`] compares bytes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::tidy::extension;
use crate::{command, requirements, ui, workspace};

const SOURCE: &str = "assets/icons/flowork.svg";
/// What the bundles for Linux, macOS and Windows take; the exporter makes many more.
const BUNDLES: &[&str] = &["32x32.png", "128x128.png", "128x128@2x.png", "icon.png", "icon.ico", "icon.icns"];
/// Sizes of the icon theme of Linux desktops, in pixels.
pub(crate) const HICOLOR_SIZES: &[u32] = &[16, 22, 24, 32, 48, 64, 96, 128, 256, 512];
/// What the tray can say.
const STATES: &[&str] = &["idle", "busy", "draining", "attention", "stopped"];
/// Sizes of panels, and what they become on dense screens, in pixels.
const TRAY_SIZES: &[u32] = &[22, 24, 32, 44, 64];
/// The whole canvas of the source, and the part of it that is the tile: a tray has no room for a margin.
const CANVAS: &str = r#"viewBox="0 0 1024 1024""#;
const TILE: &str = r#"viewBox="64 64 896 896""#;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Change nothing, and fail where what is there is not what the source gives
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.check {
        return check();
    }
    requirements::for_serve()?;
    let made = export()?;
    for file in names() {
        let to = home().join(&file);
        fs::create_dir_all(to.parent().context("an icon has a folder")?)?;
        fs::copy(made.join(&file), &to).with_context(|| format!("copying {file}"))?;
    }
    println!("{} icons in {}", names().count(), home().display());
    Ok(())
}

/// Compares every icon with what the source gives now.
pub(crate) fn check() -> Result<()> {
    let made = export()?;
    let stale: Vec<String> = names().filter(|file| !is_same(&home().join(file), &made.join(file))).collect();
    if !stale.is_empty() {
        bail!("not what {SOURCE} gives: {}; run `cargo xtask icons`", stale.join(", "));
    }
    println!("{} icons are what {SOURCE} gives", names().count());
    Ok(())
}

/// Says whether two icons hold the same bytes; in one for macOS the exporter leaves the order of its parts to chance.
fn is_same(one: &Path, other: &Path) -> bool {
    let (Ok(mut one_bytes), Ok(mut other_bytes)) = (fs::read(one), fs::read(other)) else { return false };
    if extension(&one.to_string_lossy()) == "icns" {
        one_bytes.sort_unstable();
        other_bytes.sort_unstable();
    }
    one_bytes == other_bytes
}

/// Returns the file of the app's icon in a size of [`HICOLOR_SIZES`].
pub(crate) fn hicolor(size: u32) -> PathBuf {
    home().join(hicolor_name(size))
}

/// Returns the source itself, which is the icon in every size.
pub(crate) fn scalable() -> PathBuf {
    workspace::root().join(SOURCE)
}

fn home() -> PathBuf {
    workspace::root().join("assets/icons")
}

fn hicolor_name(size: u32) -> String {
    format!("hicolor/{size}x{size}.png")
}

fn tray_name(state: &str, size: u32) -> String {
    format!("tray/{state}-{size}.png")
}

/// Lists every icon that is made, below [`home`].
fn names() -> impl Iterator<Item = String> {
    let tray = STATES.iter().flat_map(|state| TRAY_SIZES.iter().map(|size| tray_name(state, *size)));
    let hicolor = HICOLOR_SIZES.iter().map(|size| hicolor_name(*size));
    BUNDLES.iter().map(|name| (*name).to_owned()).chain(hicolor).chain(tray)
}

/// Makes every icon in a folder of its own, and returns that folder.
fn export() -> Result<PathBuf> {
    let folder = workspace::target().join("xtask/icons");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    for below in ["hicolor", "tray"] {
        fs::create_dir_all(folder.join(below))?;
    }
    let source = workspace::root().join(SOURCE);
    draw(&source, &folder, &[])?;
    draw(&source, &folder.join("hicolor"), HICOLOR_SIZES)?;
    let text = fs::read_to_string(&source).with_context(|| format!("reading {SOURCE}"))?;
    for state in STATES {
        let drawing = folder.join(format!("{state}.svg"));
        fs::write(&drawing, of_state(&text, state)?)?;
        let drawn = folder.join(state);
        draw(&drawing, &drawn, TRAY_SIZES)?;
        for size in TRAY_SIZES {
            let from = drawn.join(format!("{size}x{size}.png"));
            fs::rename(&from, folder.join(tray_name(state, *size)))
                .with_context(|| format!("moving {}", from.display()))?;
        }
    }
    Ok(folder)
}

/// Draws one SVG in these sizes, or in all that bundles need.
fn draw(drawing: &Path, to: &Path, sizes: &[u32]) -> Result<()> {
    let mut exporter = ui::tauri()?;
    exporter.arg("icon").arg(drawing).arg("--output").arg(to);
    if !sizes.is_empty() {
        let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
        exporter.args(["--png", &sizes.join(",")]);
    }
    let result = exporter.output().with_context(|| format!("starting `{}`", command::shown(&exporter)))?;
    if !result.status.success() {
        bail!("`{}` failed: {}", command::shown(&exporter), String::from_utf8_lossy(&result.stderr));
    }
    Ok(())
}

/// Returns the drawing of a state of the tray.
fn of_state(source: &str, state: &str) -> Result<String> {
    let (before, _) = source.rsplit_once("</svg>").context("the source has no end")?;
    if !before.contains(CANVAS) {
        bail!("the source has no {CANVAS}");
    }
    let tile = before.replacen(CANVAS, TILE, 1);
    if state == "idle" {
        return Ok(format!("{tile}</svg>\n"));
    }
    if !before.contains(&format!(r#"id="{state}""#)) {
        bail!("the source has no group {state}");
    }
    Ok(format!("{tile}  <use href=\"#{state}\"/>\n</svg>\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_draws_every_state_and_no_two_alike() {
        let source = fs::read_to_string(workspace::root().join(SOURCE)).unwrap();
        let mut drawings: Vec<String> = STATES.iter().map(|state| of_state(&source, state).unwrap()).collect();
        drawings.sort();
        drawings.dedup();
        assert_eq!(drawings.len(), STATES.len());
        assert!(of_state(&source, "asleep").is_err(), "a state that nobody drew");
    }

    #[test]
    fn every_icon_is_there() {
        for file in names() {
            assert!(home().join(&file).is_file(), "{file} is not there; run `cargo xtask icons`");
        }
    }
}
