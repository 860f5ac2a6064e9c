//! The libraries that an `AppImage` brings along.
//!
//! Programs find them by a path relative to themselves. Libraries that start programs or load parts by a path that was
//! compiled in get that path changed to one below the folder the app is started in, which `AppRun` sees to. No variable
//! is set for this, so that programs which the app starts, such as a browser, use the system's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{sorted, stage::Stage};
use crate::command;

/// Starts of the names of libraries that come from the system. They are there on every desktop and fit its kernel, its
/// graphics driver, its fonts or its C library. Source: the exclude list of the `AppImage` project.
const SYSTEM: &[&str] = &[
    "ld-linux",
    "libc.so",
    "libm.so",
    "libdl.so",
    "libpthread.so",
    "librt.so",
    "libresolv.so",
    "libutil.so",
    "libstdc++.so",
    "libgcc_s.so",
    "libGL.so",
    "libEGL.so",
    "libGLX.so",
    "libGLdispatch.so",
    "libGLESv2.so",
    "libOpenGL.so",
    "libdrm.so",
    "libgbm.so",
    "libglapi.so",
    "libX11.so",
    "libX11-xcb.so",
    "libxcb.so",
    "libxcb-dri",
    "libfontconfig.so",
    "libfreetype.so",
    "libharfbuzz.so",
    "libfribidi.so",
    "libthai.so",
    "libexpat.so",
    "libz.so",
    "libcom_err.so",
    "libgpg-error.so",
    "libuuid.so",
    "libICE.so",
    "libSM.so",
    "libp11-kit.so",
    "libgmp.so",
    "libasound.so",
    "libwayland-",
];
/// What has paths compiled in, by the start of its name.
const WITH_PATHS: &[&str] = &["libwebkit2gtk-4.1.so", "libgtk-3.so", "libgdk_pixbuf-2.0.so", "libgio-2.0.so"];
/// Settings of GTK's own dialogs: without them it ends the program that opens one.
const SCHEMAS: &[&str] =
    &["org.gtk.Settings.FileChooser", "org.gtk.Settings.ColorChooser", "org.gtk.Settings.EmojiChooser"];

/// Puts the libraries of the app there, and what these start and load.
pub(super) fn bring(stage: &Stage, built: &Path, program: &Path) -> Result<()> {
    let system = system_libraries()?;
    let web = system.join("webkit2gtk-4.1");
    let mut found = BTreeMap::new();
    needed_by(built, &mut found)?;
    let mut programs = vec![program.to_owned()];
    for name in ["WebKitNetworkProcess", "WebKitWebProcess", "WebKitGPUProcess"] {
        let from = web.join(name);
        if from.is_file() {
            needed_by(&from, &mut found)?;
            programs.push(stage.program(&from, &below_usr(&from)?)?);
        }
    }
    for part in sorted(&web.join("injected-bundle"))? {
        stage.file(&part, &below_usr(&part)?)?;
    }
    // As long as the path it replaces; it starts in the folder `usr` of the image.
    let inside = system.display().to_string().replacen("/usr", "././", 1);
    for (name, from) in &found {
        let to = format!("usr/lib/{name}");
        stage.file(from, &to)?;
        if WITH_PATHS.iter().any(|start| name.starts_with(start)) {
            replace(&stage.root().join(&to), &system.display().to_string(), &inside)?;
        }
    }
    for program in &programs {
        let depth = program.strip_prefix(stage.root().join("usr"))?.components().count() - 1;
        let libraries = format!("$ORIGIN/{}lib", "../".repeat(depth));
        let mut patch = command::in_root("patchelf");
        // The older of the two kinds of run path: it holds for the libraries of libraries, too.
        command::quietly(patch.args(["--force-rpath", "--set-rpath", &libraries]).arg(program))?;
    }
    schemas(stage)
}

/// Returns where the system has its libraries, by where the web view is.
fn system_libraries() -> Result<PathBuf> {
    let text = command::output(command::in_root("pkg-config").args(["--variable=libdir", "webkit2gtk-4.1"]))?;
    let libraries = PathBuf::from(text.trim());
    if !libraries.join("webkit2gtk-4.1").is_dir() {
        bail!("the web view's programs are not in {}", libraries.display());
    }
    Ok(libraries)
}

/// Adds the libraries that a program is linked with, and those they are linked with, apart from [`SYSTEM`].
fn needed_by(program: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for (name, path) in linked(&command::output(command::in_root("ldd").arg(program))?) {
        if path.is_empty() {
            bail!("{} needs {name}, which is not there", program.display());
        }
        if !SYSTEM.iter().any(|start| name.starts_with(start)) {
            found.insert(name, path.into());
        }
    }
    Ok(())
}

/// Reads lines like `libz.so.1 => /lib/libz.so.1 (0x00)`; a library that is missing has no path.
fn linked(ldd: &str) -> Vec<(String, String)> {
    let lines = ldd.lines().filter_map(|line| line.trim().split_once(" => "));
    let path =
        |rest: &str| if rest == "not found" { String::new() } else { rest.split(" (").next().unwrap_or("").to_owned() };
    lines.map(|(name, rest)| (name.to_owned(), path(rest))).collect()
}

/// Returns a path of the system as it is below the image.
fn below_usr(path: &Path) -> Result<String> {
    let path = path.to_str().context("a path of the system is text")?;
    path.strip_prefix('/').filter(|path| path.starts_with("usr/")).map(str::to_owned).context("it is not below /usr")
}

/// Replaces a text in a library by another of the same length.
fn replace(file: &Path, from: &str, to: &str) -> Result<()> {
    if from.len() != to.len() || !command::succeeds(command::in_root("grep").args(["-qF", from]).arg(file)) {
        bail!("{} cannot have {from} replaced by {to}", file.display());
    }
    // The C locale takes bytes as they are.
    let mut edit = command::in_root("sed");
    command::quietly(edit.env("LC_ALL", "C").args(["--in-place", &format!("s|{from}|{to}|g")]).arg(file))
}

/// Compiles the settings that GTK has of its own.
fn schemas(stage: &Stage) -> Result<()> {
    let folder = "usr/share/glib-2.0/schemas";
    for schema in SCHEMAS {
        let file = format!("{folder}/{schema}.gschema.xml");
        stage.file(&Path::new("/").join(&file), &file)?;
    }
    command::quietly(command::in_root("glib-compile-schemas").arg(stage.root().join(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_what_ldd_prints() {
        let ldd = "\tlinux-vdso.so.1 (0x00)\n\tlibz.so.1 => /lib/libz.so.1 (0x00)\n\tliba.so => not found\n";
        let expected = [("libz.so.1", "/lib/libz.so.1"), ("liba.so", "")];
        assert_eq!(linked(ldd), expected.map(|(name, path)| (name.to_owned(), path.to_owned())));
    }
}
