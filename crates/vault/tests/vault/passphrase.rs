//! A file that opens with a passphrase.

use std::fs;

use flowork_vault::{
    BackEnd, KeeperError, OpenError, PassphraseError, PassphraseSource, SealedError, Vault, VaultChoice, VaultOptions,
};

use crate::place::{PASSPHRASE, Place, chain, secret};

const CANARY: &str = "sk-canary-passphrase";

fn passphrase_vault(place: &Place) -> Vault {
    Vault::open_or_create(place.only(BackEnd::Passphrase)).unwrap()
}

fn refusal(place: &Place) -> OpenError {
    Vault::open(place.all_options(VaultChoice::Auto)).expect_err("it opened")
}

#[test]
fn items_are_there_again_with_the_passphrase_and_nowhere_in_the_clear() {
    let place = Place::new();
    place.give_passphrase(&format!("{PASSPHRASE}\n"));
    passphrase_vault(&place).set("provider/openai", &secret(CANARY)).unwrap();

    place.give_passphrase(PASSPHRASE);
    let vault = Vault::open(place.all_options(VaultChoice::Auto)).unwrap();
    assert_eq!(vault.back_end(), BackEnd::Passphrase);
    assert_eq!(vault.get("provider/openai").unwrap().unwrap().expose_str(), Some(CANARY));
    assert_eq!(vault.notices(), [], "nothing to do better");
    let printed = format!("{vault:?}");
    assert!(printed.contains("[redacted]") && !printed.contains(PASSPHRASE), "{printed}");
    assert_eq!(place.key_files(), 0, "the key is nowhere on disk");
    for clear in [CANARY, "provider/openai", PASSPHRASE] {
        place.assert_nowhere(clear.as_bytes());
    }
}

#[test]
fn wrong_passphrase_changed_content_and_a_cut_file_are_told_apart() {
    let place = Place::new();
    place.give_passphrase(PASSPHRASE);
    passphrase_vault(&place).set("a", &secret(CANARY)).unwrap();
    let path = place.data().join("vault.enc");
    let good = fs::read(&path).unwrap();

    place.give_passphrase("wrong horse battery");
    let error = refusal(&place);
    let wrong = |error: &OpenError| {
        matches!(error, OpenError::Closed { source: KeeperError::Passphrase(PassphraseError::Wrong(_)), .. })
    };
    assert!(wrong(&error), "{}", chain(&error));
    assert!(error.hint().unwrap().contains("try again"));
    place.give_passphrase(PASSPHRASE);

    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&path, &changed).unwrap();
    let error = refusal(&place);
    assert!(matches!(error, OpenError::File(SealedError::Damaged { .. })), "{}", chain(&error));
    assert!(chain(&error).contains("does not match its tag"), "{}", chain(&error));

    // The salt: another key comes of it.
    let mut changed = good.clone();
    changed[20] ^= 1;
    fs::write(&path, &changed).unwrap();
    assert!(wrong(&refusal(&place)), "{}", chain(&refusal(&place)));

    for length in [0, 10, 30, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        let error = refusal(&place);
        assert!(matches!(error, OpenError::File(SealedError::Damaged { .. })), "{length}: {}", chain(&error));
    }
    fs::write(&path, &good).unwrap();
    assert!(Vault::open(place.all_options(VaultChoice::Auto)).is_ok(), "the file was fine all along");
}

#[test]
fn file_that_asks_for_all_memory_is_refused_before_any_work() {
    let place = Place::new();
    place.give_passphrase(PASSPHRASE);
    passphrase_vault(&place);
    let path = place.data().join("vault.enc");
    let mut bytes = fs::read(&path).unwrap();
    // Magic, version, kind and salt come first.
    bytes[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(chain(&refusal(&place)).contains("out of bounds"), "{}", chain(&refusal(&place)));
}

#[test]
fn passphrase_that_cannot_be_had_is_an_error_and_never_another_back_end() {
    let place = Place::new();
    place.give_credential("flowork-vault-key", &[7; 32]);
    let refused = |options: VaultOptions| {
        let error = Vault::open_or_create(options).expect_err("there is no passphrase");
        assert!(!place.data().join("vault.json").exists(), "nothing was chosen instead");
        format!("{} / {}", chain(&error), error.hint().unwrap_or_default())
    };
    let named = place.only(BackEnd::Passphrase);
    assert!(refused(named.clone()).contains("cannot read the passphrase from"));
    // On auto, too: somebody configured it.
    let auto = VaultOptions { credentials_dir: None, ..place.all_options(VaultChoice::Auto) };
    let auto_without_bus = VaultOptions { choice: VaultChoice::Only(BackEnd::Passphrase), ..auto };
    assert!(refused(auto_without_bus).contains("cannot read the passphrase from"));
    place.give_passphrase("\n");
    assert!(refused(named.clone()).contains("the passphrase is empty"));
    place.give_passphrase("too short");
    assert!(refused(named.clone()).contains("10 characters or more"));
    place.give_passphrase(&"x".repeat(5_000));
    assert!(refused(named).contains("more than 4096 bytes"));
    let inside = place.data().join("passphrase");
    fs::write(&inside, PASSPHRASE).unwrap();
    let options = VaultOptions {
        passphrase: PassphraseSource::new(Some(inside), None),
        ..place.options(VaultChoice::Only(BackEnd::Passphrase))
    };
    assert!(refused(options).contains("must not be inside the data directory"));
    let nothing = place.options(VaultChoice::Only(BackEnd::Passphrase));
    assert!(refused(nothing).contains("FLOWORK_VAULT_PASSPHRASE_FILE"));
}

#[cfg(unix)]
#[test]
fn passphrase_file_that_others_may_read_is_told_of() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.give_passphrase(PASSPHRASE);
    fs::set_permissions(place.passphrase_file(), fs::Permissions::from_mode(0o644)).unwrap();
    let notices = passphrase_vault(&place).notices();
    assert_eq!(notices.iter().map(|notice| notice.code).collect::<Vec<_>>(), ["VAULT_PASSPHRASE_EXPOSED"]);
}

#[cfg(unix)]
#[test]
fn passphrase_comes_from_a_descriptor_which_is_then_closed() {
    use std::process::{Command, Stdio};

    use crate::place::assert_passes;

    if let Some(place) = Place::of_parent() {
        let options = VaultOptions {
            passphrase: PassphraseSource::new(None, Some(3)),
            ..place.options(VaultChoice::Only(BackEnd::Passphrase))
        };
        Vault::open_or_create(options.clone()).unwrap();
        assert!(fs::metadata("/dev/fd/3").is_err(), "no child of ours inherits it");
        Vault::open(options).expect("it is remembered, for it can be read only once");
        return;
    }
    let place = Place::new();
    let mut command = Command::new("sh");
    let name = "passphrase::passphrase_comes_from_a_descriptor_which_is_then_closed";
    place.in_child(&mut command);
    command.args(["-c", r#"printf '%s\n' "$1" | { exec 3<&0 </dev/null; exec "$0" --exact "$2" --nocapture; }"#]);
    command.arg(std::env::current_exe().unwrap()).args([PASSPHRASE, name]).stdin(Stdio::null());
    assert_passes(&mut command);
    place.give_passphrase(PASSPHRASE);
    assert!(Vault::open(place.only(BackEnd::Passphrase)).is_ok(), "it is the passphrase that came down the pipe");
}
