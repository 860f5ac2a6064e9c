//! Keeping the address that the node serves at in its `config.toml`, so that it is the same at the next start. It is the one
//! setting of the node that the app writes: who only has the app could not get to a node otherwise.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml_edit::{DocumentMut, Item, Value};

use crate::disk;

/// The setting.
const LISTEN: &str = "listen";

/// Why the address was not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepListenError {
    /// What is in the file can't be read, so writing would lose it.
    #[error("{} cannot be read and was left as it is", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes an address into the `config.toml` of a data directory, which need not be there. Everything else in it, comments
/// included, stays as it is.
///
/// # Errors
/// See [`KeepListenError`]; the file is as it was.
pub fn keep_listen(data_dir: &Path, address: SocketAddr) -> Result<(), KeepListenError> {
    let path = data_dir.join("config.toml");
    let path = real(path)?;
    let mut document = read(&path).map_err(|source| KeepListenError::Read { path: path.clone(), source })?;
    let mut value = Value::from(address.to_string());
    if let Some(Item::Value(old)) = document.get(LISTEN) {
        *value.decor_mut() = old.decor().clone();
    }
    document[LISTEN] = Item::Value(value);
    disk::replace(&path, document.to_string().as_bytes()).map_err(|source| KeepListenError::Write { path, source })
}

/// Where the file is: somebody may keep it elsewhere, and a link that is replaced would be none any more.
fn real(path: PathBuf) -> Result<PathBuf, KeepListenError> {
    match fs::canonicalize(&path) {
        Ok(real) => Ok(real),
        // It may lead to a disk that is not there just now.
        Err(source) if fs::symlink_metadata(&path).is_ok() => Err(KeepListenError::Read { path, source }),
        Err(_) => Ok(path),
    }
}

fn read(path: &Path) -> io::Result<DocumentMut> {
    match fs::read_to_string(path) {
        Ok(text) => text.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DocumentMut::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use flowork_node::{Config, Flags};

    use super::*;

    const ADDRESS: &str = "127.0.0.1:40123";

    fn kept(before: Option<&str>) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        if let Some(text) = before {
            fs::write(&path, text).unwrap();
        }
        keep_listen(dir.path(), ADDRESS.parse().unwrap()).unwrap();
        let flags = Flags { data_dir: Some(dir.path().to_string_lossy().into_owned()), ..Flags::default() };
        let config = Config::load_with(&flags, &std::collections::BTreeMap::new()).unwrap();
        assert_eq!(config.gateway.listen, ADDRESS.parse().unwrap(), "the node reads it after {before:?}");
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn address_is_kept_and_all_else_stays() {
        assert_eq!(kept(None), "listen = \"127.0.0.1:40123\"\n");
        assert_eq!(
            kept(Some("# mine\nlisten = \"127.0.0.1:1\" # because\n\n# more\n[gateway]\nsockets_max = 9\n")),
            "# mine\nlisten = \"127.0.0.1:40123\" # because\n\n# more\n[gateway]\nsockets_max = 9\n"
        );
        assert_eq!(
            kept(Some("# about the gateway\n[gateway]\nsockets_max = 9\n")),
            "listen = \"127.0.0.1:40123\"\n# about the gateway\n[gateway]\nsockets_max = 9\n"
        );
        assert_eq!(kept(Some("# nothing yet\n")), "listen = \"127.0.0.1:40123\"\n# nothing yet\n");
    }

    #[test]
    fn file_that_cannot_be_read_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, "workers = [").unwrap();
        let error = keep_listen(dir.path(), ADDRESS.parse().unwrap()).expect_err("it would be lost");
        assert!(matches!(error, KeepListenError::Read { .. }), "{error}");
        assert_eq!(fs::read_to_string(path).unwrap(), "workers = [");
    }

    #[cfg(unix)]
    #[test]
    fn file_that_is_kept_elsewhere_is_written_there() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, real) = (dir.path().join("config.toml"), elsewhere.path().join("mine.toml"));
        fs::write(&real, "workers = 2\n").unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        keep_listen(dir.path(), ADDRESS.parse().unwrap()).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "workers = 2\nlisten = \"127.0.0.1:40123\"\n");

        fs::remove_file(&real).unwrap();
        let error = keep_listen(dir.path(), ADDRESS.parse().unwrap()).expect_err("the file is not at hand");
        assert!(matches!(error, KeepListenError::Read { .. }), "{error}");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink(), "it may be again");
    }
}
