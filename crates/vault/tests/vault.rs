//! The vault on real files, in one process and in several.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use flowork_vault::{BackEnd, OpenError, Secret, Vault, VaultChoice, VaultError, VaultOptions, keys};

/// Names the data directory in a child process of this test.
const CHILD_DATA: &str = "VAULT_TEST_DATA";
/// Names the key directory there.
const CHILD_KEYS: &str = "VAULT_TEST_KEYS";

struct Place {
    _root: tempfile::TempDir,
    data: PathBuf,
    keys: PathBuf,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (data, keys) = (root.path().join("data"), root.path().join("keys"));
        fs::create_dir(&data).unwrap();
        Self { _root: root, data, keys }
    }

    fn options(&self, choice: VaultChoice) -> VaultOptions {
        VaultOptions { data_dir: self.data.clone(), choice, key_dir: Some(self.keys.clone()) }
    }

    fn file_vault(&self) -> Vault {
        Vault::open_or_create(self.options(VaultChoice::File)).unwrap()
    }

    fn key_file(&self) -> PathBuf {
        fs::read_dir(&self.keys).unwrap().next().unwrap().unwrap().path()
    }
}

fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(chain).unwrap_or_default();
    format!("{error}: {cause}")
}

#[test]
fn items_survive_closing_and_are_not_on_disk_in_the_clear() {
    let place = Place::new();
    let vault = place.file_vault();
    vault.set("provider/openai", &Secret::new(b"sk-canary-1234".to_vec())).unwrap();
    vault.set("jwt/user", &Secret::new(vec![0, 255, 7])).unwrap();
    drop(vault);

    let vault = Vault::open(place.options(VaultChoice::Auto)).unwrap();
    assert_eq!(vault.back_end(), BackEnd::File, "the recorded back end is used, whatever auto would pick now");
    assert_eq!(vault.get("provider/openai").unwrap().unwrap().expose_str(), Some("sk-canary-1234"));
    assert_eq!(vault.list().unwrap(), ["jwt/user", "provider/openai"]);
    assert!(vault.notice().unwrap().message.contains("protects copies of the data, not the machine"));
    for entry in fs::read_dir(&place.data).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for clear in [&b"sk-canary"[..], b"provider/openai"] {
            assert!(!bytes.windows(clear.len()).any(|window| window == clear));
        }
    }
    vault.delete("provider/openai").unwrap();
    vault.delete("provider/openai").unwrap();
    assert!(vault.get("provider/openai").unwrap().is_none());
}

#[test]
fn every_changed_byte_of_the_encrypted_file_is_noticed() {
    let place = Place::new();
    place.file_vault().set("a", &Secret::new(b"b".to_vec())).unwrap();
    let path = place.data.join("vault.enc");
    let good = fs::read(&path).unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        fs::write(&path, bad).unwrap();
        let error = Vault::open(place.options(VaultChoice::File)).expect_err("a changed byte");
        let text = chain(&error);
        assert!(text.contains("damaged or changed") || text.contains("is not the key of"), "byte {index}: {text}");
        assert!(error.hint().unwrap().contains("restore"));
    }
    fs::write(&path, &good[..good.len() - 1]).unwrap();
    assert!(Vault::open(place.options(VaultChoice::File)).is_err(), "a file cut short");
    fs::write(&path, &good).unwrap();
    assert!(Vault::open(place.options(VaultChoice::File)).is_ok(), "the file itself was fine all along");
}

#[test]
fn wrong_missing_or_exposed_key_is_named() {
    let (place, other) = (Place::new(), Place::new());
    place.file_vault();
    other.file_vault();
    let (key, good) = (place.key_file(), fs::read(place.key_file()).unwrap());
    let refusal = || chain(&Vault::open(place.options(VaultChoice::File)).expect_err("a bad key"));

    fs::write(&key, fs::read(other.key_file()).unwrap()).unwrap();
    assert!(refusal().contains("is not the key of"), "{}", refusal());
    fs::write(&key, "nonsense").unwrap();
    assert!(refusal().contains("does not hold a vault key"), "{}", refusal());
    fs::remove_file(&key).unwrap();
    assert!(refusal().contains("key of the encrypted vault is missing"), "{}", refusal());
    assert!(Vault::open_or_create(place.options(VaultChoice::File)).is_err(), "a lost key never makes a new vault");
    fs::write(&key, &good).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refusal().contains("can be read by other users"), "{}", refusal());
    }
}

#[test]
fn lost_encrypted_file_does_not_come_back_empty() {
    let place = Place::new();
    place.file_vault().set("a", &Secret::new(b"b".to_vec())).unwrap();
    fs::remove_file(place.data.join("vault.enc")).unwrap();
    let error = Vault::open_or_create(place.options(VaultChoice::Auto)).expect_err("the secrets are gone");
    assert!(chain(&error).contains("is gone"), "{}", chain(&error));
}

