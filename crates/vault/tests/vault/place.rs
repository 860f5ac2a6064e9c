//! A data directory of its own for each test, and everything a vault could want beside it.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flowork_vault::{BackEnd, PassphraseSource, Secret, Vault, VaultChoice, VaultOptions};

/// Names the place in a child process of a test.
const CHILD_ROOT: &str = "VAULT_TEST_ROOT";

/// A passphrase that is long enough.
pub(crate) const PASSPHRASE: &str = "correct horse battery";

pub(crate) struct Place {
    _temporary: Option<tempfile::TempDir>,
    root: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let place = Self { root: temporary.path().to_owned(), _temporary: Some(temporary) };
        for directory in [place.data(), place.credentials()] {
            fs::create_dir(directory).unwrap();
        }
        place
    }

    /// The place of the parent, where this process is the child of a test.
    pub(crate) fn of_parent() -> Option<Self> {
        Some(Self { _temporary: None, root: PathBuf::from(std::env::var_os(CHILD_ROOT)?) })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.root.join("credentials")
    }

    pub(crate) fn passphrase_file(&self) -> PathBuf {
        self.root.join("passphrase")
    }

    /// No keychain, no credentials, no passphrase.
    pub(crate) fn options(&self, choice: VaultChoice) -> VaultOptions {
        VaultOptions { data_dir: self.data(), choice, key_dir: Some(self.keys()), ..VaultOptions::default() }
    }

    /// With the credentials and the passphrase that were given.
    pub(crate) fn all_options(&self, choice: VaultChoice) -> VaultOptions {
        VaultOptions {
            credentials_dir: Some(self.credentials()),
            passphrase: PassphraseSource::new(Some(self.passphrase_file()), None),
            ..self.options(choice)
        }
    }

    pub(crate) fn only(&self, back_end: BackEnd) -> VaultOptions {
        self.all_options(VaultChoice::Only(back_end))
    }

    pub(crate) fn file_vault(&self) -> Vault {
        Vault::open_or_create(self.options(VaultChoice::Only(BackEnd::File))).unwrap()
    }

    pub(crate) fn give_passphrase(&self, text: &str) {
        write_private(&self.passphrase_file(), text.as_bytes());
    }

    pub(crate) fn give_credential(&self, name: &str, bytes: &[u8]) {
        write_private(&self.credentials().join(name), bytes);
    }

    /// Everything that any back end but the keychain wants.
    pub(crate) fn give_all(&self) {
        self.give_passphrase(PASSPHRASE);
        self.give_credential("flowork-vault-key", &[7; 32]);
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        fs::read_dir(self.keys()).unwrap().next().unwrap().unwrap().path()
    }

    /// Names of the files in the data directory, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.data()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// How many key files there are.
    pub(crate) fn key_files(&self) -> usize {
        fs::read_dir(self.keys()).map_or(0, Iterator::count)
    }

    /// Sees that nothing in the data directory has these bytes in it.
    pub(crate) fn assert_nowhere(&self, clear: &[u8]) {
        for name in self.files() {
            let bytes = fs::read(self.data().join(&name)).unwrap();
            let found = bytes.windows(clear.len()).any(|window| window == clear);
            assert!(!found, "{name} has {:?} in the clear", String::from_utf8_lossy(clear));
        }
    }

    /// Runs `test` of this program in a process of its own, on this place and without a bus.
    pub(crate) fn child(&self, test: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]);
        self.in_child(&mut command);
        command.env_remove("XDG_RUNTIME_DIR");
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/flowork-test-bus");
        command
    }

    /// Gives a command the place.
    pub(crate) fn in_child(&self, command: &mut Command) {
        command.env(CHILD_ROOT, &self.root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
}

/// Runs a command that is a test, and sees that it ran and passed.
pub(crate) fn assert_passes(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("1 passed"), "the child ran the test: {out}{err}");
}

pub(crate) fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(chain).unwrap_or_default();
    format!("{error}: {cause}")
}
