//! Who opens `flowork:` links where no package has told the system. An AppImage is a file that somebody downloaded, and it
//! writes to nobody's list of applications unasked: its settings have a switch for that. The packages for deb and rpm say
//! it in their desktop entry, and the bundles for macOS and Windows by tauri.conf.json.

use std::path::{Path, PathBuf};

use flowork_shell::links::{self, SCHEME};
use tauri::{AppHandle, Manager, Wry};
use tauri_plugin_deep_link::DeepLink;

/// Letters that mean something else in an entry, where the plugin writes the path as it is.
const SPECIAL: &[char] = &['"', '`', '$', '\\', '%', '\n'];

/// Why the system was not told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinksError {
    /// It has no such program, or that failed.
    #[error("this system cannot be told what opens such links")]
    System(#[source] tauri_plugin_deep_link::Error),
    /// The entry could not name the app.
    #[error("{} has a letter in its path that the list of applications does not take", .0.display())]
    Path(PathBuf),
}

impl LinksError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::System(_) => "install xdg-utils",
            Self::Path(_) => "move or rename the AppImage",
        }
    }
}

/// Makes ready for the switch, where there is one. An image that opens links and was moved says where it is now.
pub(crate) fn start(app: &AppHandle) {
    if links::image().is_none() {
        return;
    }
    if let Err(error) = app.plugin(tauri_plugin_deep_link::init()) {
        tracing::warn!(%error, "links cannot be looked after");
        return;
    }
    let app = app.clone();
    tauri::async_runtime::spawn_blocking(move || {
        let kept = opens(&app).transpose().and_then(|on| if on == Some(true) { set(&app, true) } else { Ok(()) });
        if let Err(error) = kept {
            tracing::warn!(%error, "links cannot be looked after");
        }
    });
}

/// Whether this image opens links; `None` where that is no choice of this app. Blocks.
pub(crate) fn opens(app: &AppHandle) -> Option<Result<bool, LinksError>> {
    let plugin = app.try_state::<DeepLink<Wry>>()?;
    // What the system only remembers of an entry that was deleted is off.
    Some(if links::handler().is_some() { plugin.is_registered(SCHEME).map_err(LinksError::System) } else { Ok(false) })
}

/// Says whether this image opens links. Blocks.
pub(crate) fn set(app: &AppHandle, on: bool) -> Result<(), LinksError> {
    let (Some(plugin), Some(image)) = (app.try_state::<DeepLink<Wry>>(), links::image()) else { return Ok(()) };
    if !on {
        return plugin.unregister(SCHEME).map_err(LinksError::System);
    }
    if !can_be_named(&image) {
        return Err(LinksError::Path(image));
    }
    plugin.register(SCHEME).map_err(LinksError::System)
}

fn can_be_named(image: &Path) -> bool {
    image.to_str().is_some_and(|path| !path.contains(SPECIAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_whose_path_would_read_as_something_else_is_not_named() {
        for path in ["/home/a/Flowork.AppImage", "/home/a b/Flowork-1.0 (1).AppImage", "/ü/日本.AppImage"] {
            assert!(can_be_named(Path::new(path)), "{path}");
        }
        for path in ["/a\"b", "/a`b", "/$HOME/b", "/a\\b", "/100%/b", "/a\nExec=b"] {
            assert!(!can_be_named(Path::new(path)), "{path}");
            assert!(!LinksError::Path(path.into()).hint().is_empty());
        }
    }
}