#[test]
fn key_inside_the_data_directory_is_refused() {
    let place = Place::new();
    let refused = |key_dir: PathBuf, data_dir: PathBuf| {
        let options = VaultOptions { data_dir, choice: VaultChoice::File, key_dir: Some(key_dir) };
        let error = Vault::open_or_create(options).expect_err("a key beside what it protects");
        assert!(chain(&error).contains("must not be inside"), "{}", chain(&error));
    };
    refused(place.data.join("keys"), place.data.clone());
    refused(place.data.join("keys"), place.data.join("../data"));
    #[cfg(unix)]
    {
        let link = place.data.parent().unwrap().join("link");
        std::os::unix::fs::symlink(&place.data, &link).unwrap();
        refused(link.join("keys"), place.data.clone());
        refused(place.data.join("keys"), link);
    }
}

#[test]
fn asking_for_another_back_end_than_the_recorded_one_is_an_error() {
    let place = Place::new();
    place.file_vault();
    let error = Vault::open_or_create(place.options(VaultChoice::Keychain)).expect_err("the other back end");
    assert!(matches!(error, OpenError::OtherBackEnd { recorded: BackEnd::File, wanted: BackEnd::Keychain }));
}

#[test]
fn names_that_are_none_are_refused() {
    let vault = Place::new();
    let vault = vault.file_vault();
    for name in ["", "a b", "ä", &"x".repeat(201)] {
        assert!(matches!(vault.get(name), Err(VaultError::InvalidName(_))), "{name:?}");
    }
}

/// Runs `test` of this file in a process of its own, with the place in its environment.
fn child(place: &Place, test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD_DATA, &place.data).env(CHILD_KEYS, &place.keys);
    command.env_remove("XDG_RUNTIME_DIR").env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/flowork-test-bus");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn child_options(choice: VaultChoice) -> Option<VaultOptions> {
    let data_dir = PathBuf::from(std::env::var_os(CHILD_DATA)?);
    Some(VaultOptions { data_dir, choice, key_dir: std::env::var_os(CHILD_KEYS).map(Into::into) })
}

fn digest_of_key(vault: &Vault) -> String {
    let key = vault.get_or_make("jwt/user", keys::generate_user_key).unwrap();
    fingerprint(key.expose()).to_string()
}

/// A stand-in for a hash that needs no further dependency: equal for equal keys, and unequal for two RSA keys.
fn fingerprint(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn processes_that_race_the_first_start_share_one_key() {
    if let Some(options) = child_options(VaultChoice::File) {
        println!("key={}", digest_of_key(&Vault::open_or_create(options).unwrap()));
        return;
    }
    let place = Place::new();
    let racing: Vec<_> =
        (0..4).map(|_| child(&place, "processes_that_race_the_first_start_share_one_key").spawn().unwrap()).collect();
    let keys: Vec<String> = racing
        .into_iter()
        .map(|process| {
            let output = process.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines().find_map(|line| line.split_once("key=")).expect("the child prints its key").1.to_owned()
        })
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(fs::read_dir(&place.keys).unwrap().count(), 1, "one vault, one key file");
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_bus_a_new_vault_is_a_file_and_says_why() {
    if let Some(options) = child_options(VaultChoice::Auto) {
        let begin = Instant::now();
        let vault = Vault::open_or_create(options).unwrap();
        assert_eq!(vault.back_end(), BackEnd::File);
        assert!(vault.notice().unwrap().message.contains("The OS keychain could not be used"));
        assert!(begin.elapsed() < Duration::from_secs(4), "a dead bus is noticed without the time-out");
        return;
    }
    assert_child_passes(&Place::new(), "without_a_bus_a_new_vault_is_a_file_and_says_why");
}

#[cfg(target_os = "linux")]
#[test]
fn recorded_keychain_that_is_away_is_an_error_and_makes_nothing_new() {
    if let Some(options) = child_options(VaultChoice::Auto) {
        let error = Vault::open_or_create(options.clone()).expect_err("the keychain is away");
        assert!(error.to_string().contains("are in the OS keychain, which cannot be reached"), "{error}");
        assert!(!options.data_dir.join("vault.enc").exists());
        return;
    }
    let place = Place::new();
    let record = r#"{"version":1,"backend":"keychain","id":"00112233445566778899aabbccddeeff","items":["jwt/user"]}"#;
    fs::write(place.data.join("vault.json"), record).unwrap();
    assert_child_passes(&place, "recorded_keychain_that_is_away_is_an_error_and_makes_nothing_new");
    assert_eq!(fs::read_to_string(place.data.join("vault.json")).unwrap(), record);
}

#[cfg(target_os = "linux")]
fn assert_child_passes(place: &Place, test: &str) {
    let output = child(place, test).output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "the child ran the test: {}", text(&output.stdout));
}

#[cfg(target_os = "linux")]
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn unreadable_record_is_an_error() {
    let place = Place::new();
    for bad in [
        "",
        "{}",
        r#"{"version":9,"backend":"file","id":"00112233445566778899aabbccddeeff"}"#,
        r#"{"version":1,"backend":"file","id":"../x"}"#,
    ] {
        fs::write(record_path(&place.data), bad).unwrap();
        assert!(matches!(Vault::open_or_create(place.options(VaultChoice::Auto)), Err(OpenError::Record(_))), "{bad}");
    }
}

fn record_path(data: &Path) -> PathBuf {
    data.join("vault.json")
}
