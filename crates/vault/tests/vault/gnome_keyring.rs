//! A real Secret Service: gnome-keyring on a D-Bus of its own, with folders of its own.

use std::{
    fs,
    io::Write,
    ops::ControlFlow,
    path::Path,
    process::{Command, Stdio},
};

use flowork_vault::{
    BackEnd, KeeperError, KeychainError, MigrateError, MigrationStep, OpenError, Vault, VaultChoice, migrate,
};
use keyring::{CredentialStore, Error};

use crate::place::{Place, assert_passes, chain, secret};

const CANARY: &str = "sk-canary-keychain";
const PASSWORD: &[u8] = b"of the login keychain";
const ID_BYTES: usize = 32;

/// Runs `body` in a process of its own, on a bus of its own with a keychain that is unlocked.
fn in_session(test: &str, body: impl FnOnce(&Place)) {
    if let Some(place) = Place::of_parent() {
        unlock();
        return body(&place);
    }
    for (program, package) in [("dbus-run-session", "dbus"), ("gnome-keyring-daemon", "gnome-keyring")] {
        let there = std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|path| path.join(program).is_file());
        assert!(there, "this test needs {program}: install the Debian package {package}");
    }
    let place = Place::new();
    let mut command = Command::new("dbus-run-session");
    command.arg("--").arg(std::env::current_exe().unwrap()).args(["--exact", &format!("gnome_keyring::{test}")]);
    command.arg("--nocapture");
    place.in_child(&mut command);
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "GNOME_KEYRING_CONTROL"] {
        command.env_remove(name);
    }
    for name in ["HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        let directory = place.root().join(name);
        std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(&directory).unwrap();
        command.env(name, directory);
    }
    assert_passes(&mut command);
    let keyrings = place.root().join("XDG_DATA_HOME/keyrings");
    assert!(fs::read_dir(keyrings).unwrap().next().is_some(), "it was this keychain that was used");
}

/// Starts the keychain, in the place of one that runs, and unlocks it.
fn unlock() {
    let mut daemon = Command::new("gnome-keyring-daemon");
    daemon.args(["--replace", "--unlock", "--components=secrets"]).stdin(Stdio::piped());
    let mut daemon = daemon.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    daemon.stdin.take().unwrap().write_all(PASSWORD).unwrap();
    assert!(daemon.wait().unwrap().success(), "gnome-keyring-daemon --unlock");
}

fn lock() {
    ask(
        "org.freedesktop.secrets",
        &[
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ],
    );
}

fn signal(signal: &str) {
    let pid = ask(
        "org.freedesktop.DBus",
        &["/", "org.freedesktop.DBus.GetConnectionUnixProcessID", "string:org.freedesktop.secrets"],
    );
    let pid = pid.rsplit(' ').next().unwrap().trim();
    assert!(Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().unwrap().success());
}

