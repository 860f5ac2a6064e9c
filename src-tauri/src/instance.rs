//! Which app this is among those that run: one for each data directory.

use std::path::{Path, PathBuf};

/// Names the app of a data directory; two directories are two apps. The name is an element of D-Bus names, bundle
/// identifiers and mutexes, so no element of it begins with a digit.
pub(crate) fn name(identifier: &str, data_dir: &Path) -> String {
    let hash = blake3::hash(resolved(data_dir).as_os_str().as_encoded_bytes()).to_hex();
    format!("{identifier}.d{}", &hash[..16])
}

/// The one way to write a path, as far up as there is something: the first start may be the one that makes it.
fn resolved(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    match there {
        Some((ancestor, resolved)) => path.strip_prefix(ancestor).map_or_else(
            |_| path.to_owned(),
            |rest| if rest.as_os_str().is_empty() { resolved.clone() } else { resolved.join(rest) },
        ),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_data_directory_has_an_app_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let (one, other) = (root.path().join("one"), root.path().join("other"));
        let of = |path: &Path| name("dev.flowork.desktop", path);
        let before = of(&one);
        std::fs::create_dir(&one).unwrap();
        assert_eq!(of(&one), before, "the first start makes the directory and stays the same app");
        assert_eq!(of(&one), of(&root.path().join("one/../one")), "however it is written");
        assert_ne!(of(&one), of(&other));
        let element = before.rsplit_once('.').unwrap().1.to_owned();
        assert!(element.starts_with('d') && element.chars().all(|letter| letter.is_ascii_alphanumeric()), "{element}");
    }

    #[cfg(unix)]
    #[test]
    fn link_to_a_directory_is_the_same_app() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real"), root.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(name("a", &link.join("data")), name("a", &real.join("data")), "also below it, before it is made");
    }
}
