//! What systemd gives: the key of the file, and single items.

use std::fs;

use flowork_vault::{BackEnd, CredentialError, KeeperError, OpenError, Vault, VaultChoice, VaultError, VaultOptions};

use crate::place::{Place, chain, secret};

const CANARY: &str = "sk-canary-credential";
const KEY: &str = "flowork-vault-key";

#[test]
fn items_are_there_again_with_the_credential_and_nowhere_in_the_clear() {
    let place = Place::new();
    place.give_credential(KEY, b"a credential of forty bytes, made by hand\n");
    Vault::open_or_create(place.only(BackEnd::Systemd)).unwrap().set("jwt/user", &secret(CANARY)).unwrap();

    place.give_credential(KEY, b"a credential of forty bytes, made by hand");
    let vault = Vault::open(place.all_options(VaultChoice::Auto)).unwrap();
    assert_eq!(vault.back_end(), BackEnd::Systemd);
    assert_eq!(vault.get("jwt/user").unwrap().unwrap().expose_str(), Some(CANARY));
    assert_eq!(vault.notices(), [], "nothing to do better");
    assert_eq!(place.key_files(), 0, "the key is nowhere on disk");
    place.assert_nowhere(CANARY.as_bytes());

    place.give_credential(KEY, b"a credential of forty bytes, made by foot");
    let error = Vault::open(place.all_options(VaultChoice::Auto)).expect_err("another key");
    assert!(matches!(error, OpenError::WrongKey { back_end: BackEnd::Systemd, .. }), "{}", chain(&error));
}

#[test]
fn recorded_credential_that_is_away_is_an_error_and_makes_nothing_new() {
    let place = Place::new();
    place.give_all();
    Vault::open_or_create(place.only(BackEnd::Systemd)).unwrap().set("jwt/user", &secret(CANARY)).unwrap();
    let files = place.files();

    let outside = VaultOptions { credentials_dir: None, ..place.all_options(VaultChoice::Auto) };
    let error = Vault::open_or_create(outside).expect_err("systemd gives nothing");
    assert!(matches!(error, OpenError::Closed { source: KeeperError::Credential(CredentialError::NoDirectory), .. }));
    assert!(error.hint().unwrap().contains("LoadCredentialEncrypted="), "{error:?}");
    fs::remove_file(place.credentials().join(KEY)).unwrap();
    let error = Vault::open_or_create(place.all_options(VaultChoice::Auto)).expect_err("systemd gives something else");
    assert!(chain(&error).contains("there is no credential flowork-vault-key"), "{}", chain(&error));
    assert_eq!((place.files(), place.key_files()), (files, 0), "and nothing was made in its stead");
}

#[test]
fn bad_credential_is_named() {
    let place = Place::new();
    let refusal = || chain(&Vault::open_or_create(place.only(BackEnd::Systemd)).expect_err("a bad key"));
    place.give_credential(KEY, b"short");
    assert!(refusal().contains("holds 5 bytes"), "{}", refusal());
    place.give_credential(KEY, &[7; 32]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = place.credentials().join(KEY);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refusal().contains("can be read by other users"), "{}", refusal());
        // Where access lists are in use, the group's bits are those of the unit's user.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        Vault::open_or_create(place.only(BackEnd::Systemd)).unwrap();
    }
}

#[test]
fn single_items_come_from_credentials_whatever_keeps_the_others() {
    let place = Place::new();
    let with = |choice| VaultOptions { credentials_dir: Some(place.credentials()), ..place.options(choice) };
    let vault = Vault::open_or_create(with(VaultChoice::Only(BackEnd::File))).unwrap();
    vault.set("provider/openai", &secret("sk-of-the-vault")).unwrap();

    place.give_credential("flowork.provider.openai", b"sk-of-systemd\n");
    place.give_credential("flowork.provider.an.other", b"sk-2");
    place.give_credential("flowork.jwt.user", b"not to be given");
    assert_eq!(vault.get("provider/openai").unwrap().unwrap().expose_str(), Some("sk-of-systemd"));
    assert_eq!(vault.get("provider/an.other").unwrap().unwrap().expose_str(), Some("sk-2"));
    assert!(vault.get("jwt/user").unwrap().is_none(), "what the node makes it must be able to replace");
    assert_eq!(vault.list().unwrap(), ["provider/an.other", "provider/openai"]);
    let error = vault.set("provider/openai", &secret("x")).expect_err("systemd's word counts");
    assert!(matches!(error, VaultError::Given(_)) && error.hint().is_some(), "{error}");
    assert!(matches!(vault.delete("provider/openai"), Err(VaultError::Given(_))));

    fs::remove_file(place.credentials().join("flowork.provider.openai")).unwrap();
    assert_eq!(vault.get("provider/openai").unwrap().unwrap().expose_str(), Some("sk-of-the-vault"));
}