fn ask(of: &str, call: &[&str]) -> String {
    let mut command = Command::new("dbus-send");
    command.args(["--session", "--print-reply", &format!("--dest={of}")]).args(call);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The same keychain, by the library alone.
fn library() -> std::sync::Arc<CredentialStore> {
    zbus_secret_service_keyring_store::Store::new().unwrap()
}

fn id(place: &Place) -> String {
    let record = fs::read_to_string(place.data().join("vault.json")).unwrap();
    let after = record.split_once(r#""id": ""#).unwrap().1;
    after[..ID_BYTES].to_owned()
}

fn open(place: &Place) -> Result<Vault, OpenError> {
    Vault::open_or_create(place.options(VaultChoice::Auto))
}

fn refusal(place: &Place) -> KeychainError {
    let sealed = || place.files().into_iter().filter(|name| name != "vault.lock").collect::<Vec<_>>();
    let before = sealed();
    let error = open(place).expect_err("the keychain gives nothing");
    assert!(error.hint().is_some(), "{}", chain(&error));
    assert_eq!((sealed(), place.key_files()), (before, 0), "nothing was made in its stead");
    match error {
        OpenError::Closed { back_end: BackEnd::Keychain, source: KeeperError::Keychain(error) } => error,
        other => panic!("{}", chain(&other)),
    }
}

fn assert_kept(place: &Place) {
    let vault = open(place).unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!(vault.back_end(), BackEnd::Keychain);
    assert_eq!(vault.get("provider/openai").unwrap().unwrap().expose_str(), Some(CANARY));
}

fn go_on(_: MigrationStep) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn keychain_is_the_first_choice_and_has_the_key_of_the_file() {
    in_session("keychain_is_the_first_choice_and_has_the_key_of_the_file", |place| {
        // Whatever else is there.
        place.give_all();
        let vault = Vault::open_or_create(place.all_options(VaultChoice::Auto)).unwrap();
        assert_eq!((vault.back_end(), vault.notices()), (BackEnd::Keychain, Vec::new()));
        vault.set("provider/openai", &secret(CANARY)).unwrap();
        drop(vault);
        assert_kept(place);
        place.assert_nowhere(CANARY.as_bytes());
        assert_eq!(place.key_files(), 0);

        let entry = library().build("flowork", &format!("{}/key", id(place)), None).unwrap();
        let key = entry.get_secret().unwrap();
        assert_eq!(key.len(), 44, "256 bits in Base64");
        place.assert_nowhere(&key);
        let probe = library().build("flowork", &format!("{}/probe", id(place)), None).unwrap();
        assert!(matches!(probe.get_secret(), Err(Error::NoEntry)));
        entry.set_secret(b"nonsense").unwrap();
        assert!(matches!(refusal(place), KeychainError::Unreadable));
        entry.delete_credential().unwrap();
        assert!(matches!(refusal(place), KeychainError::Gone));
        entry.set_secret(&key).unwrap();
        assert_kept(place);
    });
}

#[test]
fn locked_keychain_is_an_error_and_opens_once_it_is_unlocked() {
    in_session("locked_keychain_is_an_error_and_opens_once_it_is_unlocked", |place| {
        open(place).unwrap().set("provider/openai", &secret(CANARY)).unwrap();
        let running = open(place).unwrap();
        lock();
        let error = refusal(place);
        assert!(matches!(error, KeychainError::Locked(_) | KeychainError::NoAnswer), "{error:?}");
        let kept = running.get("provider/openai").unwrap().unwrap();
        assert_eq!(kept.expose_str(), Some(CANARY), "whoever has it open has the key");
        unlock();
        assert_kept(place);
    });
}

#[test]
fn keychain_that_hangs_is_given_up_and_opens_once_it_answers() {
    in_session("keychain_that_hangs_is_given_up_and_opens_once_it_answers", |place| {
        open(place).unwrap().set("provider/openai", &secret(CANARY)).unwrap();
        signal("STOP");
        let error = refusal(place);
        assert!(matches!(error, KeychainError::NoAnswer), "{error:?}");
        signal("CONT");
        assert_kept(place);
    });
}

#[test]
fn keychain_that_was_restarted_opens_in_the_same_process() {
    in_session("keychain_that_was_restarted_opens_in_the_same_process", |place| {
        open(place).unwrap().set("provider/openai", &secret(CANARY)).unwrap();
        signal("KILL");
        unlock();
        assert_kept(place);
    });
}

#[test]
fn secrets_move_to_the_keychain_and_back_wherever_it_stops() {
    in_session("secrets_move_to_the_keychain_and_back_wherever_it_stops", |place| {
        let steps = [
            Some(MigrationStep::Prepared),
            Some(MigrationStep::Verified),
            Some(MigrationStep::Switched),
            Some(MigrationStep::Erased),
            None,
        ];
        let options = place.options(VaultChoice::Auto);
        Vault::open_or_create(place.only(BackEnd::File)).unwrap().set("provider/openai", &secret(CANARY)).unwrap();
        let mut at = BackEnd::File;
        for last in steps.iter().chain(&steps) {
            let to = if at == BackEnd::File { BackEnd::Keychain } else { BackEnd::File };
            let before = id(place);
            let mut watch = |step| if Some(step) == *last { ControlFlow::Break(()) } else { go_on(step) };
            match migrate(&options, to, &mut watch) {
                Ok(_) | Err(MigrateError::Stopped(MigrationStep::Switched | MigrationStep::Erased)) => at = to,
                Err(MigrateError::Stopped(_)) => {}
                Err(error) => panic!("{}", chain(&error)),
            }
            let vault = open(place).unwrap();
            assert_eq!(vault.back_end(), at, "stopped after {last:?}");
            assert_eq!(vault.get("provider/openai").unwrap().unwrap().expose_str(), Some(CANARY));
            assert_eq!(place.key_files(), usize::from(at == BackEnd::File), "stopped after {last:?}");
            let old = library().build("flowork", &format!("{before}/key"), None).unwrap();
            let is_gone = matches!(old.get_secret(), Err(Error::NoEntry));
            assert_eq!(is_gone, at == BackEnd::File || before != id(place), "stopped after {last:?}");
        }
    });
}

#[test]
fn entries_of_the_first_version_move_into_a_file() {
    in_session("entries_of_the_first_version_move_into_a_file", |place| {
        let old = "00112233445566778899aabbccddeeff";
        let record =
            format!(r#"{{"version":1,"backend":"keychain","id":"{old}","items":["jwt/user","provider/openai"]}}"#);
        fs::write(place.data().join("vault.json"), record).unwrap();
        let library = library();
        let entry = |name: &str| library.build("flowork", &format!("{old}/{name}"), None).unwrap();
        entry("provider/openai").set_secret(CANARY.as_bytes()).unwrap();
        entry("jwt/user").set_secret(&[0, 255, 7]).unwrap();

        lock();
        assert!(matches!(refusal(place), KeychainError::Locked(_) | KeychainError::NoAnswer));
        unlock();
        assert_kept(place);
        assert_eq!(open(place).unwrap().list().unwrap(), ["jwt/user", "provider/openai"]);
        assert_ne!(id(place), old);
        for name in ["provider/openai", "jwt/user"] {
            assert!(matches!(entry(name).get_secret(), Err(Error::NoEntry)), "{name} is in the file and nowhere else");
        }
        assert!(!Path::new(&place.keys()).exists());
    });
}
